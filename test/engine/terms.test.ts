// The terms behind one entry: upstream x local Jacobian, factors of a value, and zeros with their reason.
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Graph } from '../../src/engine/graph.ts';
import { buildGraph } from '../../src/engine/heads/build.ts';
import { type Contribution, type Run, run } from '../../src/engine/run.ts';
import { gradientTerms, operationOf, valueTerms } from '../../src/engine/terms.ts';
import { fromNested, offsetOf } from '../../src/engine/tensor.ts';
import { headConfig } from '../support/configs.ts';
import { cases } from '../support/random.ts';
import { drawnSetup, exampleRun, graphOf } from '../support/setups.ts';

const edge = ({ contributions }: Run, from: string, to: string): Contribution =>
  contributions.find((each) => each.from === from && each.to === to)!;

describe('gradient terms', () => {
  test('of dx[2,0] as value, in the exercise: one per output y[k,c], zero where the feature differs', async () => {
    const own = await exampleRun('exercise');
    const offset = offsetOf([4, 3], [2, 0]);
    const { terms, omitted, total } = gradientTerms(own, edge(own, 'y', 'x'), offset);
    const [P, dy] = [own.values.get('P')!.data, own.gradients.get('y')!.data];
    expect(omitted).toBe(0);
    expect(terms.map(({ output, zero }) => [output.join(), zero])).toEqual(
      [0, 1, 2].flatMap((k) => [
        [`${k},0`, null],
        [`${k},1`, 'structure'],
        [`${k},2`, 'structure'],
      ]),
    );
    const kept = terms.filter(({ zero }) => zero === null);
    expect(kept.map(({ upstream, partial }) => [upstream, partial])).toEqual(
      [0, 1, 2].map((k) => [dy[k * 3], P[2 * 3 + k]]),
    );
    expect(total).toBeCloseTo(
      kept.reduce((sum, { product }) => sum + product, 0),
      15,
    );
  });

  test('more than the limit are counted, not listed, if they are zero by structure', async () => {
    const own = await exampleRun('exercise');
    const { terms, omitted, total } = gradientTerms(own, edge(own, 'y', 'x'), 0, 8);
    expect([terms.length, omitted]).toEqual([3, 6]);
    expect(total).toBe(gradientTerms(own, edge(own, 'y', 'x'), 0).total);
  });

  test('through a masked or dropped entry are zero by structure', () => {
    const own = run(
      buildGraph(
        headConfig('qkv', {
          mask: { tensor: fromNested([[1, 0, 1, 1, 1]]), meaning: 'attend' },
          dropout: { p: 0.5, keep: fromNested([[1, 1, 0, 1, 1]]) },
        }),
      ),
    );
    /** Outputs that depend on the entry. */
    const dependent = (from: string, to: string, entry: number): string[] =>
      gradientTerms(own, edge(own, from, to), entry)
        .terms.filter(({ zero }) => zero !== 'structure')
        .map(({ output }) => output.join());
    expect(dependent('M', 'Z', 1)).toEqual([]);
    expect(dependent('M', 'Z', 2)).toEqual(['0,2']);
    expect(dependent('Pd', 'P', 2)).toEqual([]);
    expect(dependent('Pd', 'P', 3)).toEqual(['0,3']);
    expect(dependent('P', 'M', 1)).toEqual([]);
    expect(dependent('P', 'M', 0)).toEqual(['0,0', '0,2', '0,3', '0,4']);
  });

  test('whose factor happens to be 0 are zero by value', () => {
    const keep = fromNested([[1, 1, 0, 1, 1]]);
    const own = run(buildGraph(headConfig('qkv', { dropout: { p: 0.5, keep } })));
    const { terms } = gradientTerms(own, edge(own, 'P', 'Z'), 0);
    expect(terms[2]).toMatchObject({ output: [0, 2], upstream: 0, zero: 'value' });
    expect(terms[3].zero).toBeNull();
  });

  test('an input has none', async () => {
    expect(() => operationOf({ ...buildGraph(headConfig('kq')) }, 'x')).toThrow(
      'x is an input, it computes nothing',
    );
    await expect(exampleRun('exercise').then((own) => valueTerms(own, 'x', 0))).resolves.toBeNull();
  });
});

describe('where NaN arrives', () => {
  /** The gradient at y is NaN in one entry. */
  function poisoned(graph: Graph, seed: number): Graph {
    const nodes = graph.nodes.map((node) => {
      if (node.kind === 'input' || node.id !== 'f') return node;
      const { operation } = node;
      const isPoisoned = (offset: number, size: number): boolean => offset === seed % size;
      return {
        ...node,
        operation: {
          ...operation,
          vjp: (...given: Parameters<typeof operation.vjp>) =>
            operation.vjp(...given).map(({ shape, data }) => ({
              shape,
              data: data.map((value, at) => (isPoisoned(at, data.length) ? NaN : value)),
            })),
          partial: (...given: Parameters<typeof operation.partial>) => {
            const [{ inputs }, slot, , offset] = given;
            return isPoisoned(offset, inputs[slot].data.length) ? NaN : operation.partial(...given);
          },
        },
      };
    });
    return { ...graph, nodes };
  }

  test('the terms of an entry are NaN if and only if the entry is', async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat(1e9), async (seed) => {
        const own = run(poisoned(await graphOf(drawnSetup(seed)), seed));
        for (const contribution of own.contributions) {
          const wrong = [...contribution.value.data.keys()].filter((offset) => {
            const { total } = gradientTerms(own, contribution, offset);
            return Number.isNaN(total) !== Number.isNaN(contribution.value.data[offset]);
          });
          expect(wrong, `${contribution.from} to ${contribution.to}`).toEqual([]);
        }
      }),
      cases(25),
    );
  });
});

describe('value terms', () => {
  test('of S[0,1] in the exercise: the products of a key and a query', async () => {
    const own = await exampleRun('exercise');
    const [K, Q] = ['K', 'Q'].map((id) => own.values.get(id)!.data);
    const terms = valueTerms(own, 'S', 1)!;
    expect(
      terms.map(({ factors }) => factors.map(({ node, index }) => `${node}[${index.join()}]`)),
    ).toEqual([
      ['K[0,0]', 'Q[1,0]'],
      ['K[0,1]', 'Q[1,1]'],
    ]);
    expect(terms.map(({ product }) => product)).toEqual([K[0] * Q[2], K[1] * Q[3]]);
  });

  test('a bias is a term of its own', () => {
    const own = run(buildGraph(headConfig('multihead')));
    const terms = valueTerms(own, 'K', 0)!;
    expect(terms).toHaveLength(4);
    expect(terms[3]).toMatchObject({
      factors: [{ node: 'b_K', index: [0] }],
      product: own.values.get('b_K')!.data[0],
    });
  });

  test('softmax is no sum of products', async () => {
    expect(valueTerms(await exampleRun('exercise'), 'P', 0)).toBeNull();
  });
});
