// The inspector's model of a walk that is held against a person's tensors: theirs beside the run's, and the difference.
import { beforeEach, describe, expect, test } from 'vitest';
import type { Run } from '../../src/engine/run.ts';
import { map, zeros } from '../../src/engine/tensor.ts';
import { WalkModel } from '../../src/extension/inspector/walkModel.ts';
import { Session } from '../../src/stepper/session.ts';
import { exampleRun } from '../support/setups.ts';

let run: Run;
let session: Session;
let model: WalkModel;

beforeEach(async () => {
  run = await exampleRun('causal-qkv');
  session = new Session(run, { title: '', description: '', energy: false });
  model = new WalkModel(() => {});
  session.goToNode('S', 'gradient');
  model.follow(session);
});

const dS = (): Float64Array => run.gradients.get('S')!.data;
function giveTwice(): void {
  const tensor = map(run.gradients.get('S')!, (value) => 2 * value);
  session.holdAgainst([
    { node: 'S', kind: 'gradient', name: 'grad_scores', tensor, judged: tensor },
  ]);
  model.follow(session);
}
async function numbers(id: string): Promise<number[]> {
  const { source } = model.find(id)!;
  const size = source.shape.reduce((a, b) => a * b, 1);
  return [...(await source.entries.read(0, size))];
}

describe("a person's tensors", () => {
  test('are a kind of their own, by what they are called', async () => {
    expect(model.state().walk!.kinds).toEqual(['value', 'gradient', 'contribution']);
    giveTwice();
    expect(model.state().walk!.kinds).toEqual([
      ...['value', 'gradient', 'contribution'],
      'mineGradient',
    ]);
    model.receive({ type: 'kind', kind: 'mineGradient' });
    const { shown, comparable } = model.state();
    expect(shown).toMatchObject({ name: 'your dS', note: 'yours: grad_scores' });
    expect(comparable.map(({ name }) => name)).toContain('dS');
    expect(await numbers('mineGradient S')).toEqual(Array.from(dS(), (value) => 2 * value));
  });

  test('less the reference are the difference', async () => {
    giveTwice();
    model.receive({ type: 'kind', kind: 'mineGradient' });
    model.receive({ type: 'against', tensor: 'gradient S' });
    const { shown } = model.state();
    expect(shown!.name).toBe('your dS − dS');
    expect(await numbers(shown!.id)).toEqual([...dS()]);
  });

  test('are gone when the comparison ends, and when they do not fit', () => {
    giveTwice();
    expect(model.find('mineGradient S')).not.toBeNull();
    const tensor = zeros([1, 1]);
    session.holdAgainst([{ node: 'S', kind: 'gradient', name: 'S', tensor, judged: tensor }]);
    model.follow(session);
    expect(model.find('mineGradient S')).toBeNull();
    session.holdAgainst([]);
    model.follow(session);
    expect(model.state().walk!.kinds).not.toContain('mineGradient');
  });
});
