// By which way a gradient comes back to an input: as value, as key, as query, or as a parameter.
import type { NodeId } from './graph.ts';
import { isParameter } from './nodes.ts';
import type { Contribution, Run } from './run.ts';
import { norm } from './tensor.ts';

export type Path =
  'value' | 'key' | 'query' | 'gate' | 'residual' | 'norm' | 'weights' | 'parameter' | 'output';

/** A path as it is told: "y passes its gradient on to x (as value)". */
export const pathWords: Readonly<Record<Path, string>> = {
  value: 'as value',
  key: 'as key',
  query: 'as query',
  gate: 'as gate',
  residual: 'past the attention',
  norm: 'through the norm',
  weights: 'through the weights',
  parameter: 'to a parameter',
  output: 'to the output',
};

/** The first that fits: xn is where what comes as value, key and query meets. */
const PATHS: readonly { readonly path: Path; readonly nodes: RegExp; readonly to?: RegExp }[] = [
  { path: 'key', nodes: /^(K[nsh]?|KRs?|cKVn?)$/ },
  { path: 'query', nodes: /^(Q[nsh]?|QRs?|cQn?)$/ },
  { path: 'gate', nodes: /^gate$/ },
  { path: 'value', nodes: /^V[sh]?$/ },
  { path: 'norm', nodes: /^xn$/ },
  { path: 'value', nodes: /^$/, to: /^(x|xValue)$/ },
];

/** The path that the edge from -> to belongs to. */
export function pathOf(from: NodeId, to: NodeId): Path {
  if (isParameter(to)) return 'parameter';
  if (from === 'yr') return to.startsWith('x') ? 'residual' : 'output';
  if (/^(P|Pd|Pdiff|M|Z|Zb|S|lambda_full)$/.test(to)) return 'weights';
  const own = PATHS.find(
    ({ nodes, to: only }) => nodes.test(from) || nodes.test(to) || only?.test(to),
  );
  return own?.path ?? 'output';
}

export interface PathShare {
  readonly contribution: Contribution;
  /** Norm of this part over the sum of the parts' norms, in [0, 1]. */
  readonly share: number;
}

/** df/dN split by the path each part came by. The parts add up to the gradient. */
export function pathShares(run: Run, node: NodeId): PathShare[] {
  const parts = run.contributions.filter((each) => each.to === node);
  const norms = parts.map((each): number => norm(each.value));
  const total = norms.reduce((a, b) => a + b, 0);
  return parts.map((contribution, n) => ({
    contribution,
    share: total === 0 ? 0 : norms[n] / total,
  }));
}
