// Every transform's vector-Jacobian product against central differences, and what some of them do.
import { describe, expect, it } from 'vitest';
import { FUNCTIONS } from '../../src/compare/program/transforms/functions.ts';
import { groupsOf, indexTransforms } from '../../src/compare/program/transforms/indices.ts';
import { normTransforms } from '../../src/compare/program/transforms/norms.ts';
import type { Transform } from '../../src/compare/program/transforms/transform.ts';
import type { Tensor } from '../../src/engine/tensor.ts';
import { generator } from '../conformance/draw.mjs';

const axes = [['b'], ['r', 'g'], ['j'], ['i']];
const extents = { b: 2, r: 2, g: 2, j: 3, i: 4 };
const shape = [2, 4, 3, 4];
const draw = generator(3);
const random = (): Tensor => ({
  shape,
  // Away from 0 and from whole numbers, where some functions have no slope.
  data: Float64Array.from({ length: 96 }, () => 0.15 + 0.7 * Math.abs(draw() % 1)),
});
const dot = (a: Tensor, b: Tensor): number =>
  a.data.reduce((sum, value, at) => sum + value * b.data[at], 0);

const groups = groupsOf(axes, extents);
const all: Transform[] = [
  ...FUNCTIONS,
  ...groups.flatMap((group) => indexTransforms(axes, group, extents)),
  ...groups.flatMap((group) => normTransforms(axes, group, extents)),
];

describe('transforms', () => {
  it('move all query heads together, beside KV heads and group members alone', () => {
    expect(groups.map((group) => group.join(''))).toEqual(['b', 'r', 'g', 'j', 'i', 'rg']);
  });

  it.each(all.map((each) => [each.title('x'), each] as const))('%s', (_, { operation }) => {
    const [x, direction, upstream] = [random(), random(), random()];
    const step = 1e-6;
    const moved = (by: number): Tensor => ({
      shape,
      data: x.data.map((value, at) => value + by * direction.data[at]),
    });
    const ahead = dot(operation.forward([moved(step)]), upstream);
    const behind = dot(operation.forward([moved(-step)]), upstream);
    const output = operation.forward([x]);
    const [back] = operation.vjp({ inputs: [x], output }, upstream);
    const numeric = (ahead - behind) / (2 * step);
    expect(Math.abs(dot(back, direction) - numeric)).toBeLessThan(
      1e-5 * Math.max(1, Math.abs(numeric)),
    );
  });

  it('have the GELU of the error function', () => {
    const gelu = FUNCTIONS.find(({ id }) => id === 'gelu')!;
    const { data } = gelu.operation.forward([{ shape: [3], data: Float64Array.of(-1, 0.5, 7) }]);
    // scipy: x * norm.cdf(x)
    expect(data[0]).toBeCloseTo(-0.15865525393145707, 14);
    expect(data[1]).toBeCloseTo(0.34573123063700656, 14);
    expect(data[2]).toBeCloseTo(6.999999999991042, 10);
  });
});
