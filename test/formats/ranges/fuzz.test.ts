// 12,000 damaged files: reading by ranges gives tensors or one line, without a crash, a hang or a large allocation.
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { sizeOf } from '../../../src/engine/tensor.ts';
import { FormatError } from '../../../src/formats/formatError.ts';
import { type ByteSource, inMemory } from '../../../src/formats/ranges/byteSource.ts';
import { entriesOf } from '../../../src/formats/ranges/fileTensor.ts';
import { listTensors } from '../../../src/formats/ranges/listTensors.ts';
import { fixture } from '../fixtures.ts';

const RUNS = 2000;
const FILES = [
  'samples.npz',
  'orders.npz',
  'version2.npy',
  'version3.npy',
  'bfloat16.npy',
  'samples.safetensors',
];
const MEANINGFUL = [...new TextEncoder().encode('[]{}"\',:0129-\\<>|\n PK'), 255, 0, 1, 6];

const damage = fc.array(
  fc.record({
    kind: fc.constantFrom(
      'set' as const,
      'set' as const,
      'set' as const,
      'cut' as const,
      'insert' as const,
    ),
    at: fc.double({ min: 0, max: 1, noNaN: true }),
    fromEnd: fc.boolean(),
    byte: fc.oneof(fc.integer({ min: 0, max: 255 }), fc.constantFrom(...MEANINGFUL)),
  }),
  { minLength: 1, maxLength: 6 },
);

function damaged(
  bytes: Uint8Array,
  list: typeof damage extends fc.Arbitrary<infer T> ? T : never,
  reach: number,
): Uint8Array {
  const result = [...bytes];
  for (const { kind, at, fromEnd, byte } of list) {
    const near = Math.floor(at * Math.min(reach, result.length));
    const place = fromEnd ? result.length - 1 - near : near;
    if (kind === 'set') result[place] = byte;
    else if (kind === 'insert') result.splice(place, 0, byte);
    else result.splice(place, byte + 1);
  }
  return Uint8Array.from(result);
}

test.each(FILES)(
  '%s',
  async (file) => {
    const bytes = fixture(file);
    const reach = fc.constantFrom(40, 400, bytes.length);
    let refused = 0;
    const property = fc.asyncProperty(damage, reach, async (list, near) => {
      const source = inMemory(damaged(bytes, list, near));
      const guarded: ByteSource = {
        size: source.size,
        read: (offset, length) => {
          // What asks for more than a whole small file would allocate for a large one.
          expect(length).toBeLessThan(2 ** 20);
          expect(offset).toBeGreaterThanOrEqual(0);
          return source.read(offset, length);
        },
      };
      try {
        const { tensors, unreadable } = await listTensors(guarded, file);
        for (const { problem } of unreadable) expect(problem).not.toMatch(/[\n\r]/);
        refused += unreadable.length > 0 ? 1 : 0;
        for (const tensor of tensors) {
          const entries = entriesOf(tensor, await tensor.open({ breathe: () => undefined }), file);
          expect(entries.size).toBe(sizeOf(tensor.shape));
          expect(entries.size).toBeLessThan(1100 * (bytes.length + 3000));
          await entries.read(0, Math.min(entries.size, 1000));
        }
      } catch (error) {
        if (!(error instanceof FormatError)) throw error;
        expect(error.message).not.toMatch(/[\n\r]/);
        refused++;
      }
    });
    await fc.assert(property, { numRuns: RUNS });
    expect(refused).toBeGreaterThan(RUNS / 10);
  },
  60_000,
);
