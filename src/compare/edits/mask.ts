// The mask: another one, or applied in another way (added as 0/1, multiplied, a fill value, after the softmax).
import { scaleFactor } from '../../engine/heads/weights.ts';
import { hasNode, nodeOf } from '../../engine/graph.ts';
import { addMask } from '../../engine/ops/elementwise.ts';
import type { Tensor } from '../../engine/tensor.ts';
import { shortNumber } from '../constants.ts';
import {
  after,
  entrywise,
  fibres,
  identity,
  notANumber,
  softmaxOver,
  times,
} from '../operations.ts';
import { type Program, type StepOperation, withStep } from '../program.ts';
import { type Edit, type Family, roles, type Site } from './edit.ts';
import {
  contributionEdit,
  contributionsTo,
  makeEdit,
  passedBack,
  type Say,
  stepEdit,
} from './make.ts';
import { rightMask } from './maskLayout.ts';
import { maskVariants } from './masks.ts';

export const mask: Family = (site) => {
  const { kind, node, graph } = site;
  if (kind === 'gradient') return hasNode(graph, 'M') ? backward(site) : [];
  if (node.id === 'M') return [...variants(site), ...ways(site), ...afterSoftmax(site)];
  if (node.id === 'P') return hasNode(graph, 'M') ? pastTheMask(site) : unwanted(site);
  if (node.id === 'Z') return hasNode(graph, 'M') ? capAfterMask(site) : [];
  return [];
};

/** A mask where the setup has none. */
function unwanted(site: Site): Edit[] {
  return maskVariants(site, site.node).map((variant) =>
    stepEdit(site, 'P', variant, ({ operation }) => {
      const add = addMask(site.node.axes, variant.mask);
      return {
        ...operation,
        forward: (inputs) => operation.forward([add.forward(inputs)]),
        vjp: (at, upstream) => operation.vjp(at, upstream),
      };
    }),
  );
}

const BLIND = 'A query that sees no key divides 0 by 0: NaN.';

function variants(site: Site): Edit[] {
  const { node, graph, goal } = site;
  const edits = maskVariants(site, node).map((variant) =>
    stepEdit(site, 'M', variant, () => addMask(node.axes, variant.mask)),
  );
  if (!goal.user.data.some(Number.isNaN)) return edits;
  const rows = fibres(nodeOf(graph, 'P').axes, ['i'], graph.extents);
  const blind = edits.map((edit) => {
    const { id, title, wrong, cost } = edit;
    const say = { id, title, why: `${edit.why} ${BLIND}`, wrong, cost };
    return makeEdit(site, 'M', 'value', say, (program) => {
      const { operation, inputs } = program.forward.get('P')!;
      return withStep(edit.apply(program), 'P', { operation: notANumber(operation, rows), inputs });
    });
  });
  return [...edits, ...blind];
}

/** Hidden entries of a mask. */
const hiddenOf =
  (additive: Tensor): ((at: number) => boolean) =>
  (at) =>
    additive.data[at] === -Infinity;

interface Way {
  readonly id: string;
  readonly title: string;
  readonly why: string;
  readonly wrong: string;
  operation(hidden: (at: number) => boolean, bias: (at: number) => number): StepOperation;
}

function fill(value: number, words: string, id = 'mask-fill-value'): Way {
  return {
    id,
    title: `hidden scores are filled with ${words} instead of −∞`,
    why: `exp(${words}) is not 0: hidden keys keep a weight and their gradients leak.`,
    wrong: `M = where(hidden, ${words}, Z)`,
    operation: (hidden, bias) =>
      entrywise(
        (input, at) => (hidden(at) ? value : input + bias(at)),
        (_, at) => (hidden(at) ? 0 : 1),
      ),
  };
}

function penalty(value: number): Way {
  return {
    id: 'mask-penalty-finite',
    title: `hidden scores are only lowered by ${-value}, which leaves them weight`,
    why: `Hidden keys keep exp(${value}) of their weight, and their gradients leak.`,
    wrong: `M = Z − ${-value} · hidden`,
    operation: (hidden, bias) =>
      entrywise(
        (input, at) => input + (hidden(at) ? value : bias(at)),
        () => 1,
      ),
  };
}

const WAYS: readonly Way[] = [
  {
    id: 'mask-added-as-zero-one',
    title: 'the 0/1 mask is added to the scores',
    why: 'A boolean mask turned into 0 and 1 and added hides nothing.',
    wrong: 'M = Z + seen (0 or 1)',
    operation: (hidden, bias) =>
      entrywise(
        (input, at) => input + (hidden(at) ? 0 : 1 + bias(at)),
        () => 1,
      ),
  },
  {
    id: 'mask-added-as-zero-one',
    title: 'the 0/1 mask is added to the scores (1 where hidden)',
    why: 'A boolean mask turned into 0 and 1 and added hides nothing.',
    wrong: 'M = Z + hidden (0 or 1)',
    operation: (hidden, bias) =>
      entrywise(
        (input, at) => input + (hidden(at) ? 1 : bias(at)),
        () => 1,
      ),
  },
  {
    id: 'mask-subtracted-as-zero-one',
    title: 'the 0/1 mask is subtracted from the scores',
    why: 'Subtracting 1 from hidden scores hardly hides them.',
    wrong: 'M = Z − hidden (0 or 1)',
    operation: (hidden, bias) =>
      entrywise(
        (input, at) => input - (hidden(at) ? 1 : -bias(at)),
        () => 1,
      ),
  },
  {
    id: 'mask-multiplied',
    title: 'the 0/1 mask is multiplied into the scores',
    why: 'Hidden scores become 0, and exp(0) = 1: they keep a weight. Hidden scores must be −∞.',
    wrong: 'M = Z ∘ seen',
    operation: (hidden, bias) =>
      entrywise(
        (input, at) => (hidden(at) ? 0 : input + bias(at)),
        (_, at) => (hidden(at) ? 0 : 1),
      ),
  },
  {
    id: 'mask-multiplied-inverted',
    title: 'the inverted 0/1 mask is multiplied into the scores',
    why: 'Scores that should be seen become 0, hidden ones stay.',
    wrong: 'M = Z ∘ hidden',
    operation: (hidden) =>
      entrywise(
        (input, at) => (hidden(at) ? input : 0),
        (_, at) => (hidden(at) ? 1 : 0),
      ),
  },
  ...[1e-9, -1e-9, -1, -10, 1e9, 1].map((value) => fill(value, shortNumber(value))),
  ...[-2, -3, -5, -10, -20].map(penalty),
  {
    id: 'mask-sign',
    title: 'hidden scores are +∞ instead of −∞',
    why: 'The softmax of +∞ is NaN.',
    wrong: 'M = where(hidden, +∞, Z)',
    operation: (hidden, bias) =>
      entrywise(
        (input, at) => (hidden(at) ? Infinity : input + bias(at)),
        (_, at) => (hidden(at) ? 0 : 1),
      ),
  },
  {
    id: 'mask-fill-nan',
    title: 'the mask is multiplied by −∞: 0 · −∞ is NaN where nothing is hidden',
    why: '−∞ times 0 is NaN, so every score that is seen becomes NaN.',
    wrong: 'M = Z + hidden · (−∞)',
    operation: (hidden) =>
      entrywise(
        (_, at) => (hidden(at) ? -Infinity : NaN),
        () => NaN,
      ),
  },
];

function ways(site: Site): Edit[] {
  const { node, config, target } = site;
  const right = rightMask(site, node);
  const masks: { mask: () => Tensor; id: string; words: string; cost: number }[] = [
    { mask: () => right, id: '', words: '', cost: 0 },
  ];
  for (const variant of maskVariants(site, node)) {
    const { id, title, cost } = variant;
    // Two slips in one step: of the usual masks only.
    if (id !== 'mask-missing' && cost <= 1.1 && !id.startsWith('alibi'))
      masks.push({
        mask: () => variant.mask,
        id: `-and-${id}`,
        words: `; ${title}`,
        cost: 0.6 + cost / 2,
      });
  }
  const own = [...WAYS];
  const hidden = hiddenOf(right);
  const first = right.data.findIndex((_, at) => hidden(at));
  if (target && first >= 0 && Number.isFinite(target.user.data[first])) {
    const value = target.user.data[first];
    if (right.data.every((_, at) => !hidden(at) || target.user.data[at] === value))
      own.push(fill(value, shortNumber(value)));
  }
  if (config.softcap !== undefined) {
    const capped = fill(-config.softcap, `−softcap = ${-config.softcap}`, 'softcap-after-mask');
    own.unshift({
      ...capped,
      title: 'softcap is applied after the mask',
      why: `Hidden scores become softcap · tanh(−∞) = −softcap and keep a weight. ${capped.why}`,
    });
  }
  return own.flatMap((way) =>
    masks.map(({ mask: additiveOf, id, words, cost }) => {
      const say = {
        ...way,
        id: way.id + id,
        title: way.title + words,
        cost: (way.id === 'softcap-after-mask' ? 0.95 : 1) + cost,
      };
      return stepEdit(site, 'M', say, () => {
        const additive = additiveOf();
        const isHidden = hiddenOf(additive);
        return way.operation(isHidden, (at) => (isHidden(at) ? 0 : additive.data[at]));
      });
    }),
  );
}

/** The masked scores are right but not used: the mask is multiplied into the weights. */
function pastTheMask(site: Site): Edit[] {
  const { node, graph } = site;
  const M = nodeOf(graph, 'M');
  if (M.kind !== 'operation') return [];
  const hidden = hiddenOf(rightMask(site, node));
  const keep = entrywise(
    (input, at) => (hidden(at) ? 0 : input),
    (_, at) => (hidden(at) ? 0 : 1),
  );
  const say = {
    ...{
      id: 'mask-after-softmax',
      title: 'the mask is applied after the softmax, without normalising again',
    },
    ...{
      why: 'Hidden keys have taken part in the sum of the softmax, so the weights of a row add to less than 1.',
      wrong: 'P = softmax(Z) ∘ seen',
    },
  };
  return [
    stepEdit(site, 'P', say, () => ({
      operation: after(softmaxOver(node.axes, ['i'], graph.extents), keep),
      inputs: M.inputs,
    })),
  ];
}

/** The mask multiplied into the weights, with or without the mask before; and before the softcap. */
function afterSoftmax(site: Site): Edit[] {
  const { node, graph, config } = site;
  const right = rightMask(site, node);
  const hidden = hiddenOf(right);
  const keep = entrywise(
    (input, at) => (hidden(at) ? 0 : input),
    (_, at) => (hidden(at) ? 0 : 1),
  );
  const softmax = softmaxOver(node.axes, ['i'], graph.extents);
  const M = nodeOf(graph, 'M');
  const before = M.kind === 'operation' ? M.inputs : ['S'];
  const late = (say: Say, P: StepOperation, before_: StepOperation = identity): Edit =>
    makeEdit(site, 'M', 'value', say, (program: Program) =>
      withStep(withStep(program, 'M', { operation: before_, inputs: before }), 'P', {
        operation: P,
        inputs: ['M'],
      }),
    );
  const edits = [
    late(
      {
        id: 'mask-after-softmax',
        title: 'the mask is applied after the softmax, without normalising again',
        why: 'Hidden keys have taken part in the sum of the softmax, so the weights of a row add to less than 1.',
        wrong: 'P = softmax(Z) ∘ seen',
      },
      after(softmax, keep),
    ),
    ...[[node.axes.flat().filter((letter) => letter === 'j'), 'the queries']].map(
      ([letters, words]) =>
        late(
          {
            id: 'mask-after-softmax-wrong-axis',
            title: `softmax over ${String(words)}, then the mask`,
            why: 'Two mistakes in one step.',
            wrong: 'P = softmax_j(Z) ∘ seen',
            cost: 2,
          },
          after(softmaxOver(node.axes, letters as string[], graph.extents), keep),
        ),
    ),
  ];
  if (config.softcap !== undefined) {
    const cap = config.softcap;
    edits.push(
      late(
        {
          id: 'softcap-after-mask',
          title: 'softcap is applied after the mask',
          why: 'Hidden scores become −softcap instead of −∞ and keep a weight.',
          wrong: `M = softcap · tanh((scale · S + mask) / softcap)`,
        },
        softmax,
        entrywise(
          (input, at) => (hidden(at) ? -cap : input),
          (_, at) => (hidden(at) ? 0 : 1),
        ),
      ),
    );
  }
  return edits;
}

/** Z is only scaled, M is capped: hidden scores end at −softcap. */
function capAfterMask(site: Site): Edit[] {
  const { graph, config } = site;
  const { softcap: cap } = config;
  const M = nodeOf(graph, 'M');
  if (cap === undefined) return [];
  const factor = scaleFactor(config, graph.extents['a']) ?? 1;
  const right = rightMask(site, M);
  const hidden = hiddenOf(right);
  const bend = entrywise(
    (input, at) => (hidden(at) ? -cap : cap * Math.tanh((input + right.data[at]) / cap)),
    (input, at) => (hidden(at) ? 0 : 1 - Math.tanh((input + right.data[at]) / cap) ** 2),
  );
  const say = {
    ...{ id: 'softcap-after-mask', title: 'softcap is applied after the mask' },
    ...{
      why: 'Hidden scores become softcap · tanh(−∞) = −softcap instead of −∞ and keep a weight.',
      wrong: 'M = softcap · tanh((scale · S + mask) / softcap)',
    },
    cost: 0.95,
  };
  return [
    makeEdit(site, 'Z', 'value', say, (program: Program) =>
      withStep(withStep(program, 'Z', { operation: times(factor), inputs: ['S'] }), 'M', {
        operation: bend,
        inputs: ['Z'],
      }),
    ),
  ];
}

/** The backward pass computes with weights that know no mask, or does not stop gradients of hidden scores. */
function backward(site: Site): Edit[] {
  const { node, graph } = site;
  const M = nodeOf(graph, 'M');
  if (M.kind !== 'operation') return [];
  const [unmasked] = M.inputs;
  const { weights } = roles(graph);
  const again = softmaxOver(M.axes, ['i'], graph.extents);
  return contributionsTo(site, node.id).flatMap(({ from, slot }) => {
    const at = from.inputs.indexOf(weights);
    if (at < 0 || at === slot) return [];
    return [
      contributionEdit(
        site,
        from.id,
        slot,
        {
          id: 'backward-weights-unmasked',
          title: 'the weights are recomputed without the mask in the backward pass',
          why: `d${node.id} comes out exactly with weights that give hidden keys a share.`,
          wrong: `d${node.id} with softmax(${unmasked}) for ${weights}`,
        },
        (_, state) => {
          const own = again.forward([state.value(unmasked)]);
          return passedBack(state, from.id, slot, {
            inputs: from.inputs.map((id, n) => (n === at ? own : state.value(id))),
          });
        },
      ),
    ];
  });
}
