// TF32 and float8 as types in which a program is judged, and the verdict beside what the type alone does.
import { describe, expect, test } from 'vitest';
import { check, type CheckInput } from '../../src/compare/check.ts';
import { FLOAT8_E4M3, FLOAT8_E5M2, tf32Operand } from '../../src/compare/reference/dtypes.ts';
import { referenceProgram, State } from '../../src/compare/program/program.ts';
import { precisionText, type Report } from '../../src/compare/report.ts';
import { randomTensor as random } from '../support/random.ts';
import type { HeadConfig, NumberTypeName } from '../../src/engine/config.ts';
import { buildGraph } from '../../src/engine/heads/build.ts';
import { map, type Tensor } from '../../src/engine/tensor.ts';
import { decode } from '../../src/formats/dtype.ts';
import { resolveName } from '../../src/formats/nodeNames.ts';

const bytes = Uint8Array.from({ length: 256 }, (_, n) => n);

describe.each([
  ['float8_e4m3fn', FLOAT8_E4M3, { 0x7e: 448, 0x08: 2 ** -6, 0x01: 2 ** -9, 0x7f: NaN, 0xb8: -1 }],
  [
    'float8_e5m2',
    FLOAT8_E5M2,
    { 0x7b: 57344, 0x7c: Infinity, 0x01: 2 ** -16, 0x04: 2 ** -14, 0xbc: -1 },
  ],
] as const)('%s', (name, type, known) => {
  const values = decode(name, bytes, true, 256);

  test('is decoded', () => {
    for (const [at, value] of Object.entries(known)) expect(values[Number(at)]).toBe(value);
  });

  test('rounds to its own numbers, ties to even', () => {
    const finite = [...values.slice(0, 128)].filter(Number.isFinite);
    finite.forEach((value, n) => {
      expect(type.round(value)).toBe(value);
      if (n === 0) return;
      const [below, half] = [finite[n - 1], (finite[n - 1] + value) / 2];
      expect(type.round(half)).toBe(n % 2 === 0 ? value : below);
      expect(type.round(half * (1 - 1e-9))).toBe(below);
      expect(type.round(half * (1 + 1e-9))).toBe(value);
    });
  });

  test('has a largest number', () => {
    const beyond = type.round(1e6);
    expect(beyond).toBe(name === 'float8_e5m2' ? Infinity : NaN);
  });
});

test('operands of TF32 keep eleven bits', () => {
  expect(tf32Operand.nearest(1 + 2 ** -10)).toBe(1 + 2 ** -10);
  expect(tf32Operand.nearest(1 + 2 ** -11 + 2 ** -20)).toBe(1 + 2 ** -10);
  expect(tf32Operand.cut(1 + 2 ** -10 - 2 ** -20)).toBe(1);
  expect(tf32Operand.cut(-3 - 2 ** -8)).toBe(-3 - 2 ** -8);
});

/** The first 19 bits of a float32, to the nearest: what a tensor core sees. */
function seenByCore(value: number): number {
  const [single, bits] = [new Float32Array([value]), new Int32Array(1)];
  bits[0] = new Int32Array(single.buffer)[0] + 0x1000;
  bits[0] &= ~0x1fff;
  return new Float32Array(bits.buffer)[0];
}

/** (n, k) (k, m), each operand through `see`, stored as float32. */
function product(a: Tensor, b: Tensor, see: (value: number) => number): Tensor {
  const [[n, k], [, m]] = [a.shape, b.shape];
  const data = Float64Array.from({ length: n * m }, (_, at) => {
    let sum = 0;
    for (let l = 0; l < k; l++)
      sum += see(a.data[Math.floor(at / m) * k + l]) * see(b.data[l * m + (at % m)]);
    return Math.fround(sum);
  });
  return { shape: [n, m], data };
}

function transposed({ shape: [n, m], data }: Tensor): Tensor {
  return {
    shape: [m, n],
    data: Float64Array.from(data, (_, at) => data[(at % n) * m + Math.floor(at / n)]),
  };
}

const SIZE = 24;
const config: HeadConfig = {
  ...{ head: 'qkv', heads: 1, kvHeads: 1, mask: 'none', axes: 'query-first', scale: 0.2 },
  x: map(random([12, SIZE], 1), Math.fround),
  weights: {
    W_K: map(random([SIZE, SIZE], 2), Math.fround),
    W_Q: map(random([SIZE, SIZE], 3), Math.fround),
    W_V: map(random([SIZE, SIZE], 4), Math.fround),
  },
  loss: { kind: 'half-squared-norm' },
};

/** A forward pass by hand. */
function program(see: (value: number) => number, scale = 0.2): CheckInput['trace'] {
  const { x, weights } = config;
  const [K, Q, V] = (['W_K', 'W_Q', 'W_V'] as const).map((id) => product(x!, weights[id]!, see));
  const S = product(Q, transposed(K), see);
  const Z = map(S, (value) => Math.fround(value * scale));
  const P = map(Z, (value) => Math.exp(value));
  for (let row = 0; row < 12; row++) {
    const own = P.data.subarray(row * 12, row * 12 + 12);
    const total = own.reduce((a, b) => a + b, 0);
    own.forEach((value, n) => (own[n] = Math.fround(value / total)));
  }
  const y = product(P, V, see);
  return Object.entries({ K, Q, V, S, Z, P, y }).map(([name, tensor]) => ({
    ...{ name, tensor, dtype: 'float32' as const },
  }));
}

function judged(trace: CheckInput['trace'], numberType?: NumberTypeName): Report {
  const own = { ...config, ...(numberType && { numberType }) };
  return check({ config: own, graph: buildGraph(own), trace, names: {}, resolve: resolveName });
}

test('a tensor that is kept in another way is not told as rounding', () => {
  const trace = program(Math.fround).map((each) =>
    each.name === 'S' ? { ...each, tensor: map(each.tensor, (value) => 1.5 * value) } : each,
  );
  const { verdict, first, precision } = judged(trace);
  expect(verdict).toBe('match');
  expect(first).toBeNull();
  expect(precision!.node).not.toBe('S');
  expect(precision!.yours).toBeLessThan(20 * precision!.alone);
});

describe('a program whose products are made in TF32', () => {
  test('is told so, and is no match for float32', () => {
    const { verdict, causes, precision } = judged(program(seenByCore));
    expect(verdict).toBe('diverges');
    expect(causes.map(({ id }) => id)).toEqual(['tf32']);
    expect(precision?.verdict).toBe('bug');
    expect(precision!.yours).toBeGreaterThan(20 * precision!.alone);
  });

  test('matches where the setup says so: rounding', () => {
    const { verdict, precision } = judged(program(seenByCore), 'tf32');
    expect(verdict).toBe('match');
    expect(precision).toMatchObject({ dtype: 'tf32', verdict: 'rounding' });
    expect(precision!.yours / precision!.alone).toBeGreaterThan(0.2);
    expect(precision!.yours / precision!.alone).toBeLessThan(3);
  });

  test('with a mistake in it is wrong in TF32 too', () => {
    const { verdict, first, precision } = judged(program(seenByCore, 0.21), 'tf32');
    expect(verdict).toBe('diverges');
    expect(first).toEqual({ node: 'Z', kind: 'value' });
    expect(precision).toMatchObject({ node: 'Z', verdict: 'bug' });
  });

  test('in float32 it is right', () => {
    expect(judged(program((value) => value)).verdict).toBe('match');
  });
});

describe('beside what the type alone does', () => {
  const exact = (): CheckInput['trace'] => {
    const state = new State(referenceProgram(buildGraph(config)));
    return ['S', 'P', 'y'].map((name) => ({ name, dtype: 'float64', tensor: state.value(name) }));
  };
  const stored = (round: (value: number) => number, dtype: 'float8_e4m3fn' | 'bfloat16') =>
    exact().map((each) => ({ ...each, dtype, tensor: map(each.tensor, round) }));

  test('float64 itself is exact', () => {
    const { precision } = judged(exact());
    expect(precision?.verdict).toBe('exact');
    expect(precisionText(precision!)).toMatch(/^\w+ is float64's to the last bit$/);
  });

  test('a trace in float8 is judged as such', () => {
    const { verdict, dtype, precision } = judged(
      stored((value) => FLOAT8_E4M3.round(value), 'float8_e4m3fn'),
    );
    expect({ verdict, dtype, precision: precision?.verdict }).toEqual({
      ...{ verdict: 'match', dtype: 'float8_e4m3fn', precision: 'rounding' },
    });
    expect(precisionText(precision!)).toMatch(
      /off float64, float8_e4m3fn alone does .* to a right program: rounding \([\d.e-]+ times that\)$/,
    );
  });

  test('twice a tensor is a bug in float8 as well', () => {
    const trace = stored((value) => FLOAT8_E4M3.round(value), 'float8_e4m3fn').map((each) =>
      each.name === 'y' ? { ...each, tensor: map(each.tensor, (value) => 4 * value) } : each,
    );
    const { first, precision } = judged(trace);
    expect(first).toEqual({ node: 'y', kind: 'value' });
    expect(precisionText(precision!)).toContain(': a bug (');
  });
});
