// 40,000 damaged tensor files: tensors, or one line; never another exception, and never more than the file can hold.
import { expect, test, vi } from 'vitest';
import { sizeOf } from '../../src/engine/tensor.ts';
import { FormatError } from '../../src/formats/formatError.ts';
import { inMemory } from '../../src/formats/ranges/byteSource.ts';
import { listTensors } from '../../src/formats/ranges/listTensors.ts';
import { openTensorFile } from '../../src/formats/readTensors.ts';
import { readTensorFile } from '../../src/formats/tensorFile.ts';
import { ALL } from '../../src/formats/want.ts';
import { fixture } from '../formats/fixtures.ts';
import { amount, Counts, tell } from './amount.ts';
import { Mutations } from './mutate.ts';

vi.setConfig({ testTimeout: 900_000 });

const FILES = [
  ...['samples.npz', 'orders.npz', 'version2.npy', 'version3.npy', 'bfloat16.npy'],
  ...['samples.safetensors', 'trace.json'],
];
const WAYS = {
  async read(file: string, bytes: Uint8Array): Promise<number> {
    const { tensors } = await (await openTensorFile(file, bytes)).read(ALL);
    return tensors.reduce((sum, { tensor }) => sum + tensor.data.length, 0);
  },
  // From bytes that are in memory.
  async held(file: string, bytes: Uint8Array): Promise<number> {
    return readTensorFile(file, bytes).reduce((sum, { tensor }) => sum + tensor.data.length, 0);
  },
  async listed(file: string, bytes: Uint8Array): Promise<number> {
    const { tensors, unreadable } = await listTensors(inMemory(bytes), file);
    for (const { problem } of unreadable) expect(problem).not.toMatch(/[\n\r]/);
    return tensors.reduce((sum, { shape }) => sum + sizeOf(shape), 0);
  },
};

test('tensor files', async () => {
  const counts = new Counts();
  const mutations = new Mutations(11);
  const total = amount(40_000, 700);
  for (let n = 0; n < total; n++) {
    const name = FILES[n % FILES.length];
    const whole = fixture(name);
    const bytes = mutations.bytes(whole);
    const file = mutations.pick([name, 'unnamed']);
    const way = mutations.pick(Object.values(WAYS));
    try {
      const entries = await way(file, bytes);
      // Deflate shrinks by 1032 at most, and a boolean is the smallest entry.
      expect(entries).toBeLessThan(1100 * (whole.length + 3000));
      counts.add('read');
    } catch (error) {
      if (!(error instanceof FormatError)) throw error;
      expect(error.message).not.toMatch(/\p{Cc}/u);
      expect(error.message.length).toBeLessThan(2000);
      counts.add('refused in one line');
    }
  }
  tell('damaged tensor files', counts.all);
  expect(Object.values(counts.all).reduce((sum, each) => sum + each, 0)).toBe(total);
  expect(counts.all['refused in one line']).toBeGreaterThan(total / 4);
  expect(counts.all['read']).toBeGreaterThan(total / 40);
});
