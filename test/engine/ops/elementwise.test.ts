// Scale, softcap, mask and dropout: their values by hand, and what they do to NaN.
import { describe, expect, test } from 'vitest';
import { parseSpec } from '../../../src/engine/axes.ts';
import type { Operation } from '../../../src/engine/operation.ts';
import { addMask, dropout, scale, scaleAndSoftcap } from '../../../src/engine/ops/elementwise.ts';
import { tensor } from '../../../src/engine/tensor.ts';

const [axes] = parseSpec('j i');
const row = (...entries: number[]) => tensor([1, entries.length], entries);
const value = (operation: Operation, ...entries: number[]): number[] => [
  ...operation.forward([row(...entries)]).data,
];
const passedOn = (operation: Operation, entries: number[], upstream: number[]): number[] => {
  const inputs = [row(...entries)];
  return [
    ...operation.vjp({ inputs, output: operation.forward(inputs) }, row(...upstream))[0].data,
  ];
};

test('scale multiplies values and gradients', () => {
  expect(value(scale(axes, 0.25), 4, -8)).toEqual([1, -2]);
  expect(passedOn(scale(axes, 0.25), [4, -8], [4, 8])).toEqual([1, 2]);
});

describe('softcap', () => {
  test('is the scale where the scores are small', () => {
    const [small] = value(scaleAndSoftcap(axes, 0.5, 30), 1e-4);
    expect(small).toBeCloseTo(0.5e-4, 12);
  });

  test('stays within ± the cap, where its slope is 0', () => {
    const operation = scaleAndSoftcap(axes, 1, 30);
    expect(value(operation, 1e6, -1e6)).toEqual([30, -30]);
    expect(passedOn(operation, [1e6, -1e6], [NaN, 5])).toEqual([0, 0]);
  });
});

describe('mask', () => {
  const operation = addMask(axes, row(0, -Infinity, 2));

  test('adds, and cuts off where it is −∞', () => {
    expect(value(operation, 1, 1, 1)).toEqual([1, -Infinity, 3]);
  });

  test('cuts off NaN and +∞ too', () => {
    expect(value(operation, 1, NaN, 1)).toEqual([1, -Infinity, 3]);
    expect(value(operation, 1, Infinity, 1)).toEqual([1, -Infinity, 3]);
  });

  test('passes nothing back through a masked entry', () => {
    expect(passedOn(operation, [1, 1, 1], [5, NaN, 7])).toEqual([5, 0, 7]);
  });
});

test('dropout scales what is kept by 1 / (1 − p), any keep but 0 counting as kept', () => {
  const operation = dropout(axes, row(1, 0, 3), 0.75);
  expect(value(operation, 0.5, 0.25, 0.25)).toEqual([2, 0, 1]);
  expect(passedOn(operation, [0.5, 0.25, 0.25], [1, 1, 2])).toEqual([4, 0, 8]);
});
