// What the names of nodes stand for, for whoever sees them for the first time.
import { type NodeId, tensorName } from '../../engine/graph.ts';
import type { Kind } from '../../compare/program/program.ts';

/** In the order in which they are computed. */
const WORDS: Readonly<Record<NodeId, string>> = {
  x: 'tokens',
  xPrime: 'tokens of the queries',
  xValue: 'tokens of the values',
  Q: 'queries',
  K: 'keys',
  V: 'values',
  Qh: 'queries by heads',
  Kh: 'keys by heads',
  Vh: 'values by heads',
  S: 'raw scores',
  Z: 'scaled scores',
  Zb: 'scores with their bias',
  M: 'masked scores',
  P: 'weights (softmax)',
  Pd: 'weights after dropout',
  O: 'output by heads',
  C: 'heads merged',
  y: 'output',
  f: 'loss',
};

interface Named {
  readonly node: NodeId;
  readonly kind: Kind;
}

/** "dZ: the gradient of f with respect to the scaled scores Z"; null for a node that goes by its own name. */
export function meaningOf({ node, kind }: Named): string | null {
  const words = WORDS[node] ?? (/^[Wb]_/.test(node) ? 'parameter' : null);
  if (words === null) return null;
  if (kind === 'value') return /^[Wb]_/.test(node) ? null : `${node}: the ${words}`;
  return `${tensorName(node, kind)}: the gradient of f with respect to the ${words} ${node}`;
}

/** One line for all nodes of a list: "Q queries · Z scaled scores · dN gradient of f with respect to N". */
export function legendOf(named: readonly Named[]): string {
  const used = new Set(named.map(({ node }) => node));
  const parts = Object.entries(WORDS).flatMap(([node, words]) =>
    used.has(node) ? [`${node} ${words}`] : [],
  );
  const hasGradients = named.some(({ kind }) => kind === 'gradient');
  return [...parts, ...(hasGradients ? ['dN gradient of f with respect to N'] : [])].join(' · ');
}
