// Random computation graphs that are no attention: operands chosen freely, some twice, some nodes used by nobody.
import * as fc from 'fast-check';
import { parseSpec } from '../../src/engine/axes.ts';
import { type Graph, GraphBuilder } from '../../src/engine/graph.ts';
import { contraction } from '../../src/engine/ops/contraction.ts';
import { scale } from '../../src/engine/ops/elementwise.ts';
import { halfSquaredNorm, loss } from '../../src/engine/ops/loss.ts';
import { randomTensor } from './random.ts';

const [axes] = parseSpec('i');

interface Choice {
  readonly isProduct: boolean;
  readonly left: number;
  readonly right: number;
}

/** Inputs a0 ..., nodes n0 ... of the entrywise products of any two earlier ones, or of one, scaled; f at the end. */
function build(inputs: number, choices: readonly Choice[]): Graph {
  const extents = { i: 2 };
  const graph = new GraphBuilder(extents);
  const ids = Array.from({ length: inputs }, (_, n) => `a${n}`);
  ids.forEach((id, n) => graph.input(id, axes, randomTensor([2], n + 1)));
  choices.forEach(({ isProduct, left, right }, n) => {
    const [a, b] = [ids[left % ids.length], ids[right % ids.length]];
    if (isProduct) graph.node(`n${n}`, axes, contraction('i, i -> i', extents, 'product'), [a, b]);
    else graph.node(`n${n}`, axes, scale(axes, 2), [a]);
    ids.push(`n${n}`);
  });
  graph.node('f', [], loss(axes, halfSquaredNorm), [ids[ids.length - 1]]);
  return graph.build('kq', false);
}

export const anyGraph: fc.Arbitrary<Graph> = fc
  .tuple(
    fc.integer({ min: 1, max: 4 }),
    fc.array(fc.record({ isProduct: fc.boolean(), left: fc.nat(20), right: fc.nat(20) }), {
      minLength: 1,
      maxLength: 10,
    }),
  )
  .map(([inputs, choices]) => build(inputs, choices));
