// Weights kept (out, in), or their gradients: one convention, whatever else is wrong.
import { describe, expect, it } from 'vitest';
import { check, type CheckInput } from '../../src/compare/check.ts';
import { transposed } from '../../src/compare/align/orientation.ts';
import { map } from '../../src/engine/tensor.ts';
import { openSetup } from '../../src/formats/openSetup.ts';
import { allEdits, inject } from './inject.ts';

const random = (seed: number, ...shape: number[]): object => ({ random: 'normal', shape, seed });
const square = {
  ...{ head: 'multihead', heads: 2, mask: 'causal', x: random(1, 2, 5, 6) },
  weights: {
    ...{ W_K: random(3, 6, 6), W_Q: random(4, 6, 6), W_V: random(5, 6, 6), W_O: random(6, 6, 6) },
  },
  loss: { upstream: random(7, 2, 5, 6) },
};
const mixed = {
  ...square,
  kvHeads: 1,
  weights: { ...square.weights, W_K: random(3, 6, 3), W_V: random(5, 6, 3) },
};

async function open(own: object): Promise<Pick<CheckInput, 'config' | 'graph'>> {
  const { config, graph } = await openSetup(JSON.stringify(own), () =>
    Promise.reject(new Error('no files')),
  );
  return { config: config!, graph: graph! };
}

const turn = (input: CheckInput, names: RegExp): CheckInput => ({
  ...input,
  trace: input.trace.map((each) =>
    names.test(each.name) ? { ...each, tensor: transposed(each.tensor) } : each,
  ),
});

describe.each([
  ['all square', square],
  ['two of them square', mixed],
])('weights, %s', async (_, setup) => {
  const { config, graph } = await open(setup);
  const nothing = { apply: <T>(program: T): T => program } as never;
  const right = inject(config, graph, nothing, () => true).input;

  it.each([/^dW_/, /^W_/, /^d?W_/])('%s are (out, in): a convention, said once', (names) => {
    const report = check(turn(right, names));
    expect(report.verdict).toBe('match');
    expect(report.causes).toEqual([]);
    expect(report.conventions).toHaveLength(names.test('dW_') ? 1 : 0);
  });

  it('are (out, in) with another loss logged', () => {
    const trace = turn(right, /^dW_/).trace.map((each) =>
      each.name === 'f' ? { ...each, tensor: map(each.tensor, (value) => 3 * value + 1) } : each,
    );
    expect(check({ ...right, trace }).verdict).toBe('match');
  });

  const edits = allEdits(config, graph);
  it.each([
    ['scale-missing', 'Z'],
    ['softmax-backward-no-sum', 'M'],
    ['path-dropped', 'x'],
    ['gradient-reshaped', 'y'],
  ])('hide no %s at %s', (id, node) => {
    const edit = edits.find((each) => each.id === id && each.node === node)!;
    const { input } = inject(config, graph, edit, () => true);
    const own = check(input);
    const report = check(turn(input, /^dW_/));
    expect(own.first).not.toBeNull();
    expect(report.first).toEqual(own.first);
    expect(report.causes.map((each) => each.title)).toEqual(own.causes.map((each) => each.title));
  });

  it('one gradient transposed among others that are not is a mistake', () => {
    const report = check(turn(right, /^dW_Q$/));
    expect(report.verdict).toBe('diverges');
    expect(report.first).toEqual({ node: 'W_Q', kind: 'gradient' });
  });
});
