// What a program was to compute and has not: outputs and gradients of inputs of which no recorded tensor is all there.
import { type Graph, operationNodes } from '../../engine/graph.ts';
import { type Key, keyOf } from '../../compare/program/program.ts';
import { type Alignment, isReordered, isWhole } from '../align/align.ts';
import type { Catalogue, Entry } from '../align/catalogue.ts';
import type { Observed } from '../align/observe.ts';

/** Keys that each key is computed from, itself included. */
export function ancestorsOf(graph: Graph): Map<Key, Set<Key>> {
  const direct = new Map<Key, Key[]>();
  const add = (key: Key, ...from: Key[]): void => {
    direct.set(key, [...(direct.get(key) ?? []), ...from]);
  };
  for (const { id, inputs } of operationNodes(graph)) {
    add(keyOf(id, 'value'), ...inputs.map((input) => keyOf(input, 'value')));
    for (const input of inputs)
      add(
        keyOf(input, 'gradient'),
        keyOf(id, 'gradient'),
        keyOf(id, 'value'),
        ...inputs.map((other) => keyOf(other, 'value')),
        // The row term of the softmax is a form of its logits’ gradient.
        ...(id === 'P' ? [keyOf(inputs[0], 'gradient')] : []),
      );
  }
  const all = new Map<Key, Set<Key>>();
  for (const { id } of graph.nodes)
    for (const kind of ['value', 'gradient'] as const) {
      const found = new Set([keyOf(id, kind)]);
      for (const key of found) for (const from of direct.get(key) ?? []) found.add(from);
      all.set(keyOf(id, kind), found);
    }
  return all;
}

/** What each value, and each gradient of an input of an operation, is made of in one step. */
export function makersOf(graph: Graph): Map<Key, Set<Key>> {
  const makers = new Map<Key, Set<Key>>();
  const add = (key: Key, from: readonly Key[]): void =>
    void makers.set(key, new Set([...(makers.get(key) ?? []), ...from]));
  for (const { id, inputs } of operationNodes(graph)) {
    add(
      keyOf(id, 'value'),
      inputs.map((input) => keyOf(input, 'value')),
    );
    for (const input of inputs)
      add(keyOf(input, 'gradient'), [
        keyOf(id, 'gradient'),
        ...(id === 'P' ? [keyOf(id, 'value')] : []),
        ...inputs.filter((other) => other !== input).map((other) => keyOf(other, 'value')),
      ]);
  }
  return makers;
}

/** Outputs and gradients of inputs. */
export function goalsOf(graph: Graph): Key[] {
  const inputs = graph.nodes.filter(({ kind }) => kind === 'input');
  return ['v:y', ...inputs.map(({ id }) => keyOf(id, 'gradient'))];
}

/**
 * Of the gradients of inputs those that a program on autograd asks for: data that is no parameter gets none, and nothing
 * is lost with that.
 */
export function askedFor(goals: readonly Key[], observed: readonly Observed[]): Key[] {
  if (!observed.some(({ event: { how } }) => how === 'gradient')) return [...goals];
  const isLeaf = new Map<string, boolean>();
  for (const { event, found } of observed)
    for (const { entry } of found)
      if (entry.role === 'node' && entry.kind === 'value' && event.requiresGrad !== undefined)
        isLeaf.set(entry.node, (isLeaf.get(entry.node) ?? false) || event.requiresGrad);
  return goals.filter((goal) => !goal.startsWith('g:') || isLeaf.get(goal.slice(2)) !== false);
}

/** Marks which entries of a form an alignment covers. */
function mark({ entry, ranges }: Alignment, seen: Uint8Array): void {
  const { letters, strides } = entry;
  const walk = (n: number, at: number): void => {
    if (n === letters.length) {
      seen[at] = 1;
      return;
    }
    const { start, step, count } = ranges.get(letters[n])!;
    for (let k = 0; k < count; k++) walk(n + 1, at + (start + k * step) * strides[n]);
  };
  walk(0, 0);
}

/** Keys of which every entry was recorded, in one tensor or in parts of several. */
export function coveredKeys({ entries }: Catalogue, observed: readonly Observed[]): Set<Key> {
  const covered = new Set<Key>();
  const partly = new Map<Entry, Uint8Array>();
  const seenBefore = new Set<string>();
  for (const { found, pieces, added } of observed) {
    if (added) continue;
    for (const alignment of [...found, ...pieces]) {
      const { entry } = alignment;
      if (entry.role !== 'node' || covered.has(entry.key) || isReordered(alignment)) continue;
      if (isWhole(alignment)) {
        covered.add(entry.key);
        continue;
      }
      const ranges = [...alignment.ranges.values()].map(({ start, step, count }) => [
        start,
        step,
        count,
      ]);
      const key = `${entry.id} ${ranges.join(';')}`;
      if (seenBefore.has(key)) continue;
      seenBefore.add(key);
      const seen = partly.get(entry) ?? new Uint8Array(entry.data.length);
      partly.set(entry, seen);
      mark(alignment, seen);
    }
  }
  for (const [entry, seen] of partly)
    // What is nothing but rounding tells nothing, and is right.
    if (
      seen.every(
        (each, at) =>
          each === 1 || entry.hidden?.[at] === 1 || Math.abs(entry.data[at]) <= entry.tolerance,
      )
    )
      covered.add(entry.key);
  // Gradients that are nothing but rounding are right however they come out.
  for (const entry of entries) if (isRounding(entry)) covered.add(entry.key);
  return covered;
}

const isRounding = ({ role, size, tolerance }: Entry): boolean =>
  role === 'node' && size <= 4 * tolerance;

/** Whether a node or gradient is nothing but rounding: what is recorded as another one is not it. */
export const isNothing = ({ entries }: Catalogue, key: Key): boolean =>
  entries.some((entry) => entry.key === key && isRounding(entry));
