// check --mine: the example's mistake, a right module, and what fails, by exit code and in one last line.
import { readFileSync } from 'node:fs';
import { beforeAll, describe, expect, test, vi } from 'vitest';
import type { Report } from '../../src/compare/report.ts';
import { onlyLine, useCli } from './cli.ts';

vi.setConfig({ testTimeout: 120_000 });
const cli = useCli();
const EXAMPLES = new URL('../../examples/', import.meta.url);
const setup = 'own-implementation.attention.json';
const code = readFileSync(new URL('own-implementation.mjs', EXAMPLES), 'utf8');
const text = readFileSync(new URL(setup, EXAMPLES), 'utf8');

/** The example's setup with another module. */
function withModule(name: string, content: string, timeout = 60): string {
  cli.write(`${name}.mjs`, content);
  const own = `{ "module": "${name}.mjs", "timeout": ${timeout} }`;
  const changed = text.replace(/\{ "module": .*? \}/, own);
  expect(changed).toContain(own);
  return cli.write(`${name}.attention.json`, changed);
}

beforeAll(() => {
  cli.write('own-implementation.mjs', code);
  cli.write(setup, text);
});

test('the example: dS is first wrong, and the scale is what is missing', async () => {
  const { code: exit, stdout, stderr } = await cli.run('check', setup, '--mine', '--json');
  expect([exit, stderr]).toEqual([1, '']);
  const { first, causes, dtype } = JSON.parse(stdout) as Report;
  expect([first, dtype]).toEqual([{ node: 'S', kind: 'gradient' }, 'float64']);
  expect(causes.map(({ id }) => id)).toEqual(['backward-scale-missing']);
});

test('a right one matches; what it prints goes to standard error', async () => {
  const right = code.replace('p * (dP[j][i]', 'scale * p * (dP[j][i]');
  expect(right).not.toBe(code);
  const file = withModule('right', `console.log('printed');\n${right}`);
  const outcome = await cli.run('check', file, '--mine', '--json');
  expect([outcome.code, outcome.stderr]).toEqual([0, 'printed\n']);
  const { verdict, nodes } = JSON.parse(outcome.stdout) as Report;
  expect(verdict).toBe('match');
  expect(nodes.filter(({ status }) => status === 'match').length).toBeGreaterThanOrEqual(16);
});

test('a wrong y is told once: its gradients follow from it', async () => {
  const wrong = code
    .replace('y: product(P, V)', 'y: product(P, V).map((row) => row.map((v) => 2 * v))')
    .replace('p * (dP[j][i]', 'scale * p * (dP[j][i]');
  const outcome = await cli.run('check', withModule('doubled', wrong), '--mine', '--json');
  expect(outcome.code).toBe(1);
  const { first, nodes } = JSON.parse(outcome.stdout) as Report;
  expect(first).toEqual({ node: 'y', kind: 'value' });
  expect(nodes.filter(({ status }) => status === 'diverges')).toHaveLength(1);
});

describe('fails', () => {
  test.concurrent.each([
    [
      'throws',
      'export const forward = () => {\n  throw new Error("no");\n};',
      'throws.mjs:2: Error: no',
    ],
    [
      'loops',
      'export const forward = () => { for (;;); };',
      'loops.mjs: forward did not end in 3 s',
    ],
    [
      'empty',
      'export const forward = () => ({});',
      'empty.mjs: there are no tensors, expected at least one node',
    ],
  ])('%s', async (name, content, message) => {
    const outcome = await cli.run(
      'check',
      withModule(name, content, name === 'loops' ? 3 : 60),
      '--mine',
    );
    expect(outcome.code).toBe(2);
    expect(outcome.stderr.trimEnd().split('\n').at(-1)).toContain(message);
  });

  test.concurrent('without a module', async () => {
    const file = cli.write('none.attention.json', text.replace(/,\s*"implementation".*\}/, ''));
    expect(onlyLine(await cli.run('check', file, '--mine'))).toBe(
      'none.attention.json: found no "implementation", expected one with --mine, such as "implementation": "./mine.mjs"',
    );
    const gone = cli.write('gone.attention.json', text.replace('./own', './folder/own'));
    expect(onlyLine(await cli.run('check', gone, '--mine'))).toBe(
      "folder/own-implementation.mjs: no such file, expected the setup's implementation",
    );
  });

  test.concurrent.each([
    [['check', setup], '--against TRACE or --mine goes with check, found check without it'],
    [['run', setup, '--mine'], '--against TRACE or --mine goes with check, found run with it'],
    [['check', setup, '--mine', '--against', 'a.npz'], 'found both --against and --mine'],
  ])('%j', async (words, message) => {
    const outcome = await cli.run(...words);
    expect([outcome.code, onlyLine(outcome)]).toEqual([2, message]);
  });
});
