// A few cases of the held-out board (mutantBoard.mjs): random slips in random formulas.
import { expect, test } from 'vitest';
import { drawSetup, generator } from '../conformance/draw.mjs';
import { boardCase, type BoardResult } from './board.ts';

test('most are told, and none as another formula', async () => {
  const random = generator(20);
  const results: BoardResult[] = [];
  while (results.length < 10) {
    const result = await boardCase(random, drawSetup(random).setup, 1);
    if (result) results.push(result);
  }
  const told = results.filter(({ answer }) => answer === 'formula' || answer === 'known');
  expect(results.filter(({ answer }) => answer === 'wrong')).toEqual([]);
  expect(told.length).toBeGreaterThanOrEqual(9);
});
