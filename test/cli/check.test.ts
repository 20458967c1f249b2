// check --against: the parts of several ranks by any of their names, and what is wrong with them in one line.
import { readdirSync, readFileSync } from 'node:fs';
import { beforeAll, expect, test, vi } from 'vitest';
import type { Report } from '../../src/compare/report.ts';
import { onlyLine, useCli } from './cli.ts';

vi.setConfig({ testTimeout: 120_000 });
const cli = useCli();
const FIXTURES = new URL('../python/fixtures/ranks/', import.meta.url);
const setup = 'heads.attention.json';

beforeAll(() => {
  for (const name of readdirSync(FIXTURES)) cli.write(name, readFileSync(new URL(name, FIXTURES)));
});

test.each(['heads.npz', 'heads.rank0.npz', './tokens.rank1.npz'])(
  'parts by the name %s',
  async (trace) => {
    const { code, stdout, stderr } = await cli.run('check', setup, '--against', trace, '--json');
    expect([code, stderr]).toEqual([0, '']);
    const { verdict, nodes } = JSON.parse(stdout) as Report;
    expect(verdict).toBe('match');
    const dx = nodes.find(({ node, kind }) => node === 'x' && kind === 'gradient');
    expect(dx?.note).toBe('the sum over 2 ranks');
  },
);

test.each([
  ['.', '.: found parts of heads.npz, tokens.npz, expected those of one: name it instead'],
  ['nowhere.npz', 'nowhere.npz: no such file, expected a trace'],
  ['nowhere/mine.npz', 'nowhere/mine.npz: no such file, expected a trace'],
])('%s is bad input', async (trace, message) => {
  const outcome = await cli.run('check', setup, '--against', trace);
  expect([outcome.code, outcome.stdout]).toEqual([2, '']);
  expect(onlyLine(outcome)).toContain(message);
});

test('a part that is missing is named', async () => {
  const only = readFileSync(new URL('tokens.rank1.npz', FIXTURES));
  const trace = cli.write('alone.rank1.npz', only);
  const outcome = await cli.run('check', setup, '--against', trace);
  expect(outcome.code).toBe(2);
  expect(onlyLine(outcome)).toBe(
    'alone.npz: found no part of rank 0, expected the parts of all 2 ranks',
  );
});

test('a gradient that is not summed over the batch, and a trace of another setup', async () => {
  cli.write(
    'batch.attention.json',
    JSON.stringify({
      head: 'kq',
      x: { random: 'normal', shape: [2, 3, 4], seed: 1 },
      weights: {
        W_K: { random: 'normal', shape: [4, 5], seed: 2 },
        W_Q: { random: 'normal', shape: [4, 5], seed: 3 },
      },
    }),
  );
  const full = (value: number, ...shape: number[]): unknown =>
    shape.length === 0
      ? value
      : Array.from({ length: shape[0] }, () => full(value, ...shape.slice(1)));
  const trace = cli.write('unsummed.json', JSON.stringify({ dW_K: full(1, 2, 4, 5) }));
  const found = await cli.run('check', 'batch.attention.json', '--against', trace);
  expect(found.code).toBe(1);
  expect(found.stdout).toContain('dW_K is one per batch entry: the sum over the batch is missing');
  expect(found.stdout).toContain('First wrong: dW_K.');

  const other = cli.write(
    'other.json',
    JSON.stringify({ K: full(1, 7, 5), Q: full(1, 7, 5), f: 3 }),
  );
  const refused = await cli.run('check', 'batch.attention.json', '--against', other);
  expect(refused.code).toBe(2);
  expect(onlyLine(refused)).toMatch(
    /^other\.json: This is another setup: .* K: its shape \(7, 5\) does not fit: K is \(2, 3, 5\)$/,
  );
});

test('the verdict says what is given and is not right, though nothing comes of it', async () => {
  const twoKeys = cli.write(
    'two.attention.json',
    '{"head": "qkv", "scale": 1, "start": {"Q": [[1]], "K": [[0], [0]], "V": [[1], [3]]}}',
  );
  const run = async (P: number): Promise<[number | null, string]> => {
    const trace = cli.write(`P${P}.json`, JSON.stringify({ P: [[P, P]], y: [[2]], f: 2 }));
    const { code, stdout } = await cli.run('check', twoKeys, '--against', trace);
    return [code, stdout];
  };
  const [rightCode, right] = await run(0.5);
  expect([rightCode, right]).toEqual([0, expect.stringContaining('All 3 tensors are right')]);
  const [code, stdout] = await run(0.75);
  expect(code).toBe(0);
  expect(stdout).not.toMatch(/tensors are right|these are right/);
  expect(stdout).toContain('P is 1.5 times P as logged');
});
