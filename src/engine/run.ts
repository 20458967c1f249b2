// Forward and reverse mode over a graph. A run is data: values, gradients and the ordered contributions.
import type { Graph, NodeId, OperationNode } from './graph.ts';
import { operationNodes } from './graph.ts';
import { giveBack } from './memory.ts';
import { endCopies } from './parallel.ts';
import { findNotices, type Notice } from './notices.ts';
import type { Application } from './operation.ts';
import { type Path, pathOf } from './paths.ts';
import { add, scalar, type Tensor, zeros } from './tensor.ts';

/** That one node adds to the accumulator of one of its operands. */
export interface Passing {
  /** Place in the order in which reverse mode makes them. */
  readonly index: number;
  /** The node whose gradient is passed on. */
  readonly from: NodeId;
  /** The operand whose accumulator receives. */
  readonly to: NodeId;
  /** Which operand of `from` that is: one node may be two operands. */
  readonly slot: number;
  readonly path: Path;
}

/** What it adds. */
export interface Contribution extends Passing {
  /** Of the shape of `to`. */
  readonly value: Tensor;
}

/** Everything that reverse mode passes on, in its order. */
export const passings = (graph: Graph): Passing[] =>
  operationNodes(graph)
    .reverse()
    .flatMap((node) =>
      node.inputs.map((to, slot) => {
        const path = isPast(node, to) ? 'residual' : pathOf(node.id, to);
        return { from: node.id, to, slot, path } as const;
      }),
    )
    .map((passing, index) => ({ index, ...passing }));

export interface Run {
  readonly graph: Graph;
  readonly values: ReadonlyMap<NodeId, Tensor>;
  /** df/dN for every node N: the sum of its contributions, in their order. */
  readonly gradients: ReadonlyMap<NodeId, Tensor>;
  readonly contributions: readonly Contribution[];
  readonly notices: readonly Notice[];
}

export interface RunOptions {
  /** Applied to every node's value and every contribution: how a narrower dtype is simulated. */
  readonly round?: (result: Tensor) => Tensor;
  /** Values to use in place of those computed (or given) for these nodes. */
  readonly override?: ReadonlyMap<NodeId, Tensor>;
}

const exact = (result: Tensor): Tensor => result;

/** A node's value, or its whole gradient. */
export interface Made {
  readonly node: NodeId;
  readonly kind: 'value' | 'gradient';
  readonly tensor: Tensor;
}

/** What a run is about to compute: one of `of` parts, a node forward or backward. */
export interface Part {
  readonly phase: 'forward' | 'backward';
  readonly node: NodeId;
  readonly done: number;
  readonly of: number;
  /** What has been there since the part before; the gradients of inputs come with the run. */
  readonly made: readonly Made[];
}

/** Takes a generator to its end. */
function finish<Result>(parts: Generator<unknown, Result>): Result {
  for (;;) {
    const { done, value } = parts.next();
    if (done) return value;
  }
}

/** Values of all nodes. */
export const forward = (graph: Graph, options: RunOptions = {}): Map<NodeId, Tensor> =>
  finish(forwardInParts(graph, options));

function* forwardInParts(
  graph: Graph,
  { round = exact, override }: RunOptions,
  values = new Map<NodeId, Tensor>(),
): Generator<NodeId, Map<NodeId, Tensor>> {
  for (const node of graph.nodes) {
    const given = override?.get(node.id) ?? (node.kind === 'input' ? node.value : undefined);
    if (!given) yield node.id;
    const value =
      given ?? (node as OperationNode).operation.forward(operands(node as OperationNode, values));
    values.set(node.id, round(value));
  }
  return values;
}

/** Values of a node's operands, in their order. */
export function operands(node: OperationNode, values: ReadonlyMap<NodeId, Tensor>): Tensor[] {
  return node.inputs.map((id) => {
    const value = values.get(id);
    if (!value) throw new RangeError(`${node.id} needs ${id}, which has no value`);
    return value;
  });
}

export function applicationOf(
  node: OperationNode,
  values: ReadonlyMap<NodeId, Tensor>,
): Application {
  const output = values.get(node.id);
  if (!output) throw new RangeError(`${node.id} has no value`);
  return { inputs: operands(node, values), output };
}

/** The input that a residual connection adds. */
const isPast = ({ operation }: OperationNode, to: NodeId): boolean =>
  operation.name === 'residual' && /^x(Prime)?$/.test(to);

/**
 * Reverse mode: from df/df = 1, each node in reverse order passes its gradient to its operands, and a node is
 * visited only after all nodes that use it, so that its accumulator is complete.
 */
export const backward = (
  graph: Graph,
  values: ReadonlyMap<NodeId, Tensor>,
  options: RunOptions = {},
): Pick<Run, 'gradients' | 'contributions'> => finish(backwardInParts(graph, values, options));

function* backwardInParts(
  graph: Graph,
  values: ReadonlyMap<NodeId, Tensor>,
  { round = exact }: RunOptions,
  gradients = new Map<NodeId, Tensor>(),
): Generator<NodeId, Pick<Run, 'gradients' | 'contributions'>> {
  gradients.set('f', scalar(1));
  const contributions: Contribution[] = [];
  const passed = passings(graph);
  for (const node of operationNodes(graph).reverse()) {
    yield node.id;
    const upstream = gradients.get(node.id) ?? zeros(node.shape);
    const parts = node.operation.vjp(applicationOf(node, values), upstream);
    node.inputs.forEach((to, slot) => {
      const value = round(parts[slot]);
      contributions.push({ ...passed[contributions.length], value });
      const before = gradients.get(to);
      gradients.set(to, before ? round(add(before, value)) : value);
    });
  }
  // An input that nothing uses has no influence on f.
  for (const { id, shape } of graph.nodes) if (!gradients.has(id)) gradients.set(id, zeros(shape));
  return { gradients, contributions };
}

export const run = (graph: Graph, options: RunOptions = {}): Run =>
  finish(runInParts(graph, options));

/** The same, giving way before each of its parts: for whoever shows how far it is, or stops it. */
export function* runInParts(graph: Graph, options: RunOptions = {}): Generator<Part, Run> {
  const of = 2 * operationNodes(graph).length;
  let done = 0;
  let told = 0;
  const values = new Map<NodeId, Tensor>();
  const gradients = new Map<NodeId, Tensor>();
  const madeBefore = (phase: Part['phase'], node: NodeId): Made[] => {
    const made = [...values].slice(told).map(([id, tensor]): Made => {
      return { node: id, kind: 'value', tensor };
    });
    told = values.size;
    const gradient = phase === 'backward' && gradients.get(node);
    return gradient ? [...made, { node, kind: 'gradient', tensor: gradient }] : made;
  };
  function* named<Result>(
    phase: Part['phase'],
    parts: Generator<NodeId, Result>,
  ): Generator<Part, Result> {
    for (;;) {
      const next = parts.next();
      if (next.done) return next.value;
      const node = next.value;
      yield { phase, node, done: done++, of, made: madeBefore(phase, node) };
    }
  }
  yield* named('forward', forwardInParts(graph, options, values));
  const { contributions } = yield* named(
    'backward',
    backwardInParts(graph, values, options, gradients),
  );
  return {
    graph,
    values,
    gradients,
    contributions,
    notices: findNotices(graph, values, gradients),
  };
}

/**
 * Gives a run's memory to the next ones. Nothing may hold the run, any of its tensors or a part of one any more; its
 * inputs stay, and so must what was overridden in it.
 */
export function release({ graph, values, gradients, contributions }: Run): void {
  const computed = operationNodes(graph).map(({ id }) => values.get(id));
  const passed = contributions.map(({ value }) => value);
  const all = [...computed, ...gradients.values(), ...passed];
  // An operation may pass an input on as it is.
  const inputs = new Set(
    graph.nodes.map((node) => (node.kind === 'input' ? node.value.data : null)),
  );
  giveBack(all.flatMap((each) => (each && !inputs.has(each.data) ? [each.data] : [])));
  endCopies();
}

/** A contribution's accumulator before and after it; null before the first, which starts from zero. */
export function accumulator(
  all: readonly Contribution[],
  index: number,
): { before: Tensor | null; after: Tensor } {
  const { to, value } = all[index];
  const earlier = all.slice(0, index).filter((each) => each.to === to);
  if (earlier.length === 0) return { before: null, after: value };
  const before = earlier.slice(1).reduce((total, each) => add(total, each.value), earlier[0].value);
  return { before, after: add(before, value) };
}
