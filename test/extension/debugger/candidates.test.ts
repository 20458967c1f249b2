// Which nodes a variable is offered as, the likeliest first.
import { beforeAll, describe, expect, test } from 'vitest';
import type { Graph } from '../../../src/engine/graph.ts';
import { candidatesFor, leafName } from '../../../src/extension/debugger/candidates.ts';
import { exampleRun } from '../../support/setups.ts';

let graph: Graph;
beforeAll(async () => {
  ({ graph } = await exampleRun('causal-qkv'));
});

const first = (expression: string, shape: number[], count = 1, names = {}): string[] =>
  candidatesFor({ expression, shape, dtype: 'float64', sentAs: 'float64' }, graph, names)
    .slice(0, count)
    .map(({ name, why }) => `${name} ${why}`.trim());

test.each([
  ['P', 'P'],
  ['self.attn.P', 'P'],
  ["cache['dQ']", 'dQ'],
  ['layers[0].attn_weights', 'attn_weights'],
  ['self.Q.grad', 'Q.grad'],
  ['saved[3]', '3'],
  ['$weights', '$weights'],
])('the name in %s is %s', (expression, leaf) => {
  expect(leafName(expression)).toBe(leaf);
});

describe('candidates', () => {
  test('by name before shape', () => {
    expect(first('self.attn_weights', [5, 5])).toEqual(['P by its name']);
    expect(first('S', [5, 5], 2)).toEqual(['S by its name', 'Z by its shape']);
  });

  test('a gradient where it is one', () => {
    expect(first('Q.grad', [5, 3])).toEqual(['dQ by its name']);
    expect(first('tmp.grad', [5, 5], 2)).toEqual(['dS by its shape', 'dZ by its shape']);
    expect(first('dscores', [5, 5])).toEqual(['dS by its name']);
  });

  test('by the names of the setup', () => {
    expect(first('w', [5, 5], 1, { w: 'dP' })).toEqual(['dP by its name']);
  });

  test('a batch of one is no other shape, and another order of the axes is a size', () => {
    expect(first('tmp', [1, 5, 2], 2)).toEqual(['V by its shape', 'y by its shape']);
    expect(first('tmp', [2, 5], 2)).toEqual(['V by its size', 'y by its size']);
  });

  test('every node is offered in the end', () => {
    const all = first('tmp', [7, 7, 7], 1000);
    expect(all).toHaveLength(2 * graph.nodes.length);
    expect(all).toContain('dW_K');
  });
});
