// Single terms of the sums, as programs in loops over tokens and features add them.
import { hasNode, type NodeId } from '../../engine/graph.ts';
import type { Kind } from '../../compare/program/program.ts';
import { type Lettered, product } from '../recorded/lettered.ts';
import { type Forms, gradientOf, type Parts, projectionsOf, valueOf, withToken } from './form.ts';

type Source = [NodeId, Kind];

/** Each product's terms before any sum; for small problems only. */
export function addTerms(forms: Forms, parts: Parts): void {
  const { graph, extents, queries, keys, values, weights, output } = parts;
  const read = ([id, kind]: Source): Lettered =>
    kind === 'value' ? valueOf(parts, id) : gradientOf(parts, id);
  const add = (a: Source, b: Source, node: NodeId, kind: Kind, title: string): void => {
    if (![a[0], b[0], node].every((id) => hasNode(graph, id))) return;
    const [left, right] = [read(a), read(b)];
    const letters = [...new Set([...left.letters, ...right.letters])];
    if (!forms.fits(letters)) return;
    forms.add('partial', kind, node, title, product(left, right, letters, extents));
  };
  add([queries, 'value'], [keys, 'value'], 'S', 'value', 'terms of S');
  add([weights, 'value'], [values, 'value'], output, 'value', `terms of ${output}`);
  add([output, 'gradient'], [values, 'value'], weights, 'gradient', `terms of d${weights}`);
  add([weights, 'value'], [output, 'gradient'], values, 'gradient', `terms of d${values}`);
  add(['S', 'gradient'], [keys, 'value'], queries, 'gradient', `terms of d${queries}`);
  add(['S', 'gradient'], [queries, 'value'], keys, 'gradient', `terms of d${keys}`);
}

/** Terms of the projections, their weights' and their inputs' gradients. */
export function addProjectionTerms(forms: Forms, parts: Parts): void {
  const { graph, extents } = parts;
  for (const { id, source, weight } of projectionsOf(graph)) {
    const gradient = gradientOf(parts, id);
    const token = gradient.letters.find((letter) => /^[ijt]$/.test(letter))!;
    const own = withToken(valueOf(parts, source), token);
    const matrix = valueOf(parts, weight);
    const letters = [...new Set([...own.letters, ...matrix.letters])];
    if (!forms.fits(letters)) continue;
    const title = (of: string): string => `terms of ${of}`;
    forms.add('partial', 'value', id, title(id), product(own, matrix, letters, extents));
    forms.add(
      'partial',
      'gradient',
      weight,
      title(`d${weight}`),
      product(own, gradient, letters, extents),
    );
    forms.add(
      'partial',
      'gradient',
      source,
      title(`d${source}`),
      product(gradient, matrix, letters, extents),
    );
  }
}
