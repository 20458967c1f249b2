// Tensors and their axes by letter: nested arrays, offsets, norms, specs.
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  axisLabel,
  axisName,
  bindingAt,
  offsetAt,
  offsetTable,
  parseSpec,
} from '../../src/engine/axes.ts';
import { letterStrides, shapeOf } from '../../src/engine/axes.ts';
import {
  fromNested,
  indexOf,
  norm,
  offsetOf,
  scalar,
  sizeOf,
  strides,
  tensor,
} from '../../src/engine/tensor.ts';
import { cases } from '../support/random.ts';

describe('nested arrays', () => {
  test('row by row', () => {
    expect(
      fromNested([
        [1, 2, 3],
        [4, 5, 6],
      ]),
    ).toEqual(tensor([2, 3], [1, 2, 3, 4, 5, 6]));
    expect(fromNested(7)).toEqual(scalar(7));
  });

  test.each([
    [[[1, 2], [3]], 'found 1 entries at [1], expected 2'],
    [[[1, 2], 3], 'found a number at [1], expected an array'],
    [[1, [2]], 'found an array at [1], expected a number'],
  ])('%j is ragged', (nested, message) => {
    expect(() => fromNested(nested)).toThrow(message);
  });
});

test('entries have to fill the shape', () => {
  expect(() => tensor([2, 3], [1, 2])).toThrow('2 entries do not fill shape (2, 3) (6 entries)');
});

describe('norm', () => {
  test.each([
    [[3, 4], 5],
    [[3 * 2 ** 600, 4 * 2 ** 600], 5 * 2 ** 600],
    [[3 * 2 ** -600, 4 * 2 ** -600], 5 * 2 ** -600],
    [[0, 0], 0],
    [[], 0],
    [[1, -Infinity], Infinity],
  ])('of %j', (entries, expected) => {
    expect(norm(tensor([entries.length], entries))).toBe(expected);
  });

  test('of NaN is NaN', () => {
    expect(norm(tensor([3], [1, NaN, 2]))).toBeNaN();
    expect(norm(tensor([2], [NaN, Infinity]))).toBeNaN();
  });
});

const anyShape = fc.array(fc.integer({ min: 1, max: 4 }), { maxLength: 4 });

test('offsets and indices are each other’s inverse', () => {
  fc.assert(
    fc.property(anyShape, fc.nat(1e6), (shape, n) => {
      const offset = n % sizeOf(shape);
      const index = indexOf(shape, offset);
      const byStrides = index.reduce((sum, at, axis) => sum + at * strides(shape)[axis], 0);
      expect(index.every((at, axis) => at >= 0 && at < shape[axis])).toBe(true);
      expect([offsetOf(shape, index), byStrides]).toEqual([offset, offset]);
    }),
    cases(100),
  );
});

describe('axes', () => {
  const [axes] = parseSpec('b i (r g a)');
  const extents = { b: 2, i: 3, r: 2, g: 3, a: 4 };

  test('are parsed from a spec, operands in order, the output last', () => {
    expect(parseSpec('i c, c (h a), (h a) -> i (h a)')).toEqual([
      [['i'], ['c']],
      [['c'], ['h', 'a']],
      [['h', 'a']],
      [['i'], ['h', 'a']],
    ]);
    expect(parseSpec('j v ->')[1]).toEqual([]);
  });

  test('have names and labels', () => {
    expect(axes.map(axisName)).toEqual(['batch', 'key', 'head × feature']);
    expect(axes.map(axisLabel)).toEqual(['b', 'i', '(r g a)']);
    expect([axisName(['r']), axisName(['h', 'v'])]).toEqual(['kv head', 'head × value feature']);
  });

  test('bindings and offsets are each other’s inverse', () => {
    for (let offset = 0; offset < sizeOf(shapeOf(axes, extents)); offset++) {
      expect(offsetAt(axes, extents, bindingAt(axes, extents, offset))).toBe(offset);
    }
  });

  test('letters left unbound count as 0', () => {
    expect(offsetAt(axes, extents, { i: 1, g: 2 })).toBe(24 + 8);
  });

  test('an offset table runs over its letters in row-major order', () => {
    const stride = letterStrides(axes, extents);
    expect([...offsetTable(['g', 'i'], stride, extents)]).toEqual([
      0, 24, 48, 4, 28, 52, 8, 32, 56,
    ]);
    expect([...offsetTable([], stride, extents)]).toEqual([0]);
    expect([...offsetTable(['z'], stride, { z: 2 })]).toEqual([0, 0]);
  });
});
