// Several threads compute what one does, bit by bit, and memory that was given back is used again.
import { afterEach, expect, test } from 'vitest';
import type { HeadConfig } from '../../src/engine/config.ts';
import { buildGraph } from '../../src/engine/heads/build.ts';
import { release, run, type Run } from '../../src/engine/run.ts';
import { Threads } from '../../src/threads/crew.ts';
import { randomTensor } from '../support/random.ts';

const helper = new URL('../../src/threads/helper.ts', import.meta.url);
let threads: Threads | null = null;

afterEach(async () => {
  await threads?.end();
  threads = null;
});

function config(n: number, d: number, own: Partial<HeadConfig> = {}): HeadConfig {
  const heads = own.heads ?? 1;
  const width = heads * d;
  const weight = (seed: number) => randomTensor([width, width], seed);
  return {
    head: heads > 1 ? 'multihead' : 'qkv',
    x: randomTensor([n, width], 1),
    weights: {
      W_K: weight(2),
      W_Q: weight(3),
      W_V: weight(4),
      ...(heads > 1 && { W_O: weight(5) }),
    },
    heads,
    kvHeads: heads,
    mask: 'causal',
    loss: { kind: 'half-squared-norm' },
    axes: 'query-first',
    ...own,
  };
}

function numbersOf({ values, gradients, contributions, notices }: Run): unknown {
  const copied = (all: ReadonlyMap<string, { readonly data: Float64Array }>) =>
    [...all].map(([id, { data }]) => [id, Float64Array.from(data)]);
  const passed = contributions.map(({ value }) => Float64Array.from(value.data));
  return [copied(values), copied(gradients), passed, notices];
}

const keep = randomTensor([300, 300], 9);
const cases: [string, HeadConfig][] = [
  ['query first', config(512, 32)],
  ['key first', config(512, 32, { axes: 'key-first' })],
  ['sizes that no kernel divides', config(301, 30)],
  ['heads, odd count, that share keys', config(256, 16, { heads: 6, kvHeads: 6 })],
  [
    'a mask of numbers, softcap',
    config(300, 20, { mask: { tensor: keep, meaning: 'add' }, softcap: 3 }),
  ],
  ['window and alibi', config(384, 16, { window: 50, alibi: true, heads: 3, kvHeads: 3 })],
  ['dropout', config(300, 20, { dropout: { p: 0.25, keep } })],
];

test.each(cases)('%s', async (_, own) => {
  const graph = buildGraph(own);
  const expected = numbersOf(run(graph));
  for (const size of [1, 3]) {
    threads = new Threads(size, helper);
    const first = run(graph);
    expect(numbersOf(first)).toEqual(expected);
    // Once more in the same memory, with all that was left there.
    const again = first.values.get('P')!.data;
    release(first);
    const second = run(graph);
    const all = [...second.values.values(), ...second.gradients.values()];
    expect(all.some(({ data }) => data === again)).toBe(true);
    expect(numbersOf(second)).toEqual(expected);
    release(second);
    await threads.end();
  }
});

test('NaN and infinity are noticed as by one thread', async () => {
  const own = config(512, 32);
  own.x!.data[700] = NaN;
  const graph = buildGraph(own);
  const expected = numbersOf(run(graph));
  threads = new Threads(2, helper);
  expect(numbersOf(run(graph))).toEqual(expected);
});

test('after the end the numbers stay, and new ones are computed without', async () => {
  const graph = buildGraph(config(512, 32));
  threads = new Threads(2, helper);
  const result = run(graph);
  const before = numbersOf(result);
  await threads.end();
  threads = null;
  expect(numbersOf(run(graph))).toEqual(before);
  expect(numbersOf(result)).toEqual(before);
});
