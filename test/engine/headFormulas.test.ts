// The formulas of every node of every head: what they say, and that their indices are those of the tensors.
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type AxisLetters, axisLength } from '../../src/engine/axes.ts';
import { type Formula, toText } from '../../src/engine/formula.ts';
import { buildGraph } from '../../src/engine/heads/build.ts';
import { type Graph, nodeOf, operationNodes } from '../../src/engine/graph.ts';
import { tensor } from '../../src/engine/tensor.ts';
import { headConfig } from '../support/configs.ts';
import { cases, randomTensor } from '../support/random.ts';
import { drawnSetup, exampleNames, exampleText, graphOf } from '../support/setups.ts';

/** All symbols of a formula. */
function symbols(formula: Formula): (Formula & { kind: 'symbol' })[] {
  if (formula.kind === 'symbol') return [formula];
  const children = Object.values(formula).flat() as unknown[];
  return children
    .filter((each): each is Formula => typeof each === 'object' && each !== null && 'kind' in each)
    .flatMap(symbols);
}

/** One line per node: the forward formula and one backward formula per operand. */
function formulasOf(graph: Graph): string[] {
  return operationNodes(graph).flatMap(({ id, operation, inputs }) => {
    const { forward, backward } = operation.formula({ output: id, inputs });
    return [forward, ...backward].map((formula) => toText(formula));
  });
}

describe('as text', () => {
  test.each(['exercise', 'causal-qkv', 'cross-attention', 'grouped-queries', 'rope'])(
    '%s',
    async (name) => {
      expect(formulasOf(await graphOf(exampleText(name)))).toMatchSnapshot();
    },
  );

  test('past keys and values, softcap, dropout, no W_O', () => {
    const graph = buildGraph(
      headConfig('multihead', {
        past: { K: randomTensor([2, 3, 2], 1), V: randomTensor([2, 3, 3], 2) },
        softcap: 20,
        dropout: { p: 0.5, keep: tensor([1, 1], [1]) },
        weights: {
          W_K: randomTensor([3, 4], 3),
          W_Q: randomTensor([6, 8], 4),
          W_V: randomTensor([3, 6], 5),
        },
      }),
    );
    expect(formulasOf(graph)).toMatchSnapshot();
  });
});

/** Axes of a symbol against those of the tensor it names; a marked letter (a*, a′) is as long as its own. */
function misfits(graph: Graph, formula: Formula): string[] {
  const lengths = (axes: readonly AxisLetters[]): string =>
    axes
      .map((axis) =>
        axisLength(
          axis.map((letter) => letter.replace(/[*′″]/, '')),
          extents,
        ),
      )
      .join(' x ');
  // Softmax renames the summed key to l.
  const extents = { ...graph.extents, l: graph.extents.i };
  return symbols(formula).flatMap(({ name, indices }) => {
    const id = name.replace(/^d/, '');
    if (!graph.nodes.some((node) => node.id === id)) return [];
    const [own, expected] = [lengths(indices), lengths(nodeOf(graph, id).axes)];
    return own === expected
      ? []
      : [`${name} with axes ${own}, expected ${expected}: ${toText(formula)}`];
  });
}

test('every tensor stands with its own axes, in their order', async () => {
  await fc.assert(
    fc.asyncProperty(fc.nat(1e9), async (seed) => {
      const graph = await graphOf(drawnSetup(seed));
      const wrong = operationNodes(graph).flatMap(({ id, operation, inputs }) => {
        const { forward, backward } = operation.formula({ output: id, inputs });
        expect(backward).toHaveLength(inputs.length);
        return [forward, ...backward].flatMap((formula) => misfits(graph, formula));
      });
      expect(wrong).toEqual([]);
    }),
    cases(150),
  );
});

test('each formula defines its node, or adds to the gradient of its operand', async () => {
  for (const name of exampleNames) {
    for (const { id, operation, inputs } of operationNodes(await graphOf(exampleText(name)))) {
      const { forward, backward } = operation.formula({ output: id, inputs });
      expect(forward).toMatchObject({ kind: 'relation', sign: '=', left: { name: id } });
      backward.forEach((formula, slot) => {
        expect(formula).toMatchObject({
          kind: 'relation',
          sign: '+=',
          left: { name: `d${inputs[slot]}` },
        });
      });
    }
  }
});
