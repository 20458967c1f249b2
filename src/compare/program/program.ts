// A program of attention as data: the reference's steps, or those of a person with an edit in them; evaluated lazily.
import type { Graph, NodeId } from '../../engine/graph.ts';
import { nodeOf, operationNodes } from '../../engine/graph.ts';
import type { Operation } from '../../engine/operation.ts';
import type { Contribution, Run } from '../../engine/run.ts';
import { add, scalar, sizeOf, type Tensor, zeros } from '../../engine/tensor.ts';
import { sourcesOf } from './sources.ts';

/** What a step needs of an operation. */
export type StepOperation = Pick<Operation, 'name' | 'forward' | 'vjp' | 'cancelled'>;

export interface Step {
  readonly operation: StepOperation;
  readonly inputs: readonly NodeId[];
}

/** Replaces a contribution or an accumulator; `own` computes what it would have been. */
export type Rewrite = (own: () => Tensor, state: State) => Tensor;

export interface Program {
  readonly graph: Graph;
  /** The forward steps. */
  readonly forward: ReadonlyMap<NodeId, Step>;
  /** The steps that reverse mode differentiates: those of `forward` under automatic differentiation. */
  readonly backward: ReadonlyMap<NodeId, Step>;
  /** Rewrites of what one node passes to one operand, by `contributionKey`. */
  readonly contributions: ReadonlyMap<Key, readonly Rewrite[]>;
  /** Rewrites of whole gradients, by node. */
  readonly accumulators: ReadonlyMap<NodeId, readonly Rewrite[]>;
}

/** "v:N" value of N, "g:N" gradient, "b:N" all that N passes back, "c:N#slot" what it passes to one operand. */
export type Key = string;
export type Kind = 'value' | 'gradient';

export const keyOf = (node: NodeId, kind: Kind): Key => `${kind === 'value' ? 'v' : 'g'}:${node}`;
/** Stands in a region for the use of a given tensor. */
export const givenKey = (key: Key): Key => `given ${key}`;
export const contributionKey = (from: NodeId, slot: number): Key => `c:${from}#${slot}`;

export interface Given {
  readonly values: ReadonlyMap<NodeId, Tensor>;
  readonly gradients: ReadonlyMap<NodeId, Tensor>;
}

export const NOTHING_GIVEN: Given = { values: new Map(), gradients: new Map() };

/** Entries of all nodes together. */
export const entriesOf = ({ nodes }: Graph): number =>
  nodes.reduce((sum, { shape }) => sum + sizeOf(shape), 0);

export function referenceProgram(graph: Graph): Program {
  const steps = new Map(operationNodes(graph).map((node) => [node.id, node]));
  return {
    graph,
    forward: steps,
    backward: steps,
    contributions: new Map(),
    accumulators: new Map(),
  };
}

/** A program with a forward step replaced; reverse mode follows it unless `handWritten`. */
export function withStep(program: Program, node: NodeId, step: Step, handWritten = false): Program {
  const forward = new Map(program.forward).set(node, step);
  return {
    ...program,
    forward,
    backward: handWritten ? program.backward : new Map(program.backward).set(node, step),
  };
}

export function withContribution(
  program: Program,
  from: NodeId,
  slot: number,
  rewrite: Rewrite,
): Program {
  const key = contributionKey(from, slot);
  const contributions = new Map(program.contributions).set(key, [
    ...(program.contributions.get(key) ?? []),
    rewrite,
  ]);
  return { ...program, contributions };
}

export function withAccumulator(program: Program, node: NodeId, rewrite: Rewrite): Program {
  const accumulators = new Map(program.accumulators).set(node, [
    ...(program.accumulators.get(node) ?? []),
    rewrite,
  ]);
  return { ...program, accumulators };
}

/** Where two programs differ: the keys to be computed anew. */
export function changedKeys(before: Program, after: Program): Key[] {
  const keys: Key[] = [];
  for (const [id, step] of after.forward) if (before.forward.get(id) !== step) keys.push(`v:${id}`);
  for (const [id, step] of after.backward) {
    const old = before.backward.get(id);
    if (old === step) continue;
    const inputs = [...(old?.inputs ?? []), ...step.inputs];
    keys.push(
      `b:${id}`,
      ...step.inputs.map((_, slot) => contributionKey(id, slot)),
      ...inputs.map((to) => `g:${to}`),
    );
  }
  for (const [key, rewrites] of after.contributions)
    if (before.contributions.get(key) !== rewrites) keys.push(key);
  for (const [id, rewrites] of after.accumulators)
    if (before.accumulators.get(id) !== rewrites) keys.push(`g:${id}`);
  return keys;
}

/** How much has been computed: a measure of time that is the same on every machine, some 300 a microsecond. */
export interface Meter {
  work: number;
  /** What is left of it for what comes after an unknown step. */
  brief?: number;
}

/** What looking up, allocating and reading cost. */
const WORK_OF_ANY = 4000;
const WORK_OF_ENTRY = 8;
/** Products are computed many at a time. */
const WORK_OF_PRODUCT = 0.1;

/** Changes a computed tensor: how rounding is simulated. */
export type Perturb = (result: Tensor, key: Key, state: State) => Tensor;

interface Entry {
  readonly result: Tensor | readonly Tensor[];
  /** When it was computed. */
  readonly at: number;
}

/** Counts computations, so that a state shares of another only what was there when it began. */
let clock = 0;

/** A program that cannot be computed: an edit finds no place in it, or two edits do not go together. */
export class DoesNotFit extends Error {
  override readonly name = 'DoesNotFit';
}

/** Whether what was thrown says only that: a hypothesis is dropped then. Anything else is a bug, and must be seen. */
export const isMisfit = (error: unknown): boolean =>
  error instanceof DoesNotFit || error instanceof RangeError;

/** An edit that fixed what a step makes left it no operands: another one of the same step finds none. */
function withOperands<T>({ inputs }: Step, compute: () => T): T {
  if (inputs.length > 0) return compute();
  try {
    return compute();
  } catch (error) {
    if (error instanceof TypeError) throw new DoesNotFit('the step has no operands left');
    throw error;
  }
}

/**
 * Values and gradients of a program, each computed when asked for. Where a tensor is given it stands in for the
 * computed one, so that `predict` tells what one step makes of the person's own tensors.
 */
export class State {
  readonly program: Program;
  readonly given: Given;
  readonly #perturb: Perturb | undefined;
  readonly #base: State | undefined;
  readonly #changed: ReadonlySet<Key>;
  /** Shared with the states that are made from this one. */
  readonly meter: Meter;
  readonly #born = clock++;
  readonly #memo = new Map<Key, Entry>();
  readonly #reads = new Map<Key, Set<Key>>();
  readonly #stack: Key[] = [];
  #knownReaders: { count: number; readers: ReadonlyMap<Key, readonly Key[]> } | undefined;

  constructor(program: Program, given: Given = NOTHING_GIVEN, perturb?: Perturb, base?: State) {
    this.program = program;
    this.given = given;
    this.#perturb = perturb;
    this.#base = base;
    this.meter = base?.meter ?? { work: 0 };
    this.#changed = base ? base.#dependents(changedKeys(base.program, program)) : new Set();
  }

  /** The same given tensors under an edited program; what the edit does not reach is shared. */
  under(program: Program): State {
    return new State(program, this.given, this.#perturb, this);
  }

  /** Takes over a run of its unedited program, on nothing given: what is asked for is there. */
  know({ graph, values, gradients, contributions }: Run): void {
    const enter = (key: Key, result: Entry['result'], reads: readonly Key[]): void => {
      this.#memo.set(key, { result, at: clock++ });
      this.#reads.set(key, new Set(reads));
    };
    const inputsOf = (id: NodeId): Key[] => {
      const node = nodeOf(graph, id);
      return node.kind === 'operation' ? node.inputs.map((input): Key => `v:${input}`) : [];
    };
    for (const [id, value] of values) enter(`v:${id}`, value, inputsOf(id));
    const passed = new Map<NodeId, Contribution[]>();
    for (const each of contributions)
      passed.set(each.from, [...(passed.get(each.from) ?? []), each]);
    for (const [from, own] of passed) {
      const parts = own.map(({ value }) => value);
      enter(`b:${from}`, parts, [...inputsOf(from), `v:${from}`, `g:${from}`]);
      for (const { slot, value } of own) enter(contributionKey(from, slot), value, [`b:${from}`]);
    }
    for (const [id, gradient] of gradients) {
      const sources = sourcesOf(this.program, id);
      const reads = sources.map(({ from, slot }) => contributionKey(from, slot));
      enter(`g:${id}`, gradient, id === 'f' || reads.length > 0 ? reads : [`v:${id}`]);
    }
  }

  /** The value used by later steps: the given one, or computed. */
  value(id: NodeId): Tensor {
    return this.#use(`v:${id}`, this.given.values.get(id)) ?? this.predict(`v:${id}`);
  }

  gradient(id: NodeId): Tensor {
    return this.#use(`g:${id}`, this.given.gradients.get(id)) ?? this.predict(`g:${id}`);
  }

  contribution(from: NodeId, slot: number): Tensor {
    return this.predict(contributionKey(from, slot));
  }

  /** What the program computes for a key out of the given tensors. */
  predict(key: Key): Tensor {
    return this.#get(key, () => {
      const id = key.slice(2);
      if (key.startsWith('v:')) return this.#computeValue(id);
      if (key.startsWith('c:')) return this.#computeContribution(key);
      return this.#computeGradient(id);
    }) as Tensor;
  }

  /** All keys that `key` was computed from, itself included. */
  region(key: Key): Set<Key> {
    const found = new Set([key]);
    for (const each of found) for (const read of this.#readsOf(each)) found.add(read);
    return found;
  }

  /** Whether an edit of `program` can reach a key. */
  reaches(key: Key): boolean {
    return this.#changed.has(key);
  }

  #readsOf(key: Key): Iterable<Key> {
    return (
      this.#reads.get(key) ??
      (this.#base && !this.#changed.has(key) ? this.#base.#readsOf(key) : [])
    );
  }

  #dependents(keys: readonly Key[]): Set<Key> {
    const readers = this.#readers();
    const found = new Set(keys);
    for (const each of found) for (const reader of readers.get(each) ?? []) found.add(reader);
    return found;
  }

  /** What reads each key: every edit asks for it. Nothing has changed while as many keys have been computed. */
  #readers(): ReadonlyMap<Key, readonly Key[]> {
    const count = this.#count();
    if (this.#knownReaders?.count === count) return this.#knownReaders.readers;
    const readers = new Map<Key, Key[]>();
    this.#collectReaders(readers);
    this.#knownReaders = { count, readers };
    return readers;
  }

  /** How many keys have been computed, here and in what this state was made from; NaN while one is. */
  #count(): number {
    const own = this.#stack.length === 0 ? this.#reads.size : NaN;
    return this.#base ? own + this.#base.#count() : own;
  }

  #collectReaders(readers: Map<Key, Key[]>): void {
    for (const [key, reads] of this.#reads)
      for (const read of reads) if (!readers.get(read)?.push(key)) readers.set(read, [key]);
    if (this.#base) this.#base.#collectReaders(readers);
  }

  #use(key: Key, given: Tensor | undefined): Tensor | undefined {
    if (!given) return undefined;
    if (this.#perturb) return this.#get(givenKey(key), () => given) as Tensor;
    const reader = this.#stack[this.#stack.length - 1];
    if (reader !== undefined) this.#reads.get(reader)?.add(givenKey(key));
    return given;
  }

  #get(key: Key, compute: () => Tensor | readonly Tensor[]): Tensor | readonly Tensor[] {
    const reader = this.#stack[this.#stack.length - 1];
    if (reader !== undefined) this.#reads.get(reader)?.add(key);
    const known = this.#memo.get(key) ?? this.#inherited(key);
    if (known) return known.result;
    if (this.#stack.includes(key)) throw new DoesNotFit(`${key} is needed to compute it`);
    this.#stack.push(key);
    this.#reads.set(key, new Set());
    try {
      // An edited step may lack an operand, or pass nothing back to it.
      let result = compute() as Tensor | readonly Tensor[] | undefined;
      if (!result) throw new DoesNotFit(`nothing is computed for ${key}`);
      if (this.#perturb && !key.startsWith('b:'))
        result = this.#perturb(result as Tensor, key, this);
      this.meter.work += this.#workOf(key, result);
      this.#memo.set(key, { result, at: clock++ });
      return result;
    } finally {
      this.#stack.pop();
    }
  }

  /** What computing a key cost: the entries of what is made, and the multiply-adds of a product. */
  #workOf(key: Key, result: Tensor | readonly Tensor[]): number {
    const parts = 'data' in result ? [result] : result;
    let work = WORK_OF_ANY;
    for (const { data } of parts) work += WORK_OF_ENTRY * data.length;
    const isBack = /^[bc]:/.test(key);
    const step = (isBack ? this.program.backward : this.program.forward).get(
      key.slice(2).split('#')[0],
    );
    // A rewritten contribution passes back anew.
    const isComputed = /^[vb]:/.test(key) || this.program.contributions.has(key);
    if (!isComputed || step?.operation.name !== 'contraction') return work;
    const operands = step.inputs.slice(0, 2).map((id) => this.#sizeOf(id));
    // (m, k) by (k, n) is m n k: the root of the product of the three sizes.
    const products = Math.sqrt(
      this.#sizeOf(key.slice(2).split('#')[0]) * operands.reduce((a, b) => a * b, 1),
    );
    return work + WORK_OF_PRODUCT * (isBack ? 2 : 1) * products;
  }

  #sizeOf(id: NodeId): number {
    return sizeOf(nodeOf(this.program.graph, id).shape);
  }

  /** What the base had computed when this state began. Later results may depend on the edit. */
  #inherited(key: Key): Entry | undefined {
    if (!this.#base || this.#changed.has(key)) return undefined;
    const entry = this.#base.#known(key);
    return entry && entry.at < this.#born ? entry : undefined;
  }

  #known(key: Key): Entry | undefined {
    return this.#memo.get(key) ?? this.#inherited(key);
  }

  #computeValue(id: NodeId): Tensor {
    const step = this.program.forward.get(id);
    if (step)
      return withOperands(step, () =>
        step.operation.forward(step.inputs.map((input) => this.value(input))),
      );
    const node = this.program.graph.nodes.find((each) => each.id === id);
    if (node?.kind !== 'input') throw new DoesNotFit(`no step computes ${id}`);
    return node.value;
  }

  #computeContribution(key: Key): Tensor {
    const [from, slot] = key.slice(2).split('#');
    const rewrites = this.program.contributions.get(key) ?? [];
    const plain = (): Tensor =>
      (this.#get(`b:${from}`, () => this.#passBack(from)) as readonly Tensor[])[Number(slot)];
    return rewrites.reduce<() => Tensor>((own, rewrite) => () => rewrite(own, this), plain)();
  }

  #passBack(from: NodeId): readonly Tensor[] {
    const { operation, inputs } = this.program.backward.get(from)!;
    const application = { inputs: inputs.map((id) => this.value(id)), output: this.value(from) };
    return operation.vjp(application, this.gradient(from));
  }

  #computeGradient(id: NodeId): Tensor {
    const plain = (): Tensor => {
      if (id === 'f') return scalar(1);
      const parts = sourcesOf(this.program, id).map(({ from, slot }) =>
        this.contribution(from, slot),
      );
      return parts.length > 0 ? parts.reduce(add) : zeros(this.value(id).shape);
    };
    const rewrites = this.program.accumulators.get(id) ?? [];
    return rewrites.reduce<() => Tensor>((own, rewrite) => () => rewrite(own, this), plain)();
  }
}
