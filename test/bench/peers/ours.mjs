// The engine: node ours.mjs N HEADS THREADS
import { buildGraph } from '../../../src/engine/heads/build.ts';
import { release, run } from '../../../src/engine/run.ts';
import { Threads } from '../../../src/threads/crew.ts';
import { serve, task } from './task.mjs';

const { heads, x, W_K, W_Q, W_V, W_O, G } = task();
const graph = buildGraph({
  head: heads > 1 ? 'multihead' : 'qkv',
  x,
  weights: { W_K, W_Q, W_V, ...(W_O ? { W_O } : {}) },
  heads,
  kvHeads: heads,
  mask: 'causal',
  loss: { kind: 'upstream', G },
  axes: 'query-first',
});

const crew = new Threads(
  Number(process.argv[4] ?? 1),
  new URL('../../../src/threads/helper.ts', import.meta.url),
);

await serve(`this engine, threads: ${crew.size}`, () => {
  const result = run(graph);
  const f = result.values.get('f').data[0];
  const dx = result.gradients.get('x').data.slice();
  release(result);
  return { f, dx };
});
