// Whether what `check` says of a case of the scoreboard is right: the cause has the name that is expected, or is the
// formula of the mistake, whatever it is called.
import { type CheckInput, compare } from '../../src/compare/check.ts';
import { causalOrder } from '../../src/compare/judge/causalOrder.ts';
import { keyOf, referenceProgram, State } from '../../src/compare/program/program.ts';
import type { Cause, Report } from '../../src/compare/report.ts';
import { type Graph, hasNode, type NodeId, tensorName } from '../../src/engine/graph.ts';
import { largestMagnitude, type Tensor } from '../../src/engine/tensor.ts';
import { made } from './randomMutants.ts';

/** An entry of the manifest. */
export interface Case {
  readonly stem: string;
  /** A pattern for each mistake. */
  readonly expect: readonly string[];
  /** The tensors that the mistakes change. */
  readonly changed: readonly string[];
}

export interface Judged {
  readonly node: boolean;
  readonly named: boolean;
  readonly expected: string;
  readonly found: string;
  readonly ids: readonly string[];
}

/**
 * Both patterns must fit somewhere; a single one the first cause. Of causes that have another name, each that
 * `isFormula` stands for one; of two mistakes of one sort a formula has both.
 */
export function judgeCase(
  { expect, changed, stem }: Case,
  report: Report,
  graph: Graph,
  isFormula: (cause: Cause) => boolean,
): Judged {
  // Mistakes that are on no list are told by the words of the answer.
  const isBeyond = stem.startsWith('beyond');
  const keys = changed.map((name) => (hasNode(graph, name) ? `v:${name}` : `g:${name.slice(1)}`));
  const first = causalOrder(graph).find((key) => keys.includes(key));
  const expected = first?.replace(/^v:/, '').replace(/^g:/, 'd') ?? 'nothing';
  const found = report.first ? tensorName(report.first.node, report.first.kind) : 'nothing';
  const { causes } = report;
  const textOf = ({ id, title }: Cause): string => (isBeyond ? `${id} ${title}` : id);
  const fits = (pattern: string, text: string): boolean =>
    new RegExp(pattern, isBeyond ? 'i' : '').test(text);
  const isRight = changed.length > 0 || report.verdict === 'match';
  const told = expect.length === 1 ? causes.slice(0, 1) : causes;
  const texts = causes.length > 0 ? told.map(textOf) : [isBeyond ? 'unknown' : ''];
  const open = [...new Set(expect)].filter((pattern) => !texts.some((text) => fits(pattern, text)));
  const others = told.filter((cause) => !expect.some((pattern) => fits(pattern, textOf(cause))));
  const named = open.length === 0 || open.length <= others.filter(isFormula).length;
  const ids = causes.map(({ id }) => id);
  return { node: found === expected && isRight, expected, found, named, ids };
}

/** Of the distance to what is right; of the largest entry, by the type that a program computes in. */
const NEAR = 1e-3;
const ROUNDING: Readonly<Record<string, number>> = { float64: 1e-9, float32: 1e-4 };

/**
 * Whether the formula of a cause makes what the same program, with its mistakes, gives of other numbers: the tensor itself
 * or, where that is not given, `first`, the first wrong one.
 */
export function holdsElsewhere(
  { node, kind, formulas }: Cause,
  first: Report['first'],
  other: CheckInput,
): boolean {
  if (!formulas || !first) return false;
  const { graph } = other;
  const { report, tensors } = compare(other);
  const of = (own: 'value' | 'gradient'): Map<NodeId, Tensor> =>
    new Map(tensors.flatMap((each) => (each.kind === own ? [[each.node, each.judged]] : [])));
  const given = { value: of('value'), gradient: of('gradient') };
  const stateOf = ({ value, gradient }: typeof given): State =>
    new State(referenceProgram(graph), { values: value, gradients: gradient });
  const isGiven = given[kind].has(node);
  const user = isGiven ? given[kind].get(node) : given[first.kind].get(first.node);
  if (!user) return false;
  const [wrong, right] = [formulas.wrong, formulas.right].map((formula): Tensor => {
    const own = made(formula, stateOf(given), graph);
    const changed = { ...given, [kind]: new Map(given[kind]).set(node, own) };
    return isGiven ? own : stateOf(changed).predict(keyOf(first.node, first.kind));
  });
  // What stands where a weight is 0 does not matter.
  const weights = given.value.get('P');
  const off = ({ data }: Tensor): number =>
    data.reduce((most, value, at) => {
      const isUnseen = weights?.data.length === user.data.length && weights.data[at] === 0;
      const isSame = isUnseen || Object.is(value, user.data[at]);
      const error = isSame ? 0 : Math.abs(value - user.data[at]);
      return Math.max(most, Number.isNaN(error) ? Infinity : error);
    }, 0);
  const least = (ROUNDING[report.dtype] ?? 0) * largestMagnitude(user);
  return off(wrong) <= Math.max(NEAR * off(right), least) && off(right) > 2 * off(wrong);
}
