// A trace held against one reference run: which tensor each node has, and how it is read.
import type { NodeId } from '../../engine/graph.ts';
import type { Tensor } from '../../engine/tensor.ts';
import type { Aligned } from '../align/aligned.ts';
import type { CheckInput } from '../checkInput.ts';
import type { Misfits } from '../align/misfitsGiven.ts';
import type { Key } from '../program/program.ts';
import type { Reading } from './readings.ts';
import type { Reference } from '../reference/reference.ts';

/** Another convention than the reference's; `rightKeys` need none. */
export interface Convention {
  readonly note: string;
  readonly rightKeys: ReadonlySet<Key>;
}

export type Sources = Record<'values' | 'gradients', Map<NodeId, Tensor>>;

export interface HeldTrace {
  readonly input: CheckInput;
  readonly convention: Convention | null;
  readonly reference: Reference;
  readonly misfits: Misfits;
  /** In causal order. */
  readonly given: ReadonlyMap<Key, Aligned>;
  /** The tensors, what is forgiven in them put right. */
  readonly tensors: ReadonlyMap<Key, Tensor>;
  readonly notes: ReadonlyMap<Key, string>;
  /** How each is looked at: told when it is asked for. */
  readonly views: ReadonlyMap<Key, Pick<Reading, 'view'>>;
  /** What later steps were computed from. */
  readonly sources: Sources;
}
