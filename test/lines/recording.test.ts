// A recording is read as it was written, and what is no recording is refused in one line.
import { describe, expect, test } from 'vitest';
import { FormatError } from '../../src/formats/formatError.ts';
import { parseRecording } from '../../src/lines/recorded/recording.ts';

const statement = { file: 0, line: 1, endLine: 1, column: 1, endColumn: 2, function: 0 };

const header = {
  version: 1,
  python: { version: '3.11.2', executable: 'python3' },
  main: 'a.py',
  args: [],
  files: [{ path: 'a.py', source: 'a = 1\n' }],
  functions: [{ file: 0, name: '', line: 1, endLine: 1, calls: 1 }],
  statements: [{ ...statement, kind: 'assign', text: 'a = 1', loads: [], targets: ['a'] }],
  events: [] as object[],
  exit: { code: 0 },
  leftOut: { bytes: 0, events: 0 },
  notes: [],
};

const event = { statement: 0, frame: 0, loops: [], name: 'a', how: 'bind', reads: [] };

function written(head: object, tensors: Uint8Array = new Uint8Array()): Uint8Array {
  const text = new TextEncoder().encode(JSON.stringify(head));
  const length = new Uint8Array(new BigUint64Array([BigInt(text.length)]).buffer);
  const magic = new TextEncoder().encode('ATLINES1');
  return Uint8Array.from([...tensors, ...text, ...length, ...magic]);
}

const bytesOf = (values: Float32Array | Float64Array): Uint8Array => new Uint8Array(values.buffer);

test('tensors are decoded to float64 when they are asked for', () => {
  const tensors = bytesOf(Float32Array.of(1, 2, 3, 4.5));
  const events = [
    { ...event, id: 0, dtype: 'float32', shape: [2, 2], at: [0, 16] },
    { ...event, id: 1, dtype: 'float32', shape: [2, 2], same: 0 },
    { ...event, id: 2, dtype: 'int', shape: [], value: 7 },
    { ...event, id: 3, dtype: 'float32', shape: [9] },
    { ...event, id: 4, dtype: 'complex64', shape: [2], at: [0, 16] },
  ];
  const recording = parseRecording(written({ ...header, events }, tensors));
  expect(recording.tensor(0)).toEqual({ shape: [2, 2], data: Float64Array.of(1, 2, 3, 4.5) });
  expect(recording.tensor(1)).toBe(recording.tensor(0));
  expect(recording.tensor(2)?.data).toEqual(Float64Array.of(7));
  expect(recording.tensor(3)).toBeNull();
  expect(recording.tensor(4)).toBeNull();
  expect(recording.pairs?.(4)).toEqual({ shape: [4], data: Float64Array.of(1, 2, 3, 4.5) });
});

describe('what is no recording is refused', () => {
  const events = (own: object): object => ({
    ...header,
    events: [{ ...event, id: 0, dtype: 'float64', shape: [2], at: [0, 16], ...own }],
  });
  const tensors = bytesOf(Float64Array.of(1, 2));

  test.each([
    ['another file', new TextEncoder().encode('just text, and rather long'), /expected "ATLINES1"/],
    ['a file that was cut off', written(header).subarray(0, 60), /expected "ATLINES1"/],
    ['another version', written({ ...header, version: 2 }), /version: found 2, expected 1/],
    [
      'bytes that are not there',
      written(events({ at: [8, 16] }), tensors),
      /expected bytes within 16/,
    ],
    ['too few bytes', written(events({ at: [0, 8] }), tensors), /expected 16 bytes/],
    ['a read of nothing', written(events({ reads: [5] }), tensors), /reads: found 5/],
    ['an alias of the future', written(events({ alias: 0 }), tensors), /an earlier event/],
    [
      'a statement that is not there',
      written(events({ statement: 3 }), tensors),
      /one of 1 statements/,
    ],
  ])('%s', (_, bytes, message) => {
    expect(() => parseRecording(bytes, 'x.rec')).toThrow(FormatError);
    expect(() => parseRecording(bytes, 'x.rec')).toThrow(message);
  });
});
