// `gradcheck`: exit code 0 where all gradients match, 1 where one does not.
import { expect, test, vi } from 'vitest';
import { exampleText } from '../support/setups.ts';
import { useCli } from './cli.ts';

vi.setConfig({ testTimeout: 60_000 });
const cli = useCli();
const example = (name: string): string => cli.write(`${name}.attention.json`, exampleText(name));

interface Report {
  readonly ok: boolean;
  readonly nodes: {
    node: string;
    ok: boolean;
    maxAbs: number | string;
    tolerance: number | string;
  }[];
}

test.each(['rope', 'forces'])('%s: ok, every node but f', async (name) => {
  const { code, stdout } = await cli.run('gradcheck', example(name), '--json');
  const { ok, nodes } = JSON.parse(stdout) as Report;
  expect([code, ok]).toEqual([0, true]);
  expect(nodes.every((node) => node.ok && node.maxAbs <= node.tolerance)).toBe(true);
  expect(nodes.map(({ node }) => node)).toContain('S');
  expect(nodes.map(({ node }) => node)).not.toContain('f');
});

test('prints a line per node', async () => {
  const { code, stdout } = await cli.run('gradcheck', example('exercise'));
  const [title, ...lines] = stdout.trim().split('\n');
  expect(code).toBe(0);
  expect(title.split(/ {2,}/)).toEqual([
    'node',
    'entries',
    'max abs error',
    'relative',
    'worst at',
    'allowed',
  ]);
  expect(lines.map((line) => line.split(/ {2,}/)[0])).toEqual([
    'x',
    'xPrime',
    'W_K',
    'W_Q',
    'K',
    'Q',
    'S',
    'P',
    'y',
  ]);
  expect(lines.every((line) => line.endsWith('ok'))).toBe(true);
});

test('a gradient that is NaN does not match: exit code 1', async () => {
  const setup = {
    head: 'kq',
    x: [
      [1, 2],
      [2, 'nan'],
    ],
    weights: { W_K: [[1], [1]], W_Q: [[1], [1]] },
  };
  const file = cli.write('nan.attention.json', JSON.stringify(setup));
  const { code, stdout } = await cli.run('gradcheck', file, '--json');
  const { ok, nodes } = JSON.parse(stdout) as Report;
  expect([code, ok]).toEqual([1, false]);
  expect(nodes.find(({ node }) => node === 'W_K')).toMatchObject({ ok: false, maxAbs: 'nan' });
  const text = await cli.run('gradcheck', file);
  expect(text.code).toBe(1);
  expect(text.stdout).toMatch(/^W_K .* DIFFERS$/m);
});
