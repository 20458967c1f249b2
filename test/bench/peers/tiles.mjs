// One head beyond memory, in tiles: node tiles.mjs N 1
import { Streamed } from '../../../src/engine/streamed.ts';
import { serve, task } from './task.mjs';

const { n, x, W_K, W_Q, W_V, G } = task();

await serve('this engine, in tiles', () => {
  const streamed = new Streamed({
    ...{ head: 'qkv', heads: 1, kvHeads: 1, mask: 'causal', axes: 'query-first' },
    ...{ x, weights: { W_K, W_Q, W_V }, loss: { kind: 'upstream', G } },
  });
  // A look at the last queries.
  for (const kind of ['value', 'gradient']) streamed.tile('P', kind, [n - 64, n], [n - 64, n]);
  return { f: streamed.value('f').data[0], dx: streamed.gradient('x').data };
});
