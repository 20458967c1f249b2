// What a .npz says beside its arrays: the lines of code that logged them.
import { strFromU8, strToU8, zipSync } from 'fflate';
import { expect, test } from 'vitest';
import { tensor } from '../../src/engine/tensor.ts';
import { writeNpy } from '../../src/formats/npy.ts';
import { readNpz } from '../../src/formats/npz.ts';

const array = writeNpy(tensor([2], [1, 2]));
const linesIn = (meta: string): unknown[] =>
  readNpz(
    zipSync({ 'P.npy': array, 'dQ.npy': array, '__meta__.json': strToU8(meta) }),
    'a.npz',
  ).map(({ line }) => line);

test('the line that logged an array', () => {
  const meta = JSON.stringify({ lines: { P: ['/home/ada/train.py', 42], gone: ['/a.py', 1] } });
  expect(linesIn(meta)).toEqual([{ file: '/home/ada/train.py', line: 42 }, undefined]);
});

test.each([
  ['no JSON', '{'],
  ['null', 'null'],
  ['no lines', '{}'],
  ['lines that are no object', '{"lines": 3}'],
  ['a place that is no list', '{"lines": {"P": "train.py"}}'],
  ['a line that is no number', '{"lines": {"P": ["/a.py", "42"]}}'],
  ['line 0', '{"lines": {"P": ["/a.py", 0]}}'],
  ['a name of every object', '{"lines": {"__proto__": ["/a.py", 1]}}'],
])('%s: arrays without lines', (_, meta) => {
  expect(linesIn(meta)).toEqual([undefined, undefined]);
});

test('arrays that take too much together are refused before one of them is unpacked', () => {
  const head = writeNpy(tensor([1], [1])).subarray(0, 128);
  const text = strFromU8(head, true).replace("'<f8'", "'|b1'").replace('(1,)', '(16777216,)');
  const booleans = new Uint8Array(128 + 2 ** 24);
  booleans.set(strToU8(`${text.trimEnd().padEnd(127)}\n`, true));
  const names = Array.from({ length: 9 }, (_, n) => [`n${n}.npy`, booleans] as const);
  const bytes = zipSync(Object.fromEntries(names), { level: 1 });
  expect(() => readNpz(bytes, 'a.npz')).toThrow(
    'a.npz: n8.npy: found 1207959552 bytes up to here, as float64, expected at most 1073741824',
  );
});
