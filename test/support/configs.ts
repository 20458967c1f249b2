// Small configurations of each head, to be changed in one or two places by a test.
import type { Head, HeadConfig } from '../../src/engine/config.ts';
import { randomTensor } from './random.ts';

/** The tensors have different lengths along every axis, so that none can pass for another. */
const tensors: Readonly<Record<Head, Pick<HeadConfig, 'x' | 'xPrime' | 'weights'>>> = {
  kq: {
    x: randomTensor([5, 3], 1),
    xPrime: randomTensor([4, 6], 2),
    weights: { W_K: randomTensor([3, 2], 3), W_Q: randomTensor([6, 2], 4) },
  },
  qkv: {
    x: randomTensor([5, 3], 1),
    xPrime: randomTensor([4, 6], 2),
    weights: {
      W_K: randomTensor([3, 2], 3),
      W_Q: randomTensor([6, 2], 4),
      W_V: randomTensor([3, 7], 5),
    },
  },
  multihead: {
    x: randomTensor([5, 3], 1),
    xPrime: randomTensor([4, 6], 2),
    weights: {
      W_K: randomTensor([3, 4], 3),
      W_Q: randomTensor([6, 8], 4),
      W_V: randomTensor([3, 6], 5),
      W_O: randomTensor([12, 7], 6),
      b_K: randomTensor([4], 7),
      b_Q: randomTensor([8], 8),
      b_V: randomTensor([6], 9),
      b_O: randomTensor([7], 10),
    },
  },
};

/** Multihead: four query heads in two groups, keys of width 2, values of width 3. */
export function headConfig(head: Head, own: Partial<HeadConfig> = {}): HeadConfig {
  const multi = head === 'multihead';
  return {
    head,
    ...tensors[head],
    heads: multi ? 4 : 1,
    kvHeads: multi ? 2 : 1,
    mask: 'none',
    loss: { kind: 'half-squared-norm' },
    axes: head === 'kq' ? 'key-first' : 'query-first',
    ...own,
  };
}
