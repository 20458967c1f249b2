// The cursor: any walk can be undone step by step, and each move does what its name says.
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Graph } from '../../src/engine/graph.ts';
import { run } from '../../src/engine/run.ts';
import {
  atStart,
  carryOver,
  type Cursor,
  move,
  type Move,
  moveTo,
  moveToNode,
  type Walk,
} from '../../src/stepper/cursor.ts';
import { termCountAt } from '../../src/stepper/detail.ts';
import { buildTimeline, type Position, START } from '../../src/stepper/timeline.ts';
import { anyGraph } from '../support/graphs.ts';
import { cases } from '../support/random.ts';
import { drawnSetup, exampleText, graphOf } from '../support/setups.ts';

function walkOver(graph: Graph, breakpoints: readonly string[] = []): Walk {
  const own = run(graph);
  const timeline = buildTimeline(own);
  return {
    timeline,
    breakpoints: new Set(breakpoints),
    termCount: (step, contribution) => termCountAt(own, timeline, step, contribution, {}),
  };
}

const exercise = async (...breakpoints: string[]): Promise<Walk> =>
  walkOver(await graphOf(exampleText('exercise')), breakpoints);

const FORTH: readonly Move[] = ['over', 'into', 'out', 'start', 'end', 'continue', 'reverse'];
// Mostly small moves, so that a walk gets into contributions and terms.
const anyMoves = fc.array(
  fc.constantFrom<Move>('over', 'over', 'into', 'into', 'into', 'out', ...FORTH),
  {
    maxLength: 40,
  },
);
const places = fc.array(fc.nat(30), { maxLength: 3 });

/** Breakpoints at some of the nodes. */
const broken = (graph: Graph, at: readonly number[]): Walk =>
  walkOver(
    graph,
    at.map((n) => graph.nodes[n % graph.nodes.length].id),
  );

/** The walk on random graphs and on drawn heads. */
async function property(
  numRuns: number,
  check: (walk: Walk, moves: readonly Move[]) => void,
): Promise<void> {
  fc.assert(
    fc.property(anyGraph, anyMoves, places, (graph, moves, at) => check(broken(graph, at), moves)),
    cases(numRuns),
  );
  await fc.assert(
    fc.asyncProperty(fc.nat(1e9), anyMoves, places, async (seed, moves, at) =>
      check(broken(await graphOf(drawnSetup(seed)), at), moves),
    ),
    cases(Math.ceil(numRuns / 4)),
  );
}

/** All cursors of a walk from the start, the first included. */
const cursors = (walk: Walk, moves: readonly Move[], from: Cursor = atStart): Cursor[] =>
  moves.reduce<Cursor[]>((all, how) => [...all, move(walk, all[all.length - 1], how)], [from]);

const samePosition = (a: Position, b: Position): boolean =>
  a.step === b.step && a.contribution === b.contribution && a.term === b.term;
const last = <T>(all: readonly T[]): T => all[all.length - 1];
const times = (count: number, how: Move): Move[] => Array.from({ length: count }, () => how);

describe('any walk', () => {
  test('is undone by as many moves back, over the same places', async () => {
    await property(80, (walk, moves) => {
      const there = cursors(walk, moves);
      // A move that goes nowhere leaves nothing to undo.
      const distinct = there.filter((each, n) => n === 0 || each !== there[n - 1]);
      const back = cursors(walk, times(distinct.length - 1, 'back'), last(there));
      expect(back.reverse()).toEqual(distinct);
      expect(move(walk, atStart, 'back')).toEqual(atStart);
    });
  });

  test('stays on the timeline', async () => {
    await property(60, (walk, moves) => {
      for (const { position } of cursors(walk, moves)) {
        const { step, contribution, term } = position;
        const { contributions } = walk.timeline.steps[step];
        expect(contribution === null || contribution in contributions).toBe(true);
        if (term !== null) expect(term).toBeLessThan(walk.termCount(step, contribution));
      }
    });
  });

  test('over, then back, is where it was', async () => {
    await property(40, (walk, moves) => {
      for (const cursor of cursors(walk, moves)) {
        const over = move(walk, cursor, 'over');
        if (over !== cursor) expect(move(walk, over, 'back')).toEqual(cursor);
      }
    });
  });

  test('into, then out, is where it was', async () => {
    await property(40, (walk, moves) => {
      for (const cursor of cursors(walk, moves)) {
        if (cursor.position.term !== null) continue;
        const into = move(walk, cursor, 'into');
        if (into !== cursor) expect(move(walk, into, 'out').position).toEqual(cursor.position);
      }
    });
  });

  test('out ends at the step as a whole and stays there', async () => {
    await property(40, (walk, moves) => {
      const cursor = last(cursors(walk, moves));
      const { step } = cursor.position;
      const out = last(cursors(walk, times(3, 'out'), cursor));
      expect(out.position).toEqual({ step, contribution: null, term: null });
      expect(move(walk, out, 'out')).toBe(out);
    });
  });

  test('neither into nor out ever leads to an earlier step', async () => {
    await property(40, (walk, moves) => {
      for (const cursor of cursors(walk, moves)) {
        for (const how of ['into', 'out'] as const) {
          const { step } = move(walk, cursor, how).position;
          expect(step).toBeGreaterThanOrEqual(cursor.position.step);
        }
      }
    });
  });
});

describe('over', () => {
  test('from the start visits every step once', async () => {
    await property(20, (walk) => {
      const { length } = walk.timeline.steps;
      const visited = cursors(walk, times(length + 1, 'over')).map(({ position }) => position);
      expect(visited.slice(0, length)).toEqual(
        walk.timeline.steps.map((_, step) => ({ step, contribution: null, term: null })),
      );
      expect(visited[length]).toEqual(visited[length - 1]);
    });
  });

  test('goes through contributions and terms where they are entered, then out of them', async () => {
    const walk = await exercise();
    const step = walk.timeline.steps.findIndex(
      ({ phase, node }) => phase === 'backward' && node === 'S',
    );
    const at = (contribution: number | null, term: number | null): Position => ({
      step,
      contribution,
      term,
    });
    const terms = walk.termCount(step, 0);
    expect(terms).toBe(12);
    const walked = cursors(
      walk,
      ['into', 'into', ...times(terms + 1, 'over')],
      moveTo(atStart, at(null, null)),
    );
    expect(walked.map(({ position }) => position)).toEqual([
      at(null, null),
      at(0, null),
      ...Array.from({ length: terms }, (_, term) => at(0, term)),
      at(1, null),
      { step: step + 1, contribution: null, term: null },
    ]);
  });
});

describe('into', () => {
  test('a step with one contribution enters its terms at once', async () => {
    const walk = await exercise();
    const step = walk.timeline.steps.findIndex(
      ({ phase, node }) => phase === 'backward' && node === 'P',
    );
    const cursor = moveTo(atStart, { step, contribution: null, term: null });
    expect(move(walk, cursor, 'into').position).toEqual({ step, contribution: null, term: 0 });
  });

  test('among terms goes on to the next, and after the last to what comes next', async () => {
    const walk = await exercise();
    const terms = walk.termCount(1, null);
    expect(terms).toBeGreaterThan(1);
    const walked = cursors(walk, ['over', ...times(terms + 1, 'into')]);
    expect(walked.slice(2, -1).map(({ position }) => position.term)).toEqual(
      Array.from({ length: terms }, (_, term) => term),
    );
    expect(last(walked).position).toEqual({ step: 2, contribution: null, term: null });
  });

  test('there is nothing inside of the start and of a softmax', async () => {
    const walk = await exercise();
    const softmax = walk.timeline.steps.findIndex(({ node }) => node === 'P');
    for (const step of [0, softmax]) {
      const cursor = { position: { step, contribution: null, term: null }, trail: [] };
      expect(move(walk, cursor, 'into')).toBe(cursor);
    }
  });
});

describe('back', () => {
  test('without a move to undo goes to the place before, and at last to the start', async () => {
    await property(20, (walk, moves) => {
      let cursor: Cursor = { position: last(cursors(walk, moves)).position, trail: [] };
      for (let n = 0; n < 1000 && !samePosition(cursor.position, START); n++) {
        const before = cursor.position;
        cursor = move(walk, cursor, 'back');
        expect(samePosition(cursor.position, before)).toBe(false);
        expect(cursor.position.step).toBeLessThanOrEqual(before.step);
      }
      expect(cursor.position).toEqual(START);
    });
  });

  test('without a move to undo goes up and left: term by term, contribution by contribution', async () => {
    const walk = await exercise();
    const step = walk.timeline.steps.findIndex(
      ({ phase, node }) => phase === 'backward' && node === 'S',
    );
    const from: Cursor = { position: { step, contribution: 1, term: 2 }, trail: [] };
    expect(cursors(walk, times(6, 'back'), from).map(({ position }) => position)).toEqual([
      { step, contribution: 1, term: 2 },
      { step, contribution: 1, term: 1 },
      { step, contribution: 1, term: 0 },
      { step, contribution: 1, term: null },
      { step, contribution: 0, term: null },
      { step, contribution: null, term: null },
      { step: step - 1, contribution: null, term: null },
    ]);
  });

  test('undoes the latest 1000 moves', async () => {
    const walk = await exercise();
    const there = cursors(
      walk,
      Array.from({ length: 1500 }, (_, n): Move => (n % 2 ? 'start' : 'end')),
    );
    expect(last(there).trail).toHaveLength(1000);
    const back = cursors(walk, times(1000, 'back'), last(there));
    expect(back.map(({ position }) => position)).toEqual(
      there
        .slice(-1001)
        .reverse()
        .map(({ position }) => position),
    );
  });
});

test('start and end are the first and the last step', async () => {
  await property(20, (walk, moves) => {
    const cursor = last(cursors(walk, moves));
    expect(move(walk, cursor, 'start').position).toEqual(START);
    const end = { step: walk.timeline.steps.length - 1, contribution: null, term: null };
    expect(move(walk, cursor, 'end').position).toEqual(end);
  });
});

describe('breakpoints', () => {
  const stops = (walk: Walk, direction: 'continue' | 'reverse'): string[] => {
    const from = move(walk, atStart, direction === 'continue' ? 'start' : 'end');
    const all = cursors(walk, times(walk.timeline.steps.length, direction), from);
    return all
      .filter((each, n) => n > 0 && each !== all[n - 1])
      .map(({ position }) => walk.timeline.steps[position.step])
      .map(({ phase, node }) => (node ? `${phase} ${node}` : phase));
  };

  test('none: continue goes to the end, reverse to the start', async () => {
    expect(stops(await exercise(), 'continue')).toEqual(['result']);
    expect(stops(await exercise(), 'reverse')).toEqual(['start']);
  });

  test('at a node: where it computes, where it receives, where it passes its gradient on', async () => {
    const expected = ['forward P', 'backward y', 'backward P', 'result'];
    expect(stops(await exercise('P'), 'continue')).toEqual(expected);
    expect(stops(await exercise('P'), 'reverse')).toEqual([
      'backward P',
      'backward y',
      'forward P',
      'start',
    ]);
  });

  test('at an input: where it receives', async () => {
    expect(stops(await exercise('x'), 'continue')).toEqual(['backward y', 'backward K', 'result']);
    expect(stops(await exercise('W_Q'), 'reverse')).toEqual(['backward Q', 'start']);
  });

  test('continue and reverse stop at the same steps', async () => {
    await property(30, (walk) => {
      const [there, back] = [stops(walk, 'continue'), stops(walk, 'reverse')];
      expect(back.slice(0, -1).reverse()).toEqual(there.slice(0, -1));
    });
  });
});

describe('to a node', () => {
  const visited = async (from: Position | null, ...nodes: string[]): Promise<string[]> => {
    const walk = await exercise();
    let cursor = from ? moveTo(atStart, from) : atStart;
    return nodes.map((node) => {
      cursor = moveToNode(walk, cursor, node);
      const step = walk.timeline.steps[cursor.position.step];
      return `${step.phase} ${step.node}`;
    });
  };
  const end: Position = { step: 12, contribution: null, term: null };

  test('to its forward step, from the backward pass to its backward step', async () => {
    expect(await visited(null, 'P')).toEqual(['forward P']);
    expect(await visited(end, 'P')).toEqual(['backward P']);
  });

  test('a second time, to its backward step', async () => {
    expect(await visited(null, 'P', 'P', 'P')).toEqual(['forward P', 'backward P', 'backward P']);
  });

  test('an input: to the step that completes its gradient', async () => {
    expect(await visited(null, 'x', 'xPrime', 'W_K')).toEqual([
      'backward K',
      'backward Q',
      'backward K',
    ]);
  });

  test('with a kind: to where the value is computed, or the gradient is complete', async () => {
    const walk = await exercise();
    const place = (
      node: string,
      kind: 'value' | 'gradient',
      from = atStart,
    ): [string, number | null] => {
      const { step, contribution } = moveToNode(walk, from, node, kind).position;
      const { phase, node: own } = walk.timeline.steps[step];
      return [`${phase} ${own}`, contribution];
    };
    const atEnd = move(walk, atStart, 'end');
    expect(place('P', 'value', atEnd)).toEqual(['forward P', null]);
    // y passes on to x, then to P; K to x, then to W_K.
    expect(place('P', 'gradient')).toEqual(['backward y', null]);
    expect(place('x', 'gradient')).toEqual(['backward K', 0]);
    expect(place('W_K', 'gradient')).toEqual(['backward K', null]);
    expect(place('x', 'value')).toEqual(['backward K', 0]);
    expect(place('f', 'gradient')).toEqual(['start null', null]);
  });

  test('one that is not there: nowhere', async () => {
    const walk = await exercise();
    expect(moveToNode(walk, atStart, 'V')).toBe(atStart);
  });

  test('can be undone', async () => {
    const walk = await exercise();
    expect(move(walk, moveToNode(walk, atStart, 'P'), 'back')).toEqual(atStart);
  });
});

describe('carried over to another timeline', () => {
  test('of the same graph, a place stays; a term becomes the first', async () => {
    await property(30, (walk, moves) => {
      const { position } = last(cursors(walk, moves));
      const expected = { ...position, term: position.term === null ? null : 0 };
      expect(carryOver(walk.timeline, position, walk.timeline)).toEqual(expected);
    });
  });

  test('that has the node elsewhere, it goes there; that has it not, to the start', async () => {
    const [kq, qkv] = await Promise.all(
      ['exercise', 'causal-qkv'].map(async (name) => walkOver(await graphOf(exampleText(name)))),
    );
    const find = (walk: Walk, node: string): number =>
      walk.timeline.steps.findIndex((step) => step.phase === 'backward' && step.node === node);
    const at = (step: number, contribution: number | null): Position => ({
      step,
      contribution,
      term: null,
    });
    expect(carryOver(kq.timeline, at(find(kq, 'S'), 1), qkv.timeline)).toEqual(
      at(find(qkv, 'S'), 1),
    );
    expect(carryOver(qkv.timeline, at(find(qkv, 'M'), null), kq.timeline)).toEqual(START);
  });

  test('that has fewer contributions there, it is the step as a whole', () => {
    const build = (bias: boolean) => {
      const shared = '"head": "kq", "x": [[1], [2]], "weights": {"W_K": [[1]], "W_Q": [[1]]';
      return graphOf(`{${shared}${bias ? ', "b_K": [1]' : ''}}}`);
    };
    return Promise.all([build(true), build(false)]).then(([three, two]) => {
      const [from, to] = [walkOver(three).timeline, walkOver(two).timeline];
      const at = (contribution: number | null): Position => ({
        step: from.steps.length - 1,
        contribution,
        term: null,
      });
      expect(carryOver(from, { ...at(2), term: 0 }, to)).toEqual(at(null));
      expect(carryOver(from, at(1), to)).toEqual(at(1));
    });
  });
});
