// Contractions of any two operands, merged axes and batch letters included, against nested loops.
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { type AxisLetters, type Extents, offsetAt, shapeOf } from '../../../src/engine/axes.ts';
import { contract } from '../../../src/engine/ops/contraction.ts';
import { type Tensor, tensor, zeros } from '../../../src/engine/tensor.ts';
import '../../support/allclose.ts';
import { cases, randomTensor } from '../../support/random.ts';

interface Spec {
  readonly left: AxisLetters[];
  readonly right: AxisLetters[];
  readonly out: AxisLetters[];
  readonly extents: Extents;
}

/** The letters in any order, some neighbours merged into one axis. */
function anyAxes(letters: readonly string[]): fc.Arbitrary<AxisLetters[]> {
  return fc
    .tuple(
      fc.shuffledSubarray([...letters], { minLength: letters.length }),
      fc.array(fc.boolean(), { minLength: letters.length, maxLength: letters.length }),
    )
    .map(([order, merge]) =>
      order.reduce<string[][]>((axes, letter, n) => {
        if (n > 0 && merge[n]) axes[axes.length - 1].push(letter);
        else axes.push([letter]);
        return axes;
      }, []),
    );
}

/** Every letter stands in two of the three or in all of them, as `contract` asks. */
const anySpec: fc.Arbitrary<Spec> = fc
  .array(
    fc.record({
      where: fc.constantFrom('left right', 'left out', 'right out', 'left right out'),
      length: fc.integer({ min: 1, max: 5 }),
    }),
    { minLength: 1, maxLength: 6 },
  )
  .chain((letters) => {
    const named = letters.map((each, n) => ({ ...each, letter: 'abcdef'[n] }));
    const lettersIn = (operand: string): string[] =>
      named.filter(({ where }) => where.split(' ').includes(operand)).map(({ letter }) => letter);
    return fc.record({
      left: anyAxes(lettersIn('left')),
      right: anyAxes(lettersIn('right')),
      out: anyAxes(lettersIn('out')),
      extents: fc.constant(
        Object.fromEntries(named.map(({ letter, length }) => [letter, length])) as Extents,
      ),
    });
  });

/** einsum by its definition: over all values of all letters. */
function naive(left: Tensor, right: Tensor, { left: l, right: r, out: o, extents }: Spec): Tensor {
  const result = zeros(shapeOf(o, extents));
  const letters = Object.keys(extents);
  const loop = (n: number, binding: Record<string, number>): void => {
    if (n < letters.length) {
      for (let value = 0; value < extents[letters[n]]; value++) {
        loop(n + 1, { ...binding, [letters[n]]: value });
      }
      return;
    }
    const [at, from, other] = [o, l, r].map((axes) => offsetAt(axes, extents, binding));
    result.data[at] += left.data[from] * right.data[other];
  };
  loop(0, {});
  return result;
}

test('contract is the sum over the letters that the output lacks', () => {
  fc.assert(
    fc.property(anySpec, fc.nat(1e6), (spec, seed) => {
      const left = randomTensor(shapeOf(spec.left, spec.extents), seed);
      const right = randomTensor(shapeOf(spec.right, spec.extents), seed + 1);
      const { left: l, right: r, out, extents } = spec;
      const found = contract(left, l, right, r, out, extents);
      expect(found).toBeAllclose(naive(left, right, spec), { tolerance: 1e-13 });
    }),
    cases(150),
  );
});

test('a matrix product by hand', () => {
  const left = tensor([2, 3], [1, 2, 3, 4, 5, 6]);
  const right = tensor([3, 1], [1, 10, 100]);
  const letters = [
    [['i'], ['c']],
    [['c'], ['a']],
    [['i'], ['a']],
  ];
  const found = contract(left, letters[0], right, letters[1], letters[2], { i: 2, c: 3, a: 1 });
  expect(found).toEqual(tensor([2, 1], [321, 654]));
});
