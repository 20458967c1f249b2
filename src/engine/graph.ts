// The computation graph: nodes in the order in which forward mode computes them.
import type { AxisLetters, Extents } from './axes.ts';
import { shapeOf } from './axes.ts';
import { ConfigError, type Head, MAX_NODE_ENTRIES } from './config.ts';
import type { Operation } from './operation.ts';
import { formatShape, sameShape, sizeOf, type Tensor } from './tensor.ts';

/** Node ids are the contract between files, panel, messages and command line. */
export type NodeId = string;

interface NodeBase {
  readonly id: NodeId;
  readonly axes: readonly AxisLetters[];
  readonly shape: readonly number[];
}

export interface InputNode extends NodeBase {
  readonly kind: 'input';
  readonly value: Tensor;
}

export interface OperationNode extends NodeBase {
  readonly kind: 'operation';
  readonly operation: Operation;
  readonly inputs: readonly NodeId[];
}

export type GraphNode = InputNode | OperationNode;

export interface Graph {
  readonly head: Head;
  readonly nodes: readonly GraphNode[];
  readonly extents: Extents;
  /** x and x' are one node. */
  readonly selfAttention: boolean;
}

/** What a node's tensor is called everywhere: "P", its gradient "dP". */
export const tensorName = (id: NodeId, kind: 'value' | 'gradient'): string =>
  kind === 'gradient' ? `d${id}` : id;

export function nodeOf(graph: Graph, id: NodeId): GraphNode {
  const node = graph.nodes.find((each) => each.id === id);
  if (!node)
    throw new RangeError(
      `no node ${id}; the graph has ${graph.nodes.map((each) => each.id).join(' ')}`,
    );
  return node;
}

export function hasNode(graph: Graph, id: NodeId): boolean {
  return graph.nodes.some((node) => node.id === id);
}

export function operationNodes(graph: Graph): OperationNode[] {
  return graph.nodes.filter((node) => node.kind === 'operation');
}

/** Collects nodes; an operand must be there before the node that uses it, which is what makes the order valid. */
export class GraphBuilder {
  readonly #nodes: GraphNode[] = [];
  readonly #extents: Extents;
  readonly #mostEntries: number;

  constructor(extents: Extents, mostEntries = MAX_NODE_ENTRIES) {
    this.#extents = extents;
    this.#mostEntries = mostEntries;
  }

  input(id: NodeId, axes: readonly AxisLetters[], value: Tensor): void {
    const shape = shapeOf(axes, this.#extents);
    if (!sameShape(shape, value.shape)) {
      throw new RangeError(
        `${id} has shape ${formatShape(value.shape)}, its axes say ${formatShape(shape)}`,
      );
    }
    this.#nodes.push({ kind: 'input', id, axes, shape, value });
  }

  /** Throws ConfigError where the result would be too large to be computed. */
  node(
    id: NodeId,
    axes: readonly AxisLetters[],
    operation: Operation,
    inputs: readonly NodeId[],
  ): void {
    for (const input of inputs) {
      if (!this.has(input))
        throw new RangeError(`${id} uses ${input}, which is not in the graph yet`);
    }
    const shape = shapeOf(axes, this.#extents);
    if (sizeOf(shape) > this.#mostEntries) {
      const found = `found ${id} of shape ${formatShape(shape)}, ${sizeOf(shape)} entries`;
      throw new ConfigError('x', `${found}, expected at most ${this.#mostEntries}`);
    }
    this.#nodes.push({ kind: 'operation', id, axes, shape, operation, inputs });
  }

  has(id: NodeId): boolean {
    return this.#nodes.some((node) => node.id === id);
  }

  axesOf(id: NodeId): readonly AxisLetters[] {
    const node = this.#nodes.find((each) => each.id === id);
    if (!node) throw new RangeError(`no node ${id} yet`);
    return node.axes;
  }

  build(head: Head, selfAttention: boolean): Graph {
    return { head, nodes: [...this.#nodes], extents: this.#extents, selfAttention };
  }
}
