// Random tensors and properties that fail again when they have failed once.
import { vi } from 'vitest';
import { sizeOf, type Tensor, tensor } from '../../src/engine/tensor.ts';
import { generator } from '../conformance/draw.mjs';

// A property takes as long as it takes on a busy machine.
vi.setConfig({ testTimeout: 60_000 });

/** Entries uniform in (-size, size). */
export function randomTensor(shape: readonly number[], seed: number, size = 1): Tensor {
  const random = generator(seed);
  return tensor(
    shape,
    Array.from({ length: sizeOf(shape) }, () => size * (2 * random() - 1)),
  );
}

/** fast-check's settings: the same cases on every run, others with ATTENTION_SEED. */
export function cases(numRuns: number): { numRuns: number; seed: number } {
  return { numRuns, seed: Number(process.env.ATTENTION_SEED ?? 1) };
}
