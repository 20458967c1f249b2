// The text of a setup: what is read from it, and what is said about what is wrong with it, and where.
import { describe, expect, test } from 'vitest';
import { locate, parseSetup } from '../../src/formats/parseSetup.ts';
import { BAD, BROKEN, GOOD } from './setupCases.ts';

test.each(GOOD)('good: %s', (text) => {
  const { setup, problems } = parseSetup(text);
  expect(problems).toEqual([]);
  expect(setup).not.toBeNull();
});

test.each(BAD)('bad: $text', ({ text, messages, at, warning }) => {
  const { setup, problems } = parseSetup(text);
  expect(problems.map(({ message }, i) => message.slice(0, messages[i]?.length ?? 1000))).toEqual(
    messages,
  );
  expect(problems.every(({ message }) => !message.includes('\n'))).toBe(true);
  const [{ offset, length, severity }] = problems;
  expect(text.slice(offset, offset + length)).toBe(at);
  expect(severity).toBe(warning ? 'warning' : 'error');
  expect(setup === null).toBe(!warning);
});

test.each(BROKEN)('broken: $text', ({ text, message, at }) => {
  const { setup, problems } = parseSetup(text);
  expect(setup).toBeNull();
  expect(problems[0].message.slice(0, message.length)).toBe(message);
  expect(text.slice(problems[0].offset, problems[0].offset + problems[0].length)).toBe(at);
});

describe('what is read', () => {
  const weights = '"weights": {"W_K": [[1], [2]], "W_Q": [[3], [4]]}';

  test('defaults of kq', () => {
    const { setup } = parseSetup(`{"$schema": "a", "head": "kq", "x": [[1, "-inf"]], ${weights}}`);
    expect(setup).toMatchObject({
      heads: 1,
      kvHeads: 1,
      mask: 'none',
      names: {},
      axes: 'key-first',
    });
    expect(setup?.x).toEqual({
      kind: 'inline',
      tensor: { shape: [1, 2], data: Float64Array.of(1, -Infinity) },
      dtype: 'float64',
    });
    expect(setup).not.toHaveProperty('$schema');
    expect(setup?.loss).toBeUndefined();
  });

  test('defaults of multihead', () => {
    const text = '{"head": "multihead", "heads": 4, "start": {"Q": [[1]], "K": [[1]], "V": [[1]]}}';
    expect(parseSetup(text).setup).toMatchObject({
      heads: 4,
      kvHeads: 4,
      axes: 'query-first',
      weights: {},
    });
  });

  test('random numbers with defaults, a file without key, a boolean mask, rope without base', () => {
    const text = `{"head": "multihead", "x": {"random": "normal", "shape": [2, 2]},
      "weights": {"W_Q": {"file": "a.npy"}}, "start": {"K": [[1]], "V": [[1]]},
      "mask": [[true, false]], "rope": {"pairing": "interleaved"}}`;
    const { setup } = parseSetup(text);
    expect(setup).toMatchObject({
      x: {
        kind: 'random',
        spec: { distribution: 'normal', shape: [2, 2], seed: 0, std: 1, mean: 0 },
      },
      weights: { W_Q: { kind: 'file', file: 'a.npy' } },
      mask: { kind: 'inline', dtype: 'bool' },
      rope: { base: 10000, pairing: 'interleaved' },
    });
    expect(setup?.weights.W_Q).not.toHaveProperty('key');
  });
});

describe('bounds', () => {
  test('a ragged tensor reports a few rows, not all', () => {
    const rows = Array.from({ length: 500 }, () => '[1, 2]').join(', ');
    const { problems } = parseSetup(
      `{"head": "kq", "x": [[1], ${rows}], "weights": {"W_K": [[1]], "W_Q": [[1]]}}`,
    );
    expect(problems).toHaveLength(6);
    expect(problems[0].message).toBe('x: found more entries that do not fit; they are not listed');
  });

  test('tensors share the bound on entries', () => {
    const half = '{"random": "normal", "shape": [8192, 10000]}';
    const { problems } = parseSetup(
      `{"head": "kq", "x": ${half}, "xPrime": ${half}, "weights": {"W_K": [[1]], "W_Q": [[1]]}}`,
    );
    expect(problems.map(({ message }) => message)).toEqual([
      'xPrime.shape: found 163840000 entries up to here, expected at most 134217728 in one setup',
    ]);
  });

  test.each([
    '['.repeat(100_000),
    '{"a":'.repeat(100_000),
    '[},'.repeat(100_000),
    `{"x": "abc\r${'['.repeat(100_000)}`,
    `// c\r${'['.repeat(100_000)}`,
  ])('brackets without end', (text) => {
    expect(parseSetup(text).problems[0].message).toBe(
      'found brackets nested 65 deep, expected at most 64',
    );
    expect(locate(text, ['x'])).toEqual({ offset: 0, length: 1 });
  });

  test('brackets in strings and comments do not count', () => {
    const brackets = '['.repeat(100);
    const text = `{"title": "${brackets}\\"${brackets}", // ${brackets}\n/* ${brackets} */ "head": "kq"}`;
    expect(parseSetup(text).problems.map(({ message }) => message)).not.toContainEqual(/nested/);
  });
});

describe('locate', () => {
  const text = `{
  "head": "kq",
  "x": [[1, 2],
        [3, 4]],
  "weights": {"W_K": {"file": "a.npz", "key": "k"}}
}`;
  test.each<[(string | number)[], string]>([
    [['head'], '"kq"'],
    [['x'], '"x"'],
    [['x', 1], '[3, 4]'],
    [['x', '1', '0'], '3'],
    [['x', 7], '"x"'],
    [['weights', 'W_K'], '"W_K"'],
    [['weights', 'W_K', 'key'], '"k"'],
    [['weights', 'W_Q'], '"weights"'],
    [['loss', 'target'], '{'],
    [[], '{'],
  ])('%j', (path, expected) => {
    const { offset, length } = locate(text, path);
    expect(text.slice(offset, offset + length)).toBe(expected);
  });

  test('a text that cannot be parsed', () => {
    expect(locate('', ['x'])).toEqual({ offset: 0, length: 1 });
    expect(locate('{"x": [1', ['x'])).toEqual({ offset: 0, length: 1 });
  });
});
