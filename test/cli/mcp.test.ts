// The server for coding assistants, as it is bundled, spoken to by the SDK's own client over standard input and output.
import { readFileSync } from 'node:fs';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js';
import { CallToolResultSchema } from '@modelcontextprotocol/sdk/types.js';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { AGENT_TOOLS } from '../../src/cli/agentTools.ts';
import { onlyLine, useCli } from './cli.ts';

const cli = useCli();
const client = new Client({ name: 'test', version: '1' });
beforeAll(async () => {
  const { ATTENTION_PYTHON = '/usr/bin/python3', PATH = '' } = process.env;
  await client.connect(
    new StdioClientTransport({
      ...{ command: process.execPath, args: [cli.program, 'mcp'], cwd: cli.path('.') },
      ...{ env: { ATTENTION_PYTHON, PATH }, stderr: 'ignore' },
    }),
  );
}, 120_000);
afterAll(() => client.close());

interface Called {
  readonly text: string;
  readonly isError: boolean;
  readonly structured: Record<string, unknown>;
}

async function call(name: string, input: Record<string, unknown>): Promise<Called> {
  const result = CallToolResultSchema.parse(
    await client.callTool({ name, arguments: input }, CallToolResultSchema, { timeout: 120_000 }),
  );
  const text = result.content.map((each) => (each.type === 'text' ? each.text : '')).join();
  return { text, isError: result.isError ?? false, structured: result.structuredContent ?? {} };
}

const RIGHT = `import numpy as np

rng = np.random.default_rng(5)
n_tok, width, d_k, d_v = 5, 6, 4, 3
x = rng.normal(size=(n_tok, width))
w_q, w_k = rng.normal(size=(width, d_k)), rng.normal(size=(width, d_k))
w_v = rng.normal(size=(width, d_v))
dout = rng.normal(size=(n_tok, d_v))
q, k, v = x @ w_q, x @ w_k, x @ w_v
scores = q @ k.T / np.sqrt(d_k)
weights = np.exp(scores - scores.max(axis=1, keepdims=True))
weights /= weights.sum(axis=1, keepdims=True)
out = weights @ v
dv = weights.T @ dout
dweights = dout @ v.T
dscores = weights * (dweights - (weights * dweights).sum(axis=1, keepdims=True))
dscores /= np.sqrt(d_k)
dq = dscores @ k
dk = dscores.T @ q
dw_q, dw_k, dw_v = x.T @ dq, x.T @ dk, x.T @ dv
print("said by the program, not by the server")
`;
const WRONG = RIGHT.replace('dk = dscores.T @ q', 'dk = dscores @ q');

test('it offers four tools, of which only fix may write', async () => {
  const { tools } = await client.listTools();
  expect(tools.map(({ name, annotations }) => [name, annotations?.readOnlyHint])).toEqual([
    ['check', true],
    ['lines', true],
    ['fix', false],
    ['explain', true],
  ]);
});

test('VS Code is told of the same tools', () => {
  const root = new URL('../../package.json', import.meta.url);
  const { contributes } = JSON.parse(readFileSync(root, 'utf8')) as {
    contributes: { languageModelTools: Record<string, unknown>[] };
  };
  const told = contributes.languageModelTools.map(({ name, modelDescription, inputSchema }) => ({
    ...{ name, modelDescription, inputSchema },
  }));
  expect(told).toEqual(
    AGENT_TOOLS.map(({ name, description, inputSchema }) => ({
      ...{ name: `attention_${name}`, modelDescription: description, inputSchema },
    })),
  );
});

test('one call without a server', async () => {
  const answered = await cli.shell(`echo '{"node": "P"}' | $CLI mcp --call explain`);
  expect(answered.code).toBe(0);
  const { text, structured } = JSON.parse(answered.stdout) as Called;
  expect(text).toContain('P:');
  expect(structured.node).toBe('P');
  const bad = await cli.shell(`echo '{"node": 3}' | $CLI mcp --call explain`);
  expect([bad.code, onlyLine(bad)]).toEqual([2, 'node: found number, expected text']);
});

test('lines names the wrong line of a program, and what a right one does not show', async () => {
  cli.write('wrong.py', WRONG);
  const wrong = await call('lines', { file: 'wrong.py' });
  expect(wrong.structured).toMatchObject({
    verdict: 'diverges',
    first: { file: 'wrong.py', line: 19, node: 'K', kind: 'gradient' },
  });
  expect(wrong.text).toContain('First wrong: wrong.py:19, which computes dK');
  expect(JSON.stringify(wrong.structured).length).toBeLessThan(8000);
  cli.write('right.py', RIGHT.replace(/^dout = .*$/m, 'dout = np.ones((n_tok, d_v))'));
  const right = await call('lines', { file: 'right.py' });
  expect(right.structured).toMatchObject({ verdict: 'match', first: null, wrong: [] });
  expect(right.structured.notShown).toContainEqual({
    because: 'df/dy is 1 everywhere',
    hides: expect.stringContaining('dy transposed') as string,
  });
}, 120_000);

test('the server and the command line give the same fix in the same words', async () => {
  cli.write('same.py', WRONG);
  const { structured, text } = await call('fix', { file: 'same.py' });
  const { stdout } = await cli.shell('$CLI lines same.py --fix --json');
  const told = JSON.parse(stdout) as {
    readonly fixes: readonly { readonly diff: string }[];
    readonly causes: readonly { readonly title: string }[];
    readonly verdict: string;
    readonly first: object;
  };
  expect(structured.fixes).toEqual(told.fixes);
  expect(structured.verdict).toBe(told.verdict);
  expect(told.first).toMatchObject(structured.first as object);
  expect(text).toContain(told.fixes[0].diff);
  expect(text).toContain(told.causes[0].title);
}, 240_000);

test('fix writes only where it is asked to', async () => {
  cli.write('mine.py', WRONG);
  const found = await call('fix', { file: 'mine.py' });
  expect(found.structured).toMatchObject({ applied: false });
  expect(found.text).toContain('+dk = dscores.T @ q');
  expect(readFileSync(cli.path('mine.py'), 'utf8')).toBe(WRONG);
  const applied = await call('fix', { file: 'mine.py', apply: true });
  expect(applied.structured).toMatchObject({ applied: true });
  expect(readFileSync(cli.path('mine.py'), 'utf8')).toBe(RIGHT);
}, 240_000);

const SETUP = JSON.stringify({
  head: 'kq',
  x: [
    [1, 0.5],
    [0.25, -1],
    [2, 1],
  ],
  weights: {
    W_K: [
      [1, 0],
      [0.5, 1],
    ],
    W_Q: [
      [0.5, 1],
      [1, 0],
    ],
  },
});

test('check and explain tell of a cause and of a node', async () => {
  cli.write('a.attention.json', SETUP);
  const { stdout } = await cli.run('run', 'a.attention.json', '--out', 'a.safetensors', '--json');
  expect(stdout).toContain('"kq"');
  const right = await call('check', { setup: 'a.attention.json', trace: 'a.safetensors' });
  expect(right.structured).toMatchObject({ verdict: 'match', first: null, notRight: [] });
  const S = [
    [1, 2, 3],
    [4, 5, 6],
    [7, 8, 9],
  ];
  cli.write('b.json', JSON.stringify({ S }));
  const wrong = await call('check', { setup: 'a.attention.json', trace: 'b.json' });
  expect(wrong.structured).toMatchObject({ verdict: 'diverges', first: 'S' });
  const node = await call('explain', { node: 'dS', setup: 'a.attention.json' });
  expect(node.structured).toMatchObject({ node: 'S', shape: expect.any(String) as string });
  expect(node.structured.forward).toContain('=');
  expect((await call('explain', { node: 'attn_weights' })).text).toContain('P:');
}, 60_000);

test('what is wrong with a call is told in one line, and the server goes on', async () => {
  cli.write('a.attention.json', SETUP);
  cli.write('broken.py', 'def f(:\n');
  const failures = await Promise.all([
    call('lines', { file: 'none.py' }),
    call('lines', {}),
    call('lines', { file: 'broken.py' }),
    call('lines', { file: 'mine.py', aply: true }),
    call('check', { setup: 'a.attention.json', trace: 'none.npz' }),
    call('explain', { node: 'nonsense' }),
    call('explain', { cause: 'none-such', setup: 'a.attention.json', trace: 'b.json' }),
    call('nothing', {}),
  ]);
  for (const { isError, text } of failures) {
    expect(isError, text).toBe(true);
    expect(text).toMatch(/^[^\n]+$/);
  }
  expect(failures[0].text).toContain('none.py: no such file');
  expect(failures[2].text).toContain('SyntaxError');
  expect((await call('explain', { node: 'y' })).isError).toBe(false);
}, 60_000);
