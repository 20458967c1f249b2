// Entries in the wrong places: transposed, viewed without a transpose, heads split or merged the wrong way.
import type { GraphNode } from '../../engine/graph.ts';
import { nodeOf } from '../../engine/graph.ts';
import { isOfHeads, axisLength, axisName } from '../../engine/axes.ts';
import { after, gather, permutationTable } from '../program/operations.ts';
import { type StepOperation, withStep } from '../program/program.ts';
import { type Context, type Edit, type Family, longLetters, type Site } from './edit.ts';
import { makeEdit, type Say } from './make.ts';
import { spotsOf } from './spots.ts';

interface Order {
  readonly letters: readonly string[];
  readonly swapped: readonly string[];
  /** Both letters have one length: a transpose; else entries are read on as they lie: a view. */
  readonly isTranspose: boolean;
}

const MOST_LETTERS = 5;

/** Orders of the letters that two exchanged letters make, then all the others of up to four letters. */
function orders(node: GraphNode, { graph }: Context, all: boolean): Order[] {
  const own = longLetters(node, graph);
  if (own.length < 2 || own.length > MOST_LETTERS) return [];
  const result: Order[] = [];
  const add = (letters: string[], squareAxes = false): void => {
    const swapped = letters.filter((letter, n) => letter !== own[n]);
    const key = letters.join();
    if (swapped.length === 0 || result.some((each) => each.letters.join() === key)) return;
    const isTranspose =
      squareAxes ||
      (swapped.length === 2 && graph.extents[swapped[0]] === graph.extents[swapped[1]]);
    result.push({ letters, swapped, isTranspose });
  };
  const axes = node.axes.map((axis) => axis.filter((letter) => own.includes(letter)));
  for (let a = 0; a < axes.length; a++) {
    for (let b = a + 1; b < axes.length; b++) {
      const exchanged = [...axes];
      [exchanged[a], exchanged[b]] = [axes[b], axes[a]];
      const length = (axis: readonly string[]): number => axisLength(axis, graph.extents);
      add(exchanged.flat(), length(axes[a]) === length(axes[b]));
    }
  }
  for (let a = 0; a < own.length; a++) {
    for (let b = a + 1; b < own.length; b++) {
      const letters = [...own];
      [letters[a], letters[b]] = [letters[b], letters[a]];
      add(letters);
    }
  }
  // The two letters of a query head move as one.
  const units = own.join('').match(/rg|./g)!;
  for (const each of new Set([own, units]))
    if (all && each.length <= 4)
      for (const letters of permutations(each)) add(letters.join('').split(''));
  return result;
}

function permutations(letters: readonly string[]): string[][] {
  if (letters.length <= 1) return [[...letters]];
  return letters.flatMap((letter, n) =>
    permutations([...letters.slice(0, n), ...letters.slice(n + 1)]).map((rest) => [
      letter,
      ...rest,
    ]),
  );
}

function move(node: GraphNode, order: Order, { graph }: Context): StepOperation {
  const short = node.axes.flat().filter((letter) => graph.extents[letter] === 1);
  return gather(
    permutationTable(node.axes, [...short, ...order.letters], graph.extents),
    node.shape,
  );
}

function words({ letters, swapped, isTranspose }: Order): string {
  const names = swapped.map((letter) => axisName([letter]));
  if (isTranspose) return `transposed (${names.join(' and ')} exchanged)`;
  return `read in the order (${letters.map((letter) => axisName([letter])).join(', ')}) without moving the entries: a view or reshape where a transpose belongs`;
}

function say(name: string, order: Order, role: string, cost: number): Say {
  // Heads and tokens exchanged are a reshape gone wrong even where there are as many of both.
  const heads =
    order.swapped.some(isOfHeads) && order.swapped.some((letter) => /^[ijt]$/.test(letter));
  const what =
    heads || (!order.isTranspose && order.swapped.some(isOfHeads))
      ? 'reshaped-heads'
      : order.isTranspose
        ? 'transposed'
        : 'reshaped';
  return {
    id: `${role}${what}`,
    title:
      what === 'transposed'
        ? `${name} is transposed`
        : `${name} is reshaped where its axes should be ${what === 'reshaped-heads' ? 'moved (heads and tokens mixed up)' : 'transposed'}`,
    why: `The entries of ${name} are ${words(order)}.`,
    wrong: `${name} ${words(order)}`,
    mixes: order.swapped,
    // Fewer moved axes first, and true transposes before views.
    cost: cost + 0.05 * order.swapped.length + (order.isTranspose ? 0 : 0.02),
  };
}

/** By role: how an id begins, what it costs, and whether all orders are tried. */
const ROLES = {
  result: ['result-', 1.2, true],
  operand: ['operand-', 1.3, false],
  input: ['input-', 1, true],
  gradient: ['gradient-', 1.2, true],
  upstream: ['backward-operand-', 1.1, false],
  backwardOperand: ['backward-operand-', 1, false],
} as const;

/** dK = dS Q for dK = dS^T Q: a tensor in the wrong orientation. */
export const permute: Family = (site) => {
  const edits = spotsOf(site).flatMap(({ role, node, name, put }) => {
    const [prefix, cost, isAll] = ROLES[role];
    const own = role === 'operand' && node.kind === 'input' ? 1 : cost;
    return orders(node, site, isAll).map((order) =>
      put(say(name, order, prefix, own), move(node, order, site)),
    );
  });
  const isSplit = site.kind === 'value' && /^[QKV]h$/.test(site.node.id);
  return isSplit ? [...edits, ...allHeads(site)] : edits;
};

/** Queries, keys and values all split into heads the same wrong way. */
function allHeads(site: Site): Edit[] {
  const ids = ['Qh', 'Kh', 'Vh'].map((id) => nodeOf(site.graph, id));
  return orders(site.node, site, true).map((order) => {
    const positions = order.letters.map((letter) =>
      longLetters(site.node, site.graph).indexOf(letter),
    );
    const text = say('Qh, Kh and Vh', order, 'result-', 1.21);
    return makeEdit(site, site.node.id, 'value', text, (program) =>
      ids.reduce((own, node) => {
        const letters = longLetters(node, site.graph);
        if (letters.length !== positions.length) return own;
        const operation = move(node, { ...order, letters: positions.map((n) => letters[n]) }, site);
        const step = own.forward.get(node.id)!;
        return withStep(own, node.id, { ...step, operation: after(step.operation, operation) });
      }, program),
    );
  });
}
