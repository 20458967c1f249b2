// The right formula of a tensor, in each of the ways in which programs write it.
import type { Letter } from '../../engine/axes.ts';
import { collapsed } from '../../engine/collapse.ts';
import {
  type Formula,
  fraction,
  number,
  plus,
  product,
  sum,
  symbol,
} from '../../engine/formula.ts';
import {
  type Graph,
  hasNode,
  nodeOf,
  type NodeId,
  type OperationNode,
  operationNodes,
} from '../../engine/graph.ts';
import { identityOf } from '../../engine/identity.ts';
import { expanded, mapInner, renamed } from '../../engine/where.ts';
import { roles, type Site } from '../edits/edit.ts';
import type { Kind } from '../program/program.ts';

const formulaOf = ({ id, operation, inputs }: ReturnType<typeof operationNodes>[number]) =>
  operation.formula({ output: id, inputs });

/** How a node's value is computed; null for an input. */
function valueFormula(graph: Graph, id: NodeId): Formula | null {
  const node = nodeOf(graph, id);
  if (node.kind === 'input') return null;
  const { forward } = formulaOf(node);
  return forward.kind === 'relation' ? forward.right : null;
}

/** What a node passes to one of its operands. */
export interface Contribution {
  readonly from: OperationNode;
  readonly slot: number;
  readonly formula: Formula;
}

/** The contributions to a node's gradient, in its own letters, in the order of reverse mode. */
export function contributionFormulas(graph: Graph, id: NodeId): Contribution[] {
  const letters = nodeOf(graph, id).axes.flat();
  return operationNodes(graph)
    .reverse()
    .filter(({ inputs }) => inputs.includes(id))
    .flatMap((from) =>
      formulaOf(from).backward.flatMap((each, slot) => {
        if (from.inputs[slot] !== id || each.kind !== 'relation') return [];
        if (each.left.kind !== 'symbol') return [];
        const formula = inLetters(each.right, each.left.indices.flat(), letters);
        return [{ from, slot, formula }];
      }),
    );
}

/** With other letters on its left side; a letter that is in the way takes the other's place. */
function inLetters(formula: Formula, from: readonly Letter[], to: readonly Letter[]): Formula {
  const names = new Map<Letter, Letter>();
  from.forEach((letter, n) => {
    if (letter === to[n]) return;
    names.set(letter, to[n]);
    if (!from.includes(to[n])) names.set(to[n], letter);
  });
  return names.size === 0 ? formula : renamed(formula, names);
}

function gradientFormula(graph: Graph, id: NodeId): Formula | null {
  const parts = contributionFormulas(graph, id).map(({ formula }) => formula);
  return parts.length === 0 ? null : plus(...parts);
}

export const rightFormula = (graph: Graph, id: NodeId, kind: Kind): Formula | null =>
  kind === 'value' ? valueFormula(graph, id) : gradientFormula(graph, id);

/** The same of a place, as programs compute it. */
export const rightOf = ({ graph, node, kind }: Pick<Site, 'graph' | 'node' | 'kind'>): Formula =>
  collapsed(rightFormula(graph, node.id, kind) ?? symbol(node.id, node.axes));

/** `change` of each symbol of a formula. */
export function eachSymbol(
  formula: Formula,
  change: (own: Formula & { kind: 'symbol' }) => Formula,
): Formula {
  return formula.kind === 'symbol'
    ? change(formula)
    : mapInner(formula, (inner) => eachSymbol(inner, change));
}

/** A tensor's formula in the letters of one of its uses. */
function unfolded(graph: Graph, own: Formula & { kind: 'symbol' }): Formula | null {
  const kind: Kind = hasNode(graph, own.name) ? 'value' : 'gradient';
  const id = kind === 'value' ? own.name : own.name.slice(1);
  if (!hasNode(graph, id)) return null;
  const right = rightFormula(graph, id, kind);
  return right && inUse(right, nodeOf(graph, id).axes.flat(), own.indices.flat());
}

/** A tensor's formula in the place of the tensor, everywhere in another. */
export const substituted = (
  formula: Formula,
  { name, letters, by }: { name: string; letters: readonly Letter[]; by: Formula },
): Formula =>
  eachSymbol(formula, (own) => (own.name === name ? inUse(by, letters, own.indices.flat()) : own));

/** The left letters renamed to those of a use; sums get letters that are not in the way. */
function inUse(formula: Formula, own: readonly Letter[], use: readonly Letter[]): Formula {
  const taken = new Set([...own, ...use]);
  const names = new Map<Letter, Letter>(own.map((letter, n) => [letter, use[n]]));
  const fresh = (letter: Letter): Letter => {
    let name = `${letter}″`;
    while (taken.has(name)) name += '″';
    taken.add(name);
    return name;
  };
  const collect = (each: Formula): Formula => {
    const inner = each.kind === 'where' ? expanded(each) : each;
    if (inner.kind === 'sum' || inner.kind === 'reduce')
      for (const letter of inner.over)
        if (taken.has(letter) && !names.has(letter)) names.set(letter, fresh(letter));
    return mapInner(inner, collect);
  };
  const flat = collect(formula);
  return renamed(flat, names);
}

/** Σ_l P dP = Σ_v O dO, where the output is made of these weights alone. */
function rowTerm(graph: Graph, formula: Formula): Formula {
  const { output, weights } = roles(graph);
  if (weights !== 'P') return formula;
  const axes = nodeOf(graph, output).axes;
  const feature = axes[axes.length - 1];
  const put = (each: Formula): Formula => {
    const isRow =
      each.kind === 'sum' &&
      each.body.kind === 'product' &&
      each.body.factors.length === 2 &&
      each.body.factors.every((factor) => factor.kind === 'symbol' && /^d?P$/.test(factor.name));
    if (!isRow) return mapInner(each, put);
    return sum(feature, product(symbol(output, axes), symbol(`d${output}`, axes)));
  };
  return put(formula);
}

/** tanh(scale S / softcap) = Z / softcap. */
function cappedScores(graph: Graph, softcap: number | undefined, formula: Formula): Formula {
  if (softcap === undefined || !hasNode(graph, 'Z')) return formula;
  const Z = fraction(symbol('Z', nodeOf(graph, 'Z').axes), number(softcap));
  const put = (each: Formula): Formula =>
    each.kind === 'call' && each.name === 'tanh' ? Z : mapInner(each, put);
  return put(formula);
}

/**
 * P computed anew from the scores, as kernels do in the backward pass: with a mask of its own, and with the sum (the
 * log-sum-exp) of the forward pass or one that is masked so too.
 */
function recomputed(graph: Graph, formula: Formula, isWhole: boolean): Formula {
  const { logits } = roles(graph);
  if (logits !== 'M') return formula;
  return eachSymbol(formula, (own) => {
    const weights = own.name === 'P' ? unfolded(graph, own) : null;
    if (weights?.kind !== 'fraction') return own;
    const masked = (part: Formula): Formula =>
      eachSymbol(part, (each) => unfolded(graph, each) ?? each);
    const bottom = isWhole ? masked(weights.bottom) : weights.bottom;
    return fraction(masked(weights.top), bottom);
  });
}

/** Steps that are not logged, one in the other. */
const DEEPEST = 4;

/** All ways to write what is computed, as it is `shown` first. */
export function formsOf(
  graph: Graph,
  softcap: number | undefined,
  shown: Formula,
  kind: Kind,
  isHidden: (name: string) => boolean,
): Formula[] {
  const plain = collapsed(shown);
  const hidden = (formula: Formula, depth: number, write = collapsed): Formula =>
    depth === 0
      ? formula
      : eachSymbol(formula, (own) => {
          const inner = isHidden(own.name) ? unfolded(graph, own) : null;
          return inner ? hidden(write(inner), depth - 1, write) : own;
        });
  const depths = [0, 1, 2, DEEPEST].map((depth) => hidden(plain, depth));
  const deep = depths[depths.length - 1];
  const forms = [
    plain,
    shown,
    ...depths.slice(1),
    hidden(shown, 1, (inner) => inner),
    ...depths.map((each) => rowTerm(graph, each)),
    ...[plain, deep].map((each) => cappedScores(graph, softcap, each)),
    ...(kind === 'gradient'
      ? [false, true].map((isWhole) => recomputed(graph, deep, isWhole))
      : []),
  ];
  const known = new Set<number>();
  return forms.filter((each) => {
    const own = identityOf(each);
    if (known.has(own)) return false;
    known.add(own);
    return true;
  });
}
