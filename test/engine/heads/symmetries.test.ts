// What leaves the result as it is: the order of the keys, and the order of the axes of the scores.
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type AxisLetters, letterStrides, offsetTable } from '../../../src/engine/axes.ts';
import type { Graph } from '../../../src/engine/graph.ts';
import { run } from '../../../src/engine/run.ts';
import type { Tensor } from '../../../src/engine/tensor.ts';
import { largestOf } from '../../support/allclose.ts';
import { cases } from '../../support/random.ts';
import { drawnSetup, graphOf } from '../../support/setups.ts';

describe('permuting the keys', () => {
  type Simple = { x: number[][] } & Record<string, unknown>;
  const simpleOf = (seed: number): Simple | null => {
    const setup = drawnSetup(seed) as Record<string, unknown>;
    // Neither position nor a second axis of tokens: the keys are a set.
    const positional = [
      ...['rope', 'past', 'window', 'alibi', 'start', 'positionBias', 'masks'],
      // Tokens of their own for values, and keys that are no tokens.
      ...['xValue', 'zeroKey'],
    ].some((key) => key in setup);
    const mask = setup['mask'];
    const isTensor = Array.isArray(mask) && Array.isArray(mask[0]);
    const causal = mask !== undefined && mask !== 'none' && !isTensor;
    const plain = Array.isArray(setup['x']) && !Array.isArray((setup['x'] as number[][][])[0][0]);
    const simple = !positional && !causal && plain && 'xPrime' in setup && !('dropout' in setup);
    return simple ? (setup as Simple) : null;
  };
  const withoutOrder = (first: number): Simple => {
    for (let seed = first; ; seed++) {
      const found = simpleOf(seed);
      if (found) return found;
    }
  };

  /** Rows in reverse order. */
  const reversed = (value: Tensor, width: number): Tensor => ({
    ...value,
    data: Float64Array.from(value.data, (_, at) => {
      const row = value.data.length / width - 1 - Math.floor(at / width);
      return value.data[row * width + (at % width)];
    }),
  });

  const flipped = (nested: unknown, axis: number): unknown => {
    const list = nested as unknown[];
    if (list.length === 1 && axis === 0) return list;
    return axis === 0 ? [...list].reverse() : list.map((each) => flipped(each, axis - 1));
  };
  const depth = (nested: unknown): number => (Array.isArray(nested) ? 1 + depth(nested[0]) : 0);

  test('permutes dK and dx with them and leaves y and all else as it was', async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat(1e9), async (seed) => {
        const setup = withoutOrder(seed);
        const keyFirst =
          (setup['axes'] ?? (setup['head'] === 'kq' ? 'key-first' : '')) === 'key-first';
        const other: Record<string, unknown> = { ...setup, x: [...setup.x].reverse() };
        if (Array.isArray(setup['mask'])) {
          const axis = depth(setup['mask']) - (keyFirst ? 2 : 1);
          other['mask'] = flipped(setup['mask'], axis);
        }
        const [own, permuted] = [run(await graphOf(setup)), run(await graphOf(other))];
        const close = { tolerance: 1e-11 };
        for (const id of ['K', 'x', 'V'].filter((each) => own.gradients.has(each))) {
          const { shape } = own.gradients.get(id)!;
          const expected = reversed(own.gradients.get(id)!, shape[1]);
          expect(permuted.gradients.get(id)!, id).toBeAllclose(expected, close);
        }
        for (const id of ['xPrime', 'W_Q', 'Q']) {
          expect(permuted.gradients.get(id)!, id).toBeAllclose(own.gradients.get(id)!, close);
        }
        expect(permuted.values.get('y')!).toBeAllclose(own.values.get('y')!, close);
      }),
      cases(60),
    );
  });
});

describe('order of axes', () => {
  const transposed = (graph: Graph, value: Tensor, axes: readonly AxisLetters[]): Tensor => {
    const swapped = [...axes.slice(0, -2), axes[axes.length - 1], axes[axes.length - 2]];
    const stride = letterStrides(axes, graph.extents);
    const source = offsetTable(swapped.flat(), stride, graph.extents);
    const shape = [...value.shape.slice(0, -2), ...value.shape.slice(-2).reverse()];
    return { shape, data: Float64Array.from(source, (offset) => value.data[offset]) };
  };

  test('key-first and query-first differ in the axes of the scores only', async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat(1e9), async (seed) => {
        const drawn = drawnSetup(seed) as Record<string, unknown>;
        // A mask and a keep-mask that are given follow the setup's axes.
        const { mask, dropout: _, ...rest } = drawn;
        // So does a bias of each pair.
        const bias = rest['positionBias'] as { kind: string } | undefined;
        if (bias?.kind === 'learned') {
          delete rest['positionBias'];
          delete (rest['weights'] as Record<string, unknown>)['B'];
        }
        const setup = { ...rest, ...(typeof mask === 'string' && { mask }) };
        const byKey = run(await graphOf({ ...setup, axes: 'key-first' }));
        const byQuery = run(await graphOf({ ...setup, axes: 'query-first' }));
        for (const { id, axes } of byKey.graph.nodes) {
          const isScore = /^(S|Z|Zb|M|P|Pd|Pdiff)$/.test(id);
          for (const which of ['values', 'gradients'] as const) {
            const own = byKey[which].get(id)!;
            const expected = isScore ? transposed(byKey.graph, own, axes) : own;
            const largest = Math.max(1, largestOf(expected));
            expect(byQuery[which].get(id)!, id).toBeAllclose(expected, {
              tolerance: 1e-12,
              largest,
            });
          }
        }
      }),
      cases(40),
    );
  });
});
