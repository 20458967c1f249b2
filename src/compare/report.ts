// What a comparison says: the object that `check --json` prints and the panel shows.
import type { Formula } from '../engine/formula.ts';
import { type NodeId, tensorName } from '../engine/graph.ts';
import type { LeftOut } from '../formats/parts.ts';
import type { Kind } from './program/program.ts';

export type Status = 'match' | 'diverges' | 'consequence' | 'missing' | 'layout';

export interface NodeReport {
  readonly node: NodeId;
  readonly kind: Kind;
  readonly status: Status;
  /** Against the reference; null where nothing is given, or nothing of the node's shape. */
  readonly maxAbs: number | null;
  readonly maxRel: number | null;
  readonly worstIndex: readonly number[] | null;
  /** Largest accepted difference. */
  readonly tolerance: number | null;
  readonly note: string;
}

/** A tensor's error against float64 beside what the number type alone does to a right program. */
export interface Precision {
  readonly dtype: string;
  /** The first wrong tensor, else the one that is farthest off for its type. */
  readonly node: NodeId;
  readonly kind: Kind;
  /** Largest difference from float64. */
  readonly yours: number;
  /** Largest difference of a right program in that type. */
  readonly alone: number;
  /** `exact`: no difference · `rounding`: no more than the type explains · `bug`: more. */
  readonly verdict: 'exact' | 'rounding' | 'bug';
}

/** "y is 3.1e-3 off float64, bfloat16 alone does 2.8e-3 to a right program: rounding (1.1 times that)". */
export function precisionText({ dtype, node, kind, yours, alone, verdict }: Precision): string {
  const name = tensorName(node, kind);
  if (verdict === 'exact') return `${name} is float64's to the last bit`;
  const off = `${name} is ${yours.toExponential(1)} off float64`;
  const usual = `${dtype} alone does ${alone.toExponential(1)} to a right program`;
  const times =
    alone > 0 ? `${Number((yours / alone).toPrecision(2))} times that` : 'nothing of it';
  return `${off}, ${usual}: ${verdict === 'bug' ? 'a bug' : 'rounding'} (${times})`;
}

/** The same for whoever has little room: "y is off by 3.1e-3, rounding in bfloat16 explains 2.8e-3: rounding". */
export function precisionBrief(precision: Precision): string {
  const { dtype, node, kind, yours, alone, verdict } = precision;
  if (verdict === 'exact') return precisionText(precision);
  const what = verdict === 'bug' ? 'a bug' : 'rounding';
  const off = `${tensorName(node, kind)} is off by ${short(yours)}`;
  return `${off}, rounding in ${dtype} explains ${short(alone)}: ${what}`;
}

/** Two digits. */
const short = (size: number): string =>
  size === 0 || (size >= 1e-3 && size < 1e4)
    ? String(Number(size.toPrecision(2)))
    : size.toExponential(1);

export interface Cause {
  /** Stable, kebab-case. */
  readonly id: string;
  readonly title: string;
  readonly node: NodeId;
  readonly kind: Kind;
  readonly why: string;
  /** The formula that reproduces the person's tensor, and the right one. */
  readonly wrong: string;
  readonly right: string;
  /** The same two as expressions, where the mistake is one. */
  readonly formulas?: { readonly wrong: Formula; readonly right: Formula };
  /** The remedy in NumPy and in PyTorch, one line each. */
  readonly fix: string;
  readonly numpy: string;
  readonly pytorch: string;
  /** Largest difference from the person's tensor over its largest entry, under this cause. */
  readonly residual: number;
  /** The same for the next best explanation; null where there was none. */
  readonly runnerUp: { readonly title: string; readonly residual: number } | null;
}

export interface Report {
  /** `unaligned`: nothing is a node, or so little that these are numbers of another setup. */
  readonly verdict: 'match' | 'diverges' | 'unaligned';
  readonly first: { readonly node: NodeId; readonly kind: Kind } | null;
  readonly nodes: readonly NodeReport[];
  readonly causes: readonly Cause[];
  /** The number type that the tensors were computed in. */
  readonly dtype: string;
  /** Null where no tensor is compared. */
  readonly precision: Precision | null;
  /** What the whole trace does in another way than the reference, and rightly: a sentence each. */
  readonly conventions: readonly string[];
  /** Entries of the trace, and how many of them were held against a node. */
  readonly given: number;
  readonly compared: number;
  /** Entries of the trace that were not, beside those that `nodes` tells of. */
  readonly unaligned: readonly LeftOut[];
}

/** Whether it was given but has no shape for its node. */
export const isMisfit = ({ status, maxAbs }: NodeReport): boolean =>
  status === 'diverges' && maxAbs === null;

/** "3 tensors", "1 tensor". */
export const countOf = (count: number, word: string): string =>
  `${count} ${word}${count === 1 ? '' : 's'}`;

/** What a report comes to, in one sentence, without naming the first wrong node. */
export function summaryOf({ verdict, nodes, given, compared, dtype }: Report): string {
  if (verdict === 'unaligned') {
    return nodes.some(isMisfit)
      ? 'This is another setup: most of the tensors do not have the shapes of its nodes'
      : 'None of the tensors is a node of this setup';
  }
  const precision = `to the precision of ${dtype}`;
  const all = countOf(given, 'tensor');
  const isAll = compared === given;
  const share = `${isAll ? '' : `${compared} of `}${all} compared`;
  const wrong = nodes.filter(({ status }) => status === 'diverges').length;
  if (verdict === 'diverges') return `${share}, ${wrong} wrong, ${precision}`;
  const odd = nodes.filter(
    ({ status, maxAbs, tolerance }) => status === 'layout' && !(maxAbs! <= tolerance!),
  );
  if (odd.length > 0) {
    const told = odd.map(({ node, kind, note }) => `${tensorName(node, kind)} ${note}`).join('; ');
    return `${share}; what follows is right ${precision}, but not all that is given: ${told}`;
  }
  if (isAll) return `${given === 1 ? 'Your tensor is' : `All ${all} are`} right, ${precision}`;
  return `${share}, and ${compared === 1 ? 'it is' : 'these are'} right, ${precision}`;
}
