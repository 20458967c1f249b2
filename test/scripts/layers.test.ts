// How a layer of npm test counts a program: by its last line, and never as passed where it ended early.
import { expect, test } from 'vitest';
import { countsOf } from '../../scripts/lib/layers.mjs';

test.each([
  ['a\nb\n12 passed, 0 failed\n', 0, [12, 0, 0]],
  ['12 passed, 3 failed\n', 1, [12, 3, 0]],
  ['12 passed, 0 failed, 4 skipped\r\n', 0, [12, 0, 4]],
  ['0 passed, 0 failed, 4 skipped', 0, [0, 0, 4]],
  // It says that all is well and ends as if it were not.
  ['12 passed, 0 failed', 1, [12, 1, 0]],
  ['12 passed, 0 failed', null, [12, 1, 0]],
  // The counts of a part of it, before it ended.
  ['12 passed, 0 failed\nTypeError: no\n', 1, [0, 1, 0]],
  ['done: 12 passed, 0 failed', 0, [0, 1, 0]],
  ['', 0, [0, 1, 0]],
  ['0 passed, 0 failed', 0, [0, 1, 0]],
])('%j with code %s', (printed, code, expected) => {
  const { passed, failed, skipped } = countsOf(printed, code);
  expect([passed, failed, skipped]).toEqual(expected);
});
