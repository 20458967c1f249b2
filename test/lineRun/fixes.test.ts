// Proven fixes of small programs: found where there are any, none where an edit holds by chance, and nothing done twice.
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { buildGraph } from '../../src/engine/heads/build.ts';
import { findFixes, type Fixes } from '../../src/lineRun/fixes.ts';
import { infer } from '../../src/lines/infer/infer.ts';
import { judge } from '../../src/lines/judge.ts';
import type { Limits } from '../../src/lines/repair/repair.ts';
import { parseRecording } from '../../src/lines/recorded/recording.ts';
import { record, recorderIn } from '../../src/recorder/record.ts';

const recorder = recorderIn(fileURLToPath(new URL('../..', import.meta.url)));
const python = process.env.ATTENTION_PYTHON ?? '/usr/bin/python3';

let folder = '';
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'attention-fixes-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const PROGRAM = `import numpy as np

rng = np.random.default_rng(5)
n_tok, width, d_k, d_v = 5, 6, 4, 3
x = rng.normal(size=(n_tok, width))
w_q, w_k = rng.normal(size=(width, d_k)), rng.normal(size=(width, d_k))
w_v = rng.normal(size=(width, d_v))
target = rng.normal(size=(n_tok, d_v))
q, k, v = x @ w_q, x @ w_k, x @ w_v
scores = q @ k.T / np.sqrt(d_k)
weights = np.exp(scores - scores.max(axis=1, keepdims=True))
weights /= weights.sum(axis=1, keepdims=True)
out = weights @ v
dout = out - target  # the loss is half the squared error
dv = weights.T @ dout
dweights = dout @ v.T
dscores = weights * (dweights - (weights * dweights).sum(axis=1, keepdims=True))
dscores /= np.sqrt(d_k)
dq = dscores @ k
dk = dscores.T @ q
dx = dq @ w_q.T + dk @ w_k.T + dv @ w_v.T
dw_q, dw_k, dw_v = x.T @ dq, x.T @ dk, x.T @ dv
with open("norms.txt", "a") as log:
    log.write("run\\n")
`;

async function fixesOf(name: string, text: string, within: Partial<Limits> = {}): Promise<Fixes> {
  const cwd = join(folder, name);
  const { mkdirSync } = await import('node:fs');
  mkdirSync(cwd);
  const file = join(cwd, 'mine.py');
  writeFileSync(file, text);
  const recorded = await record({ recorder, python, file, cwd });
  const recording = parseRecording(recorded.bytes);
  const { config } = infer(recording)!;
  const graph = buildGraph(config);
  const judged = judge(recording, config, graph);
  const bench = { python, recorder, file, args: [], cwd, timeout: 30 };
  // On a machine that has other things to do as well.
  const limits = { seconds: 600, ...within };
  return findFixes({ recording, judged, config, graph, bench, limits });
}

const wrong = (from: string, to: string): string => {
  expect(PROGRAM).toContain(from);
  return PROGRAM.replace(from, to);
};

test('a missing transpose is put back, and the rest of the line stays', async () => {
  const text = wrong('dk = dscores.T @ q', 'dk = dscores @ q  # as for dq');
  const { fixes } = await fixesOf('transpose', text);
  expect(fixes[0]).toMatchObject({
    file: 'mine.py',
    line: 20,
    endLine: 20,
    before: 'dk = dscores @ q  # as for dq',
    after: 'dk = dscores.T @ q  # as for dq',
  });
  expect(fixes[0].verified.seeds).toBeGreaterThan(1);
  expect(fixes[0].verified.sizes).toBeGreaterThan(1);
  expect(fixes[0].source).toBe(text.replace('dscores @ q  #', 'dscores.T @ q  #'));
}, 600_000);

test('two mistakes are mended one after the other', async () => {
  const text = wrong('keepdims=True))\n', ').copy())\n').replace('dv = weights.T', 'dv = weights');
  const { fixes } = await fixesOf('two', text.replace('axis=1, ).copy()', 'axis=1)'));
  expect(fixes[0]?.after).toContain('keepdims=True');
  expect(fixes[0]?.after).toContain('dv = weights.T @ dout');
}, 600_000);

test('a search that was ended says so, and one that was not does not', async () => {
  const text = wrong('dk = dscores.T @ q', 'dk = dscores @ q');
  const ended = await fixesOf('ended', text, { runs: 0 });
  expect([ended.fixes.length, ended.tried.isStopped]).toEqual([0, true]);
  const found = await fixesOf('found', text);
  expect([found.fixes.length > 0, found.tried.isStopped]).toEqual([true, false]);
}, 600_000);

test('an edit that only takes the wrong tensor away is no fix', async () => {
  const { fixes } = await fixesOf('away', wrong('x.T @ dk, x.T', 'x.T @ dq, x.T'));
  expect(fixes.map(({ after }) => after)).toEqual([
    'dw_q, dw_k, dw_v = x.T @ dq, x.T @ dk, x.T @ dv',
  ]);
}, 600_000);

test('a right program gets no fix, and what a program writes is not written again', async () => {
  const { fixes, tried } = await fixesOf('right', PROGRAM);
  expect([fixes, tried.runs]).toEqual([[], 0]);
  await fixesOf('writes', wrong('dq = dscores @ k', 'dq = dscores @ q'));
  const { readFileSync } = await import('node:fs');
  expect(readFileSync(join(folder, 'writes', 'norms.txt'), 'utf8')).toBe('run\n');
  expect(
    readdirSync(join(folder, 'writes'))
      .filter((name) => name !== '__pycache__')
      .sort(),
  ).toEqual(['mine.py', 'norms.txt']);
}, 600_000);
