// A session: one person's walk over one run, kept over a reload and over an edit of the setup.
import { beforeEach, describe, expect, test } from 'vitest';
import type { Run } from '../../src/engine/run.ts';
import { type About, Session } from '../../src/stepper/session.ts';
import { START } from '../../src/stepper/timeline.ts';
import { exampleRun, runOf } from '../support/setups.ts';

const about: About = { title: 'A title', description: 'What it is about.', energy: false };

let exercise: Run;
let session: Session;

beforeEach(async () => {
  exercise ??= await exampleRun('exercise');
  session = new Session(exercise, about);
});

/** "backward S/1", with the contribution where one is entered. */
const place = (own: Session): string => {
  const { step, contribution } = own.position;
  const { phase, node } = own.timeline.steps[step];
  return `${phase} ${node ?? ''}${contribution === null ? '' : `/${contribution}`}`.trim();
};

const toBackward = (own: Session, node: string): void => {
  own.move('end');
  own.goToNode(node);
};

test('begins at the start, with nothing selected and all heads shown', () => {
  expect(session.position).toEqual(START);
  expect(session.selection).toEqual({});
  expect(session.allHeads).toBe(true);
  expect([...session.breakpoints]).toEqual([]);
  expect(session.focus()).toBeNull();
});

describe('going to', () => {
  test('a tick', () => {
    session.goToTick(8);
    expect(place(session)).toBe('backward y');
    session.goToTick(3);
    expect(place(session)).toBe('forward S');
    session.move('back');
    expect(place(session)).toBe('backward y');
  });

  test.each([-1, 14, 1.5, NaN])('tick %f is refused', (tick) => {
    expect(() => session.goToTick(tick)).toThrow(`found tick ${tick}, expected 0 to 13`);
    expect(session.position).toEqual(START);
  });

  test('a node', () => {
    session.goToNode('P');
    expect(place(session)).toBe('forward P');
    expect(() => session.goToNode('V')).toThrow('no node V');
  });

  test('a contribution of the step', () => {
    toBackward(session, 'S');
    session.goToContribution(1);
    expect(place(session)).toBe('backward S/1');
    expect(session.focus()).toBe('Q');
    for (const wrong of [2, -1, 0.5]) session.goToContribution(wrong);
    expect(place(session)).toBe('backward S/1');
  });

  test('a term of the selected entry', () => {
    session.goToNode('S');
    session.goToTerm(1);
    expect(session.position.term).toBe(1);
    for (const wrong of [2, -1, 0.5]) session.goToTerm(wrong);
    expect(session.position.term).toBe(1);
  });
});

describe('focus', () => {
  test.each([
    ['forward', 'P', 'P'],
    ['backward', 'P', 'S'],
  ] as const)('%s: %s is about %s', (phase, node, expected) => {
    if (phase === 'backward') session.move('end');
    session.goToNode(node);
    expect(session.focus()).toBe(expected);
  });
});

describe('selecting', () => {
  test('binds letters; others stay', () => {
    session.select({ i: 2, c: 1 });
    session.select({ j: 0, i: 3 });
    expect(session.selection).toEqual({ i: 3, c: 1, j: 0 });
  });

  test('leaves out what is no entry', () => {
    session.select({ i: 1 });
    session.select({ i: 4 });
    session.select({ i: -1, j: 0.5, c: NaN, q: 0, h: 0 });
    expect(session.selection).toEqual({ i: 1 });
  });

  test('an entry with fewer terms leaves the term level', async () => {
    // More outputs than are listed one by one: of a masked entry, on which no weight depends, there is no term.
    const random = (...shape: number[]) => ({ random: 'normal', shape });
    const weights = { W_K: random(2, 1), W_Q: random(2, 1), W_V: random(2, 1) };
    session = new Session(
      await runOf({ head: 'qkv', x: random(21, 2), weights, mask: 'causal' }),
      about,
    );
    session.select({ j: 5, i: 0 });
    toBackward(session, 'P');
    session.goToTerm(4);
    expect(session.position.term).toBe(4);
    session.select({ i: 5 });
    expect(session.position.term).toBe(4);
    session.select({ i: 6 });
    expect(session.position.term).toBeNull();
    expect(place(session)).toBe('backward P');
  });
});

describe('breakpoints', () => {
  test('are set and taken away', () => {
    session.toggleBreakpoint('P');
    session.toggleBreakpoint('x');
    session.toggleBreakpoint('P');
    expect([...session.breakpoints]).toEqual(['x']);
    expect(() => session.toggleBreakpoint('V')).toThrow('no node V');
  });

  test('stop the walk', () => {
    session.toggleBreakpoint('P');
    session.move('continue');
    expect(place(session)).toBe('forward P');
    session.move('continue');
    expect(place(session)).toBe('backward y');
  });
});

describe('save and restore', () => {
  const copy = (own: Session): Session => {
    const other = new Session(exercise, about);
    // Through JSON, as when a window is reloaded.
    other.restore(JSON.parse(JSON.stringify(own.save())) as ReturnType<Session['save']>);
    return other;
  };

  test('brings back place, selection, heads and breakpoints', () => {
    toBackward(session, 'S');
    session.goToContribution(1);
    session.select({ j: 2, a: 1 });
    session.showAllHeads(false);
    session.toggleBreakpoint('P');
    session.goToTerm(3);
    const other = copy(session);
    expect(other.save()).toEqual(session.save());
    expect(other.position.term).toBe(3);
    expect(other.stepView()).toEqual(session.stepView());
  });

  test('of a place and nodes that are no longer there keeps the rest', () => {
    session.restore({
      position: { step: 99, contribution: null, term: null },
      selection: { i: 1, j: 99 },
      allHeads: false,
      breakpoints: ['V', 'P'],
    });
    expect(session.save()).toEqual({
      position: START,
      selection: { i: 1 },
      allHeads: false,
      breakpoints: ['P'],
    });
  });

  test('of a term that is no longer there stays at the contribution', () => {
    toBackward(session, 'S');
    session.goToContribution(0);
    const { position, ...rest } = session.save();
    session.restore({ ...rest, position: { ...position, term: 99 } });
    expect(session.position).toEqual(position);
  });
});

describe('replacing the run', () => {
  test('keeps the place, the selection and the breakpoints', async () => {
    toBackward(session, 'S');
    session.goToContribution(1);
    session.select({ j: 2 });
    session.toggleBreakpoint('P');
    session.replace(await exampleRun('exercise'), { ...about, title: 'Another' });
    expect(place(session)).toBe('backward S/1');
    expect(session.selection).toEqual({ j: 2 });
    expect([...session.breakpoints]).toEqual(['P']);
    expect(session.runView().title).toBe('Another');
  });

  test('by one without the node goes to the start and drops its breakpoint', async () => {
    session = new Session(await exampleRun('causal-qkv'), about);
    session.goToNode('M');
    session.toggleBreakpoint('M');
    session.toggleBreakpoint('P');
    session.replace(exercise, about);
    expect(session.position).toEqual(START);
    expect([...session.breakpoints]).toEqual(['P']);
  });

  test('by a smaller one shows the last entry where the selected one is gone', async () => {
    session.select({ i: 3, j: 2 });
    session.goToNode('S');
    const setup = { head: 'kq', x: [[1], [2]], weights: { W_K: [[1]], W_Q: [[1]] } };
    session.replace(await runOf(setup), about);
    expect(place(session)).toBe('forward S');
    expect(session.stepView().focus).toEqual({ node: 'S', kind: 'value', index: [1, 1] });
  });

  test('has nothing to undo', async () => {
    session.goToNode('S');
    session.replace(await exampleRun('exercise'), about);
    session.move('back');
    expect(place(session)).toBe('forward Q');
  });
});
