// A person's module in a process of its own: what it is given, and what it may return.
import { join } from 'node:path';
import { describe, expect, test, vi } from 'vitest';
import { run } from '../../src/engine/run.ts';
import type { NamedTensor } from '../../src/formats/namedTensor.ts';
import { openSetup } from '../../src/formats/openSetup.ts';
import { SETUP, useMine } from './mine.ts';

vi.setConfig({ testTimeout: 120_000 });
const mine = useMine();

const plain = (tensors: readonly NamedTensor[]): unknown =>
  Object.fromEntries(
    tensors.map(({ name, dtype, tensor }) => [name, [dtype, tensor.shape, [...tensor.data]]]),
  );

describe('what a module is given', () => {
  test.concurrent('nested arrays by their names in the setup, defaults filled in', async () => {
    const check = `
      import assert from 'node:assert/strict';
      export function forward(inputs) {
        assert.deepEqual(inputs, {
          head: 'qkv', heads: 1, kvHeads: 1, axes: 'query-first', mask: 'causal', scale: 1,
          x: [[1, 2], [3, 4], [5, 6]], xPrime: [[1, 2], [3, 4], [5, 6]],
          W_K: [[1], [2]], W_Q: [[3], [4]], W_V: [[0.5], [-1]],
        });
        return { f: 1 };
      }`;
    await expect(mine.run(check)).resolves.toHaveLength(1);
  });

  test.concurrent('masks as booleans or numbers, and everything else a setup can say', async () => {
    const setup = {
      ...{ head: 'multihead', heads: 2, kvHeads: 1, softcap: 30, window: 2 },
      ...{
        xPrime: [[1, 2]],
        weights: {
          W_K: [
            [1, 2],
            [3, 4],
          ],
          W_Q: [
            [1, 2, 3, 4],
            [5, 6, 7, 8],
          ],
          W_V: [
            [1, 2],
            [3, 4],
          ],
        },
      },
      ...{ mask: [[true, false, true]], rope: { base: 100, pairing: 'half' }, alibi: [0.5, 0.25] },
      dropout: { p: 0.5, keep: [[1, 0, 1]] },
    };
    const check = `
      import assert from 'node:assert/strict';
      export function forward({ x, xPrime, W_K, W_Q, W_V, ...rest }) {
        assert.deepEqual(rest, {
          head: 'multihead', heads: 2, kvHeads: 1, axes: 'query-first', scale: 1 / Math.sqrt(2),
          mask: [[true, false, true]], maskMeaning: 'attend', softcap: 30, window: 2,
          rope: { base: 100, pairing: 'half' }, alibi: [0.5, 0.25], dropout: { p: 0.5, keep: [[1, 0, 1]] },
        });
        return { f: 1 };
      }`;
    await expect(mine.run(check, { setup })).resolves.toHaveLength(1);
    const added = {
      mask: [
        [0, '-inf', 0],
        [0, 0, 0],
        [0, 0, 0],
      ],
    };
    const numbers = `export const forward = ({ mask, maskMeaning }) => ({ [maskMeaning]: mask });`;
    const [{ name, tensor }] = await mine.run(numbers, { setup: added });
    expect([name, ...tensor.data]).toEqual(['add', 0, -Infinity, 0, 0, 0, 0, 0, 0, 0]);
  });

  test.concurrent(
    'the upstream gradient at its own y, fresh inputs, and what forward returned',
    async () => {
      const own = await mine.run(`
      export function forward(inputs) {
        inputs.x[0][0] = 99;
        return { y: [[1], [2], [4]], secret: null, cache: { shape: [1], data: [7] } };
      }
      export function backward({ x }, { cache }, dy) {
        return { grad_x: x, P: [[cache.data[0]]], dQ: dy };
      }`);
      // f is half the squared norm of y, so df/dy is y: that of the module, not that of the reference.
      expect(plain(own)).toEqual({
        y: ['float64', [3, 1], [1, 2, 4]],
        cache: ['float64', [1], [7]],
        dy: ['float64', [3, 1], [1, 2, 4]],
        grad_x: ['float64', [3, 2], [1, 2, 3, 4, 5, 6]],
        // What backward returns is a gradient whatever its name.
        dP: ['float64', [1, 1], [7]],
        dQ: ['float64', [3, 1], [1, 2, 4]],
      });
    },
  );

  test.concurrent("the reference's upstream gradient where it returns no y", async () => {
    const [P, dy] = await mine.run(`
      export const forward = () => ({ P: 1 });
      export const backward = (inputs, result, dy) => ({ dy });`);
    const { graph } = await openSetup(JSON.stringify(SETUP), () => Promise.reject(new Error()));
    expect(P.name).toBe('P');
    expect(dy.tensor.data).toEqual(run(graph!).gradients.get('y')!.data);
  });
});

describe('what it may return', () => {
  test.concurrent(
    'nested arrays, typed arrays, {shape, data}, numbers, booleans; nothing',
    async () => {
      const tensors = await mine.run(`
      export async function forward() {
        await new Promise((resolve) => setTimeout(resolve, 10));
        return {
          f: 2.5,
          P: [[0.25, NaN], [Infinity, -0]],
          Q: [new Float32Array([0.5, 1.5]), new Float32Array([2, 3])],
          K: { shape: [2, 1], data: Float64Array.of(3, 4) },
          V: { shape: [1, 2], data: [5, 6] },
          M: [[true], [false]],
          x: Int32Array.of(1, 2),
          O: [],
          y: undefined,
          C: null,
        };
      }`);
      expect(plain(tensors)).toEqual({
        f: ['float64', [], [2.5]],
        P: ['float64', [2, 2], [0.25, NaN, Infinity, -0]],
        Q: ['float32', [2, 2], [0.5, 1.5, 2, 3]],
        K: ['float64', [2, 1], [3, 4]],
        V: ['float64', [1, 2], [5, 6]],
        M: ['bool', [2, 1], [1, 0]],
        x: ['int32', [2], [1, 2]],
        O: ['float64', [0], []],
      });
    },
  );

  test.concurrent.each([
    ['3', 'mine.mjs: forward: found 3, expected an object of tensors such as { P, y }'],
    ['[[1]]', 'mine.mjs: forward: found an array of 1, expected an object of tensors'],
    ['undefined', 'mine.mjs: forward: found undefined, expected an object of tensors'],
    ['{ P: [[1, 2], [3]] }', 'mine.mjs: forward: P[1]: found 1 entries, expected 2 as before it'],
    ['{ P: [[1, 2], 3] }', 'mine.mjs: forward: P[1]: found 3, expected 2 entries as before it'],
    ['{ P: [1, [2]] }', 'mine.mjs: forward: P[1]: found an array of 1, expected a number'],
    ['{ P: [["1"]] }', 'mine.mjs: forward: P[0][0]: found the string "1", expected a number'],
    ['{ P: [1, undefined] }', 'mine.mjs: forward: P[1]: found undefined, expected a number'],
    ['{ P: [1n] }', 'mine.mjs: forward: P[0]: found a bigint, expected a number'],
    [
      '{ P: BigInt64Array.of(1n) }',
      'mine.mjs: forward: P: found a BigInt64Array, expected numbers',
    ],
    ['{ P: [true, 1] }', 'mine.mjs: forward: P[1]: found 1, expected a boolean as before it'],
    ['{ P() {} }', 'mine.mjs: forward: P: found a function, expected a number'],
    ['{ P: new Map() }', 'mine.mjs: forward: P: found an object (Map), expected a number'],
    [
      '{ P: { shape: [2, 2], data: [1] } }',
      'mine.mjs: forward: P.data: found 1 entries, expected 4 for shape (2, 2)',
    ],
    [
      '{ P: { shape: [-1], data: [] } }',
      'mine.mjs: forward: P.shape: found an array of 1, expected',
    ],
    [
      '{ P: { shape: [1], data: "1" } }',
      'mine.mjs: forward: P.data: found the string "1", expected',
    ],
    [
      '{ P: new Float32Array(2 ** 25 + 1) }',
      'mine.mjs: forward: P: found more than 33554432 entries in all, expected fewer',
    ],
    [
      '(() => { const P = []; P.push(P); return { P }; })()',
      'mine.mjs: forward: P: found more than 8 axes, expected a tensor',
    ],
  ])('not %s', async (result, message) => {
    expect(await mine.failure(`export const forward = () => (${result});`)).toContain(message);
  });
});

describe('modules', () => {
  test.concurrent('in TypeScript, with another beside it', async () => {
    mine.write('helper.ts', `export const twice = (value: number): number => 2 * value;\n`);
    const tensors = await mine.run(
      `import { twice } from './helper.ts';
      interface Inputs { readonly scale: number }
      export const forward = ({ scale }: Inputs): Record<string, number> => ({ f: twice(scale) });`,
      { ending: 'ts' },
    );
    expect(plain(tensors)).toEqual({ f: ['float64', [], [2]] });
  });

  test.concurrent('of CommonJS, and with a default export', async () => {
    const common = await mine.run('module.exports = { forward: () => ({ f: 1 }) };', {
      ending: 'cjs',
    });
    const standard = await mine.run('export default { forward: () => ({ f: 2 }) };');
    expect([common, standard].map(([{ tensor }]) => tensor.data[0])).toEqual([1, 2]);
  });

  test.concurrent.each([
    [
      'export const backward = () => ({});',
      'mine.mjs: the module exports backward, expected a function forward',
    ],
    ['', 'mine.mjs: the module exports nothing, expected a function forward(inputs)'],
    ['export const forward = 3;', 'mine.mjs: forward is a number, expected a function'],
  ])('without forward: %s', async (code, message) => {
    expect(await mine.failure(code)).toContain(message);
  });

  test.concurrent('that are not there', async () => {
    const module = join(mine.folder, 'nowhere.mjs');
    expect(await mine.failure('', { module })).toBe(
      `${module}: no such file, expected the setup's implementation`,
    );
  });
});
