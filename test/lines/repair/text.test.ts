// Edits of a text and their diff: what is printed is what git and patch apply.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { array, assert, boolean, constantFrom, pre, property, tuple } from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { fixOf } from '../../../src/lines/repair/fix.ts';
import { applyEdits, unifiedDiff } from '../../../src/lines/repair/text.ts';

let folder = '';
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'attention-diff-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function applied(before: string, diff: string): string {
  writeFileSync(join(folder, 'a.py'), before);
  writeFileSync(join(folder, 'a.patch'), diff);
  execFileSync('git', ['apply', '--unidiff-zero', 'a.patch'], { cwd: folder });
  return readFileSync(join(folder, 'a.py'), 'utf8');
}

const verified = { tensors: 1, seeds: 1, sizes: 1 };

test('edits count in code points and may come in any order', () => {
  expect(
    applyEdits('α𝛽 = a + b', [
      [9, 10, 'c'],
      [5, 6, 'd'],
    ]),
  ).toBe('α𝛽 = d + c');
});

test('an insertion names the line before it', () => {
  const fix = fixOf('a.py', 'a\nb\nc\n', 'a\nb\nx\nc\n', [], verified);
  expect(fix).toMatchObject({ line: 2, endLine: 2, before: '', after: 'x' });
});

test.each([
  ['with the line breaks of Windows', 'a\r\nb\r\nc\r\n', 'a\r\nx\r\nc\r\n'],
  ['without a last line break', 'a\r\nb\r\nc', 'a\r\nx\r\nc'],
  ['with a byte order mark', '\uFEFFa\nb\nc\n', '\uFEFFa\nx\nc\n'],
])('a file %s stays so', (_, written, mended) => {
  const read = written.replaceAll('\r\n', '\n').replace('\uFEFF', '');
  const fix = fixOf('a.py', read, read.replace('b', 'x'), [], verified, written);
  expect(fix).toMatchObject({ source: mended, before: 'b', after: 'x' });
  expect(applied(written, fix.diff)).toBe(mended);
});

test('a change names its lines alone', () => {
  const fix = fixOf('a.py', 'a\nb\nc\nd\n', 'a\nx\ny\nd\n', [], verified);
  expect(fix).toMatchObject({ line: 2, endLine: 3, before: 'b\nc', after: 'x\ny' });
});

test.each([
  ['one line', 'a\nb\nc\n', 'a\nx\nc\n'],
  [
    'far apart',
    `${'a\n'.repeat(20)}b\n${'c\n'.repeat(20)}d\n`,
    `${'a\n'.repeat(20)}x\n${'c\n'.repeat(20)}y\n`,
  ],
  ['no line break at the end', 'a\nb', 'a\nx'],
  ['a line break more', 'a\nb', 'a\nb\nc\n'],
  ['the first line', 'a\nb\n', 'x\na\nb\n'],
  ['all gone but one', 'a\nb\nc\n', 'b\n'],
])('git applies the diff: %s', (_, before, after) => {
  expect(applied(before, unifiedDiff('a.py', before, after))).toBe(after);
});

test('git applies the diff of any two texts', () => {
  const line = constantFrom('a', 'b', 'c', '', 'é');
  const text = tuple(array(line, { minLength: 1, maxLength: 12 }), boolean()).map(
    ([lines, isEnded]) => lines.join('\n') + (isEnded ? '\n' : ''),
  );
  assert(
    property(text, text, (before, after) => {
      pre(before !== after && before !== '' && after !== '');
      expect(applied(before, unifiedDiff('a.py', before, after))).toBe(after);
    }),
    { numRuns: 60 },
  );
});
