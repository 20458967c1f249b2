// .safetensors: what the reference library wrote is read, and a header that lies is refused.
import { strToU8 } from 'fflate';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { scalar, sizeOf, tensor } from '../../src/engine/tensor.ts';
import { FormatError } from '../../src/formats/formatError.ts';
import {
  decodeEntry,
  headerEnd,
  parseHeader,
  readSafetensors,
  writeSafetensors,
} from '../../src/formats/safetensors.ts';
import { expectedTensors, fixture, parts } from './fixtures.ts';

function file(header: string, data = 0): Uint8Array {
  const text = strToU8(header);
  const bytes = new Uint8Array(8 + text.length + data);
  new DataView(bytes.buffer).setUint32(0, text.length, true);
  bytes.set(text, 8);
  return bytes;
}

const entry = (name: string, begin: number, end: number): string =>
  `"${name}":{"dtype":"F32","shape":[${(end - begin) / 4}],"data_offsets":[${begin},${end}]}`;

test('a file of the reference library', () => {
  const expected = expectedTensors();
  const tensors = readSafetensors(fixture('samples.safetensors'), 'samples.safetensors');
  expect(tensors).toHaveLength(17);
  for (const each of tensors) {
    expect(parts(each)).toEqual(expected.get(each.name.replace('grad.Q', 'grad/Q')));
  }
});

test('entries can be read one by one from their bytes', () => {
  const bytes = fixture('samples.safetensors');
  const end = headerEnd(bytes.subarray(0, 8), 'a');
  const entries = parseHeader(bytes.subarray(0, end), 'a', bytes.length);
  const found = entries.find(({ name }) => name === 'int16');
  if (!found) throw new Error('no entry int16');
  const read = decodeEntry(found, bytes.subarray(found.begin, found.end));
  expect(parts(read)).toEqual(expectedTensors().get('int16'));
});

test.each([
  ['{}', 0, null],
  [`{${entry('a', 0, 8)},${entry('b', 8, 12)}}`, 12, null],
  [`{${entry('b', 8, 12)},${entry('a', 0, 8)},${entry('c', 8, 8)}}   `, 12, null],
  ['{"__metadata__":{"a":"b"}}', 0, null],
  [`{${entry('a', 0, 8)},${entry('b', 4, 12)}}`, 12, /b: found bytes .* to begin at/],
  [`{${entry('a', 0, 4)},${entry('b', 8, 12)}}`, 12, /b: found bytes .* to begin at/],
  [`{${entry('a', 4, 8)}}`, 8, /a: found bytes .* to begin at/],
  [`{${entry('a', 0, 8)}}`, 7, /a: found bytes .*the size of the file/],
  [`{${entry('a', 0, 8)}}`, 9, /1 bytes behind the last tensor/],
  [`{${entry('a', 0, 8)},${entry('a', 8, 12)}}`, 12, /a: found this key twice/],
  [
    '{"a":{"dtype":"F8_E8M0","shape":[1],"data_offsets":[0,1]}}',
    1,
    /a: found dtype F8_E8M0, expected one of BOOL/,
  ],
  [
    '{"a":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}}',
    4,
    /a: found -1, expected an integer from 0/,
  ],
  [
    '{"a":{"dtype":"F32","shape":[99999999999],"data_offsets":[0,4]}}',
    4,
    /at most 134217728 entries/,
  ],
  ['{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}}', 4, /two that are 8 apart/],
  ['{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4,8]}}', 4, /data_offsets \[0, 4, 8\]/],
  ['{"a":{"dtype":"F32","shape":[1]}}', 4, /a missing key/],
  ['{"a":{"dtype":"F32","shape":"1","data_offsets":[0,4]}}', 4, /found "1", expected \[/],
  ['{"a":{"dtype":"F32","form":[1],"data_offsets":[0,4]}}', 4, /key "form"/],
  ['{"a":[]}', 0, /expected {/],
  ['{"a"', 0, /line 1, column 5: found the end of the text, expected a colon/],
  ['[]', 0, /expected {/],
  ['{} x', 0, /found x, expected the end of the text/],
])('header %s', (header, data, message) => {
  const read = (): unknown => readSafetensors(file(header, data), 'a.safetensors');
  if (message === null) expect(read).not.toThrow();
  else expect(read).toThrow(message);
  if (message !== null) expect(read).toThrow(FormatError);
});

test('lengths of the header', () => {
  expect(() => readSafetensors(new Uint8Array(7), 'a')).toThrow(/7 bytes/);
  expect(() => readSafetensors(file('{}').fill(255, 3, 4), 'a')).toThrow(/length 4278190082/);
  expect(() => readSafetensors(file('{}').fill(9, 0, 1), 'a')).toThrow(
    /the end of the file at byte 10/,
  );
});

describe('writing', () => {
  test('f as a tensor of shape [], metadata, data at a multiple of 8', () => {
    const bytes = writeSafetensors(
      [
        ['f', scalar(0.5)],
        ['dP', tensor([1, 2], [NaN, -0])],
      ],
      { tool: 'x' },
    );
    const entries = parseHeader(bytes, 'a');
    expect(entries.map(({ name, shape, begin }) => [name, shape, begin % 8])).toEqual([
      ['f', [], 0],
      ['dP', [1, 2], 0],
    ]);
    expect(readSafetensors(bytes, 'a').map(parts)).toEqual([
      { dtype: 'float64', shape: [], data: [0.5] },
      { dtype: 'float64', shape: [1, 2], data: [NaN, -0] },
    ]);
  });

  test('write, then read: the same', () => {
    const one = fc.array(fc.integer({ min: 0, max: 3 }), { maxLength: 4 }).chain((shape) => {
      const size = sizeOf(shape);
      return fc.tuple(
        fc.constant(shape),
        fc.array(fc.double(), { minLength: size, maxLength: size }),
      );
    });
    const names = fc.string().filter((name) => name !== '__metadata__' && name !== '__proto__');
    fc.assert(
      fc.property(fc.dictionary(names, one), (tensors) => {
        const list = Object.entries(tensors).map(
          ([name, [shape, data]]) => [name, tensor(shape, data)] as const,
        );
        const read = readSafetensors(writeSafetensors(list), 'a');
        expect(new Map(read.map((each) => [each.name, each.tensor]))).toEqual(new Map(list));
      }),
    );
  });
});
