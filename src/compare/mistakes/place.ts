// Formulas in the places of a program's own: as a step, or as what a gradient is made of.
import type { AxisLetters } from '../../engine/axes.ts';
import { Evaluator, type Operand, type Read } from '../../engine/evaluate.ts';
import type { Formula } from '../../engine/formula.ts';
import { hasNode, nodeOf, type NodeId } from '../../engine/graph.ts';
import { type Tensor, zeros } from '../../engine/tensor.ts';
import { vjpOf } from '../../engine/vjp.ts';
import { symbolsIn } from '../../engine/where.ts';
import type { Context } from '../edits/edit.ts';
import {
  type Kind,
  type Program,
  type State,
  type Step,
  withAccumulator,
  withContribution,
  withStep,
} from '../program/program.ts';
import { extentsOf, readOf } from './hunt.ts';
import { sourcesOf } from '../program/sources.ts';

/** What a tensor is made of in a mistaken program. */
export interface Part {
  readonly node: NodeId;
  readonly kind: Kind;
  readonly formula: Formula;
  /** The contribution to the gradient that it stands for; without it the whole. */
  readonly from?: { readonly id: NodeId; readonly slot: number };
  /** Made of the right formula of the step. */
  readonly isSubstituted?: boolean;
  /** Tensors that the formula speaks of beside those of the program. */
  readonly given?: Readonly<Record<string, Operand>>;
}

/** `isForwardOnly`: the backward pass is written by hand, and stays the right one. */
export function withParts(
  context: Context,
  program: Program,
  parts: readonly Part[],
  isForwardOnly = false,
): Program {
  const { graph } = context;
  return parts.reduce((changed, part) => {
    const { node, kind, formula, from } = part;
    if (kind === 'value') return withStep(changed, node, stepOf(context, part), isForwardOnly);
    const { axes } = nodeOf(graph, node);
    const compute = (_: unknown, state: State): Tensor => {
      const own = readOf({ graph, state });
      return computed(context, formula, axes, (name) => part.given?.[name] ?? own(name));
    };
    const sources = from ? [{ from: from.id, slot: from.slot }] : sourcesOf(changed, node);
    return sources.length === 1
      ? withContribution(changed, sources[0].from, sources[0].slot, compute)
      : withAccumulator(changed, node, compute);
  }, program);
}

/** The step of a value that is made by the mistaken formula, and differentiated as such. */
function stepOf(context: Context, { node, formula, given }: Part): Step {
  const { graph, state } = context;
  const own = nodeOf(graph, node);
  const { axes } = own;
  const used = symbolsIn(formula).filter((name) => name !== node && hasNode(graph, name));
  const before = readOf({ graph, state });
  const reading =
    (inputs: readonly Tensor[]): Read =>
    (name) => {
      const n = used.indexOf(name);
      if (n >= 0) return { axes: nodeOf(graph, name).axes, tensor: inputs[n] };
      return given?.[name] ?? before(name);
    };
  return {
    inputs: used,
    operation: {
      // Sums stay sums for the simulation of rounding.
      name: own.kind === 'operation' ? own.operation.name : 'formula',
      forward: (inputs) => computed(context, formula, axes, reading(inputs)),
      vjp: ({ inputs }, upstream) => {
        const letters = axes.flat();
        const lengths = letters.map((letter) => graph.extents[letter]);
        const evaluator = evaluatorOf(context, formula, reading(inputs));
        const found = vjpOf(formula, { letters, lengths, data: upstream.data }, evaluator);
        return inputs.map(({ shape }, n) => {
          const data = found.get(used[n]);
          return data ? { shape, data } : zeros(shape);
        });
      },
    },
  };
}

/** Entries of all that is kept. */
const MOST_KEPT = 2e6;
const WORK_OF_ENTRY = 10;

/** What many formulas of the same tensors share is computed once. */
class Shared {
  readonly #read: Read;
  readonly #known = new Map<string, Operand | undefined>();
  readonly evaluator: Evaluator;

  constructor(context: Context) {
    this.#read = readOf(context);
    this.evaluator = new Evaluator((name) => this.#own(name), extentsOf(context));
  }

  #own(name: string): Operand | undefined {
    if (!this.#known.has(name)) this.#known.set(name, this.#read(name));
    return this.#known.get(name);
  }

  /** The names of a formula that speak of other tensors there. All are read, so that it is known what depends on them. */
  changed(formula: Formula, read: Read): string[] {
    return symbolsIn(formula).filter((name) => this.#own(name)?.tensor !== read(name)?.tensor);
  }
}

const sharedBy = new WeakMap<State, Shared>();

function evaluatorOf(context: Context, formula: Formula, read: Read): Evaluator {
  const { state } = context;
  let shared = sharedBy.get(state);
  if (!shared || shared.evaluator.work > MOST_KEPT)
    sharedBy.set(state, (shared = new Shared(context)));
  const changed = new Set(shared.changed(formula, read));
  const { evaluator } = shared;
  return changed.size === 0
    ? evaluator
    : new Evaluator(read, extentsOf(context), { evaluator, changed });
}

function computed(
  context: Context,
  formula: Formula,
  axes: readonly AxisLetters[],
  read: Read,
): Tensor {
  const evaluator = evaluatorOf(context, formula, read);
  const before = evaluator.work;
  const made = evaluator.tensor(formula, axes);
  context.state.meter.work += WORK_OF_ENTRY * (evaluator.work - before);
  return made;
}
