// Gradients that are none of the setup's: of numbers and constants, and of what comes before its inputs.
import { nodeOf } from '../../../engine/graph.ts';
import { sizeOf } from '../../../engine/tensor.ts';
import type { Key } from '../../../compare/program/program.ts';
import { handedOn } from '../../recorded/flow.ts';
import type { Event } from '../../recorded/recording.ts';
import type { Field } from '../suspects.ts';

const GRADIENT = /\.grad$/;

/**
 * Whether all that comes of an event are gradients of tensors that are no part of the attention: `other.grad` where
 * `other.data` is a number, or a row maximum.
 */
export function gradientsAside(field: Field): (event: Event) => boolean {
  const { recording, observed, flow } = field;
  const { events } = recording;
  const values = new Map<string, number[]>();
  for (const { id, name, frame } of events)
    if (name.endsWith('.data')) {
      const key = `${frame} ${name}`;
      values.set(key, [...(values.get(key) ?? []), id]);
    }
  const isOfOther = (id: number): boolean => {
    for (let at: number | undefined = id; at !== undefined; at = events[at].alias) {
      const { name, frame } = events[at];
      if (!GRADIENT.test(name)) return false;
      const before = at;
      const value = values
        .get(`${frame} ${name.replace(GRADIENT, '.data')}`)
        ?.findLast((each) => each < before);
      if (value === undefined) continue;
      return observed[value].found.length === 0 && observed[value].pieces.length === 0;
    }
    return false;
  };
  const known = new Map<number, boolean>();
  const isAside = (id: number): boolean => {
    const before = known.get(id);
    if (before !== undefined) return before;
    known.set(id, false);
    const isEnd = isOfOther(id);
    const users = flow.users[id].filter(
      (user) => !isEnd || handedOn(recording, events[user]) === null,
    );
    const found = (isEnd || users.length > 0) && users.every((user) => isAside(user));
    known.set(id, found);
    return found;
  };
  return ({ id }) => isAside(id);
}

/**
 * What is made of gradients of inputs alone, beside which there is something that the setup does not have, or that is of
 * another size: the program passes them on to what comes before the setup's inputs.
 */
export function isBeyond(
  { goals, covered, catalogue: { graph }, observed, flow }: Field,
  { id, shape }: Event,
  isDoubtful: boolean,
): boolean {
  const isGoal = (key: Key): boolean =>
    key.startsWith('g:') && goals.includes(key) && covered.has(key);
  const operands = flow.sources[id].flatMap((source) => {
    const { found, pieces } = observed[source];
    const keys = [...found, ...pieces].map(({ entry }) => entry.key);
    return keys.length > 0 ? [keys.filter(isGoal)] : [];
  });
  if (operands.length === 0 || operands.some((keys) => keys.length === 0)) return false;
  const isAsLarge = (key: Key): boolean =>
    sizeOf(nodeOf(graph, key.slice(2)).shape) === sizeOf(shape);
  return isDoubtful || !operands.some((keys) => keys.some(isAsLarge));
}
