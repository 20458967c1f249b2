// The tensors of a JavaScript program, read by the expressions that a debugger is given.
import { describe, expect, test, vi } from 'vitest';
import { javascript } from '../../../src/extension/debugger/javascript.ts';
import { ProgramReader } from '../../../src/extension/debugger/read.ts';
import type { PausedFrame, ProgramTensor } from '../../../src/extension/debugger/tensor.ts';
import { javascriptProgram } from './programs.ts';

const told = (tensors: readonly ProgramTensor[]): string[] =>
  tensors.map(({ expression, shape, dtype }) => `${expression} (${shape.join(', ')}) ${dtype}`);

/** A frame whose variables are those of `variables`, and whose `this` is `self`. */
function paused(variables: Record<string, unknown>, self?: unknown, longest?: number): PausedFrame {
  const names = Object.keys(variables);
  function evaluate(this: unknown, expression: string): unknown {
    const body = `return (${expression});`;
    // oxlint-disable-next-line typescript/no-implied-eval -- stands for the debugger
    return new Function(...names, body).apply(self, Object.values(variables));
  }
  return javascriptProgram(evaluate, [...names, 'this', 'notBound', 'Return value'], longest);
}

async function entries(frame: PausedFrame, expression: string): Promise<number[]> {
  const reader = new ProgramReader(frame, javascript);
  const [tensor] = await reader.describe(expression);
  return [...(await reader.read(tensor, () => undefined)).data];
}

describe('a JavaScript program', () => {
  test('lists what looks like a tensor, one level deep, and calls no getter', async () => {
    const getter = vi.fn<() => number[]>(() => [1]);
    const frame = paused(
      {
        x: [
          [1, 2, 3],
          [4, 5, 6],
        ],
        flat: new Float32Array(6),
        P: { data: new Float64Array(6), shape: [2, 3], grad: new Float64Array(6) },
        wrong: { data: new Float64Array(6), shape: [2, 2] },
        cache: Object.defineProperty({ 'd-S': [[1], [2]], note: 'text', n: 4 }, 'lazy', {
          get: getter,
          enumerable: true,
        }),
        heads: [new Float32Array(2), new Float32Array(2)],
        ragged: [[1], [2, 3]],
        names: ['a'],
        n: 4,
        run: () => 0,
        nothing: null,
      },
      { W_K: new Float64Array(4) },
    );
    expect(told(await new ProgramReader(frame, javascript).list())).toEqual([
      'x (2, 3) float64',
      'flat (6) float32',
      'P (2, 3) float64',
      'P.grad (2, 3) float64',
      'wrong.data (6) float64',
      'wrong.shape (2) float64',
      'cache["d-S"] (2, 1) float64',
      'heads (2, 2) float32',
      'heads[0] (2) float32',
      'heads[1] (2) float32',
      'ragged[0] (1) float64',
      'ragged[1] (2) float64',
      'this.W_K (4) float64',
    ]);
    expect(getter).not.toHaveBeenCalled();
  });

  test('reads typed arrays, nested arrays and arrays with a shape', async () => {
    const buffer = new Float64Array([9, 1, 2, 3]).buffer;
    const frame = paused({
      view: new Float64Array(buffer, 8, 3),
      bytes: Uint8ClampedArray.of(0, 255),
      whole: BigInt64Array.of(-1n, 2n ** 53n),
      deep: [[[1, true]], [[2.5, Number.NaN]]],
      mixed: [new Float32Array([0.5, 1]), new Float32Array([2, 3])],
      P: { data: [1, 2, 3, 4], shape: [2, 2], grad: Float32Array.of(5, 6, 7, 8) },
      loss: 0.25,
    });
    expect(await entries(frame, 'view')).toEqual([1, 2, 3]);
    expect(await entries(frame, 'bytes')).toEqual([0, 255]);
    expect(await entries(frame, 'whole')).toEqual([-1, 2 ** 53]);
    expect(await entries(frame, 'deep')).toEqual([1, 1, 2.5, Number.NaN]);
    expect(await entries(frame, 'mixed')).toEqual([0.5, 1, 2, 3]);
    expect(await entries(frame, 'P')).toEqual([1, 2, 3, 4]);
    expect(await entries(frame, 'loss')).toEqual([0.25]);
    const reader = new ProgramReader(frame, javascript);
    const [, gradient] = await reader.describe('P');
    const { shape, data } = await reader.read(gradient, () => undefined);
    expect([shape, [...data]]).toEqual([
      [2, 2],
      [5, 6, 7, 8],
    ]);
  });

  test('reads in blocks what is large, in browsers too', async () => {
    const P = { data: Float32Array.from({ length: 1e6 }, (_, at) => at), shape: [2, 5e5] };
    const rows = Array.from({ length: 1000 }, (_, i) => new Float64Array(1000).fill(i));
    for (const variables of [
      { P, rows },
      { P, rows, Buffer: undefined },
    ]) {
      const frame = paused(variables);
      const evaluate = vi.spyOn(frame, 'evaluate');
      const numbers = await entries(frame, 'P');
      expect(evaluate).toHaveBeenCalledTimes(1 + 2);
      expect(numbers).toHaveLength(1e6);
      expect(numbers.every((value, at) => value === at)).toBe(true);
      const nested = await entries(frame, 'rows');
      expect(nested.every((value, at) => value === Math.floor(at / 1000))).toBe(true);
    }
  });

  test('reads whole what a debugger cuts short', async () => {
    const x = Float64Array.from({ length: 20_000 }, (_, at) => at);
    const many = Object.fromEntries(
      Array.from({ length: 190 }, (_, i) => [`tensor${i}`.repeat(50), x]),
    );
    const frame = paused({ x, many }, undefined, 65_540);
    const numbers = await entries(frame, 'x');
    expect(numbers.every((value, at) => value === at)).toBe(true);
    expect(await new ProgramReader(frame, javascript).list()).toHaveLength(191);
  });

  test('says what is no tensor and what cannot be read', async () => {
    const holes = [
      [1, 2],
      [3, undefined],
    ];
    const frame = paused({ text: 'P', holes });
    await expect(entries(frame, 'text')).rejects.toThrow(/text is not an array of numbers/);
    await expect(entries(frame, 'holes')).rejects.toThrow(/undefined is among its entries/);
    await expect(entries(frame, 'missing.P')).rejects.toThrow(/missing is not defined/);
  });
});
