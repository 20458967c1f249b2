// A person's module in a process of its own: what it is given, what it may return, and every way in which it can fail.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { run } from '../../src/engine/run.ts';
import type { NamedTensor } from '../../src/formats/namedTensor.ts';
import { openSetup } from '../../src/formats/openSetup.ts';
import { MineError, type MineOptions, runMine } from '../../src/mine/runMine.ts';

vi.setConfig({ testTimeout: 120_000 });
const folder = mkdtempSync(join(tmpdir(), 'attention-mine-'));
const runner = join(folder, 'runMine.mjs');
const source = fileURLToPath(new URL('../../src/mine/runner.ts', import.meta.url));

beforeAll(async () => {
  const entry = { entryPoints: [source], outfile: runner, bundle: true };
  await build({ ...entry, platform: 'node', format: 'esm', target: 'node20', logLevel: 'error' });
});
afterAll(() => rmSync(folder, { recursive: true }));

const SETUP = {
  head: 'qkv',
  x: [
    [1, 2],
    [3, 4],
    [5, 6],
  ],
  weights: { W_K: [[1], [2]], W_Q: [[3], [4]], W_V: [[0.5], [-1]] },
  mask: 'causal',
};

const printed: string[] = [];
let count = 0;

const write = (name: string, text: string): string => {
  const file = join(folder, name);
  writeFileSync(file, text);
  return file;
};

async function mine(
  code: string,
  {
    setup = {},
    ending = 'mjs',
    ...more
  }: Partial<MineOptions> & { setup?: object; ending?: string } = {},
): Promise<NamedTensor[]> {
  const { config, graph, problems } = await openSetup(JSON.stringify({ ...SETUP, ...setup }), () =>
    Promise.reject(new Error('no files')),
  );
  expect(problems).toEqual([]);
  return runMine({
    ...{ runner, timeout: 60, config: config!, graph: graph!, names: {} },
    module: write(`mine${count++}.${ending}`, code),
    onOutput: (text) => printed.push(text),
    ...more,
  });
}

const plain = (tensors: readonly NamedTensor[]): unknown =>
  Object.fromEntries(
    tensors.map(({ name, dtype, tensor }) => [name, [dtype, tensor.shape, [...tensor.data]]]),
  );

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

/** What the module fails with, its name replaced. */
async function failure(...words: Parameters<typeof mine>): Promise<string> {
  const error: unknown = await mine(...words).then(
    () => expect.fail('it did not fail'),
    (each: unknown) => each,
  );
  expect(error).toBeInstanceOf(MineError);
  return (error as Error).message.replaceAll(/mine\d+\./g, 'mine.');
}

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
    await expect(mine(check)).resolves.toHaveLength(1);
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
    await expect(mine(check, { setup })).resolves.toHaveLength(1);
    const added = {
      mask: [
        [0, '-inf', 0],
        [0, 0, 0],
        [0, 0, 0],
      ],
    };
    const numbers = `export const forward = ({ mask, maskMeaning }) => ({ [maskMeaning]: mask });`;
    const [{ name, tensor }] = await mine(numbers, { setup: added });
    expect([name, ...tensor.data]).toEqual(['add', 0, -Infinity, 0, 0, 0, 0, 0, 0, 0]);
  });

  test.concurrent(
    'the upstream gradient at its own y, fresh inputs, and what forward returned',
    async () => {
      const own = await mine(`
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
    const [P, dy] = await mine(`
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
      const tensors = await mine(`
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
    expect(await failure(`export const forward = () => (${result});`)).toContain(message);
  });
});

describe('modules', () => {
  test.concurrent('in TypeScript, with another beside it', async () => {
    write('helper.ts', `export const twice = (value: number): number => 2 * value;\n`);
    const tensors = await mine(
      `import { twice } from './helper.ts';
      interface Inputs { readonly scale: number }
      export const forward = ({ scale }: Inputs): Record<string, number> => ({ f: twice(scale) });`,
      { ending: 'ts' },
    );
    expect(plain(tensors)).toEqual({ f: ['float64', [], [2]] });
  });

  test.concurrent('of CommonJS, and with a default export', async () => {
    const common = await mine('module.exports = { forward: () => ({ f: 1 }) };', { ending: 'cjs' });
    const standard = await mine('export default { forward: () => ({ f: 2 }) };');
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
    expect(await failure(code)).toContain(message);
  });

  test.concurrent('that are not there', async () => {
    const module = join(folder, 'nowhere.mjs');
    expect(await failure('', { module })).toBe(
      `${module}: no such file, expected the setup's implementation`,
    );
  });
});

describe('what fails', () => {
  test.concurrent.each([
    [
      'forward',
      'export function forward({ x }) {\n  return x.nothing.at;\n}',
      'mine.mjs:2: TypeError: Cannot read properties of undefined',
    ],
    [
      'later',
      'export async function forward() {\n  await null;\n\n  throw new RangeError("too far\\nand more");\n}',
      'mine.mjs:4: RangeError: too far',
    ],
    [
      'backward',
      'export const forward = () => ({ f: 1 });\nexport const backward = () => { throw "just a text"; };',
      'mine.mjs: threw just a text',
    ],
    [
      'loading',
      'import "./not-there.mjs";\nexport const forward = 1;',
      'mine.mjs: Error: Cannot find module',
    ],
    [
      'its grammar',
      'export const forward = () => ({ f: 1 });\nconst = 3;',
      'mine.mjs:2: SyntaxError: Unexpected token',
    ],
    [
      'beside it',
      'export function forward() {\n  setTimeout(() => {\n    throw new Error("in a timer");\n  });\n  return new Promise(() => {});\n}',
      'mine.mjs:3: Error: in a timer',
    ],
  ])('in %s is told with its line', async (_, code, message) => {
    expect(await failure(code)).toContain(message);
  });

  test.concurrent('in a module beside it is told with that one', async () => {
    write('broken.mjs', '\n\nexport const boom = () => nothing.at;\n');
    const code = 'import { boom } from "./broken.mjs";\nexport const forward = () => boom();';
    expect(await failure(code)).toBe('broken.mjs:3: ReferenceError: nothing is not defined');
  });

  test.concurrent('in TypeScript is told with the line of the source', async () => {
    const code =
      'interface A { b: number }\n\nexport function forward(a: A) {\n  throw new Error(String(a.b));\n}';
    expect(await failure(code, { ending: 'mts' })).toBe('mine.mts:4: Error: undefined');
  });

  test.concurrent.each([
    ['loading it', 'for (;;);'],
    ['forward', 'export const forward = () => { for (;;); };'],
    ['forward', 'export const forward = () => new Promise(() => {});'],
    [
      'backward',
      'export const forward = () => ({ f: 1 });\nexport const backward = () => { for (;;); };',
    ],
  ])('%s that does not end is ended: %s', async (phase, code) => {
    const file = join(folder, `pid${count}`);
    const first = `import { writeFileSync } from 'node:fs';\nwriteFileSync(${JSON.stringify(file)}, String(process.pid));\n`;
    expect(await failure(first + code, { timeout: 1 })).toBe(
      `mine.mjs: ${phase} did not end in 1 s (the setup's implementation.timeout)`,
    );
    const pid = Number(readFileSync(file, 'utf8'));
    for (let tries = 0; tries < 100 && isAlive(pid); tries++) await sleep(50);
    expect(isAlive(pid)).toBe(false);
  });

  test.concurrent('the process itself ends', async () => {
    expect(await failure('export const forward = () => process.exit(3);')).toBe(
      'mine.mjs: forward ended the process with exit code 3',
    );
  });

  test.concurrent('memory ends', async () => {
    const code =
      'export const forward = () => { const all = []; for (;;) all.push(Array(1e5).fill(all)); };';
    expect(await failure(code, { memory: 64 })).toBe(
      'mine.mjs: forward took more memory than it may',
    );
  });

  test.concurrent('nobody waits any more', async () => {
    const stop = new AbortController();
    setTimeout(() => stop.abort(), 500);
    const code = 'export const forward = () => { for (;;); };';
    expect(await failure(code, { signal: stop.signal })).toBe('mine.mjs: was stopped');
  });

  test('what is printed is passed on, up to a limit, and the stack of an error', async () => {
    printed.length = 0;
    await mine(`export function forward() {
      console.log('to out');
      console.error('to err');
      return { f: 1 };
    }`);
    expect(printed.sort()).toEqual(['to err\n', 'to out\n']);
    printed.length = 0;
    await failure(
      'console.log("a".repeat(2 ** 21));\nexport const forward = () => { throw new Error("deep"); };',
    );
    const text = printed.join('');
    expect(text.length).toBeLessThan(2 ** 20 + 2000);
    // All in one, a failure would print a megabyte.
    expect([/is left out/.test(text), /Error: deep\n {4}at forward/.test(text)]).toEqual([
      true,
      true,
    ]);
  });
});
