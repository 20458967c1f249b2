// Dropout: another factor than 1/(1 - p), the keep-mask inverted, dropped in other places or not at all.
import { shapeOf } from '../../engine/axes.ts';
import { broadcast } from '../../engine/heads/mask.ts';
import { sizeOf, type Tensor } from '../../engine/tensor.ts';
import { pick } from '../align/layouts.ts';
import { entrywise, permutationTable } from '../program/operations.ts';
import { groupsOf, indexTransforms } from '../program/transforms/indices.ts';
import type { Edit, Family, Site } from './edit.ts';
import { contributionEdit, stepEdit } from './make.ts';
import { layoutOf } from '../mistakes/maskWords.ts';

/** What a kept and a dropped weight is multiplied by. */
interface Way {
  readonly id: string;
  readonly title: string;
  readonly wrong: string;
  readonly kept: number;
  readonly dropped: number;
}

function dropoutWays(p: number): Way[] {
  const way = (id: string, title: string, wrong: string, kept: number, dropped = 0): Way => ({
    id,
    title,
    wrong,
    kept,
    dropped,
  });
  return [
    way('dropout-unscaled', 'the kept weights are not scaled by 1/(1 − p)', 'P ∘ keep', 1),
    way(
      'dropout-scale-inverse',
      'the kept weights are scaled by 1/p instead of 1/(1 − p)',
      'P ∘ keep / p',
      1 / p,
    ),
    way(
      'dropout-scale-inverse',
      'the kept weights are multiplied by 1 − p instead of divided by it',
      'P ∘ keep · (1 − p)',
      1 - p,
    ),
    way('dropout-scale-p', 'the kept weights are multiplied by p', 'P ∘ keep · p', p),
    way(
      'dropout-scale-twice',
      'the factor 1/(1 − p) is applied twice',
      'P ∘ keep / (1 − p)²',
      1 / (1 - p) ** 2,
    ),
    way('dropout-missing', 'dropout is not applied', 'P', 1, 1),
    way(
      'dropout-as-at-evaluation',
      'the weights are multiplied by 1 − p and none is dropped (the scaling of dropout at evaluation)',
      'P · (1 − p)',
      1 - p,
      1 - p,
    ),
    way(
      'dropout-scale-without-mask',
      'the weights are scaled, but none is dropped',
      'P / (1 − p)',
      1 / (1 - p),
      1 / (1 - p),
    ),
    way(
      'dropout-mask-inverted',
      'the keep-mask is inverted: kept weights are dropped',
      'P ∘ (1 − keep) / (1 − p)',
      0,
      1 / (1 - p),
    ),
    way(
      'dropout-mask-inverted',
      'the keep-mask is inverted: kept weights are dropped',
      'P ∘ (1 − keep)',
      0,
      1,
    ),
    way(
      'dropout-mask-inverted',
      'the keep-mask is inverted: kept weights are dropped',
      'P ∘ (1 − keep) / p',
      0,
      1 / p,
    ),
  ].filter(({ kept, dropped }) => kept !== 1 / (1 - p) || dropped !== 0);
}

export const dropout: Family = (site) => {
  const { config, kind, node, graph } = site;
  if (!config.dropout) return [];
  const { p } = config.dropout;
  const gradient = kind === 'gradient' && node.id === 'P';
  if (!gradient && !(kind === 'value' && node.id === 'Pd')) return [];
  const keep = broadcast('dropout.keep', config.dropout.keep, layoutOf(site, node));
  if (keep.data.length !== sizeOf(shapeOf(node.axes, graph.extents))) return [];
  const ways = dropoutWays(p);
  const right: Way = {
    ...{ id: 'dropout-mask', title: '', wrong: 'P ∘ keep / (1 − p)' },
    ...{ kept: 1 / (1 - p), dropped: 0 },
  };
  return [
    ...ways.map((way) => edit(site, way, () => keep.data, gradient)),
    ...(gradient ? [byWeights(site)] : []),
    ...otherMasks(site, keep, gradient).flatMap(({ words, id, mask, cost }) =>
      [right, ...ways.filter(({ dropped }) => dropped === 0)].map((way) => {
        const title = [words, way.title].filter(Boolean).join(', and ');
        const own = { ...way, id: way === right ? id : `${way.id}-and-${id}`, title };
        return edit(
          site,
          { ...own, wrong: way.wrong.replace('keep', "keep'") },
          mask,
          gradient,
          cost + (way === right ? 0 : 0.4),
        );
      }),
    ),
  ];
};

/** The derivative of P ∘ keep by keep in place of P. */
function byWeights(site: Site): Edit {
  const say = {
    id: 'backward-dropout-times-weights',
    title: 'dropout backward: multiplied by the dropped weights Pd instead of keep / (1 − p)',
    why: 'Pd = P ∘ keep / (1 − p) is linear in P: its derivative is keep / (1 − p), without P.',
    wrong: 'dP = dPd ∘ Pd',
    cost: 1.3,
  };
  return contributionEdit(site, 'Pd', 0, say, (_, state) => {
    const weights = state.value('Pd').data;
    const upstream = state.gradient('Pd');
    return { shape: upstream.shape, data: upstream.data.map((value, at) => value * weights[at]) };
  });
}

interface OtherMask {
  readonly id: string;
  readonly words: string;
  readonly mask: () => Float64Array;
  readonly cost: number;
}

/** The keep-mask moved along an axis or transposed, and the one that the dropped entries themselves tell. */
function otherMasks(site: Site, keep: Tensor, gradient: boolean): OtherMask[] {
  const { node, graph, state, target } = site;
  const { extents } = graph;
  const masks: OtherMask[] = groupsOf(node.axes, extents).flatMap((group) =>
    indexTransforms(node.axes, group, extents)
      .filter(({ id }) => !/-(mean|sum)-for-all$/.test(id))
      .map((each) => ({
        ...{ id: `dropout-mask-${each.id}`, words: each.title('the dropout mask'), cost: 0.3 },
        mask: () => each.operation.forward([keep]).data,
      })),
  );
  if (extents['i'] === extents['j']) {
    const swap = (letter: string): string => (letter === 'i' ? 'j' : letter === 'j' ? 'i' : letter);
    const table = permutationTable(node.axes, node.axes.flat().map(swap), extents);
    const words = 'the dropout mask is transposed';
    masks.unshift({
      id: 'dropout-mask-transposed',
      words,
      cost: 0,
      mask: () => pick(keep.data, table),
    });
  }
  if (target) {
    const before = gradient ? state.gradient('Pd').data : state.value('P').data;
    const mask = before.map((value, at) =>
      Number(value === 0 ? keep.data[at] : target.user.data[at] !== 0),
    );
    const other = mask.filter((value, at) => (value !== 0) !== (keep.data[at] !== 0)).length;
    const words = `the dropout mask is another one than the setup's: ${other} of ${mask.length} entries differ (drawn anew?)`;
    if (other > 0 && mask.includes(0))
      masks.push({ id: 'dropout-mask-other', words, cost: 0.5, mask: () => mask });
  }
  return masks;
}

function edit(
  site: Site,
  { id, title, wrong, kept, dropped }: Way,
  keepOf: () => Float64Array,
  gradient: boolean,
  cost = 0,
): Edit {
  const factors = (): ((at: number) => number) => {
    const keep = keepOf();
    return (at) => (keep[at] === 0 ? dropped : kept);
  };
  if (!gradient) {
    const why = `Pd is exactly ${wrong}; it should be P ∘ keep / (1 − p), so that the mean stays the same.`;
    return stepEdit(site, 'Pd', { id, title, why, wrong: `Pd = ${wrong}`, cost: 1 + cost }, () => {
      const factor = factors();
      return entrywise(
        (input, at) => input * factor(at),
        (_, at) => factor(at),
      );
    });
  }
  const wrongBackward = `dP = ${wrong.replace('P', 'dPd')}`;
  const say = {
    id: `backward-${id}`,
    title: `dropout backward: ${title.replaceAll('weights', "weights' gradients")}`,
    why: `dP is exactly ${wrongBackward.slice(5)}; the backward pass needs the factor of the forward pass, keep / (1 − p).`,
    wrong: wrongBackward,
    cost: 1 + cost,
  };
  return contributionEdit(site, 'Pd', 0, say, (_, state) => {
    const factor = factors();
    const upstream = state.gradient('Pd');
    return { shape: upstream.shape, data: upstream.data.map((value, at) => value * factor(at)) };
  });
}
