// Scaled dot-product attention of Stanford's CS336, assignment 1: four single heads under a boolean mask.
import { expect, test } from 'vitest';
import type { HeadConfig } from '../../../src/engine/config.ts';
import { buildGraph } from '../../../src/engine/heads/build.ts';
import { forward } from '../../../src/engine/run.ts';
import { type Tensor, tensor } from '../../../src/engine/tensor.ts';
import '../../support/allclose.ts';
import { missingVectors, readVectors } from '../../support/vectors.ts';

interface Plain {
  readonly shape: number[];
  readonly data: number[];
}

const FILE = 'cs336_sdpa.json';
const missing = missingVectors(FILE);

if (missing) test.skip(missing);
else {
  const all = readVectors(FILE) as Record<'q' | 'k' | 'v' | 'mask' | 'expected', Plain>;
  const own = (name: keyof typeof all): Tensor => tensor(all[name].shape, all[name].data);

  test.each(['qkv', 'multihead'] as const)('head %s', (head) => {
    const [batch, queries, keys] = all.mask.shape;
    // In multihead three axes are (heads, queries, keys): the batch needs its own.
    const mask = tensor(head === 'qkv' ? all.mask.shape : [batch, 1, queries, keys], all.mask.data);
    const config: HeadConfig = {
      ...{ head, weights: {}, heads: 1, kvHeads: 1, axes: 'query-first' },
      start: { Q: own('q'), K: own('k'), V: own('v') },
      mask: { tensor: mask, meaning: 'attend' },
      loss: { kind: 'half-squared-norm' },
    };
    const y = forward(buildGraph(config)).get('y')!;
    expect(y).toBeAllclose(own('expected'), { dtype: 'float32', tolerance: 1e-5 });
  });
}
