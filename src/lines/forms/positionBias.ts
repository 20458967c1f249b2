// Forms of a bias that is looked up by position: what the table gives for each pair of tokens, and its gradient.
import { isOfHeads } from '../../engine/axes.ts';
import { hasNode } from '../../engine/graph.ts';
import { type Lettered, reduce, sumOver, zip } from '../recorded/lettered.ts';
import { type Forms, gradientOf, type Parts, valueOf } from './form.ts';

/** B of the bucket of each query and key, the same in all sequences (Raffel et al. 2020; Liu et al. 2021, eq. 4). */
export function addPositionBias(forms: Forms, parts: Parts): void {
  const { config, extents, graph, scores } = parts;
  if (!hasNode(graph, 'Zb') || config.positionBias?.kind === 'learned') return;
  const before = valueOf(parts, hasNode(graph, 'Z') ? 'Z' : 'S');
  let bias = zip(valueOf(parts, 'Zb'), before, extents, (biased, plain) => biased - plain);
  let gradient: Lettered = gradientOf(parts, 'Zb');
  for (const letter of scores) {
    if (isOfHeads(letter) || /^[ij]$/.test(letter)) continue;
    bias = reduce(bias, letter, extents, 0, (_, value) => value);
    gradient = sumOver(gradient, letter, extents);
  }
  forms.add('form', 'value', 'Zb', 'B of each query and key', bias);
  forms.add('partial', 'gradient', 'B', 'gradient of B of each query and key', gradient);
}
