// What follows from a first mistake is told as none: programs written out here, each with one mistake in its forward pass.
import { describe, expect, it, test } from 'vitest';
import { check } from '../../src/compare/check.ts';
import type { Report } from '../../src/compare/report.ts';
import { run } from '../../src/engine/run.ts';
import { tensor } from '../../src/engine/tensor.ts';
import { resolveName } from '../../src/formats/nodeNames.ts';
import { openSetup } from '../../src/formats/openSetup.ts';
import { generator } from '../conformance/draw.mjs';

type Matrix = number[][];

const random = generator(11);
const numbers = (rows: number, columns: number): Matrix =>
  Array.from({ length: rows }, () => Array.from({ length: columns }, () => 2 * random() - 1));
const [n, width] = [6, 4];
const [Q, K, V, dy] = [0, 0, 0, 0].map(() => numbers(n, width));

const times = (a: Matrix, b: Matrix): Matrix =>
  a.map((row) => b[0].map((_, c) => row.reduce((sum, value, k) => sum + value * b[k][c], 0)));
const turned = (a: Matrix): Matrix => a[0].map((_, c) => a.map((row) => row[c]));
const each = (a: Matrix, of: (value: number, row: number, column: number) => number): Matrix =>
  a.map((row, r) => row.map((value, c) => of(value, r, c)));
const rowSums = (a: Matrix): number[] => a.map((row) => row.reduce((sum, value) => sum + value, 0));
const scale = 1 / Math.sqrt(width);

async function told(options: object, logged: Readonly<Record<string, Matrix>>): Promise<Report> {
  const setup = {
    ...{ head: 'multihead', heads: 1, axes: 'query-first', start: { Q, K, V }, weights: {} },
    ...{ loss: { upstream: dy }, ...options },
  };
  const { config, graph } = await openSetup(JSON.stringify(setup), () =>
    Promise.reject(new Error('no files')),
  );
  const right = run(graph!);
  expect(right.values.get('y')!.shape).toEqual([n, width]);
  const trace = Object.entries(logged).map(([name, rows]) => ({
    ...{ name, dtype: 'float64' as const },
    tensor: tensor([rows.length, rows[0].length], rows.flat()),
  }));
  return check({ config: config!, graph: graph!, trace, names: {}, resolve: resolveName });
}

const ids = ({ causes }: Report): string[] => causes.map(({ id }) => id);

/** A kernel: of each query it keeps L, and makes the weights of it anew for the backward pass. */
function kernel(
  isSeen: (query: number, key: number) => boolean,
  isSeenBackward: (query: number, key: number) => boolean,
): Record<string, Matrix> {
  const Z = each(times(Q, turned(K)), (score) => scale * score);
  const own = each(Z, (score, j, i) => (isSeen(j, i) ? Math.exp(score) : 0));
  const L = rowSums(own).map(Math.log);
  const y = times(
    each(own, (value, j) => value / Math.exp(L[j])),
    V,
  );
  const P = each(Z, (score, j, i) => (isSeenBackward(j, i) ? Math.exp(score - L[j]) : 0));
  const D = rowSums(each(dy, (value, j, c) => value * y[j][c]));
  const dS = each(times(dy, turned(V)), (value, j, i) => scale * P[j][i] * (value - D[j]));
  return { y, dQ: times(dS, K), dK: times(turned(dS), Q), dV: times(turned(P), dy) };
}

describe('a kernel whose forward pass leaves out keys', () => {
  const causal = (j: number, i: number): boolean => i <= j;

  it('may mask rightly in its backward pass, with the log-sum-exp that it has', async () => {
    const isSeen = (j: number, i: number): boolean => causal(j, i) && i < n - 2;
    const report = await told({ mask: 'causal' }, kernel(isSeen, causal));
    expect([report.first?.node, report.causes.length]).toEqual(['y', 1]);
    expect(
      report.nodes.filter(({ status }) => status === 'diverges').map(({ node }) => node),
    ).toEqual(['y']);
  });

  it('is right where it leaves out none', async () => {
    expect((await told({ mask: 'causal' }, kernel(causal, causal))).verdict).toBe('match');
  });
});

describe('a wrong softcap with a right backward pass by hand', () => {
  const softcap = 1.5;

  /** `capped`: what the forward pass makes of a scaled score. */
  function program(capped: (score: number) => number): Record<string, Matrix> {
    const Z = each(times(Q, turned(K)), (score) => capped(scale * score));
    const own = each(Z, Math.exp);
    const sums = rowSums(own);
    const P = each(own, (value, j) => value / sums[j]);
    const dP = times(dy, turned(V));
    const D = rowSums(each(P, (value, j, i) => value * dP[j][i]));
    const dZ = each(P, (value, j, i) => value * (dP[j][i] - D[j]));
    // Of Z as it is.
    const dS = each(dZ, (value, j, i) => value * (1 - (Z[j][i] / softcap) ** 2) * scale);
    return {
      ...{ Z, P, y: times(P, V), dZ, dS },
      ...{ dQ: times(dS, K), dK: times(turned(dS), Q), dV: times(turned(P), dy) },
    };
  }

  it.each<[string, (score: number) => number, string]>([
    ['twice', (score) => softcap * Math.tanh(Math.tanh(score / softcap)), 'softcap-twice'],
    ['not multiplied', (score) => Math.tanh(score / softcap), 'softcap-without-multiplication'],
  ])('%s', async (_, capped, id) => {
    expect(ids(await told({ softcap }, program(capped)))).toEqual([id]);
  });

  it('is right with the right one', async () => {
    const right = program((score) => softcap * Math.tanh(score / softcap));
    expect((await told({ softcap }, right)).verdict).toBe('match');
  });
});

describe('gradients that are too large', () => {
  const right = kernel(
    () => true,
    () => true,
  );
  const twice = (name: string): Matrix => each(right[name], (value) => 2 * value);

  it('are told as one where one is given', async () => {
    const { causes } = await told({}, { y: right.y, dQ: twice('dQ') });
    const words = `${causes[0].title} ${causes[0].why}`;
    expect(causes[0].id).toBe('gradients-not-zeroed');
    expect(words).toContain('dQ is 2 times too large');
    expect(words).not.toMatch(/every|all gradients|Each of/i);
  });

  it('are told as all that are given', async () => {
    const logged = { y: right.y, dQ: twice('dQ'), dK: twice('dK'), dV: twice('dV') };
    const { causes } = await told({}, logged);
    expect(causes[0].why).toContain('Each of the 3 given gradients of the inputs is 2 times');
  });
});

test('queries that are scaled before scores that are scaled again are one mistake, whatever the scores are called', async () => {
  const scaled = each(Q, (value) => scale * value);
  const scores = times(scaled, turned(K));
  const weights = each(scores, (score) => Math.exp(scale * score));
  const sums = rowSums(weights);
  const P = each(weights, (value, j) => value / sums[j]);
  const own = { Qh: scaled, Kh: K, scores, attn_weights: P, output: times(P, V) };
  const dV = times(turned(P), dy);
  expect(ids(await told({}, { ...own, dV }))).toEqual(['scale-twice']);
});

test('an output of the wrong sign is no convention, though an even loss does not see it', async () => {
  const { y } = kernel(
    () => true,
    () => true,
  );
  const f = rowSums(each(y, (value) => value ** 2 / 2)).reduce((a, b) => a + b, 0);
  const logged = { y: each(y, (value) => -value), f: [[f]] };
  const report = await told({ loss: { expression: 'sum(y .^ 2) / 2' } }, logged);
  expect(report).toMatchObject({ verdict: 'diverges', first: { node: 'y' } });
});

test('queries and keys that both have the scale are one mistake', async () => {
  const [scaledQ, scaledK] = [Q, K].map((rows) => each(rows, (value) => scale * value));
  const S = times(scaledQ, turned(scaledK));
  const weights = each(S, (score) => Math.exp(score));
  const sums = rowSums(weights);
  const P = each(weights, (value, j) => value / sums[j]);
  const own = { Qh: scaledQ, Kh: scaledK, S, P, y: times(P, V), dV: times(turned(P), dy) };
  expect(ids(await told({}, own))).toEqual(['scale-on-both']);
});
