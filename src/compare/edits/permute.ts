// Entries in the wrong places: transposed, viewed without a transpose, heads split or merged the wrong way.
import type { GraphNode } from '../../engine/graph.ts';
import { nodeOf, tensorName } from '../../engine/graph.ts';
import { isOfHeads, axisLength, axisName } from '../../engine/axes.ts';
import type { Tensor } from '../../engine/tensor.ts';
import { after, gather, onOperand, permutationTable } from '../program/operations.ts';
import { type StepOperation, withStep } from '../program/program.ts';
import {
  type Context,
  type Edit,
  type Family,
  longLetters,
  operationAt,
  type Site,
} from './edit.ts';
import {
  contributionEdit,
  contributionsTo,
  gradientEdit,
  makeEdit,
  passedBack,
  type Say,
  stepEdit,
} from './make.ts';

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
  if (all && own.length <= 4) for (const letters of permutations(own)) add(letters);
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
    // Fewer moved axes first, and true transposes before views.
    cost: cost + 0.05 * order.swapped.length + (order.isTranspose ? 0 : 0.02),
  };
}

export const permute: Family = (site) => {
  const { node, kind } = site;
  const edits: Edit[] = [];
  const name = tensorName(node.id, kind);
  const isTarget = site.target !== undefined;
  for (const order of orders(node, site, true)) {
    const operation = move(node, order, site);
    if (kind === 'gradient') {
      edits.push(
        gradientEdit(site, node.id, say(name, order, 'gradient-', 1.2), (own) =>
          operation.forward([own()]),
        ),
      );
    } else if (node.kind === 'operation') {
      edits.push(
        stepEdit(site, node.id, say(name, order, 'result-', 1.2), (step) =>
          after(step.operation, operation),
        ),
      );
    } else if (isTarget) {
      edits.push(inputEdit(site, order, operation));
    }
  }
  if (kind === 'value' && /^[QKV]h$/.test(node.id)) edits.push(...allHeads(site));
  const own = operationAt(site);
  if (kind === 'value' && own) {
    own.inputs.forEach((input, slot) => {
      const operand = nodeOf(site.graph, input);
      for (const order of orders(operand, site, false)) {
        const text = say(
          `${input} in ${node.id}`,
          order,
          'operand-',
          operand.kind === 'input' ? 1 : 1.3,
        );
        edits.push(
          stepEdit(site, node.id, text, (step) =>
            onOperand(step.operation, slot, move(operand, order, site)),
          ),
        );
      }
    });
  }
  if (kind === 'gradient')
    for (const each of contributionsTo(site, node.id))
      edits.push(...operandsOfGradient(site, each));
  return edits;
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

/** A weight or x that the person's program holds in another order than the setup. */
function inputEdit(site: Site, order: Order, operation: StepOperation): Edit {
  const { node } = site;
  return makeEdit(site, node.id, 'value', say(node.id, order, 'input-', 1), (program) => {
    const forward = (): Tensor =>
      operation.forward([node.kind === 'input' ? node.value : site.state.value(node.id)]);
    const fixed = { name: 'given', forward, vjp: () => [] };
    return {
      ...program,
      forward: new Map(program.forward).set(node.id, { operation: fixed, inputs: [] }),
    };
  });
}

/** dK = dS Q for dK = dS^T Q: an operand or the upstream gradient in the wrong orientation. */
function operandsOfGradient(
  site: Context,
  { from, slot }: ReturnType<typeof contributionsTo>[number],
): Edit[] {
  const to = from.inputs[slot];
  const edits: Edit[] = [];
  for (const order of orders(from, site, false)) {
    const operation = move(from, order, site);
    const text = say(`d${from.id} in d${to}`, order, 'backward-operand-', 1.1);
    edits.push(
      contributionEdit(site, from.id, slot, text, (_, state) =>
        passedBack(state, from.id, slot, {
          upstream: operation.forward([state.gradient(from.id)]),
        }),
      ),
    );
  }
  if (from.operation.name !== 'contraction') return edits;
  from.inputs.forEach((input, n) => {
    if (n === slot) return;
    const operand = nodeOf(site.graph, input);
    for (const order of orders(operand, site, false)) {
      const operation = move(operand, order, site);
      const text = say(`${input} in d${to}`, order, 'backward-operand-', 1);
      edits.push(
        contributionEdit(site, from.id, slot, text, (_, state) => {
          const inputs = from.inputs.map((id, at) =>
            at === n ? operation.forward([state.value(id)]) : state.value(id),
          );
          return passedBack(state, from.id, slot, { inputs });
        }),
      );
    }
  });
  return edits;
}
