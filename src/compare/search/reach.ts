// Which given tensors an edit can reach at all, told from the graph alone: nothing has to be computed for it.
import {
  changedKeys,
  contributionKey,
  type Given,
  type Key,
  NOTHING_GIVEN,
  type Program,
  type State,
} from '../program/program.ts';

/** The changed keys and all that depend on them; a given tensor ends a path, for it stands in for the computed one. */
export function reachedBy(before: Program, after: Program, given: Given): Set<Key> {
  return follow(changedKeys(before, after), [before, after], given);
}

/** All keys that a program computes from `key`, itself included. */
export function dependentsOf(key: Key, program: Program): Set<Key> {
  return follow([key], [program], NOTHING_GIVEN);
}

function follow(keys: readonly Key[], programs: readonly Program[], given: Given): Set<Key> {
  const users = new Map<string, string[]>();
  const after = programs[programs.length - 1];
  for (const [id, { inputs }] of programs.flatMap(({ backward }) => [...backward])) {
    for (const input of inputs) users.set(input, [...(users.get(input) ?? []), id]);
  }
  const found = new Set(keys);
  for (const key of found) {
    const id = key.slice(2);
    if (key.startsWith('v:') && !given.values.has(id)) {
      found.add(`b:${id}`);
      for (const user of users.get(id) ?? []) found.add(`v:${user}`).add(`b:${user}`);
    }
    if (key.startsWith('g:') && !given.gradients.has(id)) found.add(`b:${id}`);
    if (key.startsWith('b:')) {
      after.backward.get(id)?.inputs.forEach((_, slot) => found.add(contributionKey(id, slot)));
    }
    if (key.startsWith('c:')) {
      const [from, slot] = id.split('#');
      const to = after.backward.get(from)?.inputs[Number(slot)];
      if (to !== undefined) found.add(`g:${to}`);
    }
  }
  return found;
}

/** What right values were computed from: a mistake there would show in them. */
export function settledBy(state: State, explained: readonly Key[], sources: Given): Set<Key> {
  const settled = new Set(explained.filter((key) => key.startsWith('v:')));
  for (const key of [...settled]) {
    const step = state.program.forward.get(key.slice(2));
    // Where all operands are given there is nothing hidden between.
    if (!step || step.inputs.every((id) => sources.values.has(id))) continue;
    state.predict(key);
    for (const each of state.region(key)) settled.add(each);
  }
  return settled;
}
