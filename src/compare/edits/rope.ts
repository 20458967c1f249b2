// Rotary embedding: rotated otherwise or not at all, rotated values; not turned back.
import type { AxisLetters } from '../../engine/axes.ts';
import { isPlainRope } from '../../engine/config.ts';
import { hasNode } from '../../engine/graph.ts';
import { type Program, type StepOperation, withStep } from '../program.ts';
import { type Edit, type Family, type Site, pastTokens } from './edit.ts';
import { contributionEdit, makeEdit, passedBack, type Say } from './make.ts';
import { optionWays, turnBy } from './ropeOptions.ts';
import { solvedAngles } from './ropeSolved.ts';
import { rotation } from './rotation.ts';
import { headStep, rotatedBeforeSplit, ropeWays, type Way } from './ropeWays.ts';

export const rope: Family = (site) => {
  const { node, kind, graph, config } = site;
  if (!config.rope || !hasNode(graph, 'Qh')) return [];
  // With null keys, or norms after it, the rotation is a step before Kh and Qh: these edits are of one step for all.
  if (hasNode(graph, 'Ks') || hasNode(graph, 'Qs')) return [];
  if (kind === 'gradient') return backward(site);
  const letter = /^([QKV])h$/.exec(node.id)?.[1] as 'Q' | 'K' | 'V' | undefined;
  if (!letter) return [];
  if (letter === 'V') return onValues(site);
  const edit = (ids: readonly ('Q' | 'K')[], { say, turn }: Way, cost: number): Edit => {
    const names = ids.join(' and ');
    const full = {
      ...say,
      title: `${names} ${ids.length > 1 ? 'are' : 'is'} ${say.words}`,
      wrong: `${node.id}: ${say.words}`,
      cost: (say.cost ?? 1) + cost,
    };
    return makeEdit(site, node.id, 'value', full, (program: Program) =>
      ids.reduce(
        (own, id) => withStep(own, `${id}h`, { operation: headStep(site, id, turn), inputs: [id] }),
        program,
      ),
    );
  };
  if (!isPlainRope(config.rope)) return withOptions(site, letter, edit);
  const solved = site.target ? solvedAngles(site, letter) : [];
  return [
    ...ropeWays(site).flatMap((way) => [edit(['Q', 'K'], way, 0.01), edit([letter], way, 0)]),
    ...solved.map((way) => edit([letter], way, 0)),
    ...beforeSplit(site, letter),
  ];
};

/** Rotated before the split into heads; rotated before the bias is added. */
function beforeSplit(site: Site, letter: 'Q' | 'K'): Edit[] {
  const { state, graph } = site;
  const use = (ids: readonly ('Q' | 'K')[], say: Say, of: (id: 'Q' | 'K') => StepOperation): Edit =>
    makeEdit(site, site.node.id, 'value', say, (program: Program) =>
      ids.reduce(
        (own, id) => withStep(own, `${id}h`, { operation: of(id), inputs: [id] }),
        program,
      ),
    );
  const all = [['Q', 'K'], [letter]] as const;
  const edits = all.map((ids, n) =>
    use(
      ids,
      {
        id: 'rope-before-split',
        title: `${ids.join(' and ')} ${ids.length > 1 ? 'are' : 'is'} rotated before the split into heads: the frequencies run over all heads together`,
        why: 'RoPE turns the features of each head by the same angles; here the width of all heads together is taken.',
        wrong: `${site.node.id} = split(rotate(${letter}))`,
        cost: 1.3 - n / 100,
      },
      (id) => rotatedBeforeSplit(site, id),
    ),
  );
  const biased = all.filter((ids) => ids.every((id) => hasNode(graph, `b_${id}`)));
  return [
    ...edits,
    ...biased.map((ids, n) =>
      use(
        ids,
        {
          id: 'rope-before-bias',
          title: `${ids.join(' and ')} ${ids.length > 1 ? 'are' : 'is'} rotated before the bias is added`,
          why: 'The bias belongs to the projection, before the rotation; here it stays unrotated.',
          wrong: `${site.node.id} = rotate(x W) + b`,
          cost: 1.3 - n / 100,
        },
        (id) => {
          const turn = headStep(site, id, turnBy(site, id));
          const plain = headStep(site, id, null);
          const bias = state.value(`b_${id}`).data;
          return {
            name: turn.name,
            forward: ([merged]) => {
              const spread = merged.data.map((_, at) => bias[at % bias.length]);
              const without = merged.data.map((value, at) => value - spread[at]);
              const turned = turn.forward([{ shape: merged.shape, data: without }]);
              const whole = plain.forward([merged]);
              const rest = plain.forward([{ shape: merged.shape, data: without }]);
              const data = turned.data.map((value, at) => value + whole.data[at] - rest.data[at]);
              return { shape: turned.shape, data };
            },
            vjp: (at, upstream) => turn.vjp(at, upstream),
          };
        },
      ),
    ),
  ];
}

function withOptions(
  site: Site,
  letter: 'Q' | 'K',
  edit: (ids: readonly ('Q' | 'K')[], way: Way, cost: number) => Edit,
): Edit[] {
  const [ways, ofQueries, ofKeys] = ([letter, 'Q', 'K'] as const).map((id) => optionWays(site, id));
  const both = ways.map((way, n): Way => {
    const [q, k] = [ofQueries[n].turn, ofKeys[n].turn];
    return { ...way, turn: q && k && ((axes) => (axes.flat().includes('j') ? q : k)(axes)) };
  });
  return [
    ...both.map((way) => edit(['Q', 'K'], way, 0.01)),
    ...ways.map((way) => edit([letter], way, 0)),
    ...beforeSplit(site, letter).filter(({ id }) => id !== 'rope-before-split'),
  ];
}

function onValues(site: Parameters<Family>[0]): Edit[] {
  const { config, graph } = site;
  if (!config.rope || !isPlainRope(config.rope) || graph.extents['v'] % 2 !== 0) return [];
  const { base, pairing } = config.rope;
  const first = pastTokens(site);
  const width = graph.extents['v'];
  const turn = (axes: readonly AxisLetters[]): StepOperation =>
    rotation(axes, site, pairing, (token, pair) => (first + token) * base ** ((-2 * pair) / width));
  const say = {
    id: 'rope-on-values',
    title: 'the values are rotated too',
    why: 'Only queries and keys carry a position.',
    wrong: 'Vh = rotate(V)',
  };
  return [
    makeEdit(site, 'Vh', 'value', say, (program) =>
      withStep(program, 'Vh', { operation: headStep(site, 'V', turn), inputs: ['V'] }),
    ),
  ];
}

/** dKh = dS^T Qh with queries (or keys) as they were before the rotation. */
function unrotated(site: Parameters<Family>[0]): Edit[] {
  const { node, state } = site;
  if (!/^[QK]h$/.test(node.id)) return [];
  const slot = node.id === 'Kh' ? 0 : 1;
  const other = node.id === 'Kh' ? 'Q' : 'K';
  const split = headStep(site, other, null);
  const say = {
    ...{
      id: 'backward-rope-operand',
      title: `d${node.id} is computed with ${other} before its rotation`,
    },
    ...{
      why: `The scores are products of rotated queries and keys, so d${node.id} needs the rotated ${other}h.`,
      wrong: `d${node.id} with split(${other}) for ${other}h`,
    },
  };
  const inputs = state.program.backward.get('S')!.inputs;
  return [
    contributionEdit(site, 'S', slot, say, (_, own) =>
      passedBack(own, 'S', slot, {
        inputs: inputs.map((id) =>
          id === `${other}h` ? split.forward([own.value(other)]) : own.value(id),
        ),
      }),
    ),
  ];
}

/** dQ from dQh: the rotation must be turned back. */
function backward(site: Parameters<Family>[0]): Edit[] {
  const { id } = site.node;
  if (id === 'V') return valuesTurnedBack(site);
  if (id !== 'Q' && id !== 'K') return unrotated(site);
  const own = site.state.program.forward.get(`${id}h`)!;
  // Normed or lengthened, it is another node that is turned back.
  if (own.inputs[0] !== id) return [];
  const passed = (operation: StepOperation, say: Say): Edit =>
    contributionEdit(site, `${id}h`, 0, say, (_, state) => {
      const inputs = own.inputs.map((input) => state.value(input));
      return operation.vjp({ inputs, output: state.value(`${id}h`) }, state.gradient(`${id}h`))[0];
    });
  const right = turnBy(site, id);
  const forwards = (axes: readonly AxisLetters[]): StepOperation => {
    const turn = right(axes);
    return { ...turn, vjp: (_, upstream) => [turn.forward([upstream])] };
  };
  const ways = isPlainRope(site.config.rope!) ? ropeWays(site) : optionWays(site, id);
  return [
    passed(headStep(site, id, null), {
      id: 'backward-rope-missing',
      title: `d${id} is not rotated back`,
      why: 'The derivative of the rotary embedding is left out.',
      wrong: `d${id} = merge(d${id}h)`,
    }),
    passed(headStep(site, id, forwards), {
      id: 'backward-rope-sign',
      title: `d${id} is rotated forward again instead of back`,
      why: 'The transpose of a rotation is the rotation back: the sine changes its sign.',
      wrong: `d${id} = merge(rotate(d${id}h, +θ))`,
    }),
    ...ways
      .filter(({ turn }) => turn)
      .map(({ say, turn }) =>
        passed(headStep(site, id, turn), {
          ...say,
          id: `backward-${say.id}`,
          title: `backward: d${id} is ${say.words}`,
          wrong: `d${id}: ${say.words}, backward`,
          cost: (say.cost ?? 1) + 0.2,
        }),
      ),
  ];
}

function valuesTurnedBack(site: Site): Edit[] {
  const { config, graph } = site;
  if (graph.extents['v'] % 2 !== 0 || !isPlainRope(config.rope!)) return [];
  const { base, pairing } = config.rope!;
  const first = pastTokens(site);
  const width = graph.extents['v'];
  return ([-1, 1] as const).map((sign) => {
    const turn = (axes: readonly AxisLetters[]): StepOperation =>
      rotation(axes, site, pairing, (t, k) => (first + t) * base ** ((-2 * k) / width), sign);
    const say = {
      id: 'backward-rope-on-values',
      title: 'dV is rotated as if the values had a position (RoPE)',
      why: 'Only queries and keys are rotated, so only their gradients are rotated back.',
      wrong: 'dV = merge(rotate(dVh))',
      cost: 1.1,
    };
    return contributionEdit(site, 'Vh', 0, say, (_, state) => {
      const at = { inputs: [state.value('V')], output: state.value('Vh') };
      return headStep(site, 'V', turn).vjp(at, state.gradient('Vh'))[0];
    });
  });
}
