// What is shown at every place of every example: consistent numbers, names and edges.
import { beforeAll, describe, expect, test } from 'vitest';
import type { Binding } from '../../src/engine/axes.ts';
import { nodeOf } from '../../src/engine/graph.ts';
import type { Run } from '../../src/engine/run.ts';
import { indexOf, offsetOf, sameShape } from '../../src/engine/tensor.ts';
import { termCountAt } from '../../src/stepper/detail.ts';
import { entryText } from '../../src/stepper/entry.ts';
import type { StepView } from '../../src/stepper/stepView.ts';
import {
  buildTimeline,
  captionOf,
  contributionsDone,
  nextPlace,
  type Position,
  type Timeline,
} from '../../src/stepper/timeline.ts';
import { viewAt } from '../../src/stepper/viewAt.ts';
import {
  drawnSetup,
  exampleNames,
  exampleRun,
  runOf,
  smallExampleNames,
} from '../support/setups.ts';

interface Place {
  readonly own: Run;
  readonly timeline: Timeline;
  readonly position: Position;
  readonly view: StepView;
}

/** Every step, every contribution, and the first and last term of each. */
function positionsOf(own: Run, timeline: Timeline, selection: Binding): Position[] {
  return timeline.steps.flatMap(({ contributions }, step) =>
    [null, ...contributions.keys()].flatMap((contribution) => {
      const count = termCountAt(own, timeline, step, contribution, selection);
      const terms = count === 0 ? [null] : [null, ...new Set([0, count - 1])];
      return terms.map((term) => ({ step, contribution, term }));
    }),
  );
}

/** One entry somewhere in every tensor. */
const selectionOf = ({ graph }: Run, seed: number): Binding =>
  Object.fromEntries(
    Object.entries(graph.extents).map(([letter, length], n) => [letter, (seed + 7 * n) % length]),
  );

function placesOf(own: Run, seed: number): Place[] {
  const timeline = buildTimeline(own);
  const selection = selectionOf(own, seed);
  const options = { selection, allHeads: seed % 2 === 0, energy: seed % 3 === 0, own: [] };
  return positionsOf(own, timeline, selection).map((position) => ({
    ...{ own, timeline, position },
    view: viewAt(own, timeline, position, options),
  }));
}

/** Every place of every small example and of some drawn setups, in two views each. */
const places: Place[] = [];

beforeAll(async () => {
  for (const name of smallExampleNames) {
    const own = await exampleRun(name);
    places.push(...placesOf(own, 0), ...placesOf(own, 5));
  }
  for (let seed = 1; seed <= 10; seed++) {
    places.push(...placesOf(await runOf(drawnSetup(seed)), seed));
  }
}, 60_000);

const eachPlace = (check: (place: Place) => void): void => places.forEach(check);

const close = (a: number, b: number, scale: number): boolean =>
  Math.abs(a - b) <= 1e-12 * Math.max(1, scale);

test('a large example has a view anywhere', async () => {
  const large = exampleNames.filter((name) => !smallExampleNames.includes(name));
  expect(large.length).toBeGreaterThan(0);
  for (const name of large) {
    const own = await exampleRun(name);
    const timeline = buildTimeline(own);
    for (const tick of timeline.ticks.filter((_, n) => n % 4 === 0)) {
      const view = viewAt(own, timeline, tick, {
        selection: { h: 3, j: 2 },
        allHeads: true,
        energy: false,
        own: [],
      });
      expect(view.caption).toBe(captionOf(timeline, tick));
    }
  }
});

test('place, caption and what comes next', () => {
  eachPlace(({ timeline, position, view }) => {
    const next = nextPlace(timeline, position);
    expect(view).toMatchObject({
      phase: timeline.steps[position.step].phase,
      caption: captionOf(timeline, position),
      ticks: timeline.ticks.length,
    });
    expect(view.tick).toBe(position.step);
    const inTerms = view.terms?.current ?? null;
    const isLast = inTerms === null || inTerms + 1 === view.terms!.terms.length;
    const following = next && captionOf(timeline, next);
    expect(view.next).toBe(
      isLast ? following : `term: ${inTerms + 2} of ${view.terms!.terms.length}`,
    );
  });
});

describe('the selected entry', () => {
  test('is that of the node in focus, and the formula is bound to it', () => {
    eachPlace(({ own, view }) => {
      if (!view.focus) {
        expect(view.phase).toMatch(/^(start|result)$/);
        expect(view.formula).toBeNull();
        return;
      }
      const { node, kind, index } = view.focus;
      const { shape } = nodeOf(own.graph, node);
      expect(index.every((at, axis) => at >= 0 && at < shape[axis])).toBe(true);
      expect(indexOf(shape, offsetOf(shape, index))).toEqual([...index]);
      const left = entryText(kind === 'value' ? node : `d${node}`, index);
      const sign = kind === 'value' ? '=' : '+=';
      expect(view.formula!.text.slice(0, left.length + sign.length + 1)).toBe(`${left} ${sign}`);
    });
  });

  test('forward: its value is the sum of its terms', () => {
    eachPlace(({ own, view }) => {
      if (view.phase !== 'forward') return;
      const { node, index } = view.focus!;
      const { shape, data } = own.values.get(node)!;
      expect(view.value!.entry).toBe(data[offsetOf(shape, index)]);
      if (!view.terms) return;
      const scale = Math.max(...view.terms.terms.map(({ product }) => Math.abs(product)));
      expect(close(view.terms.total, view.value!.entry, scale)).toBe(true);
      for (const { factors, product, zero } of view.terms.terms) {
        expect(product).toBe(factors.reduce((a, b) => a * b, 1));
        expect(zero).toBe(product === 0 ? 'value' : null);
      }
    });
  });

  test('backward: before + contribution = after; the contribution is the sum of its terms', () => {
    eachPlace(({ own, view }) => {
      if (view.phase !== 'backward') return;
      const { before, contribution, after } = view.accumulation!.entry;
      expect(Math.abs(after - (before + contribution))).toBe(0);
      const { terms, total, omitted } = view.terms!;
      const scale = Math.max(0, ...terms.map(({ product }) => Math.abs(product)));
      expect(close(total, contribution, scale)).toBe(true);
      const sum = terms.reduce((all, { product }) => all + product, 0);
      expect(close(sum, total, scale)).toBe(true);
      expect(omitted).toBeGreaterThanOrEqual(0);
      const { node, index } = view.focus!;
      if (view.accumulation!.ordinal < view.accumulation!.of) return;
      const { shape, data } = own.gradients.get(node)!;
      expect(after).toBe(data[offsetOf(shape, index)]);
    });
  });

  test('backward: the paths’ parts add up to the gradient; those made so far have arrived', () => {
    eachPlace(({ own, view }) => {
      if (view.phase !== 'backward') return;
      const { node, index } = view.focus!;
      const { shape, data } = own.gradients.get(node)!;
      const parts = view.paths.map(({ entry }) => entry);
      const scale = Math.max(...parts.map(Math.abs));
      expect(
        close(
          parts.reduce((a, b) => a + b, 0),
          data[offsetOf(shape, index)],
          scale,
        ),
      ).toBe(true);
      expect(view.paths).toHaveLength(view.accumulation!.of);
      expect(view.paths.filter(({ arrived }) => arrived)).toHaveLength(view.accumulation!.ordinal);
    });
  });
});

test('pictures show the tensors they are of', () => {
  eachPlace(({ own, view }) => {
    if (!view.focus) return;
    const { shape } = nodeOf(own.graph, view.focus.node);
    const { accumulation, value } = view;
    const pictures = accumulation
      ? [
          accumulation.contribution,
          accumulation.after,
          ...(accumulation.before ? [accumulation.before] : []),
        ]
      : [value!.picture];
    expect(pictures.every((each) => sameShape(each.shape, shape))).toBe(true);
    if (!accumulation) return;
    expect(accumulation.before === null).toBe(accumulation.ordinal === 1);
    const [contribution, after, before] = pictures.map(
      ({ slices }) => new Float64Array(slices[0].data),
    );
    if (accumulation.after.step.some((step) => step > 1)) return;
    expect(after.every((entry, at) => entry === (before?.[at] ?? 0) + contribution[at])).toBe(true);
  });
});

describe('the graph', () => {
  test('edges are between nodes that are connected', () => {
    eachPlace(({ own, view }) => {
      for (const { operand, user, slot } of view.edges) {
        const node = nodeOf(own.graph, user);
        expect(node.kind === 'operation' && node.inputs[slot]).toBe(operand);
      }
    });
  });

  test('a step lights the edges of its node, a contribution its own', () => {
    eachPlace(({ own, timeline, position, view }) => {
      const { phase, node, contributions } = timeline.steps[position.step];
      const inputs = own.graph.nodes.flatMap((each) =>
        each.id === node && each.kind === 'operation' ? each.inputs : [],
      );
      const all =
        phase === 'start' ? [] : inputs.map((operand, slot) => ({ operand, user: node!, slot }));
      const entered = position.contribution === null ? null : contributions[position.contribution];
      expect(view.edges).toEqual(entered ? [all[entered.slot]] : all);
    });
  });

  test('what has been computed and what has arrived', () => {
    eachPlace(({ own, timeline, position, view }) => {
      const { phase, node } = timeline.steps[position.step];
      const states = Object.entries(view.nodes);
      expect(states.map(([id]) => id)).toEqual(own.graph.nodes.map(({ id }) => id));
      const current = states.filter(([, { status }]) => status === 'current').map(([id]) => id);
      expect(current).toEqual(node === null ? [] : [node]);
      const waiting = states.filter(([, { status }]) => status === 'waiting').length;
      const operations = own.graph.nodes.filter(({ kind }) => kind === 'operation').length;
      expect(waiting).toBe(/backward|result/.test(phase) ? 0 : operations - position.step);
      const received = states.reduce((sum, [, state]) => sum + state.received, 0);
      expect(received).toBe(contributionsDone(timeline, position));
      for (const [id, state] of states) {
        expect(state.received).toBeLessThanOrEqual(state.expected);
        const isAfter = /backward|result/.test(phase);
        const hasGradient = state.received > 0 || (id === 'f' && isAfter);
        expect(state.gradient !== null).toBe(hasGradient);
      }
    });
  });
});

test('a view can be sent to the panel', () => {
  const some = places.filter((_, n) => n % 7 === 0);
  for (const { view } of some) expect(structuredClone(view)).toEqual(view);
});

test('forces are −df/dx so far, in the plane of the first two features, where f is an energy', async () => {
  const own = await exampleRun('forces');
  const timeline = buildTimeline(own);
  const forces = (tick: number, energy = true) =>
    viewAt(own, timeline, timeline.ticks[tick], { selection: {}, allHeads: true, energy, own: [] })
      .forces;
  expect(forces(0, false)).toBeNull();
  expect(forces(0)!.map(({ at }) => at)).toEqual(
    [0, 1, 2, 3, 4, 5].map((n) => [...own.values.get('x')!.data.subarray(2 * n, 2 * n + 2)]),
  );
  expect(forces(0)!.every(({ force }) => force.every((component) => component === 0))).toBe(true);
  const gradient = own.gradients.get('x')!.data;
  expect(forces(timeline.ticks.length - 1)!.flatMap(({ force }) => force)).toEqual(
    Array.from(gradient, (value) => -value),
  );
});
