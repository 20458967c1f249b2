// 14,000 damaged setups and expressions that would break out: a graph, or problems at their places; then it is run.
import { expect, test, vi } from 'vitest';
import { sizeOf } from '../../src/engine/tensor.ts';
import { run } from '../../src/engine/run.ts';
import { openSetup } from '../../src/formats/openSetup.ts';
import { locate } from '../../src/formats/parseSetup.ts';
import { fixture } from '../formats/fixtures.ts';
import { GOOD } from '../formats/setupCases.ts';
import { drawnSetup, exampleText, smallExampleNames } from '../support/setups.ts';
import { amount, Counts, tell } from './amount.ts';
import { Mutations } from './mutate.ts';

vi.setConfig({ testTimeout: 900_000 });

const NAMED = ['samples.npz', 'samples.safetensors', 'trace.json', 'version2.npy'];

const tryOut = async (text: string, counts: Counts): Promise<void> => {
  const { graph, problems } = await openSetup(text, async (path) =>
    fixture(NAMED[path.length % NAMED.length]),
  );
  const errors = problems.filter(({ severity }) => severity === 'error');
  for (const { message, offset, length, path } of problems) {
    expect(message).not.toMatch(/\p{Cc}/u);
    expect(message.length).toBeLessThan(2000);
    expect(offset).toBeGreaterThanOrEqual(0);
    expect(offset + length).toBeLessThanOrEqual(Math.max(text.length, offset) + 1);
    expect(locate(text, path).length).toBeGreaterThan(0);
  }
  if (!graph) {
    expect(errors.length).toBeGreaterThan(0);
    counts.add('refused');
    return;
  }
  expect(errors).toEqual([]);
  // What asks for much is told elsewhere; it is not run here.
  const entries = graph.nodes.reduce((sum, { shape }) => sum + sizeOf(shape), 0);
  if (entries > 1e5) {
    counts.add('too large to be run here');
    return;
  }
  const { values } = run(graph);
  expect(values.size).toBe(graph.nodes.length);
  counts.add('run');
};

const WORD = /"[^"]*"|-?\d+(?:\.\d+)?(?:e-?\d+)?|true|false|null|\[\]/g;
const ODD_WORDS = [
  '0',
  '-1',
  '1e400',
  '-1e-400',
  '9007199254740993',
  '1e9',
  '""',
  'null',
  '[]',
  '{}',
  '"nan"',
];

function otherWords(text: string, texts: readonly string[], mutations: Mutations): string {
  const count = text.match(WORD)?.length ?? 0;
  const at = new Set(Array.from({ length: 1 + mutations.below(3) }, () => mutations.below(count)));
  let n = 0;
  return text.replaceAll(WORD, (word) => {
    if (!at.has(n++)) return word;
    const other = mutations.pick(mutations.pick(texts).match(WORD) ?? [word]);
    return mutations.pick([other, other, mutations.pick(ODD_WORDS)]);
  });
}

test('setups', async () => {
  const counts = new Counts();
  const mutations = new Mutations(12);
  const texts = [
    ...GOOD,
    ...smallExampleNames.map(exampleText),
    ...Array.from({ length: 30 }, (_, seed) => JSON.stringify(drawnSetup(seed))),
  ];
  const total = amount(14_000, 250);
  for (let n = 0; n < total; n++) {
    const text = texts[n % texts.length];
    // Bytes most often break the grammar; words of other setups go on to what they mean.
    if (mutations.below(2) === 0) await tryOut(otherWords(text, texts, mutations), counts);
    else {
      const bytes = mutations.bytes(new TextEncoder().encode(text));
      await tryOut(new TextDecoder().decode(bytes), counts);
    }
  }
  tell('damaged setups', counts.all);
  expect(Object.values(counts.all).reduce((sum, each) => sum + each, 0)).toBe(total);
  expect(counts.all['refused']).toBeGreaterThan(total / 4);
});

const CALLS = [
  'constructor', '__proto__', 'y.constructor', 'y.__proto__', 'this', 'globalThis', 'process',
  'import', 'createUnit', 'evaluate', 'parse', 'simplify', 'derivative', 'eval', 'Function',
  'require', 'toString', 'valueOf', 'hasOwnProperty', 'cos.constructor', 'f', 'config', 'typed',
  'chain', 'help', 'parser', 'compile', 'print', 'format', 'y["constructor"]', 'y.data',
]; // prettier-ignore
const FRAMES: readonly ((name: string) => string)[] = [
  (name) => `sum(${name}(y))`,
  (name) => `sum(y .* ${name})`,
  (name) => `${name} = 1; sum(y)`,
];
const SIZES = [
  ...[`sum(${'('.repeat(5000)}y${')'.repeat(5000)})`, `sum(y${' + y'.repeat(20_000)})`],
  ...[
    'sum(y .^ 99999999999)',
    'sum(y .^ 1e308) * 1e308',
    '9'.repeat(100_000),
    `sum(${'-'.repeat(1e5)}y)`,
  ],
  ...[
    'sum(ones(1e9))',
    'sum(y, 1:1e12)',
    'factorial(1e9)',
    'sum(zeros(99999, 99999))',
    '"a" * 1e9',
  ],
  ...[
    'sum(y) // x',
    '#sum(y)',
    'sum(y);'.repeat(1000),
    '\u0000',
    'sum(\u202ey)',
    'f(x) = f(x); f(1)',
  ],
];

test('expressions', async () => {
  const counts = new Counts();
  const all = [...CALLS.flatMap((name) => FRAMES.map((frame) => frame(name))), ...SIZES];
  const used = all.filter((_, n) => n % amount(1, 8) === 0);
  const names = Object.getOwnPropertyNames(Object.prototype).length;
  for (const expression of used) {
    const before = process.cpuUsage();
    const setup = {
      ...{ head: 'kq', x: [[1, 2], [3, 4]], weights: { W_K: [[1], [2]], W_Q: [[3], [4]] } },
      loss: { expression },
    }; // prettier-ignore
    await tryOut(JSON.stringify(setup), counts);
    // Far from what hangs; what others compute does not count.
    expect(process.cpuUsage(before).user).toBeLessThan(20e6);
  }
  tell('hostile expressions', counts.all);
  expect(Object.getOwnPropertyNames(Object.prototype).length).toBe(names);
  expect(counts.all['refused'] ?? 0).toBeGreaterThan(used.length / 2);
});
