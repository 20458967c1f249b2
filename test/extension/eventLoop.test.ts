// While a large setup is computed and walked, the extension host is never kept for more than 50 ms at a time.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import type { HeadConfig } from '../../src/engine/config.ts';
import { buildGraph } from '../../src/engine/heads/build.ts';
import { run } from '../../src/engine/run.ts';
import { runInWorker } from '../../src/extension/compare/inWorker.ts';
import { moved, runMessage } from '../../src/extension/panelMessages.ts';
import { adopt } from '../../src/stepper/prepared.ts';
import { Session } from '../../src/stepper/session.ts';
import { randomTensor } from '../support/random.ts';

vi.setConfig({ testTimeout: 240_000 });
const MOST = 50; // ms
const about = { title: '', description: '', energy: false };
const folder = mkdtempSync(join(tmpdir(), 'attention-loop-'));
const worker = join(folder, 'compare.mjs');

beforeAll(async () => {
  const source = (path: string): string => fileURLToPath(new URL(path, import.meta.url));
  await build({
    entryPoints: {
      compare: source('../../src/extension/compare/worker.ts'),
      helper: source('../../src/threads/helper.ts'),
    },
    ...{ outdir: folder, bundle: true, logLevel: 'error', platform: 'node', format: 'esm' },
    ...{ splitting: true, outExtension: { '.js': '.mjs' }, mainFields: ['module', 'main'] },
  });
}, 120_000);
afterAll(() => rmSync(folder, { recursive: true }));

function large(tokens: number, heads: number): HeadConfig {
  const width = 16 * heads;
  const weight = (seed: number) => randomTensor([width, width], seed);
  return {
    ...{ head: 'multihead', heads, kvHeads: heads, mask: 'causal', axes: 'query-first' },
    x: randomTensor([tokens, width], 1),
    weights: { W_K: weight(2), W_Q: weight(3), W_V: weight(4), W_O: weight(5) },
    loss: { kind: 'half-squared-norm' },
  };
}

/** Of each step, the most that this thread computes between two turns of the event loop, in ms: what others compute does not count. */
async function longest(steps: () => AsyncGenerator): Promise<number[]> {
  const all = [0];
  let before = process.threadCpuUsage();
  const look = (): void => {
    const { user, system } = process.threadCpuUsage(before);
    all.push(Math.max(all.pop()!, (user + system) / 1000));
    before = process.threadCpuUsage();
  };
  let going = true;
  const turn = (): void => {
    look();
    if (going) setImmediate(turn);
  };
  setImmediate(turn);
  for await (const _ of steps()) {
    await new Promise((resolve) => setImmediate(resolve));
    look();
    all.push(0);
  }
  going = false;
  look();
  return all;
}

/** As the panel does: the graph, the run, the first picture, every step of the walk. */
async function* opened(config: HeadConfig): AsyncGenerator {
  const graph = buildGraph(config);
  yield graph;
  const { prepared, ...computed } = await runInWorker(worker, config, new AbortController().signal);
  yield computed;
  const result = { graph, ...computed };
  adopt(result, prepared);
  const session = new Session(result, about);
  yield runMessage(session);
  for (let step = 0; step < session.timeline.steps.length; step++)
    yield moved(session, 'over', step);
}

test('a large setup, from its text to the end of the walk', async () => {
  // Compilers have seen the code on something small.
  await longest(() => opened(large(24, 2)));
  // What else a machine does lengthens some step now and then, never the same each time: of each the least of several.
  let least: number[] = [];
  for (let tries = 0; tries < 8 && (tries === 0 || Math.max(...least) >= MOST); tries++) {
    const steps = await longest(() => opened(large(512, 8)));
    least = steps.map((ms, step) => Math.min(ms, least[step] ?? Infinity));
  }
  expect(Math.max(...least), least.map(Math.round).join(' ')).toBeLessThan(MOST);
});

test('what is prepared is what the walk would have computed', async () => {
  const config = large(100, 3);
  const graph = buildGraph(config);
  const { prepared, ...computed } = await runInWorker(worker, config, new AbortController().signal);
  adopt({ ...computed }, prepared);
  const [there, here] = [{ graph, ...computed }, run(graph)].map(
    (each) => new Session(each, about),
  );
  expect(runMessage(there)).toEqual(runMessage(here));
  for (let step = 0; step < here.timeline.steps.length; step++)
    expect(moved(there, 'over', step)).toEqual(moved(here, 'over', step));
});

test('the watch sees what blocks', async () => {
  const blocked = await longest(async function* () {
    const until = process.threadCpuUsage().user + 80_000;
    while (process.threadCpuUsage().user < until) Math.sqrt(until);
    yield 0;
  });
  expect(Math.max(...blocked)).toBeGreaterThan(MOST);
});
