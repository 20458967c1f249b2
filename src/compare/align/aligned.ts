// A person's tensor, and which node it is.
import type { NodeId } from '../../engine/graph.ts';
import type { Tensor } from '../../engine/tensor.ts';
import type { NamedTensor } from '../../formats/namedTensor.ts';
import type { Unsummed } from './misfits.ts';
import type { Kind } from '../program/program.ts';
import type { Fit } from '../judge/readings.ts';

export interface Aligned {
  readonly node: NodeId;
  readonly kind: Kind;
  /** The entry's name in the trace. */
  readonly name: string;
  /** In the node's shape. */
  readonly tensor: Tensor;
  readonly dtype: NamedTensor['dtype'];
  /** How the person's layout differs; '' for not at all. */
  readonly layout: string;
  /** Why this node, where the name did not say so. */
  readonly guess: string;
  /** `tensor` is the sum over axes over which the person's is not summed. */
  readonly unsummed?: Unsummed;
}

/** The same entries in another layout. */
export interface Other {
  readonly tensor: Tensor;
  readonly layout: string;
}

/** It is still to be decided which layout it has. */
export interface Placed extends Aligned {
  /** The node that the name says. */
  readonly named: NodeId;
  /** Another layout of the same shape under which the content is the reference's. */
  readonly other?: Other;
  /** Other layouts of the same shape, whatever their content. */
  others(): readonly Other[];
  readonly fit: Fit;
}
