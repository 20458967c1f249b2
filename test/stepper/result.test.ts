// The exercise's last page: its factors multiply and add up to the gradients of the run.
import { describe, expect, test } from 'vitest';
import { runMessage } from '../../src/extension/panelMessages.ts';
import { resultView } from '../../src/stepper/result.ts';
import { Session } from '../../src/stepper/session.ts';
import { buildTimeline } from '../../src/stepper/timeline.ts';
import { exampleRun, exampleNames } from '../support/setups.ts';

const rowOf = (data: ArrayLike<number>, row: number, width: number): number[] =>
  Array.from({ length: width }, (_, n) => data[row * width + n]);

function expectClose(found: readonly number[], expected: readonly number[]): void {
  expect(found).toHaveLength(expected.length);
  found.forEach((each, n) => expect(each).toBeCloseTo(expected[n], 10));
}

const plain = ['exercise', 'self-attention', 'forces', 'own-implementation'];

describe('the result', () => {
  test.each(exampleNames)('%s: is the last step of the exercise’s own head alone', async (name) => {
    const run = await exampleRun(name);
    const isOwn = run.graph.nodes.every(({ id }) => /^(x|xPrime|W_K|W_Q|K|Q|S|P|y|f)$/.test(id));
    const { steps } = buildTimeline(run);
    expect(steps.at(-1)!.phase).toBe(isOwn ? 'result' : 'backward');
    expect(resultView(run, {}) !== null).toBe(isOwn);
  });

  test('of x and of x′ is their gradient, at every token', async () => {
    const run = await exampleRun('exercise');
    const { gradients, contributions } = run;
    for (const i of [0, 1, 2, 3]) {
      for (const j of [0, 1, 2]) {
        const { sides } = resultView(run, { i, j })!;
        expectClose(sides[0].total, rowOf(gradients.get('x')!.data, i, 3));
        expectClose(sides[1].total, rowOf(gradients.get('xPrime')!.data, j, 3));
      }
    }
    expect(contributions.filter(({ to }) => to === 'x')).toHaveLength(2);
  });

  test('in self-attention both sides add up to the one gradient', async () => {
    const run = await exampleRun('self-attention');
    const { shape, data } = run.gradients.get('x')!;
    for (let token = 0; token < shape[0]; token++) {
      const { sides } = resultView(run, { i: token, j: token })!;
      const sum = sides[0].total.map((each, n) => each + sides[1].total[n]);
      expectClose(sum, rowOf(data, token, shape[1]));
      expect(sides[0].gathered).toEqual(rowOf(data, token, shape[1]));
    }
  });

  test.each(plain)('%s: each summand is the product of its factors', async (name) => {
    const run = await exampleRun(name);
    if (!resultView(run, {})) return;
    const { sides } = resultView(run, { i: 1, j: 1 })!;
    for (const { summands, total } of sides) {
      for (const { factors, product } of summands) {
        const numbers = factors.map((each) => each.numbers);
        const [p, upstream, centred, slope] =
          numbers.length === 4 ? numbers : [numbers[0], null, numbers[1], numbers[2]];
        expectClose(
          product,
          slope.map((each, n) => p[0] * ((upstream?.[n] ?? 0) + centred[0] * each)),
        );
      }
      expectClose(
        total,
        total.map((_, n) => summands.reduce((sum, { product }) => sum + product[n], 0)),
      );
    }
  });

  test('every factor names steps that the walk has', async () => {
    const run = await exampleRun('exercise');
    const steps = new Set(run.contributions.map(({ from, to }) => `${from}>${to}`));
    const { sides } = resultView(run, {})!;
    const parts = sides.flatMap(({ summands }) => summands[0].factors.map(({ part }) => part));
    expect(parts.length).toBe(7);
    for (const part of parts.flatMap((each) => each.split('|'))) expect(steps).toContain(part);
  });

  test('is reached by walking, and with it every gradient is complete', async () => {
    const session = new Session(await exampleRun('exercise'), {
      ...{ title: '', description: '', energy: false },
    });
    session.move('end');
    const message = runMessage(session);
    if (message.type !== 'run') throw new Error(message.type);
    const { step } = message;
    expect(step.phase).toBe('result');
    expect(step.result!.collapse).toHaveLength(3);
    expect(step.next).toBeNull();
    for (const { received, expected } of Object.values(step.nodes)) expect(received).toBe(expected);
    session.goToNode('P');
    expect(session.stepView().caption).toBe('backward: P → S');
  });
});
