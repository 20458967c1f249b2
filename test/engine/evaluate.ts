// Computes a formula of the exercise from the inputs alone: nothing of the graph, its operations or its gradients.
import type { Formula } from '../../src/engine/formula.ts';
import type { Run } from '../../src/engine/run.ts';
import type { Tensor } from '../../src/engine/tensor.ts';

/** Columns are vectors; a derivative has its denominator's entries as rows and its numerator's as columns. */
export type Matrix = number[][];

export type Bound = Readonly<Record<'i' | 'l' | 'j' | 'k', number>>;

interface State {
  readonly x: Matrix;
  readonly query: Matrix;
  /** Where given, not computed from x: a partial derivative holds it fixed. */
  readonly p?: Matrix;
  readonly y?: Matrix;
}

export interface Scope extends State {
  readonly W_K: Matrix;
  readonly W_Q: Matrix;
  /** f is half the squared distance of y from it. */
  readonly target: Matrix;
  readonly tokens: number;
  readonly queries: number;
}

export const rowsOf = ({ shape: [height, width], data }: Tensor): Matrix =>
  Array.from({ length: height }, (_, n) => [...data.slice(n * width, (n + 1) * width)]);

export function scopeOf({ graph, values, gradients }: Run): Scope {
  const x = rowsOf(values.get('x')!);
  const query = graph.selfAttention ? x : rowsOf(values.get('xPrime')!);
  const [y, dy] = [values.get('y')!, gradients.get('y')!].map(rowsOf);
  return {
    ...{ x, query },
    W_K: rowsOf(values.get('W_K')!),
    W_Q: rowsOf(values.get('W_Q')!),
    target: y.map((row, j) => row.map((entry, c) => entry - dy[j][c])),
    tokens: x.length,
    queries: query.length,
  };
}

const column = (row: readonly number[]): Matrix => row.map((entry) => [entry]);
const transpose = (a: Matrix): Matrix => a[0].map((_, n) => a.map((row) => row[n]));
const isScalar = (a: Matrix): boolean => a.length === 1 && a[0].length === 1;
const scaled = (a: Matrix, by: number): Matrix => a.map((row) => row.map((entry) => entry * by));
const plus = (a: Matrix, b: Matrix): Matrix =>
  a.map((row, n) => row.map((entry, m) => entry + b[n][m]));
const range = (length: number): number[] => Array.from({ length }, (_, n) => n);

function times(a: Matrix, b: Matrix): Matrix {
  if (isScalar(a)) return scaled(b, a[0][0]);
  if (isScalar(b)) return scaled(a, b[0][0]);
  if (a[0].length !== b.length) throw new RangeError(`${a[0].length} columns, ${b.length} rows`);
  return a.map((row) =>
    transpose(b).map((other) => row.reduce((sum, entry, n) => sum + entry * other[n], 0)),
  );
}

const score = ({ x, query, W_K, W_Q }: Scope, i: number, j: number): number =>
  times(times(transpose(column(x[i])), W_K), times(transpose(W_Q), column(query[j])))[0][0];

/** A scope does not change: its weights and outputs are computed once. */
const weightsOf = new WeakMap<Scope, Matrix>();
const outputsOf = new WeakMap<Scope, Matrix>();

function weights(scope: Scope): Matrix {
  const known = scope.p ?? weightsOf.get(scope);
  if (known) return known;
  const made = range(scope.tokens).map(() => Array.from({ length: scope.queries }, () => 0));
  for (const j of range(scope.queries)) {
    const exponentials = range(scope.tokens).map((l) => Math.exp(score(scope, l, j)));
    const total = exponentials.reduce((sum, each) => sum + each, 0);
    exponentials.forEach((each, i) => (made[i][j] = each / total));
  }
  weightsOf.set(scope, made);
  return made;
}

function outputs(scope: Scope): Matrix {
  const known = scope.y ?? outputsOf.get(scope);
  if (known) return known;
  const p = weights(scope);
  const made = range(scope.queries).map((j) =>
    scope.x[0].map((_, c) =>
      range(scope.tokens).reduce((sum, i) => sum + scope.x[i][c] * p[i][j], 0),
    ),
  );
  outputsOf.set(scope, made);
  return made;
}

const loss = (scope: Scope): number =>
  range(scope.queries)
    .flatMap((j) => outputs(scope)[j].map((entry, c) => (entry - scope.target[j][c]) ** 2 / 2))
    .reduce((sum, each) => sum + each, 0);

function moved(rows: Matrix, row: number, col: number, by: number): Matrix {
  return rows.map((own, n) => own.map((entry, m) => (n === row && m === col ? entry + by : entry)));
}

const STEP = 1e-5;

function derivative(top: Formula, bottom: Formula, bound: Bound, scope: Scope): Matrix {
  if (top.kind !== 'symbol' || bottom.kind !== 'symbol') throw new RangeError('no symbols');
  const places = bottom.indices.map(([letter]) => bound[letter as keyof Bound]);
  const fixed = top.name === 'y' && bottom.name !== 'p' ? { ...scope, p: weights(scope) } : scope;
  const at = (col: number, by: number): number[] => {
    const state = (): Scope => {
      switch (bottom.name) {
        case 'x':
          return { ...fixed, x: moved(scope.x, places[0], col, by) };
        case 'x′':
          return { ...fixed, query: moved(scope.query, places[0], col, by) };
        case 'p':
          return { ...fixed, p: moved(weights(scope), places[0], places[1], by) };
        default:
          return { ...fixed, y: moved(outputs(scope), places[0], col, by) };
      }
    };
    return evaluate(top, bound, state()).flat();
  };
  const width =
    bottom.name === 'p'
      ? 1
      : bottom.name === 'y'
        ? scope.x[0].length
        : scope[bottom.name === 'x' ? 'x' : 'query'][0].length;
  return range(width).map((col) => {
    const [up, down] = [at(col, STEP), at(col, -STEP)];
    return up.map((entry, n) => (entry - down[n]) / (2 * STEP));
  });
}

function symbolAt(formula: Formula & { kind: 'symbol' }, bound: Bound, scope: Scope): Matrix {
  const [a, b] = formula.indices.map(([letter]) => bound[letter as keyof Bound]);
  switch (formula.name) {
    case 'x':
      return column(scope.x[a]);
    case 'x′':
      return column(scope.query[a]);
    case 'y':
      return column(outputs(scope)[a]);
    case 'p':
      return [[weights(scope)[a][b]]];
    case 'q':
      return [[score(scope, a, b)]];
    case 'δ':
      return [[a === b ? 1 : 0]];
    case 'f':
      return [[loss(scope)]];
    case 'W_K':
      return scope.W_K;
    case 'W_Q':
      return scope.W_Q;
    default:
      throw new RangeError(`what is ${formula.name}?`);
  }
}

/** Derivatives alone are multiplied as the chain rule does, the outermost last. */
function isChain(formula: Formula): boolean {
  switch (formula.kind) {
    case 'partial':
      return true;
    case 'part':
    case 'sum':
      return isChain(formula.body);
    case 'product':
      return formula.factors.every(isChain);
    case 'add':
      return formula.terms.every(isChain);
    default:
      return false;
  }
}

export function evaluate(formula: Formula, bound: Bound, scope: Scope): Matrix {
  const own = (inner: Formula): Matrix => evaluate(inner, bound, scope);
  switch (formula.kind) {
    case 'symbol':
      return symbolAt(formula, bound, scope);
    case 'number':
      return [[formula.value]];
    case 'part':
      return own(formula.body);
    case 'sum':
      return formula.over
        .reduce<Bound[]>(
          (all, letter) =>
            all.flatMap((each) =>
              range('il'.includes(letter) ? scope.tokens : scope.queries).map((n) => ({
                ...each,
                [letter]: n,
              })),
            ),
          [bound],
        )
        .map((each) => evaluate(formula.body, each, scope))
        .reduce(plus);
    case 'product': {
      const factors = formula.factors.map(own);
      return (isChain(formula) ? factors.reverse() : factors).reduce(times);
    }
    case 'add':
      return formula.terms.map(own).reduce(plus);
    case 'subtract':
      return plus(own(formula.left), scaled(own(formula.right), -1));
    case 'fraction':
      return scaled(own(formula.top), 1 / own(formula.bottom)[0][0]);
    case 'power':
      return transpose(own(formula.base));
    case 'call':
      return [[Math.exp(own(formula.argument)[0][0])]];
    case 'partial':
      return derivative(formula.top, formula.bottom, bound, scope);
    default:
      throw new RangeError(`${formula.kind} has no value`);
  }
}
