// Softmax and its backward step by kernels: the bits of the plain loops, in every layout.
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  passedBack,
  plainBack,
  plainWeights,
  weightsOf,
} from '../../../src/engine/ops/softmaxRows.ts';
import { randomTensor } from '../../support/random.ts';

const layouts = fc.record({
  step: fc.constantFrom(1, 1, 2, 3, 7, 64, 301),
  length: fc.constantFrom(1, 2, 3, 4, 31, 64, 257, 1030),
  blocks: fc.integer({ min: 1, max: 9 }),
  seed: fc.nat(),
  scale: fc.constantFrom(1, 30, 800),
  special: fc.constantFrom(0, NaN, Infinity, -Infinity),
  masked: fc.boolean(),
});

const differs = (a: Float64Array, b: Float64Array): number =>
  a.findIndex((value, at) => !Object.is(value, b[at]));

test('kernels give the same bits as loops', () => {
  fc.assert(
    fc.property(layouts, ({ step, length, blocks, seed, scale, special, masked }) => {
      const count = step * length * Math.max(blocks, Math.ceil(1100 / (step * length)));
      const { data } = randomTensor([count], seed);
      const logits = data.map((value, at) =>
        masked && (at * 7 + seed) % 3 === 0 ? -Infinity : value * scale,
      );
      if (special !== 0) logits[seed % count] = special;
      // A row without any key.
      if (masked) for (let n = 0; n < length; n++) logits[n * step] = -Infinity;
      const weights = weightsOf(logits, { step, length });
      expect(differs(weights, plainWeights(logits, { step, length }))).toBe(-1);
      const upstream = randomTensor([count], seed + 1).data;
      if (special !== 0) upstream[(seed + 5) % count] = special;
      const back = passedBack(weights, upstream, { step, length });
      expect(differs(back, plainBack(weights, upstream, { step, length }))).toBe(-1);
    }),
    { numRuns: 150 },
  );
});
