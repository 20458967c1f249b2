// JSON traces: as Python and JavaScript write them; what is ragged or no number is told with its place.
import { strToU8 } from 'fflate';
import { describe, expect, test } from 'vitest';
import { FormatError } from '../../src/formats/formatError.ts';
import { readTraceJson } from '../../src/formats/traceJson.ts';
import { expectedTensors, fixture, parts } from './fixtures.ts';

const read = (text: string): [string, unknown][] =>
  readTraceJson(strToU8(text), 't.json').tensors.map((each) => [each.name, parts(each)]);
const numbers = (shape: number[], data: number[]): unknown => ({ dtype: 'float64', shape, data });

test('what json.dump of Python wrote', () => {
  const expected = expectedTensors();
  for (const each of readTraceJson(fixture('trace.json'), 'trace.json').tensors) {
    expect({ ...parts(each), dtype: '' }).toEqual({ ...expected.get(each.name), dtype: '' });
  }
});

describe('accepted', () => {
  test.each<[string, [string, unknown][]]>([
    ['{}', []],
    ['{"P": [[1, 2.5e1], [-3, 0.0]]}', [['P', numbers([2, 2], [1, 25, -3, 0])]]],
    ['\uFEFF{"f": 3}', [['f', numbers([], [3])]]],
    ['{"M": [NaN, -Infinity, Infinity]}', [['M', numbers([3], [NaN, -Infinity, Infinity])]]],
    [
      '{"M": ["nan", "-inf", "inf", "Infinity"]}',
      [['M', numbers([4], [NaN, -Infinity, Infinity, Infinity])]],
    ],
    ['{"keep": [[true, false]]}', [['keep', { dtype: 'bool', shape: [1, 2], data: [1, 0] }]]],
    [
      '{"grad": {"Q": [1], "K": [2]}}',
      [
        ['grad/Q', numbers([1], [1])],
        ['grad/K', numbers([1], [2])],
      ],
    ],
    ['{"P": {"shape": [2, 1], "data": [3, 4]}}', [['P', numbers([2, 1], [3, 4])]]],
    ['{"P": {"data": [[3], [4]], "shape": [1, 2]}}', [['P', numbers([1, 2], [3, 4])]]],
    ['{"f": {"shape": [], "data": [3]}}', [['f', numbers([], [3])]]],
    [
      '{"P": {"shape": [1], "data": [3], "dtype": "torch.float16"}}',
      [['P', { dtype: 'float16', shape: [1], data: [3] }]],
    ],
    ['{"_note": "mine", "$schema": "s", "f": 1}', [['f', numbers([], [1])]]],
    ['{"empty": [[], []]}', [['empty', numbers([2, 0], [])]]],
    ['{"a\\u0041\\"": [1]}', [['aA"', numbers([1], [1])]]],
  ])('%s', (text, tensors) => {
    expect(read(text)).toEqual(tensors);
  });
});

describe('refused', () => {
  test.each([
    ['', 't.json: found the end of the text, expected an object of tensors'],
    ['[[1]]', 't.json: found [[1, expected an object of tensors'],
    ['{"P": [[1, 2], [3]]}', 't.json: P[1]: found 1 entries, expected 2 as before it'],
    ['{"P": [[1], [[2]]]}', 't.json: P[1][0]: found an array, expected a number as before it'],
    ['{"P": [[1], 2]}', 't.json: P[1]: found an entry, expected an array as before it'],
    ['{"P": [1, []]}', 't.json: P[1]: found an array, expected a number as before it'],
    ['{"P": [[], 1]}', 't.json: P[1]: found an entry, expected an array as before it'],
    ['{"P": [1, null]}', 't.json: P[1]: found null, expected "nan", "inf" or a number (JavaScript'],
    ['{"P": [1, true]}', 't.json: P[1]: found the boolean true, expected a number as before it'],
    ['{"P": [1, "x"]}', 't.json: P[1]: found "x", expected a number, true, false'],
    ['{"P": [1, nope]}', 't.json: P[1]: found nope, expected'],
    ['{"P": [1, 01]}', 't.json: line 1, column 12: found 1, expected a comma or ]'],
    ['{"P": [1,]}', 't.json: P[1]: found ], expected a number'],
    ['{"P": [1]', 't.json: line 1, column 10: found the end of the text, expected a comma or }'],
    ['{\n"P": [1],\n"P": [1]}', 't.json: P: found this key twice'],
    ['{"P": [1]} x', 't.json: line 1, column 12: found x, expected the end of the text'],
    ["{'P': [1]}", "t.json: line 1, column 2: found 'P':, expected a key in double quotes"],
    ['{"P": {"shape": [2], "data": [1]}}', 't.json: P: found 1 entries, expected 2 for shape (2)'],
    ['{"P": {"shape": [-1], "data": [1]}}', 't.json: P: found shape (-1), expected axis lengths'],
    [
      '{"P": {"shape": [1e9], "data": [1]}}',
      't.json: P: found shape (1000000000), expected at most 134217728',
    ],
    [
      '{"P": {"dtype": "float8", "data": [1]}}',
      't.json: P: found dtype "float8", expected one of bool',
    ],
    [
      '{"P": {"dtype": "float32", "data": [1]}}',
      't.json: P: found a dtype, expected "shape" and "data" beside it',
    ],
    [`{"P": ${'['.repeat(100)}`, 'expected at most 64 nested brackets'],
    ['{"a":'.repeat(100), 'expected at most 64 nested brackets'],
  ])('%s', (text, message) => {
    expect(() => read(text)).toThrow(message);
    expect(() => read(text)).toThrow(FormatError);
  });

  test('UTF-16, which PowerShell writes', () => {
    expect(() => readTraceJson(new Uint8Array([0xff, 0xfe, 0x7b, 0]), 't.json')).toThrow(/UTF-16/);
  });
});

test('a million numbers take well under a second or two', () => {
  const row = `[${Array.from({ length: 1000 }, (_, i) => `-0.${i}5`).join(', ')}]`;
  const text = `{"P": [${Array.from({ length: 1000 }, () => row).join(',\n')}]}`;
  const [{ tensor }] = readTraceJson(strToU8(text), 't').tensors;
  expect(tensor.shape).toEqual([1000, 1000]);
}, 5000);
