// Damaged files: whatever the bytes, a reader returns tensors of its bound or throws FormatError, quickly.
import { strToU8 } from 'fflate';
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { FormatError } from '../../src/formats/formatError.ts';
import { locate, parseSetup } from '../../src/formats/parseSetup.ts';
import { readTensorFile } from '../../src/formats/tensorFile.ts';
import { fixture } from './fixtures.ts';
import { GOOD } from './setupCases.ts';

const RUNS = 1500;

interface Damage {
  readonly kind: 'set' | 'cut' | 'insert' | 'repeat';
  readonly at: number;
  readonly byte: number;
}

const damage: fc.Arbitrary<Damage[]> = fc.array(
  fc.record({
    kind: fc.constantFrom('set', 'set', 'set', 'cut', 'insert', 'repeat'),
    at: fc.double({ min: 0, max: 1, noNaN: true }),
    // Bytes that mean something in one of the formats come up more often.
    byte: fc.oneof(
      fc.integer({ min: 0, max: 255 }),
      fc.constantFrom(...strToU8('[]{}"\',:0129-\\<>|\n '), 255, 0),
    ),
  }),
  { minLength: 1, maxLength: 6 },
);

function damaged(bytes: Uint8Array, list: readonly Damage[], reach: number): Uint8Array {
  const result = [...bytes];
  for (const { kind, at, byte } of list) {
    // Headers are at the start, the directory of a zip at the end: most damage goes there.
    const near = Math.floor(at * Math.min(reach, result.length));
    const place = byte % 2 === 0 ? near : result.length - 1 - near;
    if (kind === 'set') result[place] = byte;
    else if (kind === 'insert') result.splice(place, 0, byte);
    else if (kind === 'cut') result.splice(place, byte + 1);
    else result.splice(place, 0, ...result.slice(place, place + byte));
  }
  return Uint8Array.from(result);
}

const FILES = [
  'samples.npz',
  'orders.npz',
  'version2.npy',
  'version3.npy',
  'bfloat16.npy',
  'samples.safetensors',
  'trace.json',
];

test.each(FILES)(
  '%s',
  (file) => {
    const bytes = fixture(file);
    const reach = fc.constantFrom(40, 400, bytes.length);
    let read = 0;
    fc.assert(
      fc.property(damage, reach, fc.boolean(), (list, near, named) => {
        try {
          const tensors = readTensorFile(named ? file : 'unnamed', damaged(bytes, list, near));
          const entries = tensors.reduce((sum, { tensor }) => sum + tensor.data.length, 0);
          // No format here holds more than eight entries in a byte unless it is compressed.
          if (file !== 'orders.npz') expect(entries).toBeLessThan(8 * (bytes.length + 3000));
          read++;
        } catch (error) {
          if (!(error instanceof FormatError)) throw error;
          expect(error.message).not.toMatch(/[\n\r]/);
        }
      }),
      { numRuns: RUNS },
    );
    expect(read).toBeLessThan(RUNS);
  },
  20_000,
);

test('setup texts', () => {
  const cases = fc.constantFrom(...GOOD.map((text) => strToU8(text)));
  fc.assert(
    fc.property(cases, damage, (bytes, list) => {
      const text = new TextDecoder().decode(damaged(bytes, list, bytes.length));
      const { setup, problems } = parseSetup(text);
      if (setup === null) expect(problems.length).toBeGreaterThan(0);
      for (const { offset, length, message, path } of problems) {
        expect(offset + length).toBeLessThanOrEqual(Math.max(text.length, offset) + 1);
        expect(message).not.toMatch(/[\n\r]/);
        expect(locate(text, path).length).toBeGreaterThan(0);
      }
    }),
    { numRuns: 3000 },
  );
}, 20_000);
