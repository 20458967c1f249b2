// 6,000 moves and messages with 225 edits of the setup under way: the walk is always somewhere, and can be shown.
import { expect, test, vi } from 'vitest';
import { answer } from '../../src/extension/panelMessages.ts';
import type { FromWebview } from '../../src/protocol.ts';
import type { Move } from '../../src/stepper/cursor.ts';
import { Session } from '../../src/stepper/session.ts';
import { drawnSetup, runOf } from '../support/setups.ts';
import { amount, Counts, tell } from './amount.ts';
import { Mutations } from './mutate.ts';

vi.setConfig({ testTimeout: 900_000 });

const MOVES: readonly Move[] = [
  ...([
    'over',
    'over',
    'into',
    'into',
    'out',
    'back',
    'start',
    'end',
    'continue',
    'reverse',
  ] as const),
];
const ABOUT = { title: 't', description: '', energy: false };
const ODD = [-1, 0, 1, 2, 7, 1e9, 0.5, NaN, Infinity, -0];

test('moves and edits', async () => {
  const counts = new Counts();
  const mutations = new Mutations(13);
  const runs = await Promise.all(
    Array.from({ length: 40 }, (_, seed) => runOf(drawnSetup(seed)).catch(() => null)),
  );
  const good = runs.flatMap((run) => run ?? []);
  const session = new Session(good[0], ABOUT);
  const odd = (): number => mutations.pick(ODD);
  const node = (): string =>
    mutations.pick([...mutations.pick(good).graph.nodes.map(({ id }) => id), '__proto__', '']);
  const messages: (() => FromWebview)[] = [
    () => ({ type: 'goToTick', tick: odd(), id: 1 }),
    () => ({ type: 'goToNode', node: node(), id: 1 }),
    () => ({ type: 'goToNode', node: node(), kind: mutations.pick(['value', 'gradient']), id: 1 }),
    () => ({ type: 'goToContribution', contribution: odd(), id: 1 }),
    () => ({ type: 'goToTerm', term: odd(), id: 1 }),
    () => ({
      type: 'select',
      selection: {
        [mutations.pick(['i', 'j', 'h', 'r', 'b', 'c', 'd', 'a', 'v', '__proto__'])]: odd(),
      },
      id: 1,
    }),
    () => ({ type: 'toggleBreakpoint', node: node() }),
    () => ({ type: 'settings', settings: { allHeads: mutations.below(2) === 0 } }),
  ];
  const total = amount(6000, 200);
  const edits = amount(225, 10);
  for (let n = 0; n < total; n++) {
    if (n % Math.floor(total / edits) === 0) {
      session.replace(mutations.pick(good), ABOUT);
      counts.add('edits');
    }
    if (mutations.below(3) > 0) {
      session.move(mutations.pick(MOVES));
      counts.add('moves');
    } else {
      try {
        answer(session, mutations.pick(messages)());
        counts.add('messages');
      } catch (error) {
        // The host logs what asks for a place that is not there.
        if (!(error instanceof RangeError)) throw error;
        counts.add('messages refused');
      }
    }
    const { step } = session.position;
    expect(session.timeline.steps[step]).toBeDefined();
    const { caption, nodes } = session.stepView();
    expect(caption.length).toBeGreaterThan(0);
    expect(Object.keys(nodes).length).toBe(session.run.graph.nodes.length);
    if (n % 50 === 0) session.restore(session.save());
  }
  tell('the walk', counts.all);
});
