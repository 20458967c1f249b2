// Forms of what stands beside the keys in the softmax: a learned logit of each head, or a one.
import { hasNode } from '../../engine/graph.ts';
import { type Lettered, mapEach, reduce, sumOver, zip } from '../recorded/lettered.ts';
import { type Forms, gradientOf, type Parts, valueOf } from './form.ts';

/** The logits of the heads repeated for each query, as they are put beside the scores, and the softmax with them. */
export function addSinks(forms: Forms, parts: Parts): void {
  const { extents, graph, scores, config } = parts;
  const isLearned = hasNode(graph, 'sinks');
  if (!isLearned && config.softmax !== 'plus-one') return;
  const letters = scores.filter((letter) => letter !== 'i');
  const size = letters.reduce((total, letter) => total * extents[letter], 1);
  const blank = { letters, data: new Float64Array(size) };
  const each = isLearned
    ? zip(blank, valueOf(parts, 'sinks'), extents, (_, value) => value)
    : blank;
  if (isLearned) forms.add('form', 'value', 'sinks', 'the sink of each query', each);
  addSteps(forms, parts, each);
}

/** The steps inside the softmax where the sink is one of the logits: of the row maximum too, or of the sum alone. */
function addSteps(forms: Forms, parts: Parts, sink: Lettered): void {
  const { extents, logits } = parts;
  const value = valueOf(parts, logits);
  const add = (title: string, form: Lettered): void => forms.add('form', 'value', 'P', title, form);
  const keys = reduce(value, 'i', extents, -Infinity, Math.max);
  const both = zip(keys, sink, extents, Math.max);
  add('row maxima with the sink', both);
  for (const [peak, title] of [
    [both, 'row maximum with the sink'],
    [keys, 'row maximum'],
    [mapEach(keys, () => 0), '0'],
  ] as const) {
    const exps = mapEach(
      zip(value, peak, extents, (a, b) => a - b),
      Math.exp,
    );
    const beside = mapEach(
      zip(sink, peak, extents, (a, b) => a - b),
      Math.exp,
    );
    const sums = sumOver(exps, 'i', extents);
    if (peak === both) {
      add(
        `${logits} − ${title}`,
        zip(value, peak, extents, (a, b) => a - b),
      );
      add(`exp(${logits} − ${title})`, exps);
      add(`row sums of exp(${logits} − ${title})`, sums);
    }
    add(`exp(sink − ${title})`, beside);
    const all = zip(sums, beside, extents, (a, b) => a + b);
    add(`row sums of exp(${logits} − ${title}) with the sink`, all);
    if (peak === both)
      add(
        'log-sum-exp with the sink',
        zip(all, peak, extents, (a, b) => Math.log(a) + b),
      );
  }
  const kept = sumOver(valueOf(parts, 'P'), 'i', extents);
  const weight = mapEach(kept, (each) => 1 - each);
  add('weight of the sink', weight);
  if (!hasNode(parts.graph, 'sinks')) return;
  const [own, upstream] = [valueOf(parts, 'P'), gradientOf(parts, 'P')];
  const rows = sumOver(
    zip(own, upstream, extents, (a, b) => a * b),
    'i',
    extents,
  );
  const terms = zip(weight, rows, extents, (a, b) => -a * b);
  forms.add('partial', 'gradient', 'sinks', 'terms of dsinks', terms);
}
