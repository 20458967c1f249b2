// Forward and reverse mode over a graph: order, accumulation, rounding, overridden values, unused inputs.
import { describe, expect, test } from 'vitest';
import { parseSpec } from '../../src/engine/axes.ts';
import { type Graph, GraphBuilder, nodeOf } from '../../src/engine/graph.ts';
import { buildGraph } from '../../src/engine/heads/build.ts';
import { contraction } from '../../src/engine/ops/contraction.ts';
import { scale } from '../../src/engine/ops/elementwise.ts';
import { halfSquaredNorm, loss } from '../../src/engine/ops/loss.ts';
import { accumulator, backward, forward, run } from '../../src/engine/run.ts';
import { map, type Tensor, tensor } from '../../src/engine/tensor.ts';
import { headConfig } from '../support/configs.ts';
import { randomTensor } from '../support/random.ts';

const [row] = parseSpec('j');
const [column] = parseSpec('j i');

/** f = |x x^T|^2 / 2 with one node as both operands, beside a node that nothing uses. */
function square(): Graph {
  const extents = { i: 2, j: 2, c: 1 };
  const graph = new GraphBuilder(extents);
  graph.input('x', parseSpec('i c')[0], tensor([2, 1], [2, 3]));
  graph.input('unused', row, tensor([2], [5, 6]));
  graph.node('S', column, contraction('i c, j c -> j i', extents, ''), ['x', 'x']);
  graph.node('f', [], loss(column, halfSquaredNorm), ['S']);
  return graph.build('kq', true);
}

describe('reverse mode', () => {
  const { values, gradients, contributions } = run(square());

  test('values by hand', () => {
    expect([...values.get('S')!.data]).toEqual([4, 6, 6, 9]);
    expect(values.get('f')!).toEqual({ shape: [], data: Float64Array.of(84.5) });
  });

  test('a node that is two operands receives two contributions, in the order of the operands', () => {
    expect(contributions.map(({ index, from, to, slot }) => [index, from, to, slot])).toEqual([
      [0, 'f', 'S', 0],
      [1, 'S', 'x', 0],
      [2, 'S', 'x', 1],
    ]);
    // d/dx |x|^4 / 2 = 2 |x|^2 x, half of it by each operand.
    expect(contributions.slice(1).map(({ value }) => [...value.data])).toEqual([
      [26, 39],
      [26, 39],
    ]);
    expect([...gradients.get('x')!.data]).toEqual([52, 78]);
  });

  test('the gradient of f at itself is 1', () => {
    expect(gradients.get('f')!).toEqual({ shape: [], data: Float64Array.of(1) });
  });

  test('an input that nothing uses has gradient 0', () => {
    expect(gradients.get('unused')!).toEqual(tensor([2], [0, 0]));
  });

  test('every node has a value and a gradient of its shape', () => {
    for (const { id, shape } of square().nodes) {
      expect(values.get(id)!.shape).toEqual(shape);
      expect(gradients.get(id)!.shape).toEqual(shape);
    }
  });
});

test('x that a head does not need, because all it feeds is given, has gradient 0', () => {
  const start = {
    Q: randomTensor([4, 2], 1),
    K: randomTensor([5, 2], 2),
    V: randomTensor([5, 7], 3),
  };
  const { gradients } = run(buildGraph(headConfig('qkv', { start, weights: {} })));
  expect(gradients.get('x')!.data.every((value) => value === 0)).toBe(true);
});

test('accumulator: before is nothing for the first contribution, else the sum of the earlier ones', () => {
  const { contributions } = run(square());
  expect(accumulator(contributions, 1).before).toBeNull();
  expect([...accumulator(contributions, 1).after.data]).toEqual([26, 39]);
  expect([...accumulator(contributions, 2).before!.data]).toEqual([26, 39]);
  expect([...accumulator(contributions, 2).after.data]).toEqual([52, 78]);
});

describe('rounding', () => {
  const toFloat32 = (value: Tensor): Tensor => map(value, Math.fround);
  const graph = buildGraph(headConfig('multihead'));
  const [exact, rounded] = [run(graph), run(graph, { round: toFloat32 })];
  const differs = (a: Tensor, b: Tensor): boolean =>
    a.data.some((value, at) => value !== b.data[at]);

  test('every value, contribution and gradient is a float32', () => {
    const parts = rounded.contributions.map(({ value }) => value);
    for (const all of [rounded.values.values(), rounded.gradients.values(), parts]) {
      for (const own of all) expect(own).toEqual(toFloat32(own));
    }
  });

  test('the results differ from float64 by rounding, not by more', () => {
    for (const id of ['y', 'f', 'S']) {
      const [own, other] = [rounded.values.get(id)!, exact.values.get(id)!];
      expect(differs(own, other)).toBe(true);
      own.data.forEach((value, at) => expect(Math.abs(value - other.data[at])).toBeLessThan(1e-5));
    }
  });

  test('is applied to the inputs too', () => {
    const x = rounded.values.get('x')!;
    expect(x).toEqual(toFloat32(exact.values.get('x')!));
    expect(differs(x, exact.values.get('x')!)).toBe(true);
  });
});

describe('overridden values', () => {
  const graph = buildGraph(headConfig('qkv'));
  const uniform = map(forward(graph).get('P')!, () => 0.2);

  test('take the place of what would have been computed, and all that depends on them follows', () => {
    const values = forward(graph, { override: new Map([['P', uniform]]) });
    const [V, y] = ['V', 'y'].map((id) => values.get(id)!.data);
    const mean = [0, 1, 2, 3, 4].reduce((sum, i) => sum + V[i * 7] / 5, 0);
    expect(values.get('P')!).toEqual(uniform);
    expect(y[0]).toBeCloseTo(mean, 14);
    expect(values.get('S')!).toEqual(forward(graph).get('S')!);
  });

  test('stand for a given input as well', () => {
    const x = randomTensor([5, 3], 99);
    const values = forward(graph, { override: new Map([['x', x]]) });
    expect(values).toEqual(forward(buildGraph(headConfig('qkv', { x }))));
  });

  test('the backward pass takes the values it is handed', () => {
    const values = forward(graph, { override: new Map([['P', uniform]]) });
    const { gradients } = backward(graph, values);
    // dV = P^T dy, all weights being 0.2.
    const dy = gradients.get('y')!.data;
    const expected = [0, 1, 2, 3].reduce((sum, j) => sum + 0.2 * dy[j * 7 + 3], 0);
    expect(gradients.get('V')!.data[2 * 7 + 3]).toBeCloseTo(expected, 14);
  });
});

describe('building a graph', () => {
  const builder = (): GraphBuilder => new GraphBuilder({ i: 2, j: 3 });

  test('an operand has to be there before the node that uses it', () => {
    expect(() => builder().node('Z', column, scale(column, 2), ['S'])).toThrow(
      'Z uses S, which is not in the graph yet',
    );
  });

  test('an input has to have the shape of its axes', () => {
    expect(() => builder().input('S', column, tensor([2, 3], [1, 2, 3, 4, 5, 6]))).toThrow(
      'S has shape (2, 3), its axes say (3, 2)',
    );
  });

  test('asking for a node that is not there names those that are', () => {
    expect(() => nodeOf(square(), 'P')).toThrow('no node P; the graph has x unused S f');
  });
});
