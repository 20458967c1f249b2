// Comparing in a thread: the same answer as in this one, which goes on meanwhile; stopped when asked; errors arrive.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { compare } from '../../src/compare/check.ts';
import type { HeadConfig } from '../../src/engine/config.ts';
import { buildGraph } from '../../src/engine/heads/build.ts';
import { operationNodes } from '../../src/engine/graph.ts';
import { run } from '../../src/engine/run.ts';
import type { Tensor } from '../../src/engine/tensor.ts';
import {
  compareInWorker,
  type Question,
  runInWorker,
  type Told,
} from '../../src/extension/compare/inWorker.ts';
import type { NamedTensor } from '../../src/formats/namedTensor.ts';
import { resolveName } from '../../src/formats/nodeNames.ts';
import { RANDOM_DEFAULTS, randomTensor } from '../../src/formats/random.ts';

vi.setConfig({ testTimeout: 120_000 });
const folder = mkdtempSync(join(tmpdir(), 'attention-worker-'));
const worker = join(folder, 'compare.cjs');

beforeAll(async () => {
  await build({
    entryPoints: [fileURLToPath(new URL('../../src/extension/compare/worker.ts', import.meta.url))],
    ...{ outfile: worker, bundle: true, logLevel: 'error', platform: 'node', format: 'cjs' },
    mainFields: ['module', 'main'],
  });
}, 120_000);
afterAll(() => rmSync(folder, { recursive: true }));

/** A head of `tokens` tokens, and what a program without the scale gives. */
function unscaled(tokens: number): Question {
  const random = (rows: number, columns: number, seed: number): Tensor =>
    randomTensor({ ...RANDOM_DEFAULTS, distribution: 'normal', shape: [rows, columns], seed });
  const config: HeadConfig = {
    ...{ head: 'qkv', heads: 1, kvHeads: 1, mask: 'causal', axes: 'query-first' },
    x: random(tokens, 16, 1),
    weights: { W_K: random(16, 8, 2), W_Q: random(16, 8, 3), W_V: random(16, 8, 4) },
    loss: { kind: 'half-squared-norm' },
  };
  const { values } = run(buildGraph({ ...config, scale: 1 }));
  const trace = [...values].map(([name, tensor]): NamedTensor => ({
    name,
    dtype: 'float64',
    tensor,
  }));
  return { config, trace, names: {} };
}

test('the answer is that of this thread, which goes on meanwhile', async () => {
  const question = unscaled(200);
  let turns = 0;
  let isOver = false;
  const turn = (): void => {
    turns++;
    if (!isOver) setImmediate(turn);
  };
  turn();
  const found = await compareInWorker(worker, question, new AbortController().signal);
  isOver = true;
  const graph = buildGraph(question.config);
  expect(found).toEqual(compare({ ...question, graph, resolve: resolveName }));
  expect(found.report.causes[0].id).toBe('scale-missing');
  // Computed here, it would take one.
  expect(turns).toBeGreaterThan(5);
});

test.each(['before it begins', 'while it goes on'])('is stopped %s', async (when) => {
  const running = new AbortController();
  if (when === 'before it begins') running.abort();
  const answer = compareInWorker(worker, unscaled(500), running.signal);
  setTimeout(() => running.abort(), 100);
  await expect(answer).rejects.toThrow('The comparison was stopped.');
});

test('what the thread throws arrives', async () => {
  const question = unscaled(4);
  const config = { ...question.config, weights: {} };
  const answer = compareInWorker(worker, { ...question, config }, new AbortController().signal);
  await expect(answer).rejects.toThrow(/W_K/);
});

test('a run in the thread is that of this one, and can be stopped', async () => {
  const { config } = unscaled(60);
  const { graph, ...own } = run(buildGraph(config));
  const told: string[] = [];
  const drawn: string[] = [];
  const tell = ({ part: { phase, node }, drawn: now }: Told): void => {
    told.push(`${phase} ${node}`);
    drawn.push(...now.map((each) => `${each.node} ${each.kind}`));
  };
  const { prepared, ...found } = await runInWorker(
    worker,
    config,
    new AbortController().signal,
    tell,
  );
  expect(found).toEqual(own);
  expect(prepared.some(({ pictures }) => pictures?.size)).toBe(true);
  expect([told[0], told.at(-1)]).toEqual(['forward K', 'backward K']);
  const computed = operationNodes(graph).map(({ id }) => `${id} gradient`);
  expect(drawn).toEqual([...graph.nodes.map(({ id }) => `${id} value`), ...computed.reverse()]);
  const stop = new AbortController();
  const running = runInWorker(worker, unscaled(600).config, stop.signal);
  stop.abort();
  await expect(running).rejects.toThrow('The computation was stopped.');
  expect(graph.nodes.length).toBe(own.values.size);
});
