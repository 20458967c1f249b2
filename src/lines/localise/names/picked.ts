// Parts of arrays that get a name of their own to be written to: `dkey = dqkv[b, t, c:2 * c]`.
import type { GraphNode } from '../../../engine/graph.ts';
import { sizeOf } from '../../../engine/tensor.ts';
import { type Expression, parseStatement } from '../../expressions/parse.ts';
import { followed } from '../../recorded/flow.ts';
import type { Field } from '../suspects.ts';

/** A part of an array that is picked to be written to, in place: what it holds by then was written elsewhere. */
export const isPartToFill = (field: Field, id: number): boolean =>
  (isPicked(field, id) || isPartGiven(field, id)) &&
  field.flow.users[id].some((user) => {
    const { how, alias } = field.recording.events[user];
    return alias === id && (how === 'write' || how === 'update');
  });

/** Whether an event only gives a name to a part of an array. */
function isPicked({ recording }: Field, id: number): boolean {
  const { how, statement } = recording.events[id];
  const value = parseStatement(recording.statements[statement].text)?.value;
  return how === 'bind' && value?.kind === 'index' && picksOnly(value.of);
}

/** Whether a call is given a part of an array: `store(out[n], rows, tile)`. */
function isPartGiven({ recording, flow }: Field, id: number): boolean {
  const { how, alias } = recording.events[id];
  const own = recording.tensor(id)?.data;
  if (how !== 'argument' || alias !== undefined || !own) return false;
  return flow.sources[id].some((source) => {
    const whole = recording.tensor(source)?.data;
    if (!whole || whole.length <= own.length) return false;
    const numbers = new Set(whole);
    return own.every((value) => numbers.has(value));
  });
}

/** The event that picked the part of an array to which right terms are added; null where that is not so. */
export function pickedPlace(field: Field, id: number): number | null {
  const { recording, observed } = field;
  const { how } = recording.events[id];
  const isTerm = observed[id].found.some(({ entry: { title } }) => title.startsWith('terms of '));
  if (how !== 'write' || !isTerm) return null;
  const root = followed(recording.events, id);
  return root !== id && isPicked(field, root) ? root : null;
}

/**
 * What the gradients of all query heads add up to in each group, where an event is those of one head that were picked
 * instead; null where it is something else.
 */
export function oneOfGroup(
  { observed, recording, catalogue, flow }: Field,
  id: number,
): GraphNode | null {
  const groups = catalogue.parts.extents['g'] ?? 1;
  if (groups === 1) return null;
  const one = observed[id].found.find(
    ({ entry: { title }, ranges }) =>
      title.endsWith(' of each query head') && ranges.get('g')?.count === 1,
  );
  const node = one && catalogue.graph.nodes.find((each) => each.id === one.entry.node);
  if (!node || sizeOf(node.shape) !== sizeOf(recording.events[id].shape)) return null;
  const isOneOfAll = flow.sources[id].some((all) =>
    [...observed[all].found, ...observed[all].pieces].some(
      ({ entry, ranges }) => entry.title === one.entry.title && ranges.get('g')?.count === groups,
    ),
  );
  return isOneOfAll ? node : null;
}

const picksOnly = (expression: Expression): boolean =>
  expression.kind === 'name' ||
  ((expression.kind === 'index' || expression.kind === 'attribute') && picksOnly(expression.of));
