// Reductions are honest: every entry counts at every level, whatever the size.
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { defaultSlicing, planeOf } from '../../src/inspect/plane.ts';
import { levelCount, Pyramid, TILE, toFloat32 } from '../../src/inspect/pyramid.ts';
import { reduceBlocks, type Reduction } from '../../src/inspect/reduce.ts';
import { fromTensor, type TensorSource } from '../../src/inspect/source.ts';
import { counting, fortran, noBreath } from './helpers.ts';

const pyramidOf = (source: TensorSource, reduction: Reduction): Pyramid =>
  new Pyramid(source.entries, planeOf(source, defaultSlicing(source.shape)), reduction);

/** All tiles of a level as one matrix. */
async function levelOf(
  source: TensorSource,
  level: number,
  reduction: Reduction,
): Promise<number[][]> {
  const pyramid = pyramidOf(source, reduction);
  const side = (length: number): number => Math.ceil(length / 2 ** level);
  const [rows, cols] = [side(source.shape[0]), side(source.shape[1])];
  const result = Array.from({ length: rows }, () => Array<number>(cols).fill(NaN));
  for (let down = 0; down * TILE < rows; down++) {
    for (let across = 0; across * TILE < cols; across++) {
      const tile = await pyramid.tile({ level, down, across }, noBreath);
      const data = level === 0 ? new Float64Array(tile.data) : new Float32Array(tile.data);
      data.forEach((value, n) => {
        result[down * TILE + Math.floor(n / tile.cols)][across * TILE + (n % tile.cols)] = value;
      });
    }
  }
  return result;
}

describe('blocks', () => {
  test('the mean of means is the mean of the entries, at edges too', () =>
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 9 }), fc.integer({ min: 1, max: 9 }), (rows, cols) => {
        const data = Float64Array.from({ length: rows * cols }, (_, n) => (n * 7919) % 101);
        const half = reduceBlocks(data, { rows, cols }, 2, 'mean');
        const size = { rows: Math.ceil(rows / 2), cols: Math.ceil(cols / 2) };
        const weight = (row: number, col: number): number =>
          (row * 2 + 1 < rows ? 2 : 1) * (col * 2 + 1 < cols ? 2 : 1);
        const twice = reduceBlocks(half, size, 2, 'mean', weight);
        const once = reduceBlocks(data, { rows, cols }, 4, 'mean');
        twice.forEach((value, n) => expect(value).toBeCloseTo(once[n], 10));
      }),
    ));

  test('extreme: the largest size with its sign; NaN and infinities show', () => {
    const data = [1, -5, NaN, 0, 2, 3, 0, 0, -Infinity, 1, 0, 0];
    expect([...reduceBlocks(data, { rows: 3, cols: 4 }, 2, 'extreme')]).toEqual([
      -5,
      NaN,
      -Infinity,
      0,
    ]);
    expect([...reduceBlocks(data, { rows: 3, cols: 4 }, 2, 'mean')]).toEqual([
      0.25,
      NaN,
      -Infinity,
      0,
    ]);
  });
});

describe('pyramid', () => {
  test.each<[number, number]>([
    [1, 1],
    [3, 5],
    [256, 257],
    [700, 900],
    [1, 3000],
    [3000, 2],
  ])('%i x %i: every level is the reduction of the entries', async (rows, cols) => {
    const data = Float64Array.from({ length: rows * cols }, (_, n) => ((n * 7919) % 1000) - 500);
    const plain = fromTensor({ shape: [rows, cols], data });
    for (const source of [plain, fortran(plain)]) {
      for (let level = 0; level < levelCount({ rows, cols }); level++) {
        for (const reduction of ['mean', 'extreme'] as const) {
          const expected = reduceBlocks(data, { rows, cols }, 2 ** level, reduction);
          const found = (await levelOf(source, level, reduction)).flat();
          expect(found.length).toBe(expected.length);
          const wrong = found.filter((value, n) => !(Math.abs(value - expected[n]) < 1e-3));
          expect(wrong).toEqual([]);
        }
      }
    }
  });

  test('the coarsest level is one tile, also of 16384 x 16384', () => {
    expect(levelCount({ rows: 1, cols: 1 })).toBe(1);
    expect(levelCount({ rows: 256, cols: 256 })).toBe(1);
    expect(levelCount({ rows: 257, cols: 1 })).toBe(2);
    expect(levelCount({ rows: 16_384, cols: 16_384 })).toBe(7);
  });

  test('level 0 is exact', async () => {
    const source = fromTensor({ shape: [1, 2], data: Float64Array.of(0.1, 1e300) });
    expect(await levelOf(source, 0, 'mean')).toEqual([[0.1, 1e300]]);
  });

  test('places outside are refused', async () => {
    const pyramid = pyramidOf(counting(300, 10), 'mean');
    for (const place of [
      { level: 0, down: 2, across: 0 },
      { level: 2, down: 0, across: 0 },
      { level: 0, down: -1, across: 0 },
      { level: 0.5, down: 0, across: 0 },
    ]) {
      await expect(pyramid.tile(place, noBreath)).rejects.toThrow(RangeError);
    }
  });

  test('cancelled half-way, it begins anew', async () => {
    const side = 1500;
    const pyramid = pyramidOf(counting(side, side), 'mean');
    let turns = 0;
    const cancel = () => (++turns > 2 ? Promise.reject(new Error('cancelled')) : Promise.resolve());
    await expect(pyramid.tile({ level: 2, down: 0, across: 0 }, cancel)).rejects.toThrow(
      'cancelled',
    );
    const { data } = await pyramid.tile({ level: 2, down: 0, across: 0 }, noBreath);
    expect(new Float32Array(data)[0]).toBeCloseTo(1.5 * side + 1.5, 1);
  });

  test('finite numbers stay finite in float32', () => {
    expect([...toFloat32(Float64Array.of(1e300, -1e300, Infinity))].map(Number.isFinite)).toEqual([
      true,
      true,
      false,
    ]);
  });
});
