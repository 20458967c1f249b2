// Operations that move entries: rotations by position, earlier tokens in front, heads split and merged.
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseSpec } from '../../../src/engine/axes.ts';
import { prepend, rearrange } from '../../../src/engine/ops/layout.ts';
import { rotary } from '../../../src/engine/ops/rotary.ts';
import { fromNested, tensor, type Tensor } from '../../../src/engine/tensor.ts';
import '../../support/allclose.ts';
import { cases, randomTensor } from '../../support/random.ts';

const axesOf = (spec: string) => parseSpec(spec)[0];

describe('rotary embedding', () => {
  const width = 6;
  const turn = (pairing: 'half' | 'interleaved', firstPosition: number, given: Tensor): Tensor => {
    const extents = { i: given.shape[0], a: given.shape[1] };
    const options = { base: 10, pairing, firstPosition };
    return rotary(axesOf('i a'), extents, options).forward([given]);
  };

  /** Places of the two members of pair k. */
  const pairs = {
    half: (k: number) => [k, k + width / 2],
    interleaved: (k: number) => [2 * k, 2 * k + 1],
  };

  test.each(['half', 'interleaved'] as const)(
    '%s: each pair turns as a complex number',
    (pairing) => {
      const [tokens, first] = [4, 3];
      const given = randomTensor([tokens, width], 1);
      const found = turn(pairing, first, given);
      for (let token = 0; token < tokens; token++) {
        for (let k = 0; k < width / 2; k++) {
          const angle = (first + token) * 10 ** ((-2 * k) / width);
          const [re, im] = pairs[pairing](k).map((feature) => given.data[token * width + feature]);
          const [a, b] = pairs[pairing](k).map((feature) => found.data[token * width + feature]);
          expect(a).toBeCloseTo(re * Math.cos(angle) - im * Math.sin(angle), 14);
          expect(b).toBeCloseTo(re * Math.sin(angle) + im * Math.cos(angle), 14);
        }
      }
    },
  );

  test('position 0 does not turn', () => {
    const given = randomTensor([1, width], 2);
    expect(turn('half', 0, given)).toEqual(given);
  });

  test.each(['half', 'interleaved'] as const)(
    '%s: the dot product of two tokens depends on their distance only',
    (pairing) => {
      fc.assert(
        fc.property(fc.nat(40), fc.nat(40), fc.nat(10), (p, q, shift) => {
          const [key, query] = [randomTensor([1, width], 3), randomTensor([1, width], 4)];
          const dot = (at: number, other: number): number => {
            const turned = turn(pairing, other, query).data;
            return turn(pairing, at, key).data.reduce(
              (sum, value, n) => sum + value * turned[n],
              0,
            );
          };
          expect(dot(p + shift, q + shift)).toBeCloseTo(dot(p, q), 12);
        }),
        cases(40),
      );
    },
  );
});

describe('prepend', () => {
  // Two heads, one earlier token, two new ones.
  const past = fromNested([[[1, 2]], [[3, 4]]]);
  const given = fromNested([
    [
      [10, 11],
      [12, 13],
    ],
    [
      [20, 21],
      [22, 23],
    ],
  ]);
  const operation = prepend(axesOf('h i a'), axesOf('h t a'), past);

  test('puts the earlier tokens of each head before its new ones', () => {
    expect(operation.forward([given])).toEqual(
      fromNested([
        [
          [1, 2],
          [10, 11],
          [12, 13],
        ],
        [
          [3, 4],
          [20, 21],
          [22, 23],
        ],
      ]),
    );
  });

  test('passes on the gradient of the new tokens only', () => {
    const upstream = tensor([2, 3, 2], [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]);
    const at = { inputs: [given], output: operation.forward([given]) };
    expect(operation.vjp(at, upstream)).toEqual([tensor([2, 2, 2], [2, 3, 4, 5, 8, 9, 10, 11])]);
  });
});

describe('rearrange', () => {
  test('splits merged features into heads, head by head', () => {
    const operation = rearrange('i (h a) -> h i a', { i: 2, h: 2, a: 2 }, '');
    const rows = fromNested([
      [1, 2, 3, 4],
      [5, 6, 7, 8],
    ]);
    expect(operation.forward([rows])).toEqual(tensor([2, 2, 2], [1, 2, 5, 6, 3, 4, 7, 8]));
  });

  test('merging undoes splitting', () => {
    const extents = { b: 2, i: 3, h: 2, a: 4 };
    const given = randomTensor([2, 3, 8], 5);
    const apart = rearrange('b i (h a) -> b h i a', extents, '').forward([given]);
    expect(rearrange('b h i a -> b i (h a)', extents, '').forward([apart])).toEqual(given);
  });
});
