// Dropout: another factor than 1/(1 - p), the keep-mask inverted, dropped in other places or not at all.
import { shapeOf } from '../../engine/axes.ts';
import { broadcast } from '../../engine/heads/mask.ts';
import { entrywise } from '../operations.ts';
import type { Edit, Family, Site } from './edit.ts';
import { contributionEdit, stepEdit } from './make.ts';
import { layoutOf } from './masks.ts';

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
  const keep = broadcast('dropout.keep', config.dropout.keep, layoutOf(site, node)).data;
  if (keep.length !== shapeOf(node.axes, graph.extents).reduce((a, b) => a * b, 1)) return [];
  return dropoutWays(p).map((way) => edit(site, way, keep, gradient));
};

function edit(
  site: Site,
  { id, title, wrong, kept, dropped }: Way,
  keep: Float64Array,
  gradient: boolean,
): Edit {
  const factor = (at: number): number => (keep[at] === 0 ? dropped : kept);
  if (!gradient) {
    const why = `Pd is exactly ${wrong}; it should be P ∘ keep / (1 − p), so that the mean stays the same.`;
    return stepEdit(site, 'Pd', { id, title, why, wrong: `Pd = ${wrong}` }, () =>
      entrywise(
        (input, at) => input * factor(at),
        (_, at) => factor(at),
      ),
    );
  }
  const wrongBackward = `dP = ${wrong.replace('P', 'dPd')}`;
  const say = {
    id: `backward-${id}`,
    title: `backward: ${title.replaceAll('weights', "weights' gradients")}`,
    why: `dP is exactly ${wrongBackward.slice(5)}; the backward pass needs the factor of the forward pass, keep / (1 − p).`,
    wrong: wrongBackward,
  };
  return contributionEdit(site, 'Pd', 0, say, (_, state) => {
    const upstream = state.gradient('Pd');
    return { shape: upstream.shape, data: upstream.data.map((value, at) => value * factor(at)) };
  });
}
