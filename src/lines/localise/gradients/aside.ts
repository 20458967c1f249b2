// Gradients that are none of the setup's: of numbers and constants, and of what comes before its inputs.
import { nodeOf } from '../../../engine/graph.ts';
import { sizeOf } from '../../../engine/tensor.ts';
import { type Key, keyOf } from '../../../compare/program/program.ts';
import { contentsOf, handedOn } from '../../recorded/flow.ts';
import { nodeNamed } from '../../align/observe.ts';
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
    for (const at of contentsOf(events, id)) {
      const { name, frame } = events[at];
      if (!GRADIENT.test(name)) return false;
      const value = values
        .get(`${frame} ${name.replace(GRADIENT, '.data')}`)
        ?.findLast((each) => each < at);
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
export function isBeyond(field: Field, { id, shape }: Event, isDoubtful: boolean): boolean {
  const { goals, covered, catalogue, observed, flow } = field;
  const { graph } = catalogue;
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
  if (!isDoubtful && operands.some((keys) => keys.some(isAsLarge))) return false;
  return !isKeptAs(field, id, new Set(operands.flat()));
}

const WRITTEN = new Set(['write', 'update', 'loop-end']);

/** Whether it is written to an array of the name and size of one of these gradients, which does not come out right. */
export function isKeptAs(
  { recording, observed, flow, catalogue: { graph } }: Field,
  id: number,
  keys: ReadonlySet<Key>,
): boolean {
  const { events } = recording;
  const reached = new Set([id]);
  for (const at of reached)
    for (const user of flow.users[at])
      if (WRITTEN.has(events[user].how) || handedOn(recording, events[user]) !== null)
        reached.add(user);
  return [...reached].some((at) => {
    if (!WRITTEN.has(events[at].how) || observed[at].standing !== 'off') return false;
    const node = graph.nodes.find(
      (each) =>
        keys.has(keyOf(each.id, 'gradient')) && sizeOf(each.shape) === sizeOf(events[at].shape),
    );
    if (!node) return false;
    // Under whatever name a function writes to it.
    return [...contentsOf(events, at)].some((of) => {
      const named = nodeNamed(events[of]);
      return named?.kind === 'gradient' && keys.has(keyOf(named.node, 'gradient'));
    });
  });
}
