// What the panel answers to each message of its page.
import { beforeEach, describe, expect, test } from 'vitest';
import type { Run } from '../../src/engine/run.ts';
import { answer, runMessage } from '../../src/extension/panelMessages.ts';
import type { FromWebview } from '../../src/protocol.ts';
import { Session } from '../../src/stepper/session.ts';
import { exampleRun } from '../support/setups.ts';

const about = { title: 'A title', description: '', energy: false };
let own: Run;
let session: Session;

beforeEach(async () => {
  own ??= await exampleRun('grouped-queries');
  session = new Session(own, about);
});

const caption = (): string => session.stepView().caption;

test('the run, where the walk is, and how it is shown', () => {
  session.move('over');
  session.showAllHeads(false);
  expect(runMessage(session)).toEqual({
    type: 'run',
    run: session.runView(),
    step: session.stepView(),
    settings: { allHeads: false, colorScale: 'perTensor', digits: 4 },
  });
});

describe('messages that move the walk', () => {
  // To the end first, where each of them has somewhere to go.
  test.each<[FromWebview, string]>([
    [{ type: 'move', move: 'back', id: 7 }, 'start: only the inputs are known'],
    [{ type: 'move', move: 'into', id: 7 }, 'backward: K → x'],
    [{ type: 'goToTick', tick: 1, id: 7 }, 'forward: K'],
    [{ type: 'goToNode', node: 'P', id: 7 }, 'backward: P → M'],
    [{ type: 'goToNode', node: 'P', kind: 'value', id: 7 }, 'forward: P'],
    [{ type: 'goToContribution', contribution: 0, id: 7 }, 'backward: K → x'],
    [{ type: 'goToTerm', term: 2, id: 7 }, 'backward: K → x, W_K'],
    [{ type: 'select', selection: { i: 3 }, id: 7 }, 'backward: K → x, W_K'],
  ])('%j is answered by the step, under its id', (message, expected) => {
    session.move('end');
    const reply = answer(session, message);
    expect(reply).toEqual({ type: 'step', step: session.stepView(), id: 7 });
    expect(caption()).toBe(expected);
  });

  test('a term that is gone to is the current one', () => {
    session.move('end');
    answer(session, { type: 'goToTerm', term: 2, id: 1 });
    expect(session.stepView().terms!.current).toBe(2);
  });

  test('an entry that is selected is in focus', () => {
    session.goToNode('V');
    answer(session, { type: 'select', selection: { i: 3, r: 1, v: 2 }, id: 1 });
    expect(session.stepView().focus).toEqual({ node: 'V', kind: 'value', index: [3, 5] });
  });
});

describe('messages that change every picture are answered by the whole run', () => {
  test.each<[FromWebview]>([
    [{ type: 'select', selection: { r: 1, g: 2 }, id: 1 }],
    [{ type: 'settings', settings: { allHeads: false } }],
    [{ type: 'toggleBreakpoint', node: 'P' }],
  ])('%j', (message) => {
    const before = runMessage(session);
    const reply = answer(session, message);
    expect(reply).toEqual(runMessage(session));
    expect(reply).not.toEqual(before);
  });
});

describe('messages that are not about the walk', () => {
  test.each<[FromWebview]>([
    [{ type: 'ready' }],
    [{ type: 'openSetup' }],
    [{ type: 'openExample' }],
    [{ type: 'closeComparison' }],
    [{ type: 'failed', message: 'no' }],
  ])('%j has no answer and leaves the session as it is', (message) => {
    const before = session.save();
    expect(answer(session, message)).toBeNull();
    expect(session.save()).toEqual(before);
  });
});

test.each<[FromWebview, string]>([
  [{ type: 'goToTick', tick: 999, id: 1 }, 'found tick 999'],
  [{ type: 'goToNode', node: 'W_Z', id: 1 }, 'no node W_Z'],
  [{ type: 'toggleBreakpoint', node: 'W_Z' }, 'no node W_Z'],
])(
  '%j, from a page that shows an older run, is refused and changes nothing',
  (message, refusal) => {
    const before = session.save();
    expect(() => answer(session, message)).toThrow(refusal);
    expect(session.save()).toEqual(before);
  },
);
