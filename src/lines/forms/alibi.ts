// Forms of ALiBi: slopes, distances times slopes, scores with them before a mask hides any.
import { isOfHeads, type Letter } from '../../engine/axes.ts';
import { alibiSlopes } from '../../engine/heads/mask.ts';
import { hasNode } from '../../engine/graph.ts';
import { offsetsIn, times, zip } from '../recorded/lettered.ts';
import { type Forms, type Parts, valueOf } from './form.ts';

/**
 * −slope |j − i|, −slope (j − i), which differ only where keys come later, and slope i, which differs by a number for
 * each row (Press et al. 2022, Figure 3; BLOOM).
 */
export function addAlibi(forms: Forms, parts: Parts): void {
  const { config, extents, graph, scores, logits } = parts;
  const { alibi, mask, past } = config;
  if (alibi === undefined) return;
  const heads = scores.filter(isOfHeads);
  const count = heads.reduce((total, letter) => total * extents[letter], 1);
  const slopes = {
    letters: heads,
    data: alibi === true ? alibiSlopes(count) : Float64Array.from(alibi.data),
  };
  const before = valueOf(parts, hasNode(graph, 'Z') ? 'Z' : 'S');
  const shift = mask === 'causal-bottom-right' ? extents['i'] - extents['j'] : 0;
  const first = past ? extents['p'] : shift;
  const letters: Letter[] = [...heads, ...scores.filter((letter) => /^[ij]$/.test(letter))];
  const biasOf = (distance: (i: number, j: number) => number): typeof slopes => {
    const [key, query, head] = ['i', 'j', heads].map((inner) =>
      offsetsIn(letters, typeof inner === 'string' ? [inner] : inner, extents),
    );
    const data = new Float64Array(key.length);
    for (let at = 0; at < data.length; at++)
      data[at] = -slopes.data[head[at]] * distance(key[at], query[at] + first);
    return { letters, data };
  };
  forms.add('form', 'value', logits, 'ALiBi’s slopes', slopes);
  forms.add('form', 'value', logits, '−ALiBi’s slopes', times(slopes, -1));
  const kinds: [string, (i: number, j: number) => number][] = [
    ['|j − i|', (i, j) => Math.abs(j - i)],
    ['(j − i)', (i, j) => j - i],
    ['−i', (i) => -i],
  ];
  for (const [name, distance] of kinds) {
    const bias = biasOf(distance);
    forms.add('form', 'value', logits, `ALiBi’s bias, −slope ${name}`, bias);
    const sum = zip(before, bias, extents, (a, b) => a + b);
    forms.add('form', 'value', logits, `scores − slope ${name}`, sum);
  }
}
