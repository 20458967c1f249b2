// What a run is said to take is what it takes.
import { expect, test } from 'vitest';
import { bytesOfRun, inWords, tooLarge } from '../../src/engine/cost.ts';
import { run } from '../../src/engine/run.ts';
import { drawnSetup, exampleText, graphOf, smallExampleNames } from '../support/setups.ts';

test('the arrays of a run, each once', async () => {
  const setups = [
    ...smallExampleNames.map(exampleText),
    ...Array.from({ length: 30 }, (_, seed) => drawnSetup(seed)),
  ];
  for (const setup of setups) {
    const graph = await graphOf(setup);
    const { values, gradients, contributions } = run(graph);
    const tensors = [...values.values(), ...gradients.values(), ...contributions];
    const arrays = new Set(tensors.map((each) => ('data' in each ? each : each.value).data));
    const bytes = [...arrays].reduce((sum, { length }) => sum + 8 * length, 0);
    const told = bytesOfRun(graph);
    // An operation may pass its upstream gradient on as it is; unused inputs and f have gradients of their own.
    expect(told).toBeGreaterThanOrEqual(0.9 * bytes);
    expect(told).toBeLessThanOrEqual(1.6 * bytes);
  }
});

test('in words', async () => {
  expect([1, 1.2e8, 4.34e9].map(inWords)).toEqual(['1 MB', '120 MB', '4.3 GB']);
  const tokens = { random: 'normal', shape: [8000, 1] };
  const graph = await graphOf({
    head: 'kq',
    start: { Q: tokens, K: tokens },
    x: tokens,
    weights: {},
  });
  expect(inWords(bytesOfRun(graph))).toMatch(/^\d\.\d GB$/);
});

test('what does not fit is refused with the figures, and with what would', async () => {
  const tokens = (n: number) => ({ random: 'normal', shape: [n, 4] });
  const graphWith = (n: number) =>
    graphOf({ head: 'kq', start: { Q: tokens(n), K: tokens(n) }, x: tokens(n), weights: {} });
  const graph = await graphWith(2000);
  const bytes = bytesOfRun(graph);
  expect(tooLarge(graph, 2 * bytes)).toBeNull();
  const refusal = tooLarge(graph, bytes / 4);
  expect(refusal).toMatch(/^It takes about \d+ MB of memory, of which \d+ MB are free\. /);
  // What it says would fit does.
  const fitting = Number(/(\d+) in place of 2000/.exec(refusal!)?.[1]);
  expect(fitting).toBeGreaterThan(500);
  expect(tooLarge(await graphWith(fitting), bytes / 4)).toBeNull();
});
