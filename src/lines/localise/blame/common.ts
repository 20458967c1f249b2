// What the reasons to blame another statement share.
import type { Kind } from '../../../compare/program/program.ts';
import type { NodeId } from '../../../engine/graph.ts';
import { sizeOf, type Tensor } from '../../../engine/tensor.ts';
import { handedFrom, handedOn } from '../../recorded/flow.ts';
import type { Field } from '../suspects.ts';

export interface Blame {
  readonly event: number;
  readonly note: string;
  /** The loop, where that is to blame. */
  readonly statement?: number;
  /** What it was to be, where that is known. */
  readonly node?: NodeId;
  readonly kind?: Kind;
}

/** Weighs nothing in a softmax. */
export const MASKED = -50;

export const isHiding = (tensor: Tensor | null): boolean =>
  tensor?.data.some((value) => value <= MASKED) ?? false;

/** The event that was computed, of one that is handed on. */
export function originOf({ recording }: Field, id: number): number {
  return [...handedFrom(recording, id)].at(-1)!;
}

/** Whether an event is of the very name that its statement gives to something: not of an object that it only reaches. */
function isNamedHere({ recording }: Field, id: number): boolean {
  const { name, statement } = recording.events[id];
  return recording.statements[statement].targets.includes(name);
}

const NAMING = /^[\w.]+\s*=\s*[\w.]+?(\.(copy|clone)\(\))?$/;

/** Whether a statement does no more than to give another name, to the same or a copy. */
export function isNaming(field: Field, id: number): boolean {
  const { events, statements } = field.recording;
  const { how, statement } = events[id];
  const { kind, text } = statements[statement];
  const isPlain = kind === 'assign' && how === 'bind' && NAMING.test(text.trim());
  return isPlain && isNamedHere(field, id);
}

/** The event that was bound, of one that only another name leads to: `t.grad` where t is named. */
export function boundAt(field: Field, id: number): number {
  const { recording } = field;
  let at = id;
  while (recording.events[at].how === 'bind' && !isNamedHere(field, at)) {
    const from = handedOn(recording, recording.events[at]);
    if (from === null) return at;
    at = from;
  }
  return at;
}

/** Whether nothing is left of what was to be computed: it is all of an operand, as that was. */
export const isOperand = (
  { recording }: Field,
  operands: Iterable<number>,
  { data }: Tensor,
): boolean =>
  data.length > 1 &&
  [...operands].some((id) => {
    if (sizeOf(recording.events[id].shape) !== data.length) return false;
    const own = recording.tensor(id)?.data;
    return own !== undefined && data.every((value, at) => value === own[at]);
  });
