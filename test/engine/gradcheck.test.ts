// The gradient check: right gradients pass for every head, wrong ones are found at their node, whatever their size.
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { HeadConfig } from '../../src/engine/config.ts';
import { gradcheck } from '../../src/engine/gradcheck.ts';
import type { Graph } from '../../src/engine/graph.ts';
import { buildGraph } from '../../src/engine/heads/build.ts';
import type { Operation } from '../../src/engine/operation.ts';
import { run } from '../../src/engine/run.ts';
import { map, scalar, type Tensor } from '../../src/engine/tensor.ts';
import { headConfig } from '../support/configs.ts';
import { cases, randomTensor } from '../support/random.ts';
import { drawnSetup, exampleRun, graphOf, smallExampleNames } from '../support/setups.ts';

const wrongNodes = (graph: Graph): string =>
  gradcheck(run(graph))
    .filter(({ ok }) => !ok)
    .map(({ node }) => node)
    .join(' ');

/** The graph with another VJP in one of its nodes. */
function withVjp(
  graph: Graph,
  id: string,
  vjp: (own: Operation['vjp']) => Operation['vjp'],
): Graph {
  const nodes = graph.nodes.map((node) =>
    node.kind === 'operation' && node.id === id
      ? {
          ...node,
          operation: { ...node.operation, vjp: vjp((...given) => node.operation.vjp(...given)) },
        }
      : node,
  );
  return { ...graph, nodes };
}

const times = (factor: number) => (part: Tensor) => map(part, (value) => factor * value);

describe('right gradients', () => {
  test('of every node of every head, under any options', async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat(1e9), async (seed) => {
        expect(wrongNodes(await graphOf(drawnSetup(seed)))).toBe('');
      }),
      cases(12),
    );
  });

  test.each(smallExampleNames)('of the example %s, every entry', async (name) => {
    const own = await exampleRun(name);
    const checks = gradcheck(own, { entries: 1000 });
    expect(checks.map(({ node }) => node)).toEqual(
      own.graph.nodes.map(({ id }) => id).filter((id) => id !== 'f'),
    );
    for (const { node, ok, checked, size } of checks) {
      const finite = own.values.get(node)!.data.filter(Number.isFinite).length;
      expect([node, ok, checked, size]).toEqual([
        node,
        true,
        finite,
        own.values.get(node)!.data.length,
      ]);
    }
  });

  // The product of the two is the same: logits of about 1, 10 and 100.
  test.each([
    ['large inputs, small weights', 1e3, 1e-2],
    ['very large inputs, very small weights', 1e4, 1e-3],
    ['small inputs, large weights', 1e-3, 1e3],
    ['small inputs', 1e-6, 1],
    ['small weights', 1, 1e-6],
    ['saturated weights', 30, 1],
  ])('%s', (_, ofInputs, ofWeights) => {
    for (const head of ['kq', 'qkv', 'multihead'] as const) {
      const { x, xPrime, weights, ...rest } = headConfig(head);
      const config: HeadConfig = {
        ...rest,
        x: times(ofInputs)(x!),
        xPrime: times(ofInputs)(xPrime!),
        weights: Object.fromEntries(
          Object.entries(weights).map(([id, value]) => [id, times(ofWeights)(value)]),
        ),
      };
      expect(wrongNodes(buildGraph(config)), head).toBe('');
    }
  });
});

describe('a wrong VJP', () => {
  // Half the squared norm of y times k, and with it every gradient.
  const sized = (k: number): Graph => {
    const loss = {
      kind: 'expression',
      expression: 'k * sum(y .^ 2) / 2',
      constants: { k: scalar(k) },
    } as const;
    return buildGraph(headConfig('qkv', { loss }));
  };
  const below: Readonly<Record<string, string>> = {
    Z: 'x xPrime W_K W_Q K Q S',
    P: 'x xPrime W_K W_Q K Q S Z',
    y: 'x xPrime W_K W_Q W_V K Q V S Z P',
  };

  test.each(Object.keys(below))(
    'of %s makes all wrong that receives by it, and nothing else',
    (id) => {
      const wrong = withVjp(
        sized(1),
        id,
        (vjp) =>
          (...given) =>
            vjp(...given).map(times(1.5)),
      );
      expect(wrongNodes(wrong)).toBe(below[id]);
    },
  );

  test.each([1e-12, 1e-6, 1e6, 1e12])('is found where all gradients are %f times as large', (k) => {
    expect(wrongNodes(sized(k))).toBe('');
    const wrong = withVjp(
      sized(k),
      'P',
      (vjp) =>
        (...given) =>
          vjp(...given).map(times(1.001)),
    );
    expect(wrongNodes(wrong)).toBe(below['P']);
  });

  test('in one operand leaves the others right', () => {
    const wrong = withVjp(sized(1), 'Q', (vjp) => (...given) => {
      const [toInput, toWeights] = vjp(...given);
      return [toInput, times(-1)(toWeights)];
    });
    expect(wrongNodes(wrong)).toBe('W_Q');
  });

  test.each([0, 3, 9])('that is NaN in entry %i is found', (place) => {
    const wrong = withVjp(sized(1), 'Q', (vjp) => (...given) => {
      const [toInput, toWeights] = vjp(...given);
      return [toInput, map(toWeights, (value, at) => (at === place ? NaN : value))];
    });
    const check = gradcheck(run(wrong)).find(({ node }) => node === 'W_Q')!;
    expect(check).toMatchObject({
      ok: false,
      maxAbs: NaN,
      worstIndex: [Math.floor(place / 2), place % 2],
    });
  });

  test('that is 0 is found', () => {
    const wrong = withVjp(
      sized(1),
      'Q',
      (vjp) =>
        (...given) =>
          vjp(...given).map(times(0)),
    );
    expect(wrongNodes(wrong)).toBe('xPrime W_Q');
  });
});

describe('report', () => {
  test('names the worst entry, its error and what was accepted', () => {
    const graph = buildGraph(headConfig('kq'));
    const wrong = withVjp(graph, 'Q', (vjp) => (...given) => {
      const [toInput, toWeights] = vjp(...given);
      return [toInput, map(toWeights, (value, at) => (at === 7 ? value + 0.5 : value))];
    });
    const check = gradcheck(run(wrong)).find(({ node }) => node === 'W_Q')!;
    expect(check).toMatchObject({
      node: 'W_Q',
      ok: false,
      worstIndex: [3, 1],
      size: 12,
      checked: 12,
    });
    expect(check.maxAbs).toBeCloseTo(0.5, 6);
    expect(check.tolerance).toBeLessThan(1e-5);
  });

  test('of a large tensor is about some of its entries, spread evenly', () => {
    const own = run(buildGraph(headConfig('kq', { x: randomTensor([50, 3], 1) })));
    const check = gradcheck(own, { entries: 20 }).find(({ node }) => node === 'x')!;
    expect(check).toMatchObject({ size: 150, ok: true });
    expect(check.checked).toBe(20);
  });

  test.each([0, 3, 5, 7])(
    'entries are spread over all axes: a wrong column %i is found',
    (column) => {
      const weights = { ...headConfig('qkv').weights, W_V: randomTensor([3, 80], 1) };
      const wrong = withVjp(
        buildGraph(headConfig('qkv', { weights })),
        'V',
        (vjp) =>
          (...given) => {
            const [toInput, toWeights] = vjp(...given);
            return [
              toInput,
              map(toWeights, (value, at) => (at % 8 === column ? 2 * value : value)),
            ];
          },
      );
      const check = gradcheck(run(wrong), { entries: 40 }).find(({ node }) => node === 'W_V')!;
      expect(check).toMatchObject({ ok: false, checked: 40 });
      expect(check.worstIndex[1] % 8).toBe(column);
    },
  );

  test('passes over entries that are not finite', () => {
    const own = run(buildGraph(headConfig('qkv', { mask: 'causal' })));
    const check = gradcheck(own).find(({ node }) => node === 'M')!;
    expect(check).toMatchObject({ ok: true, size: 20, checked: 10 });
  });
});
