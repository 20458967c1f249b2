// Notices: where NaN and infinity are born, and which queries see no key.
import { describe, expect, test } from 'vitest';
import type { HeadConfig } from '../../src/engine/config.ts';
import { buildGraph } from '../../src/engine/heads/build.ts';
import { run } from '../../src/engine/run.ts';
import { fromNested, map, tensor, type Tensor } from '../../src/engine/tensor.ts';
import { headConfig } from '../support/configs.ts';

const noticesOf = (own: Partial<HeadConfig>, head: HeadConfig['head'] = 'qkv') =>
  run(buildGraph(headConfig(head, own))).notices;

const { x, weights } = headConfig('qkv');
const put = (given: Tensor, offset: number, value: number): Tensor =>
  map(given, (entry, at) => (at === offset ? value : entry));
const mask = (meaning: 'attend' | 'add', rows: number[][]) => ({
  mask: { tensor: fromNested(rows), meaning },
});
const all = [1, 1, 1, 1, 1];

test('a run of finite numbers has none', () => {
  expect(noticesOf({})).toEqual([]);
  expect(noticesOf({ mask: 'causal' })).toEqual([]);
});

describe('values', () => {
  test('NaN that is given is found where it is given, not where it spreads to', () => {
    expect(noticesOf({ x: put(x!, 7, NaN) })).toEqual([
      {
        ...{ node: 'x', kind: 'value', what: 'NaN', index: [2, 1], count: 1 },
        message: 'NaN is given in x[2, 1]',
      },
    ]);
  });

  test('two sources are two notices', () => {
    const given = {
      x: put(x!, 0, NaN),
      weights: { ...weights, W_Q: put(weights.W_Q!, 3, Infinity) },
    };
    expect(noticesOf(given).map(({ message }) => message)).toEqual([
      'NaN is given in x[0, 0]',
      'infinity is given in W_Q[1, 1]',
    ]);
  });

  test('an overflow is found where it happens', () => {
    const given = {
      weights: {
        ...weights,
        W_K: map(weights.W_K!, () => 1e200),
        W_Q: map(weights.W_Q!, () => 1e200),
      },
    };
    const [{ node, what, count, message }, ...others] = noticesOf(given);
    expect([node, what, count, others.length]).toEqual(['S', 'infinity', 20, 0]);
    expect(message).toBe(
      'infinity arises in S[0, 0] and in 19 more entries; what it was computed from is finite',
    );
  });

  test('−∞ in the mask is none, NaN in it is one', () => {
    expect(noticesOf(mask('add', [[-Infinity, 0, 0, 0, 0]]))).toEqual([]);
    const [{ node, count }] = noticesOf(mask('add', [[NaN, 0, 0, 0, 0]]));
    expect([node, count]).toEqual(['M', 4]);
  });
});

describe('queries without any key', () => {
  test('are counted, and the first is named', () => {
    const rows = [all, [0, 0, 0, 0, 0], all, [0, 0, 0, 0, 0]];
    const [notice, ...others] = noticesOf(mask('attend', rows));
    expect(others).toEqual([]);
    expect(notice).toMatchObject({ node: 'M', what: 'fully masked row', index: [1, 0], count: 2 });
    expect(notice.message).toContain('no key is left for 2 queries, first at j = 1: P is 0 there');
  });

  test('one is one query', () => {
    const [{ message }] = noticesOf(mask('attend', [[0, 0, 0, 0, 0], all, all, all]));
    expect(message).toContain('no key is left for one query, first at j = 0');
  });

  test('with keys first and heads, the head is named too', () => {
    const rows = tensor([4, 1, 4], [1, 1, 1, 1, 1, 1, 0, 1, 1, 1, 1, 1, 1, 1, 1, 1]);
    const own = { axes: 'key-first', mask: { tensor: rows, meaning: 'attend' } } as const;
    const [{ index, message }] = noticesOf(own, 'multihead');
    expect(index).toEqual([1, 0, 2]);
    expect(message).toContain('first at rg = 1, j = 2');
  });
});

describe('gradients', () => {
  // The output of a query without any key is exactly 0, where the slope of a cube root is infinite.
  const loss = { kind: 'expression', expression: 'sum(cbrt(y))', constants: {} } as const;
  const blind = mask('attend', [all, all, [0, 0, 0, 0, 0], all]);

  test('are looked at where all values are finite, nearest to f first', () => {
    const [, notice, ...others] = noticesOf({ loss, ...blind });
    expect(others).toEqual([]);
    expect(notice).toMatchObject({
      node: 'y',
      kind: 'gradient',
      what: 'infinity',
      index: [2, 0],
      count: 7,
    });
  });

  test('say nothing where a value is odd already: they cannot but be', () => {
    const given = noticesOf({ loss, ...blind, x: put(x!, 0, NaN) });
    expect(given.map(({ kind, what }) => `${kind}: ${what}`)).toEqual([
      'value: NaN',
      'value: fully masked row',
    ]);
  });
});
