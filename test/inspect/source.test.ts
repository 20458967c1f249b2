// Reading, slicing and subtracting tensors by ranges, in either order of storage.
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { indexOf } from '../../src/engine/tensor.ts';
import { defaultSlicing, indexOfCell, planeOf, readRegion } from '../../src/inspect/plane.ts';
import {
  difference,
  fromTensor,
  indexAt,
  rowMajor,
  storedAt,
  wholeTensor,
} from '../../src/inspect/source.ts';
import { counting, fortran, noBreath } from './helpers.ts';

const shapes = fc.array(fc.integer({ min: 1, max: 5 }), { minLength: 1, maxLength: 4 });

describe('order of storage', () => {
  test('whatever the order, the entry of an index is the same', () =>
    fc.assert(
      fc.asyncProperty(shapes, async (shape) => {
        const plain = counting(...shape);
        const stored = fortran(plain);
        expect([...(await wholeTensor(stored, noBreath)).data]).toEqual([
          ...(await wholeTensor(plain, noBreath)).data,
        ]);
        for (let offset = 0; offset < plain.entries.size; offset++) {
          const index = indexOf(shape, offset);
          expect(indexAt(stored, storedAt(stored, index))).toEqual(index);
          expect((await stored.entries.read(storedAt(stored, index), 1))[0]).toBe(offset);
        }
      }),
      { numRuns: 60 },
    ));

  test('parts of the row-major view are parts of the whole', async () => {
    const view = rowMajor(fortran(counting(3, 4, 5)));
    expect([...(await view.entries.read(7, 40))]).toEqual(
      Array.from({ length: 40 }, (_, n) => n + 7),
    );
  });

  test('a tensor too large for memory is refused', async () => {
    await expect(wholeTensor(counting(4, 4), noBreath, 15)).rejects.toThrow(RangeError);
  });
});

describe('difference', () => {
  test('equal infinities differ by 0, NaN stays NaN, orders may differ', async () => {
    const a = fromTensor({ shape: [2, 2], data: Float64Array.of(-Infinity, 1, NaN, 4) });
    const b = fortran(
      fromTensor({ shape: [2, 2], data: Float64Array.of(-Infinity, 3, 0, Infinity) }),
    );
    const { data } = await wholeTensor(difference(a, b), noBreath);
    expect([...data]).toEqual([0, -2, NaN, -Infinity]);
  });

  test('of two shapes there is none', () => {
    expect(() => difference(counting(2, 3), counting(3, 2))).toThrow('(2, 3) and (3, 2)');
  });
});

describe('planes', () => {
  test('any two axes of an N-D tensor, in any order of storage', () =>
    fc.assert(
      fc.asyncProperty(
        fc.array(fc.integer({ min: 1, max: 5 }), { minLength: 2, maxLength: 4 }),
        fc.nat(),
        fc.nat(),
        fc.boolean(),
        async (shape, a, b, isFortran) => {
          const plain = counting(...shape);
          const rowAxis = a % shape.length;
          const colAxis = (rowAxis + 1 + (b % (shape.length - 1))) % shape.length;
          const slicing = { rowAxis, colAxis, fixed: shape.map((length) => length - 1) };
          const source = isFortran ? fortran(plain) : plain;
          const plane = planeOf(source, slicing);
          const region = { row: 0, col: 0, rows: plane.rows, cols: plane.cols };
          const data = await readRegion(source.entries, plane, region);
          for (let row = 0; row < plane.rows; row++) {
            for (let col = 0; col < plane.cols; col++) {
              expect(data[row * plane.cols + col]).toBe(
                storedAt(plain, indexOfCell(slicing, row, col)),
              );
            }
          }
        },
      ),
      { numRuns: 100 },
    ));

  test('scalars, vectors and empty tensors', () => {
    const plane = (...shape: number[]) => {
      const { rows, cols } = planeOf(counting(...shape), defaultSlicing(shape));
      return [rows, cols];
    };
    expect(plane()).toEqual([1, 1]);
    expect(plane(5)).toEqual([1, 5]);
    expect(plane(3, 0)).toEqual([0, 0]);
    expect(plane(2, 3, 4)).toEqual([3, 4]);
  });

  test('axes and indices that are not there are refused', () => {
    const source = counting(2, 3);
    expect(() => planeOf(source, { rowAxis: 2, colAxis: 1, fixed: [0, 0] })).toThrow(RangeError);
    expect(() => planeOf(source, { rowAxis: 1, colAxis: 1, fixed: [0, 0] })).toThrow(RangeError);
    expect(() => planeOf(source, { rowAxis: null, colAxis: 1, fixed: [2, 0] })).toThrow(
      'index 2 on axis 0',
    );
  });
});
