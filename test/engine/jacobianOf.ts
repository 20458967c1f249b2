// What steps of the run compute, in the form in which the equations write it.
import type { Formula } from '../../src/engine/formula.ts';
import { nodeOf } from '../../src/engine/graph.ts';
import { applicationOf, type Contribution, type Run } from '../../src/engine/run.ts';
import { offsetOf } from '../../src/engine/tensor.ts';
import { operationOf } from '../../src/engine/terms.ts';
import { type Bound, type Matrix, rowsOf } from './evaluate.ts';

type Step = Pick<Contribution, 'from' | 'to' | 'slot'>;

/** Every entry of d from / d to, to's entries down. */
function whole(run: Run, { from, to, slot }: Step): Matrix {
  const at = applicationOf(operationOf(run.graph, from), run.values);
  const { operation } = operationOf(run.graph, from);
  const [inputs, outputs] = [run.values.get(to)!.data.length, at.output.data.length];
  return Array.from({ length: inputs }, (_, input) => {
    const reached = new Set(operation.reach(at, slot, input));
    return Array.from({ length: outputs }, (_each, out) =>
      reached.has(out) ? operation.partial(at, slot, out, input) : 0,
    );
  });
}

const known = new WeakMap<Run, Map<string, Matrix>>();

function chained(run: Run, steps: readonly Step[]): Matrix {
  const all = known.get(run) ?? new Map<string, Matrix>();
  known.set(run, all);
  const name = steps.map(({ from, to }) => `${from}>${to}`).join(' ');
  const before = all.get(name);
  if (before) return before;
  const product = steps
    .map((step) => whole(run, step))
    .reduce((outer, inner) =>
      inner.map((row) =>
        outer[0].map((_, n) => row.reduce((sum, each, m) => sum + each * outer[m][n], 0)),
      ),
    );
  all.set(name, product);
  return product;
}

/** Offsets of one token, or the one entry, of a node. */
function entries(run: Run, node: string, places: readonly number[]): number[] {
  const { shape } = nodeOf(run.graph, node);
  if (places.length === 2) return [offsetOf(shape, places)];
  return Array.from({ length: shape[1] }, (_, c) => offsetOf(shape, [places[0], c]));
}

/** The entry of a query or a key that the scores of i and j depend on, and so on. */
function placesOf(node: string, bound: Bound, isTop: boolean): number[] {
  const { i, l, j } = bound;
  if (node === 'P') return isTop ? [l, j] : [i, j];
  if (node === 'S') return [i, j];
  return node === 'Q' || node === 'xPrime' || node === 'y' ? [j] : [i];
}

/**
 * The block of a chain of steps' Jacobian that `body` is about: its letters, where it writes the derivative itself;
 * else those of i, j, and of l in front.
 */
export function jacobianOf(run: Run, steps: readonly Step[], body: Formula, bound: Bound): Matrix {
  const { from } = steps[0];
  const { to } = steps[steps.length - 1];
  const letters = (formula: Formula): number[] =>
    formula.kind === 'symbol'
      ? formula.indices.map(([letter]) => bound[letter as keyof Bound])
      : [];
  if (from === 'f') {
    const j = body.kind === 'partial' ? letters(body.bottom)[0] : bound.j;
    return rowsOf(run.gradients.get('y')!)[j].map((entry) => [entry]);
  }
  const matrix = chained(run, steps);
  const written = body.kind === 'partial' ? body : null;
  const isQueryOfSelf = to === 'x' && steps.some((each) => each.from === 'Q');
  const top = written ? letters(written.top) : placesOf(from, bound, true);
  const bottom = written
    ? letters(written.bottom)
    : isQueryOfSelf
      ? [bound.j]
      : placesOf(to, bound, false);
  const block = entries(run, to, bottom).map((row) =>
    entries(run, from, top).map((col) => matrix[row][col]),
  );
  return inFormOf(body, block);
}

/** A weight p_ij stands for p_ij times the identity, a token x_i for the row that the derivative by a weight is. */
function inFormOf(body: Formula, block: Matrix): Matrix {
  if (body.kind === 'partial') return block;
  if (body.kind === 'symbol' && body.name === 'p' && block.length > 1) {
    const isIdentity = block.every((row, n) => row.every((entry, m) => n === m || entry === 0));
    if (!isIdentity || block.some((row, n) => row[n] !== block[0][0])) return block;
    return [[block[0][0]]];
  }
  if (body.kind === 'symbol' && body.name === 'x') return block[0].map((entry) => [entry]);
  return block;
}
