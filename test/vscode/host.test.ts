// Shows every mocha test of test/vscode/host, which ran inside a real extension host, as a test here.
import { describe, expect, test } from 'vitest';
import { runHostTests } from './harness/hostTests.ts';

const results = await runHostTests();

describe('in the extension host', () => {
  for (const { title, state, error } of results) {
    test.skipIf(state === 'skipped')(title, () => {
      expect(state, error).toBe('passed');
    });
  }
});
