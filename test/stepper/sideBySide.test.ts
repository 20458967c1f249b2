// A person's tensors beside the reference: at which steps, with which numbers, and what is no difference.
import { beforeEach, describe, expect, test } from 'vitest';
import type { Run } from '../../src/engine/run.ts';
import { map, type Tensor, zeros } from '../../src/engine/tensor.ts';
import { Session } from '../../src/stepper/session.ts';
import type { OwnTensor } from '../../src/stepper/stepView.ts';
import { exampleRun } from '../support/setups.ts';

let run: Run;
let session: Session;

beforeEach(async () => {
  run = await exampleRun('causal-qkv');
  session = new Session(run, { title: '', description: '', energy: false });
});

const own = (
  node: string,
  kind: OwnTensor['kind'],
  tensor: Tensor,
  judged = tensor,
): OwnTensor => ({
  ...{ node, kind, name: `my ${node}`, tensor, judged },
});
const numbers = ({ slices }: { slices: readonly { data: ArrayBuffer }[] }): number[] => [
  ...new Float64Array(slices[0].data),
];

describe('beside each other', () => {
  test('nothing without a tensor of this node and kind', () => {
    session.holdAgainst([own('P', 'gradient', run.gradients.get('P')!)]);
    session.goToNode('P', 'value');
    expect(session.stepView().mine).toBeNull();
    session.goToNode('P', 'gradient');
    expect(session.stepView().mine?.name).toBe('my P');
    session.holdAgainst([]);
    expect(session.stepView().mine).toBeNull();
  });

  test('going to the worst selects the entry that is farthest off; where none is, nothing', () => {
    const mine = map(run.values.get('P')!, (value, at) => value + (at === 5 ? 0.25 : 0));
    session.holdAgainst([own('P', 'value', mine), own('V', 'value', run.values.get('V')!)]);
    session.goToWorst('P', 'value');
    const [, cols] = mine.shape;
    expect(session.stepView().focus!.index).toEqual([Math.floor(5 / cols), 5 % cols]);
    const { selection } = session;
    session.goToWorst('V', 'value');
    expect(session.selection).toEqual(selection);
  });

  test('yours, the reference and yours minus the reference, with the selected entry', () => {
    const mine = map(run.values.get('P')!, (value, at) => value + (at === 5 ? 0.25 : 0));
    session.holdAgainst([own('P', 'value', mine)]);
    session.goToNode('P', 'value');
    const [rows, cols] = mine.shape;
    session.select({ j: Math.floor(5 / cols), i: 5 % cols });
    const view = session.stepView();
    expect(rows * cols).toBeGreaterThan(6);
    const { yours, reference, difference, entry, worst } = view.mine!;
    expect(numbers(yours)).toEqual([...mine.data]);
    expect(numbers(reference)).toEqual([...run.values.get('P')!.data]);
    const off = mine.data[5] - run.values.get('P')!.data[5];
    expect(off).toBeCloseTo(0.25, 12);
    expect(numbers(difference)).toEqual(Array.from(mine.data, (_, at) => (at === 5 ? off : 0)));
    expect(entry.yours).toBe(mine.data[5]);
    expect(entry.difference).toBe(off);
    expect(view.focus!.index).toEqual([Math.floor(5 / cols), 5 % cols]);
    expect(worst!.index).toEqual([Math.floor(5 / cols), 5 % cols]);
    expect(worst!.selection).toEqual({ j: Math.floor(5 / cols), i: 5 % cols });
  });

  test('the reference of a gradient is the whole of it, while contributions still come', () => {
    const whole = run.gradients.get('x')!;
    session.holdAgainst([own('x', 'gradient', whole)]);
    session.goToNode('x', 'gradient');
    session.move('back');
    const first = session.timeline.steps.findIndex(({ contributions }) =>
      contributions.some(({ to }) => to === 'x'),
    );
    session.goToTick(session.timeline.ticks.findIndex(({ step }) => step === first));
    session.goToContribution(
      session.timeline.steps[first].contributions.findIndex(({ to }) => to === 'x'),
    );
    const { mine, accumulation } = session.stepView();
    expect(accumulation!.of).toBeGreaterThan(1);
    expect(numbers(mine!.reference)).toEqual([...whole.data]);
    expect(mine!.worst).toBeNull();
  });

  test('what is another convention only is shown as it is and judged as put right', () => {
    const M = run.values.get('M')!;
    expect(M.data).toContain(-Infinity);
    const filled = map(M, (value) => (value === -Infinity ? -1e9 : value));
    session.holdAgainst([own('M', 'value', filled, M)]);
    session.goToNode('M', 'value');
    const { yours, difference } = session.stepView().mine!;
    expect(numbers(yours)).toContain(-1e9);
    expect(numbers(difference).every((value) => value === 0)).toBe(true);
  });

  test('NaN of yours is the worst of all', () => {
    const broken = map(run.values.get('y')!, (value, at) =>
      at === 0 ? value + 9 : at === 2 ? NaN : value,
    );
    session.holdAgainst([own('y', 'value', broken)]);
    session.goToNode('y', 'value');
    expect(session.stepView().mine!.worst!.index).toEqual([1, 0]);
  });

  test('a tensor that fits another setup only is not shown', () => {
    session.holdAgainst([own('P', 'value', zeros([1, 1]))]);
    session.goToNode('P', 'value');
    expect(session.stepView().mine).toBeNull();
  });
});
