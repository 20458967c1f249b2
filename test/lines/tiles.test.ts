// What tiled kernels have after each tile, ALiBi's tables, moved inputs: found by their numbers.
import { expect, test } from 'vitest';
import type { HeadConfig } from '../../src/engine/config.ts';
import { buildGraph } from '../../src/engine/heads/build.ts';
import type { Tensor } from '../../src/engine/tensor.ts';
import { FLOAT64 } from '../../src/compare/reference/dtypes.ts';
import { buildCatalogue, type Catalogue } from '../../src/lines/align/catalogue.ts';
import { localise, type Localised } from '../../src/lines/localise/localise.ts';
import type { Event, Recording } from '../../src/lines/recorded/recording.ts';
import { headConfig } from '../support/configs.ts';
import { randomTensor } from '../support/random.ts';

interface Step {
  readonly name: string;
  readonly tensor: Tensor;
  readonly reads?: readonly number[];
}

/** A straight-line program that binds each tensor in a statement of its own. */
function recordingOf(steps: readonly Step[]): Recording {
  const events = steps.map(({ name, tensor: { shape }, reads = [] }, id) => ({
    ...{ id, statement: id, frame: 0, loops: [], name, how: 'bind', dtype: 'float64' },
    ...{ shape, reads },
  }));
  const statements = steps.map(({ name }, n) => ({
    ...{ file: 0, line: n + 1, endLine: n + 1, column: 1, endColumn: 9, function: 0 },
    ...{ kind: 'assign', text: `${name} = f()`, loads: [], targets: [name] },
  }));
  const functions = [{ file: 0, name: '', line: 1, endLine: steps.length, calls: 1 }];
  const tensor = (id: number): Tensor => steps[id].tensor;
  const exit = { code: 0 };
  return { functions, statements, events: events as Event[], exit, tensor } as unknown as Recording;
}

function judged(config: HeadConfig, make: (catalogue: Catalogue) => Step[]): Localised {
  const catalogue = buildCatalogue(config, buildGraph(config), FLOAT64);
  return localise(recordingOf(make(catalogue)), catalogue);
}

const valueOf = ({ state }: Catalogue, id: string): Tensor => state.value(id);

/** Rows of a matrix from `start` to `end`. */
function rows({ shape, data }: Tensor, start: number, end: number): Tensor {
  const width = shape[1];
  return { shape: [end - start, width], data: data.slice(start * width, end * width) };
}

const qkv = headConfig('qkv', { mask: undefined });

test('the maximum of a row over the first tile of keys is a form once tiles are seen', () => {
  const found = judged(qkv, (catalogue) => {
    const keys = valueOf(catalogue, 'K');
    const half = Math.ceil(keys.shape[0] / 2);
    const scores = valueOf(catalogue, catalogue.parts.logits);
    const { letters } = catalogue.entries.find(({ title }) => title === catalogue.parts.logits)!;
    const keyFirst = letters.indexOf('i') < letters.indexOf('j');
    const [first, second] = scores.shape;
    const queries = keyFirst ? second : first;
    const at = (i: number, j: number): number => (keyFirst ? i * second + j : j * second + i);
    const maxima = Float64Array.from({ length: queries }, (_, j) =>
      Math.max(...Array.from({ length: half }, (__, i) => scores.data[at(i, j)])),
    );
    const sums = Float64Array.from({ length: queries }, (_, j) =>
      Array.from({ length: half }, (__, i) => Math.exp(scores.data[at(i, j)] - maxima[j])).reduce(
        (sum, value) => sum + value,
        0,
      ),
    );
    return [
      { name: 'k0', tensor: rows(keys, 0, half) },
      { name: 'k1', tensor: rows(keys, half, keys.shape[0]) },
      { name: 'm', tensor: { shape: [queries], data: maxima }, reads: [0] },
      { name: 'l', tensor: { shape: [queries], data: sums }, reads: [0, 2] },
    ];
  });
  expect(found.observed.map(({ standing }) => standing)).toEqual(Array(4).fill('right'));
});

test('an input with one entry moved a little, and what is computed from it, accuses nobody', () => {
  const found = judged(qkv, (catalogue) => {
    const x = valueOf(catalogue, 'x');
    const moved = { shape: x.shape, data: x.data.slice() };
    moved.data[1] += 1e-6;
    return [
      { name: 'x', tensor: x },
      { name: 'y', tensor: valueOf(catalogue, 'y'), reads: [0] },
      { name: 'moved', tensor: moved, reads: [0] },
      { name: 'high', tensor: randomTensor(valueOf(catalogue, 'y').shape, 9), reads: [2] },
    ];
  });
  expect(found.observed.map(({ standing }) => standing).slice(2)).toEqual(['unknown', 'unknown']);
  expect(found.verdict).toBe('match');
});

test('a target that was made of the shape of a wrong output does not make that right', () => {
  const config = headConfig('qkv', { mask: undefined });
  const y = valueOf(buildCatalogue(config, buildGraph(config), FLOAT64), 'y');
  const T = randomTensor(y.shape, 5);
  const found = judged({ ...config, loss: { kind: 'target', T } }, (catalogue) => [
    { name: 'P', tensor: valueOf(catalogue, 'P') },
    { name: 'V', tensor: valueOf(catalogue, 'V') },
    { name: 'out', tensor: randomTensor(y.shape, 6), reads: [0, 1] },
    { name: 'goal', tensor: T, reads: [2] },
  ]);
  expect(found.wrong.map(({ event }) => event)).toEqual([2]);
});
