// A backward pass that ran twice without setting its intermediate gradients to 0: whole factors that grow with depth.
import { type Graph, type NodeId, nodeOf, tensorName } from '../../engine/graph.ts';
import { largestMagnitude, type Tensor } from '../../engine/tensor.ts';
import { solve } from '../edits/solve.ts';
import { constantRatio } from '../judge/judge.ts';
import { type Key, type State } from '../program/program.ts';
import type { Reference } from '../reference/reference.ts';
import type { Cause } from '../report.ts';
import { sourcesOf } from '../program/sources.ts';

/** Distinct factors that are no coincidence, and how large the deepest must be. */
const DISTINCT = 3;
const LARGEST = 4;
const MOST = 512;
const WHOLE = 1e-3;

interface Factor {
  readonly node: NodeId;
  readonly factor: number;
}

interface GivenGradient {
  readonly node: NodeId;
  readonly user: Tensor;
  readonly precision: number;
}

/** Gradients enough to see it. */
const FEWEST = 3;
/** Relative to the size of a gradient: what is only rounding (b_K's) has no factor. */
const NOISE = 1e-2;

/** The factors of the gradients where all that is wrong is that the backward pass ran twice. */
export function ranTwiceIn(
  reference: Reference,
  tensors: ReadonlyMap<Key, Tensor>,
  rightKeys: ReadonlySet<Key>,
): readonly Factor[] | null {
  const wrong = [...tensors.keys()].filter((key) => !rightKeys.has(key));
  if (wrong.length < FEWEST || wrong.some((key) => key.startsWith('v:'))) return null;
  const given = [...tensors].flatMap(([key, user]): GivenGradient[] => {
    const size = largestMagnitude(reference.state.predict(key));
    const precision = reference.allowed(key, 0) / size;
    const isGradient = key.startsWith('g:') && key !== 'g:f' && precision < NOISE;
    return isGradient ? [{ node: key.slice(2), user, precision }] : [];
  });
  return ranTwice(reference.state, given);
}

/** What is said of one of them. */
export function timesOf(factors: readonly Factor[], node: NodeId): string {
  const own = factors.find((each) => each.node === node);
  return own ? `${own.factor} times: it ran twice` : 'it ran twice';
}

/** The factors, in causal order, if that is what all the gradients show; null for anything else. */
function ranTwice(reference: State, given: readonly GivenGradient[]): readonly Factor[] | null {
  const factors: Factor[] = [];
  for (const { node, user, precision } of given) {
    const right = reference.predict(`g:${node}`);
    if (largestMagnitude(right) === 0) continue;
    const ratio = constantRatio(user, right, Math.max(8 * precision, 1e-9));
    if (ratio !== null && isWhole(ratio)) factors.push({ node, factor: Math.round(ratio) });
    else if (!isOfPaths(reference, node, user)) return null;
  }
  const distinct = new Set(factors.map(({ factor }) => factor));
  const isDeep = Math.max(0, ...distinct) >= LARGEST && distinct.size >= DISTINCT;
  return isDeep && isGrowing(factors) ? factors : null;
}

const isWhole = (ratio: number): boolean =>
  ratio > 0.5 && ratio <= MOST && Math.abs(ratio - Math.round(ratio)) < WHOLE * ratio;

/** Whether x's gradient is the sum of its paths, each a whole number of times. */
function isOfPaths(reference: State, node: NodeId, user: Tensor): boolean {
  if (!/^x(Prime)?$/.test(node)) return false;
  const parts = sourcesOf(reference.program, node);
  if (parts.length < 2 || user.data.length <= 2 * parts.length) return false;
  const terms = parts.map(({ from, slot }) => reference.contribution(from, slot));
  const factors = solve(terms, user);
  if (!factors?.every(isWhole)) return false;
  const made = user.data.map((_, at) =>
    factors.reduce((sum, factor, n) => sum + Math.round(factor) * terms[n].data[at], 0),
  );
  const most = WHOLE * largestMagnitude(user);
  return user.data.every((value, at) => Math.abs(value - made[at]) <= most);
}

/** Weights and biases of the same product may differ by one: the sum with the bias is a step of its own. */
function isGrowing(factors: readonly Factor[]): boolean {
  let most = 0;
  for (const { node, factor } of factors) {
    if (factor < most - 1 && !node.startsWith('b_')) return false;
    most = Math.max(most, node.startsWith('b_') ? 0 : factor);
  }
  return true;
}

export function ranTwiceCause(
  graph: Graph,
  first: NodeId,
  factors: readonly Factor[],
  residual: number,
): Cause {
  const told = factors
    .filter(({ factor }) => factor > 1)
    .map(({ node, factor }) => `${tensorName(node, 'gradient')} ${factor} times`);
  const isLeaf = nodeOf(graph, first).kind === 'input';
  const numpy = 'for g in grads.values(): g[...] = 0  # all of them, before every backward pass';
  const pytorch =
    'for t in tensors: t.grad = None  # all of them, intermediate ones too, before every backward pass';
  return {
    ...{ id: 'backward-ran-twice', node: first, kind: 'gradient', residual, runnerUp: null },
    title: `the backward pass ran twice without setting the gradients to 0 between: factors that grow with depth (${told.slice(0, 6).join(', ')})`,
    why: `Each gradient is right but for a whole factor, and the farther from f the larger: the second pass adds to what the first one left, in ${isLeaf ? 'the intermediate gradients' : 'every gradient'} too, and passes the sum on.`,
    wrong: told.join(', '),
    right:
      'each gradient once: zero all of them before a backward pass, or assign (=) where the first contribution arrives',
    ...{ numpy, pytorch, fix: `NumPy: ${numpy}\nPyTorch: ${pytorch}` },
  };
}
