// What is wrong by an inferred setup, and no mistake of the program.
import { expect, test } from 'vitest';
import { ownMistakes } from '../../../src/lines/infer/ownMistakes.ts';
import type { Inferred } from '../../../src/lines/infer/types.ts';

const loss: Inferred = {
  entry: 'loss',
  from: { file: 'own.py', line: 1 },
  sure: true,
  note: 'half the squared norm of y',
};

/** Of a number that is called f, and wrong. */
const told = (inferred: readonly Inferred[]): number =>
  ownMistakes(
    { events: [], tensor: () => null } as never,
    {
      localised: {
        wrong: [{ node: 'f', kind: 'value', seen: 0 }],
        flow: { sources: [[]] },
        observed: [],
      },
      catalogue: { entries: [] },
    } as never,
    { shared: [], isInner: false, inferred },
  ).length;

test('a loss that is only assumed accuses nothing of being another one', () => {
  expect(told([{ ...loss, sure: false }])).toBe(0);
  expect(told([loss])).toBe(1);
  expect(told([])).toBe(1);
});
