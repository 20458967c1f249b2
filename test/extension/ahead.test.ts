// What is sent ahead of a key press: just what the move then leads to, and agreed to only while it is true.
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { buildGraph } from '../../src/engine/heads/build.ts';
import { run } from '../../src/engine/run.ts';
import { LookAhead } from '../../src/extension/ahead.ts';
import type { FromWebview, ToWebview } from '../../src/protocol.ts';
import type { Move } from '../../src/stepper/cursor.ts';
import { Session } from '../../src/stepper/session.ts';
import { headConfig } from '../support/configs.ts';

type Told = Extract<ToWebview, { readonly type: 'ahead' }>;

let session: Session;
let ahead: LookAhead;
let sent: Told[];
const look = (): void => {
  ahead.after(session, (message) => sent.push(message as Told));
  vi.runAllTimers();
};
const press = (move: Move, id: number, shown?: number): FromWebview => ({
  ...{ type: 'move', move, id },
  ...(shown !== undefined && { shown }),
});

beforeEach(() => {
  vi.useFakeTimers();
  session = new Session(run(buildGraph(headConfig('kq'))), {
    ...{ title: '', description: '', energy: false },
  });
  ahead = new LookAhead();
  sent = [];
});
afterEach(() => vi.useRealTimers());

test('every step that a move leads to is known before it is made, and looking moves nothing', () => {
  const moves: Move[] = [
    'over',
    'over',
    'back',
    'into',
    'over',
    'out',
    'back',
    'end',
    'into',
    'into',
  ];
  for (const move of [...moves, 'over', 'over', 'out', 'back', ...moves] as const) {
    const before = session.save();
    look();
    expect(session.save()).toEqual(before);
    session.move(move);
    const { steps } = sent.at(-1)!.ahead;
    if (move in steps) expect(steps[move]).toEqual(session.stepView());
    else expect(move).toBe('end');
  }
});

test('a move is agreed to only where nothing has changed since what the page shows was sent', () => {
  look();
  const { serial, heard } = sent.at(-1)!.ahead;
  expect(heard).toBe(0);
  expect(ahead.hears(press('over', 1, serial))).toBe(true);
  expect(ahead.hears(press('over', 2))).toBe(false);
  look();
  expect(ahead.hears(press('over', 3, serial))).toBe(false);
  expect(sent.at(-1)!.ahead.heard).toBe(2);
});

test('what is not wanted any more is not sent', () => {
  ahead.after(session, (message) => sent.push(message as Told));
  ahead.forget();
  vi.runAllTimers();
  expect(sent).toEqual([]);
});

test('a page that is loaded anew counts from the beginning', () => {
  ahead.hears(press('over', 9));
  ahead.hears({ type: 'ready' });
  look();
  expect(sent.at(-1)!.ahead.heard).toBe(0);
});
