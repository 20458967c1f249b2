// Every operation's derivative, four ways: VJP, local Jacobian, reach and summands, against finite differences.
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { shapeOf } from '../../../src/engine/axes.ts';
import type { Application } from '../../../src/engine/operation.ts';
import { type Tensor, zeros } from '../../../src/engine/tensor.ts';
import '../../support/allclose.ts';
import { jacobianColumn, moved } from '../../support/differences.ts';
import { cases, randomTensor } from '../../support/random.ts';
import { anyExtents, type OperationCase, operationCases } from './operationCases.ts';

const RUNS = 12;

const applied = ({ operation, inputs }: OperationCase): Application => ({
  inputs,
  output: operation.forward(inputs),
});

/** Calls back for every entry of every operand. */
function eachEntry({ inputs }: OperationCase, visit: (slot: number, offset: number) => void): void {
  inputs.forEach(({ data }, slot) => data.forEach((_, offset) => visit(slot, offset)));
}

describe.each(Object.entries(operationCases))('%s', (_, make) => {
  const property = (check: (own: OperationCase, seed: number) => void): void =>
    fc.assert(
      fc.property(anyExtents, fc.nat(1e6), (extents, seed) => check(make(extents, seed), seed)),
      cases(RUNS),
    );

  test('the result has the shape of the output axes', () => {
    property((own) => {
      expect(applied(own).output.shape).toEqual(shapeOf(own.output, own.extents));
    });
  });

  test('the VJP is the sum of upstream x partial over the reach', () => {
    property((own, seed) => {
      const at = applied(own);
      const upstream = randomTensor(at.output.shape, seed + 50);
      const expected: Tensor[] = own.inputs.map(({ shape }) => zeros(shape));
      eachEntry(own, (slot, offset) => {
        for (const o of own.operation.reach(at, slot, offset)) {
          expected[slot].data[offset] +=
            upstream.data[o] * own.operation.partial(at, slot, o, offset);
        }
      });
      own.operation
        .vjp(at, upstream)
        .forEach((part, slot) => expect(part).toBeAllclose(expected[slot], { tolerance: 1e-13 }));
    });
  });

  test('the local Jacobian is the finite difference of forward', () => {
    property((own) => {
      const at = applied(own);
      const wrong: object[] = [];
      eachEntry(own, (slot, offset) => {
        jacobianColumn(own.operation, own.inputs, slot, offset).forEach((slope, o) => {
          if (!Number.isFinite(at.output.data[o])) return;
          const partial = own.operation.partial(at, slot, o, offset);
          const close = Math.abs(partial - slope) < 1e-8 * Math.max(1, Math.abs(slope));
          if (!close) wrong.push({ slot, offset, o, partial, slope });
        });
      });
      expect(wrong).toEqual([]);
    });
  });

  test('outside of its reach an entry changes nothing, and the local Jacobian is 0', () => {
    property((own) => {
      const at = applied(own);
      const wrong: object[] = [];
      eachEntry(own, (slot, offset) => {
        const reached = new Set(own.operation.reach(at, slot, offset));
        const other = own.operation.forward(
          own.inputs.map((each, n) => (n === slot ? moved(each, offset, 0.7) : each)),
        );
        at.output.data.forEach((value, o) => {
          if (reached.has(o)) return;
          const partial = own.operation.partial(at, slot, o, offset);
          if (other.data[o] !== value || partial !== 0) wrong.push({ slot, offset, o });
        });
      });
      expect(wrong).toEqual([]);
    });
  });

  test('the reach is in ascending order and within the output', () => {
    property((own) => {
      const at = applied(own);
      eachEntry(own, (slot, offset) => {
        const reached = own.operation.reach(at, slot, offset);
        const ordered = reached.every(
          (o, n) => o in at.output.data && (n === 0 || reached[n - 1] < o),
        );
        if (!ordered) expect.fail(`slot ${slot}, entry ${offset} reaches ${reached.join(' ')}`);
      });
    });
  });
});

const sumsOfProducts = Object.entries(operationCases).filter(([name]) =>
  /^(contraction|rearrange)/.test(name),
);

test.each(sumsOfProducts)('%s: the summands multiply and add up to each entry', (_, make) => {
  fc.assert(
    fc.property(anyExtents, fc.nat(1e6), (extents, seed) => {
      const own = make(extents, seed);
      const at = applied(own);
      at.output.data.forEach((value, o) => {
        const total = own.operation.summands!(at, o)
          .map((factors) => factors.map(({ slot, offset }) => own.inputs[slot].data[offset]))
          .reduce((sum, factors) => sum + factors.reduce((a, b) => a * b, 1), 0);
        expect(Math.abs(total - value)).toBeLessThan(1e-13 * Math.max(1, Math.abs(value)));
      });
    }),
    cases(RUNS),
  );
});

test('only sums of products name summands', () => {
  const extents = {
    ...{ b: 1, h: 1, r: 1, g: 1, i: 2, j: 1 },
    ...{ t: 1, p: 1, a: 2, c: 1, v: 1, o: 1 },
  };
  const named = Object.entries(operationCases).filter(
    ([, make]) => 'summands' in make(extents, 1).operation,
  );
  expect(named.map(([name]) => name)).toEqual(sumsOfProducts.map(([name]) => name));
});
