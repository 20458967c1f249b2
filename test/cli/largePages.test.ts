// A large trace: checked by a second process where memory in large pages has to be asked for, to the same answer.
import { readFileSync } from 'node:fs';
import { afterEach, beforeAll, expect, test, vi } from 'vitest';
import { largePageEnvironment } from '../../src/cli/largePages.ts';
import { onlyLine, useCli } from './cli.ts';

vi.setConfig({ testTimeout: 120_000 });
const cli = useCli();
const random = (rows: number, columns: number, seed: number): object => ({
  ...{ random: 'normal', shape: [rows, columns], seed },
});
const setup = 'large.attention.json';
const trace = 'large.safetensors';
const unscaled = 'unscaled.safetensors';

beforeAll(async () => {
  const weights = { W_K: random(64, 16, 2), W_Q: random(64, 16, 3), W_V: random(64, 16, 4) };
  const head = { head: 'qkv', x: random(160, 64, 1), weights };
  cli.write(setup, JSON.stringify(head));
  const other = cli.write('unscaled.attention.json', JSON.stringify({ ...head, scale: 1 }));
  await cli.run('run', setup, '--out', trace);
  await cli.run('run', other, '--out', unscaled);
}, 120_000);

afterEach(() => vi.unstubAllEnvs());

test('asks where only those that ask get large pages, once, and keeps what is set', () => {
  const asking = { GLIBC_TUNABLES: 'glibc.malloc.hugetlb=1' };
  expect(largePageEnvironment('always [madvise] never\n', { A: 'a' })).toEqual({
    A: 'a',
    ...asking,
  });
  expect(
    largePageEnvironment('always [madvise] never\n', { GLIBC_TUNABLES: 'glibc.malloc.check=1' }),
  ).toEqual({ GLIBC_TUNABLES: 'glibc.malloc.check=1:glibc.malloc.hugetlb=1' });
  expect(largePageEnvironment('always [madvise] never\n', asking)).toBeNull();
  for (const choice of ['[always] madvise never\n', 'always madvise [never]\n', ''])
    expect(largePageEnvironment(choice, {})).toBeNull();
});

test('a match, a mistake and a broken file: output and exit code are those of one process', async () => {
  const whole = readFileSync(cli.path(trace));
  expect(whole.length).toBeGreaterThan(1e6);
  const cut = cli.write('cut.safetensors', whole.subarray(0, whole.length - 8));
  const checks = [trace, unscaled, cut].map((file) => [
    'check',
    setup,
    '--against',
    file,
    '--json',
  ]);
  const twice = [];
  for (const words of checks) twice.push(await cli.run(...words));
  expect(twice.map(({ code }) => code)).toEqual([0, 1, 2]);
  expect(onlyLine(twice[2])).toContain('cut.safetensors');
  vi.stubEnv('GLIBC_TUNABLES', 'glibc.malloc.hugetlb=0');
  for (const [n, words] of checks.entries()) expect(await cli.run(...words)).toEqual(twice[n]);
});
