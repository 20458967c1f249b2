// Other ALiBi biases: other slopes, another distance, another sign, and any of these together.
import { isOfHeads, bindingAt } from '../../engine/axes.ts';
import { additiveMask, alibiSlopes } from '../../engine/heads/mask.ts';
import { type Tensor, zeros } from '../../engine/tensor.ts';
import type { GraphNode } from '../../engine/graph.ts';
import type { Context } from './edit.ts';
import { type Add, layoutOf } from './maskLayout.ts';

type Choice<T> = readonly [words: string, id: string, of: T];

/** The formula for a power of two, with any number of heads. */
const plainSlope = (heads: number, h: number): number => 2 ** ((-8 * (h + 1)) / heads);

export function alibiVariants(context: Context, node: GraphNode, right: Tensor, add: Add): void {
  const { config, graph } = context;
  const layout = layoutOf(context, node);
  const without = additiveMask({ ...config, alibi: undefined }, layout) ?? zeros(node.shape);
  add(
    'alibi-missing',
    'the ALiBi bias is missing',
    'No distance is subtracted from the scores.',
    'no ALiBi bias',
    () => without,
  );
  const heads = config.heads;
  const own = typeof config.alibi === 'object' ? config.alibi.data : alibiSlopes(heads);
  const rightSlope = (h: number): number => own[h];
  const slopes: Choice<(h: number) => number>[] = [
    ['', '', rightSlope],
    [
      'the ALiBi slopes start at h instead of h + 1',
      'alibi-slopes',
      (h) => rightSlope(h) * 2 ** (8 / heads),
    ],
    [
      'the ALiBi slopes are in the reverse order of the heads',
      'alibi-slopes',
      (h) => rightSlope(heads - 1 - h),
    ],
    ['all heads have the ALiBi slope of the first', 'alibi-slopes', () => rightSlope(0)],
    ['all heads have the ALiBi slope of the last', 'alibi-slopes', () => rightSlope(heads - 1)],
    ['all heads have the ALiBi slope 1', 'alibi-slopes', () => 1],
    ['the ALiBi slopes are 2^−(h + 1), with another base', 'alibi-slopes', (h) => 2 ** -(h + 1)],
    ['the ALiBi slopes are 2^−h, with another base', 'alibi-slopes', (h) => 2 ** -h],
    ['the ALiBi slopes grow: 2^(+8 (h + 1) / H)', 'alibi-slopes', (h) => 1 / rightSlope(h)],
    ['the ALiBi slopes are (h + 1) / H', 'alibi-slopes', (h) => (h + 1) / heads],
    ['the ALiBi slopes are 1 / (h + 1)', 'alibi-slopes', (h) => 1 / (h + 1)],
    [
      'the ALiBi slopes are 2^(−8 (h + 1) / H) although the number of heads H is no power of two',
      'alibi-slopes',
      (h) => plainSlope(heads, h),
    ],
    ['the ALiBi slopes are twice as steep', 'alibi-slopes', (h) => 2 * rightSlope(h)],
    ['the ALiBi slopes are half as steep', 'alibi-slopes', (h) => rightSlope(h) / 2],
  ];
  const [keys, queries] = [graph.extents['i'], graph.extents['j']];
  const offset = config.mask === 'causal-bottom-right' ? keys - queries : layout.past;
  const distances: Choice<(j: number, i: number) => number>[] = [
    ['', '', (j, i) => Math.abs(offset + j - i)],
    [
      'the ALiBi distance keeps its sign (no absolute value)',
      'alibi-distance',
      (j, i) => offset + j - i,
    ],
    ['the ALiBi distance has its sign turned round', 'alibi-distance', (j, i) => i - offset - j],
    ["the ALiBi bias takes the key's position for the distance", 'alibi-distance', (_, i) => i],
    [
      "the ALiBi bias takes the query's position for the distance",
      'alibi-distance',
      (j) => offset + j,
    ],
    ['the ALiBi distance is counted from the last key', 'alibi-distance', (_, i) => keys - 1 - i],
    [
      'the ALiBi distance is counted with the last query at the last key',
      'alibi-distance',
      (j, i) => Math.abs(keys - queries + j - i),
    ],
    ['the ALiBi distance forgets the earlier tokens', 'alibi-distance', (j, i) => Math.abs(j - i)],
    [
      'the ALiBi distance is one too large',
      'alibi-distance',
      (j, i) => Math.abs(offset + j - i) + 1,
    ],
    [
      'the ALiBi distance is one too large, but for the own place',
      'alibi-distance',
      (j, i) => (offset + j === i ? 0 : Math.abs(offset + j - i) + 1),
    ],
    ['the ALiBi distance is off by one', 'alibi-distance', (j, i) => Math.abs(offset + j + 1 - i)],
    ['the ALiBi distance is squared', 'alibi-distance', (j, i) => (offset + j - i) ** 2],
    [
      'the ALiBi distance is a root',
      'alibi-distance',
      (j, i) => Math.sqrt(Math.abs(offset + j - i)),
    ],
    [
      'the ALiBi distance is a logarithm',
      'alibi-distance',
      (j, i) => Math.log1p(Math.abs(offset + j - i)),
    ],
    [
      'the ALiBi distance is limited to later keys',
      'alibi-distance',
      (j, i) => Math.max(0, i - offset - j),
    ],
    [
      'the ALiBi distance is limited to earlier keys',
      'alibi-distance',
      (j, i) => Math.max(0, offset + j - i),
    ],
  ];
  const signs: Choice<number>[] = [
    ['', '', -1],
    ['the sign of the ALiBi bias is wrong: distant keys are favoured', 'alibi-sign', 1],
  ];
  const letters = node.axes.flat().filter(isOfHeads);
  let known: { j: number; i: number; head: number }[] | undefined;
  const places = (): { j: number; i: number; head: number }[] =>
    (known ??= Array.from({ length: right.data.length }, (_, at) => {
      const binding = bindingAt(node.axes, graph.extents, at);
      return {
        ...{ j: binding['j'], i: binding['i'] },
        head: letters.reduce((h, letter) => h * graph.extents[letter] + binding[letter], 0),
      };
    }));
  const biased = (
    slope: (h: number) => number,
    distance: (j: number, i: number) => number,
    sign: number,
  ): Tensor => ({
    shape: right.shape,
    data: right.data.map((value, at) => {
      const { j, i, head } = places()[at];
      if (value === -Infinity) return value;
      return without.data[at] + sign * slope(head) * distance(j, i);
    }),
  });
  for (const slope of slopes) {
    for (const distance of distances) {
      for (const sign of signs) {
        const chosen = [slope, distance, sign].filter(([words]) => words !== '');
        if (chosen.length === 0 || chosen.length > 2) continue;
        add(
          [...new Set(chosen.map(([, id]) => id))].join('-and-'),
          chosen.map(([words]) => words).join('; '),
          'ALiBi adds −slope of the head · |position of the query − position of the key| to the scaled scores.',
          chosen.map(([words]) => words).join('; '),
          () => biased(slope[2], distance[2], sign[2]),
          chosen.length === 1 ? 1 : 1.5,
        );
      }
    }
  }
}
