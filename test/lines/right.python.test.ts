// Right programs whose setup is inferred: none of their lines is called wrong. Each was, once.
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { answer } from '../../src/lineRun/answer.ts';
import { hasNumpy, hasTorch, recorded } from '../support/recorded.ts';

const source = (name: string): string =>
  readFileSync(fileURLToPath(new URL(`right/${name}.py`, import.meta.url)), 'utf8');

const answered = (text: string): NonNullable<ReturnType<typeof answer>>['result'] | undefined =>
  answer(recorded(text).recording, { file: 'program.py', args: [] })?.result;

describe.skipIf(!hasNumpy)('NumPy', () => {
  test.each(['log_temperature', 'drawn_together'])('%s', (name) => {
    expect(answered(source(name))?.verdict).toBe('match');
  });

  test('a mistake beside a learned temperature, and in a residual block, is found', () => {
    for (const [name, right, wrong] of [
      ['log_temperature', 'ddots = dlogits * temperature', 'ddots = dlogits / temperature'],
      ['drawn_together', 'dp, dv = dz @ v.T, p.T @ dz', 'dp, dv = dz @ v.T, p @ dz'],
    ]) {
      const text = source(name);
      expect(text).toContain(right);
      const line = text.slice(0, text.indexOf(right)).split('\n').length;
      expect(answered(text.replace(right, wrong))?.first).toMatchObject({ line });
    }
  });
});

describe.skipIf(!hasTorch)('PyTorch', () => {
  test.each(['micro_batches', 'cached'])('%s', (name) => {
    expect(answered(source(name))?.verdict).toBe('match');
  });
});
