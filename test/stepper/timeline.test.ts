// The timeline of a run: forward in topological order, then backward in reverse, every contribution once.
import * as fc from 'fast-check';
import { beforeAll, expect, test } from 'vitest';
import { type Graph, nodeOf, operationNodes } from '../../src/engine/graph.ts';
import { hasResult } from '../../src/stepper/result.ts';
import { run } from '../../src/engine/run.ts';
import {
  buildTimeline,
  captionOf,
  contributionsDone,
  levelOf,
  nextPlace,
} from '../../src/stepper/timeline.ts';
import { anyGraph } from '../support/graphs.ts';
import { cases } from '../support/random.ts';
import { exampleRun, exampleText, graphOf, smallExampleNames } from '../support/setups.ts';

const examples = new Map<string, Graph>();

beforeAll(async () => {
  for (const name of smallExampleNames) examples.set(name, await graphOf(exampleText(name)));
});

/** The graphs of the examples and random ones. */
function eachGraph(check: (graph: Graph) => void): void {
  for (const graph of examples.values()) check(graph);
  fc.assert(fc.property(anyGraph, check), cases(60));
}

const operandsOf = (graph: Graph, id: string): readonly string[] => {
  const node = nodeOf(graph, id);
  return node.kind === 'input' ? [] : node.inputs;
};

test('start, then forward, then backward, and of the exercise its result', () => {
  eachGraph((graph) => {
    const { steps } = buildTimeline(run(graph));
    const count = operationNodes(graph).length;
    const phases = ['start', ...Array(count).fill('forward'), ...Array(count).fill('backward')];
    if (hasResult(graph)) phases.push('result');
    expect(steps.map(({ phase }) => phase)).toEqual(phases);
    expect(steps[0]).toEqual({ phase: 'start', node: null, contributions: [] });
  });
});

test('forward: each node once, after all its operands', () => {
  eachGraph((graph) => {
    const { steps } = buildTimeline(run(graph));
    const order = steps.filter(({ phase }) => phase === 'forward').map(({ node }) => node!);
    expect([...order].sort()).toEqual(
      operationNodes(graph)
        .map(({ id }) => id)
        .sort(),
    );
    order.forEach((id, n) => {
      for (const operand of operandsOf(graph, id)) {
        if (operationNodes(graph).some((each) => each.id === operand)) {
          expect(order.slice(0, n)).toContain(operand);
        }
      }
    });
  });
});

test('backward: each node once, after all that use it', () => {
  eachGraph((graph) => {
    const { steps } = buildTimeline(run(graph));
    const order = steps.filter(({ phase }) => phase === 'backward').map(({ node }) => node!);
    expect([...order].sort()).toEqual(
      operationNodes(graph)
        .map(({ id }) => id)
        .sort(),
    );
    order.forEach((id, n) => {
      const earlierUsers = order
        .slice(n + 1)
        .filter((user) => operandsOf(graph, user).includes(id));
      expect(earlierUsers).toEqual([]);
    });
  });
});

test('every contribution stands in one backward step, that of the node it comes from, operand by operand', () => {
  eachGraph((graph) => {
    const own = run(graph);
    const { steps } = buildTimeline(own);
    expect(steps.flatMap(({ contributions }) => contributions)).toEqual(own.contributions);
    for (const { phase, node, contributions } of steps) {
      if (phase !== 'backward') continue;
      expect(contributions.map(({ from }) => from)).toEqual(contributions.map(() => node));
      expect(contributions.map(({ to }) => to)).toEqual(operandsOf(graph, node!));
    }
  });
});

test('ticks are the steps, and after each one more step of contributions has been made', () => {
  eachGraph((graph) => {
    const timeline = buildTimeline(run(graph));
    expect(timeline.ticks).toEqual(
      timeline.steps.map((_, step) => ({ step, contribution: null, term: null })),
    );
    let done = 0;
    for (const tick of timeline.ticks) {
      done += timeline.steps[tick.step].contributions.length;
      expect(contributionsDone(timeline, tick)).toBe(done);
    }
  });
});

test('nextPlace goes through the contributions of a step that is entered, then to the next step', async () => {
  const timeline = buildTimeline(await exampleRun('exercise'));
  const step = timeline.steps.findIndex(({ phase, node }) => phase === 'backward' && node === 'S');
  const at = (contribution: number | null, own = step) => ({ step: own, contribution, term: null });
  expect(nextPlace(timeline, at(0))).toEqual(at(1));
  expect(nextPlace(timeline, at(1))).toEqual(at(null, step + 1));
  expect(nextPlace(timeline, at(null))).toEqual(at(null, step + 1));
  expect(nextPlace(timeline, { ...at(0), term: 3 })).toEqual(at(1));
  expect(nextPlace(timeline, at(null, timeline.steps.length - 1))).toBeNull();
});

test('captions of the exercise', async () => {
  const timeline = buildTimeline(await exampleRun('exercise'));
  expect(timeline.ticks.map((tick) => captionOf(timeline, tick))).toEqual([
    'start: only the inputs are known',
    ...['K', 'Q', 'S', 'P', 'y', 'f'].map((node) => `forward: ${node}`),
    ...['f → y', 'y → x, P', 'P → S', 'S → K, Q', 'Q → xPrime, W_Q', 'K → x, W_K'].map(
      (edge) => `backward: ${edge}`,
    ),
    'result: the gradients, factor by factor',
  ]);
  const step = timeline.steps.findIndex(({ phase, node }) => phase === 'backward' && node === 'S');
  expect(captionOf(timeline, { step, contribution: 1, term: null })).toBe('backward: S → Q');
});

test.each([
  [{ step: 3, contribution: null, term: null }, 'node'],
  [{ step: 3, contribution: 0, term: null }, 'contribution'],
  [{ step: 3, contribution: 0, term: 0 }, 'term'],
  [{ step: 3, contribution: null, term: 0 }, 'term'],
])('the level of %j is %s', (position, level) => {
  expect(levelOf(position)).toBe(level);
});
