// A mask kept as a rule is the mask as a matrix, entry by entry.
import { expect, test } from 'vitest';
import type { HeadConfig } from '../../../src/engine/config.ts';
import { composedMask } from '../../../src/engine/heads/mask.ts';
import { bindingAt, parseSpec } from '../../../src/engine/axes.ts';
import { addMask } from '../../../src/engine/ops/elementwise.ts';
import { inBand, isBand, maskTensor } from '../../../src/engine/ops/masking.ts';
import { tensor } from '../../../src/engine/tensor.ts';
import { randomTensor } from '../../support/random.ts';

const cases = (['none', 'causal', 'causal-bottom-right'] as const).flatMap((mask) =>
  [undefined, 1, 2, 5, 40].flatMap((window) =>
    (['key-first', 'query-first'] as const).flatMap((axes) =>
      [0, 3].flatMap((past) =>
        [
          [5, 5],
          [7, 4],
          [4, 7],
        ].map(([i, j]) => ({ mask, window, axes, past, i, j })),
      ),
    ),
  ),
);

test.each(cases)('$mask, window $window, $axes, past $past, $i keys, $j queries', (own) => {
  const { mask, window, axes: order, past, i, j } = own;
  const [axes] = parseSpec(order === 'key-first' ? 'b h i j' : 'b h j i');
  const config = { mask, window } as unknown as HeadConfig;
  const layout = { axes, extents: { b: 2, h: 3, i, j }, heads: ['h'], past, nulls: 0 };
  const composed = composedMask(config, layout);
  if (!composed) {
    expect([mask, window]).toEqual(['none', undefined]);
    return;
  }
  const rule = composed.mask;
  if (!isBand(rule)) throw new Error('a mask without numbers of its own is a band');
  const shape = axes.map(([letter]) => (layout.extents as Record<string, number>)[letter]);
  const first = mask === 'causal-bottom-right' ? i - j : past;
  const hidden = (at: number): string[] => {
    const entry = bindingAt(axes, layout.extents, at);
    const distance = entry['j'] + first - entry['i'];
    return [
      ...(mask !== 'none' && distance < 0 ? ['causal'] : []),
      ...(window !== undefined && Math.abs(distance) >= window ? ['window'] : []),
    ];
  };
  const whole = tensor(
    shape,
    Array.from({ length: 6 * i * j }, (_, at) => (hidden(at).length > 0 ? -Infinity : 0)),
  );
  expect(maskTensor(rule)).toEqual(whole);
  expect(Float64Array.from(whole.data, (_, at) => inBand(rule)(at))).toEqual(whole.data);
  // As the formulas of its parts say.
  whole.data.forEach((_, at) => expect(composed.hiddenBy(at)).toEqual(hidden(at)));
  const [part] = composed.parts ?? [];
  expect(part.name).toBe(mask === 'none' ? 'window' : 'causal');

  // The operation does not tell them apart either.
  const [byRule, byMatrix] = [addMask(axes, rule), addMask(axes, whole)];
  const input = randomTensor(whole.shape, 1);
  const output = byRule.forward([input]);
  expect(output).toEqual(byMatrix.forward([input]));
  for (const upstream of [randomTensor(whole.shape, 2), hiddenAtZero(whole.data, whole.shape)]) {
    const [a, b] = [byRule, byMatrix].map((each) =>
      each.vjp({ inputs: [input], output }, upstream),
    );
    expect(a).toEqual(b);
    expect(a[0].data.some((value, at) => value !== 0 && whole.data[at] !== 0)).toBe(false);
  }
});

/** What arrives from a softmax: nothing where the mask hides. */
function hiddenAtZero(
  mask: Float64Array,
  shape: readonly number[],
): ReturnType<typeof randomTensor> {
  const { data } = randomTensor(shape, 3);
  return { shape, data: data.map((value, at) => (mask[at] === 0 ? value : 0)) };
}
