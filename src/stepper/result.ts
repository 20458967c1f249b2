// The exercise's end: df/dx_i and df/dx'_j put together from the factors that the steps have computed.
import { type Binding, offsetAt } from '../engine/axes.ts';
import { isPlain, jacobian } from '../engine/equationMarks.ts';
import {
  equals,
  type Formula,
  minus,
  number,
  part,
  partial,
  plus,
  power,
  product,
  sum,
  symbol,
  toText,
  words,
} from '../engine/formula.ts';
import { type MathNode, toMath } from '../engine/mathml.ts';
import { type Graph, nodeOf, type NodeId } from '../engine/graph.ts';
import type { Run } from '../engine/run.ts';

/** A factor with its numbers; `part` names the steps that compute it, as in the equations. */
export interface FactorView {
  readonly math: MathNode;
  /** The same for who hears it. */
  readonly text: string;
  readonly part: string;
  /** One for a scalar, else a vector's. */
  readonly numbers: readonly number[];
}

export interface SummandView {
  /** The other token's index. */
  readonly at: number;
  readonly factors: readonly FactorView[];
  /** The product: a vector. */
  readonly product: readonly number[];
}

export interface SideView {
  readonly node: NodeId;
  /** "key and value", "query": what it is of the token's gradient. */
  readonly role: string;
  readonly at: number;
  readonly tokens: number;
  readonly letter: 'i' | 'j';
  /** The letter of the summands. */
  readonly over: 'i' | 'j';
  readonly equation: MathNode;
  readonly summands: readonly SummandView[];
  readonly total: readonly number[];
  /** What the walk has gathered in the accumulator; it holds other parts, too, where x is both sides. */
  readonly gathered: readonly number[];
}

/** One line of the softmax's derivative turning into p_ij (x_i - y_j), in letters and in numbers. */
export interface CollapseLine {
  readonly why: string;
  readonly letters: MathNode;
  /** Terms of a sum, each by itself: together they may be too long for a line. */
  readonly numbers: readonly MathNode[];
}

export interface ResultView {
  readonly i: number;
  readonly j: number;
  readonly sides: readonly SideView[];
  readonly collapse: readonly CollapseLine[];
}

const v = (name: string, ...letters: string[]): Formula =>
  symbol(
    name,
    letters.map((letter) => [letter]),
  );
const transposed = (inner: Formula): Formula => power(inner, words('T'));

/** Only the exercise's own head ends in its closed form; a batch has no such page. */
export const hasResult = (graph: Graph): boolean =>
  isPlain(graph) && nodeOf(graph, 'x').shape.length === 2;

type Row = readonly number[];

const dot = (a: Row, b: Row): number => a.reduce((total, each, n) => total + each * b[n], 0);
const added = (a: Row, b: Row): Row => a.map((each, n) => each + b[n]);
const range = (length: number): number[] => Array.from({ length }, (_, n) => n);

/** The run's tensors as tokens and weights. */
function tokensOf(run: Run) {
  const { graph, values, gradients } = run;
  const query: NodeId = graph.selfAttention ? 'x' : 'xPrime';
  const rows = (data: ArrayLike<number>, width: number): Row[] =>
    range(data.length / width).map((n) => range(width).map((m) => data[n * width + m]));
  const own =
    (all: ReadonlyMap<NodeId, { shape: readonly number[]; data: ArrayLike<number> }>) =>
    (id: NodeId): Row[] =>
      rows(all.get(id)!.data, all.get(id)!.shape[1]);
  const [value, gradient] = [own(values), own(gradients)];
  const { axes } = nodeOf(graph, 'P');
  const at = (i: number, j: number): number => offsetAt(axes, graph.extents, { i, j });
  return {
    query,
    x: value('x'),
    xPrime: value(query),
    y: value('y'),
    dy: gradient('y'),
    K: value('K'),
    Q: value('Q'),
    W_K: value('W_K'),
    W_Q: value('W_Q'),
    dx: gradient('x'),
    dxPrime: gradient(query),
    p: (i: number, j: number): number => values.get('P')!.data[at(i, j)],
    dS: (i: number, j: number): number => gradients.get('S')!.data[at(i, j)],
  };
}

type Tokens = ReturnType<typeof tokensOf>;

/** W q: what a score's derivative by a token is. */
const through = (W: readonly Row[], other: Row): Row => W.map((row) => dot(row, other));

const centredOf = ({ dy, x, y }: Tokens, i: number, j: number): number =>
  dot(dy[j], x[i]) - dot(dy[j], y[j]);

const dfdy = partial(v('f'), v('y', 'j'));
const centred = product(transposed(dfdy), minus(v('x', 'i'), v('y', 'j')));

const names = (graph: Graph) => {
  const chain = (...ids: NodeId[]): string => jacobian(graph, ids);
  return {
    weight: [chain('y', 'x'), chain('P', 'S')].join('|'),
    upstream: chain('f', 'y'),
    centred: [chain('y', 'P'), chain('P', 'S')].join('|'),
    toKey: [chain('S', 'K'), chain('K', 'x')].join('|'),
    toQuery: [chain('S', 'Q'), chain('Q', graph.selfAttention ? 'x' : 'xPrime')].join('|'),
  };
};

function factor(steps: string, formula: Formula, ...numbers: number[]): FactorView {
  return { math: toMath(formula), text: toText(formula), part: steps, numbers };
}

/** df/dx_i, without the query part where x is both sides: a summand for each j. */
function keySide(run: Run, tokens: Tokens, i: number): SideView {
  const { weight, upstream, centred: middle, toKey } = names(run.graph);
  const slope = product(v('W_K'), transposed(v('W_Q')), v('x′', 'j'));
  const equation = equals(
    run.graph.selfAttention ? words('value and key part') : partial(v('f'), v('x', 'i')),
    sum(
      ['j'],
      product(
        part(weight, v('p', 'i', 'j')),
        plus(part(upstream, dfdy), product(part(middle, centred), part(toKey, slope))),
      ),
    ),
  );
  const summands = tokens.dy.map((own, j): SummandView => {
    const [p, c] = [tokens.p(i, j), centredOf(tokens, i, j)];
    const w = through(tokens.W_K, tokens.Q[j]);
    return {
      at: j,
      factors: [
        factor(weight, v('p', 'i', 'j'), p),
        factor(upstream, dfdy, ...own),
        factor(middle, centred, c),
        factor(toKey, slope, ...w),
      ],
      product: own.map((each, n) => p * (each + c * w[n])),
    };
  });
  return {
    ...{ node: 'x', role: 'as value and key', at: i, tokens: tokens.x.length, summands },
    ...{ letter: 'i', over: 'j', equation: toMath(equation) },
    total: summands.map((each) => each.product).reduce(added),
    gathered: tokens.dx[i],
  };
}

/** df/dx'_j, or the query part: a summand for each i. */
function querySide(run: Run, tokens: Tokens, j: number): SideView {
  const { weight, centred: middle, toQuery } = names(run.graph);
  const slope = product(v('W_Q'), transposed(v('W_K')), v('x', 'i'));
  const equation = equals(
    run.graph.selfAttention ? words('query part') : partial(v('f'), v('x′', 'j')),
    sum(
      ['i'],
      product(part(weight, v('p', 'i', 'j')), part(middle, centred), part(toQuery, slope)),
    ),
  );
  const summands = tokens.x.map((_, i): SummandView => {
    const [p, c] = [tokens.p(i, j), centredOf(tokens, i, j)];
    const w = through(tokens.W_Q, tokens.K[i]);
    return {
      at: i,
      factors: [
        factor(weight, v('p', 'i', 'j'), p),
        factor(middle, centred, c),
        factor(toQuery, slope, ...w),
      ],
      product: w.map((each) => p * c * each),
    };
  });
  return {
    ...{ node: tokens.query, role: 'as query', at: j, tokens: tokens.xPrime.length, summands },
    ...{ letter: 'j', over: 'i', equation: toMath(equation) },
    total: summands.map((each) => each.product).reduce(added),
    gathered: tokens.dxPrime[j],
  };
}

/** The softmax's sum over l becomes one difference: sum over l of p_lj x_l is y_j. */
function collapse(run: Run, tokens: Tokens, i: number, j: number): CollapseLine[] {
  const { graph } = run;
  const chain = (...ids: NodeId[]): string => jacobian(graph, ids);
  const [toWeight, softmax] = [chain('y', 'P'), chain('P', 'S')];
  const writing = { binding: { i, j }, extents: graph.extents };
  const reading = (value: number): Formula => number(Number(value.toPrecision(3)));
  const dP = (l: number): number => dot(tokens.dy[j], tokens.x[l]);
  const upstream = transposed(dfdy);
  const [p, own, mean] = [tokens.p(i, j), dP(i), dot(tokens.dy[j], tokens.y[j])];
  const line = (why: string, letters: Formula, ...numbers: Formula[]): CollapseLine => ({
    why,
    letters: toMath(letters, writing),
    numbers: numbers.map((each) => toMath(each)),
  });
  const delta = (l: number): number => (l === i ? 1 : 0);
  return [
    line(
      'what arrives at each weight, times the softmax’s slope',
      equals(
        partial(v('f'), v('q', 'i', 'j')),
        sum(
          ['l'],
          product(
            part(toWeight, product(upstream, v('x', 'l'))),
            part(softmax, product(v('p', 'l', 'j'), minus(v('δ', 'l', 'i'), v('p', 'i', 'j')))),
          ),
        ),
      ),
      ...range(tokens.x.length).map((l) =>
        product(
          part(toWeight, reading(dP(l))),
          part(softmax, product(reading(tokens.p(l, j)), minus(number(delta(l)), reading(p)))),
        ),
      ),
    ),
    line(
      'the δ picks l = i; what is left has p in common',
      product(
        part(softmax, v('p', 'i', 'j')),
        minus(
          part(toWeight, product(upstream, v('x', 'i'))),
          part(softmax, sum(['l'], product(v('p', 'l', 'j'), upstream, v('x', 'l')))),
        ),
      ),
      product(
        part(softmax, reading(p)),
        minus(
          part(toWeight, reading(own)),
          part(
            softmax,
            plus(
              ...range(tokens.x.length).map((l) =>
                product(reading(tokens.p(l, j)), reading(dP(l))),
              ),
            ),
          ),
        ),
      ),
    ),
    line(
      'the sum over l of p x is y: the softmax is gone',
      product(
        part(softmax, v('p', 'i', 'j')),
        upstream,
        minus(part(toWeight, v('x', 'i')), part(softmax, v('y', 'j'))),
      ),
      equals(
        product(
          part(softmax, reading(p)),
          minus(part(toWeight, reading(own)), part(softmax, reading(mean))),
        ),
        part(softmax, reading(tokens.dS(i, j))),
      ),
    ),
  ];
}

/** Null for every head but the exercise's. */
export function resultView(run: Run, selection: Binding): ResultView | null {
  if (!hasResult(run.graph)) return null;
  const tokens = tokensOf(run);
  const clamp = (at: number | undefined, length: number): number => Math.min(at ?? 0, length - 1);
  const i = clamp(selection['i'], tokens.x.length);
  const j = clamp(selection['j'], tokens.xPrime.length);
  return {
    ...{ i, j },
    sides: [keySide(run, tokens, i), querySide(run, tokens, j)],
    collapse: collapse(run, tokens, i, j),
  };
}
