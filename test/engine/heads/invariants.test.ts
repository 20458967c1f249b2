// What holds for every head under every option, whatever the numbers: checked on drawn setups.
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { letterStrides, offsetTable } from '../../../src/engine/axes.ts';
import { type Graph, nodeOf, operationNodes } from '../../../src/engine/graph.ts';
import { accumulator, applicationOf, type Run, run } from '../../../src/engine/run.ts';
import { gradientTerms, operationOf } from '../../../src/engine/terms.ts';
import { add, type Tensor } from '../../../src/engine/tensor.ts';
import '../../support/allclose.ts';
import { largestOf } from '../../support/allclose.ts';
import { cases } from '../../support/random.ts';
import { drawnSetup, graphOf } from '../../support/setups.ts';

function property(numRuns: number, check: (own: Run, seed: number) => void): Promise<void> {
  return fc.assert(
    fc.asyncProperty(fc.nat(1e9), async (seed) =>
      check(run(await graphOf(drawnSetup(seed))), seed),
    ),
    cases(numRuns),
  );
}

/** Sums over the keys, one per query (and head, and batch entry). */
function overKeys(graph: Graph, id: string, value: Tensor): number[] {
  const { axes } = nodeOf(graph, id);
  const stride = letterStrides(axes, graph.extents);
  const others = axes.flat().filter((letter: string) => letter !== 'i');
  const keys = offsetTable(['i'], stride, graph.extents);
  return Array.from(offsetTable(others, stride, graph.extents), (row) =>
    keys.reduce((total, key) => total + value.data[row + key], 0),
  );
}

/** A sink, or the one that is added, takes a part of the weights. */
const isFull = ({ graph }: Run): boolean => {
  const softmax = operationNodes(graph).find(({ id }) => id === 'P')!;
  return softmax.inputs.length === 1 && softmax.operation.name === 'softmax';
};

/** The last node before the softmax. */
const logitsOf = ({ graph }: Run): string => {
  const softmax = operationNodes(graph).find(({ id }) => id === 'P');
  return softmax!.inputs[0];
};

describe('softmax', () => {
  test('the weights of a query sum to 1 over the keys, or to 0 where all keys are masked', async () => {
    let full = 0;
    await property(240, (own) => {
      if (!isFull(own)) return;
      full++;
      const logits = own.values.get(logitsOf(own))!;
      const visible = overKeys(own.graph, 'P', {
        ...logits,
        data: logits.data.map((value) => (value === -Infinity ? 0 : 1)),
      });
      overKeys(own.graph, 'P', own.values.get('P')!).forEach((total, row) => {
        expect(Math.abs(total - (visible[row] > 0 ? 1 : 0))).toBeLessThan(1e-14);
      });
    });
    expect(full).toBeGreaterThan(60);
  });

  test('the gradients at the logits of a query sum to 0: a shift of all of them changes nothing', async () => {
    await property(120, (own) => {
      if (!isFull(own)) return;
      const id = logitsOf(own);
      const gradient = own.gradients.get(id)!;
      const worst = Math.max(...overKeys(own.graph, id, gradient).map(Math.abs));
      expect(worst).toBeLessThanOrEqual(1e-12 * Math.max(1, largestOf(gradient)));
    });
  });

  test('a masked entry has weight 0 and passes back exactly 0', async () => {
    let masked = 0;
    await property(120, ({ values, gradients }) => {
      values.get('M')?.data.forEach((logit, at) => {
        if (logit !== -Infinity) return;
        masked++;
        if (values.get('P')!.data[at] !== 0) expect.fail(`P is not 0 at ${at}`);
        if (gradients.get('M')!.data[at] !== 0) expect.fail(`dM is not 0 at ${at}`);
      });
    });
    expect(masked).toBeGreaterThan(100);
  });
});

describe('accumulation', () => {
  test('the contributions to a node add up to its gradient', async () => {
    await property(60, ({ graph, gradients, contributions }) => {
      for (const { id } of graph.nodes.filter((node) => node.id !== 'f')) {
        const parts = contributions.filter(({ to }) => to === id).map(({ value }) => value);
        const total = parts.slice(1).reduce(add, parts[0]);
        expect(total, id).toBeAllclose(gradients.get(id)!, { tolerance: 1e-12 });
      }
    });
  });

  test('before + contribution = after, and after is the next before, up to the gradient', async () => {
    await property(40, ({ gradients, contributions }) => {
      const latest = new Map<string, Tensor>();
      contributions.forEach(({ to, value }, index) => {
        const { before, after } = accumulator(contributions, index);
        expect(before?.data).toEqual(latest.get(to)?.data);
        const sum = value.data.map((entry, at) => (before ? before.data[at] + entry : entry));
        expect(after.data).toEqual(sum);
        latest.set(to, after);
      });
      for (const [id, after] of latest) expect(after).toEqual(gradients.get(id)!);
    });
  });

  test('a node passes its gradient on when all that use it have', async () => {
    await property(60, ({ graph, contributions }) => {
      contributions.forEach(({ from, to, slot }, n) => {
        const user = nodeOf(graph, from);
        expect(user.kind === 'operation' && user.inputs[slot]).toBe(to);
        const later = contributions.slice(n).some((each) => each.from === to);
        const earlier = contributions.slice(0, n).some((each) => each.from === to);
        expect(earlier).toBe(false);
        expect(later).toBe(nodeOf(graph, to).kind === 'operation');
      });
    });
  });
});

describe('terms', () => {
  test('the terms of an entry add up to the entry of the contribution', async () => {
    await property(40, (own, seed) => {
      for (const contribution of own.contributions) {
        const { data } = contribution.value;
        const offset = seed % data.length;
        const { total } = gradientTerms(own, contribution, offset);
        const bound = 1e-12 * Math.max(1, largestOf(contribution.value));
        expect(Math.abs(total - data[offset])).toBeLessThanOrEqual(bound);
      }
    });
  });

  test('terms outside of the reach are zero by structure, all are listed or counted', async () => {
    await property(40, (own, seed) => {
      for (const contribution of own.contributions) {
        const node = operationOf(own.graph, contribution.from);
        const at = applicationOf(node, own.values);
        const offset = seed % contribution.value.data.length;
        const reached = node.operation.reach(at, contribution.slot, offset).length;
        const size = at.output.data.length;
        const { terms, omitted } = gradientTerms(own, contribution, offset);
        expect(terms.filter(({ zero }) => zero !== 'structure')).toHaveLength(reached);
        expect(terms.length + omitted).toBe(size);
        expect(omitted).toBe(size > 400 ? size - reached : 0);
      }
    });
  });
});
