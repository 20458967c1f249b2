// Forms of a sink: its logit for every query.
import { hasNode } from '../../engine/graph.ts';
import { zip } from '../lettered.ts';
import { type Forms, type Parts, valueOf } from './form.ts';

/** The logits of the heads repeated for each query, as they are put beside the scores. */
export function addSinks(forms: Forms, parts: Parts): void {
  const { extents, graph, scores } = parts;
  if (!hasNode(graph, 'sinks')) return;
  const letters = scores.filter((letter) => letter !== 'i');
  const size = letters.reduce((total, letter) => total * extents[letter], 1);
  const blank = { letters, data: new Float64Array(size) };
  const each = zip(blank, valueOf(parts, 'sinks'), extents, (_, value) => value);
  forms.add('form', 'value', 'sinks', 'the sink of each query', each);
}
