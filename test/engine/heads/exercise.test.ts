// The exercise's equations (1) to (6), computed term by term with plain loops, against the head `kq`.
import { describe, expect, test } from 'vitest';
import { tensor } from '../../../src/engine/tensor.ts';
import '../../support/allclose.ts';
import { headConfig } from '../../support/configs.ts';
import { buildGraph } from '../../../src/engine/heads/build.ts';
import { run } from '../../../src/engine/run.ts';

const config = headConfig('kq');
const { values, gradients } = run(buildGraph(config));

const rows = ({ shape, data }: { shape: readonly number[]; data: Float64Array }): number[][] =>
  Array.from({ length: shape[0] }, (_, row) => [
    ...data.subarray(row * shape[1], (row + 1) * shape[1]),
  ]);
const sum = (terms: number[]): number => terms.reduce((a, b) => a + b, 0);
const dot = (a: number[], b: number[]): number => sum(a.map((value, n) => value * b[n]));
/** M v, and M^T v. */
const times = (m: number[][], v: number[]): number[] => m.map((row) => dot(row, v));
const transposed = (m: number[][]): number[][] =>
  m[0].map((_, column) => m.map((row) => row[column]));

const [x, xPrime] = [rows(config.x!), rows(config.xPrime!)];
const [W_K, W_Q] = [rows(config.weights.W_K!), rows(config.weights.W_Q!)];

/** q_ij = x_i^T W_K W_Q^T x'_j and p_ij = exp(q_ij) / sum_l exp(q_lj) */
const q = x.map((xi) =>
  xPrime.map((xj) => dot(times(transposed(W_K), xi), times(transposed(W_Q), xj))),
);
const p = q.map((row) =>
  row.map((value, j) => Math.exp(value) / sum(q.map((each) => Math.exp(each[j])))),
);
/** y_j = sum_i x_i p_ij; f = |y|^2 / 2, so df/dy_j = y_j */
const y = xPrime.map((_, j) => x[0].map((__, c) => sum(x.map((xi, i) => xi[c] * p[i][j]))));

/** dp_lj/dq_ij = p_lj (delta_li - p_ij) */
const dpdq = (l: number, i: number, j: number): number => p[l][j] * ((l === i ? 1 : 0) - p[i][j]);
/** df/dp_lj = df/dy_j . x_l */
const dfdp = (l: number, j: number): number => dot(y[j], x[l]);
/** dq_ij/dx_i = W_K W_Q^T x'_j, and dq_ij/dx'_j = W_Q W_K^T x_i */
const dqdx = (j: number): number[] => times(W_K, times(transposed(W_Q), xPrime[j]));
const dqdxPrime = (i: number): number[] => times(W_Q, times(transposed(W_K), x[i]));

const matrix = (all: number[][]) => tensor([all.length, all[0].length], all.flat());

describe('values', () => {
  test('(1) y', () => expect(values.get('y')!).toBeAllclose(matrix(y)));
  test('(2) p', () => expect(values.get('P')!).toBeAllclose(matrix(p)));
  test('(2) q', () => expect(values.get('S')!).toBeAllclose(matrix(q)));
});

describe('gradients', () => {
  test('(3) df/dx′: over the weights of all keys', () => {
    const expected = xPrime.map((xj, j) =>
      xj.map((_, e) =>
        sum(x.flatMap((__, l) => x.map((___, i) => dfdp(l, j) * dpdq(l, i, j) * dqdxPrime(i)[e]))),
      ),
    );
    expect(gradients.get('xPrime')!).toBeAllclose(matrix(expected));
  });

  test('(4) df/dx: as value, and through the weights of all keys', () => {
    const expected = x.map((xi, i) =>
      xi.map((_, c) => {
        const asValue = sum(y.map((yj, j) => yj[c] * p[i][j]));
        const byWeights = sum(
          y.flatMap((__, j) => x.map((___, l) => dfdp(l, j) * dpdq(l, i, j) * dqdx(j)[c])),
        );
        return asValue + byWeights;
      }),
    );
    expect(gradients.get('x')!).toBeAllclose(matrix(expected));
  });

  test('(6) df/dx: the softmax differentiated', () => {
    const expected = x.map((xi, i) =>
      xi.map((_, c) =>
        sum(
          y.map((yj, j) => {
            const centred = dot(
              yj,
              xi.map((value, n) => value - yj[n]),
            );
            return p[i][j] * (yj[c] + centred * dqdx(j)[c]);
          }),
        ),
      ),
    );
    expect(gradients.get('x')!).toBeAllclose(matrix(expected));
  });
});
