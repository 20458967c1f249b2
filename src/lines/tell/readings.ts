// As which nodes of the graph the first wrong tensor can be read, and what was computed from it: where a cause is looked for.
import { sizeOf, type Tensor, zeros } from '../../engine/tensor.ts';
import { type Key, keyOf } from '../../compare/program/program.ts';
import type { Catalogue } from '../align/catalogue.ts';
import { nodeNamed } from '../align/observe.ts';
import type { Localised, Wrong } from '../localise/localise.ts';
import { ancestorsOf, makersOf } from '../localise/goals.ts';
import { handedOn } from '../recorded/flow.ts';
import type { Event, Recording } from '../recorded/recording.ts';

/** A wrong tensor, read as the value or the gradient of a node. */
export interface Reading {
  readonly event: number;
  readonly key: Key;
  readonly tensor: Tensor;
}

export interface Readings {
  /** Of the tensor that was seen to be wrong, the likeliest first. */
  readonly own: readonly Reading[];
  /** Of what was computed from it, and from nothing else that is wrong: what has no node shows there. */
  readonly later: readonly Reading[];
}

/** Nodes that one tensor is read as, at most; tensors behind it that are looked at; steps of the way to those. */
const MOST_KEYS = 4;
const MOST_LATER = 3;
const MOST_STEPS = 400;

/** What it was taken for counts more than what its operands would make. */
const MUCH = 10;

/** Queries, keys and values are told apart by their names alone. */
const isOfOtherProjection = (key: Key, named: Key | null): boolean => {
  const letterOf = (each: Key): string | undefined => /^.:(?:[Wb]_)?([QKV])h?$/.exec(each)?.[1];
  const [own, other] = [letterOf(key), named === null ? undefined : letterOf(named)];
  return own !== undefined && other !== undefined && own !== other;
};

const COMPUTED = /^(bind|update|return|loop-end|write)$/;

export function readingsOf(
  recording: Recording,
  catalogue: Catalogue,
  localised: Localised,
  first: Wrong,
): Readings {
  const reader = new Reader(recording, catalogue, localised);
  const told = first.node !== null && first.kind !== 'other' ? keyOf(first.node, first.kind) : null;
  const isTold = ({ key }: Reading): boolean => key === told;
  const passed = told && reader.passedBack(first, told);
  if (passed) return { own: [passed], later: [] };
  const own = [...new Set([first.event, first.seen])]
    .map((id) => reader.read(reader.left(reader.whole(id), told), told))
    .sort((a, b) => Number(b.some(isTold)) - Number(a.some(isTold)))
    .flat();
  const behind = reader.behind([first.seen, first.event].map((id) => reader.whole(id)));
  return { own, later: behind.flatMap((id) => reader.read(id, told).slice(0, 2)) };
}

class Reader {
  readonly #recording: Recording;
  readonly #localised: Localised;
  readonly #state: Catalogue['state'];
  readonly #sizes: ReadonlyMap<Key, number>;
  readonly #ancestors: ReadonlyMap<Key, ReadonlySet<Key>>;
  readonly #makers: ReadonlyMap<Key, ReadonlySet<Key>>;

  constructor(recording: Recording, { graph, state }: Catalogue, localised: Localised) {
    [this.#recording, this.#localised, this.#state] = [recording, localised, state];
    this.#ancestors = ancestorsOf(graph);
    const kinds = ['value', 'gradient'] as const;
    this.#sizes = new Map(
      graph.nodes.flatMap(({ id, shape, kind: sort }) =>
        kinds
          .filter((kind) => kind === 'gradient' || sort !== 'input')
          .map((kind) => [keyOf(id, kind), sizeOf(shape)] as const),
      ),
    );
    this.#makers = makersOf(graph);
  }

  /** Of what a loop adds up or fills in the event in which it is whole. */
  whole(id: number): number {
    const { events } = this.#recording;
    const { statement, frame, name, how, loops } = events[id];
    if (loops.length === 0 || (how !== 'update' && how !== 'write' && how !== 'bind')) return id;
    const isSame = (each: Event): boolean =>
      each.frame === frame &&
      each.statement === statement &&
      each.shape.length > 0 &&
      (each.name === name || (each.how === 'loop-end' && name.startsWith(`${each.name}[`)));
    const isSum = this.#localised.flow.sources[id].some((source) => {
      const before = events[source];
      return before.frame === frame && before.name === name;
    });
    if (how === 'bind' && !isSum) return id;
    return events.findLast(isSame)?.id ?? id;
  }

  /** Of a part of a gradient that others replace, what is left under its name in the end. */
  left(id: number, told: Key | null): number {
    const { observed } = this.#localised;
    const isPart = (each: number): boolean =>
      observed[each].found.some(
        ({ entry: { key, title } }) => key === told && / through /.test(title),
      );
    if (!isPart(id)) return id;
    const { name, frame } = this.#recording.events[id];
    const last = this.#recording.events.findLast(
      (each) =>
        each.frame === frame && each.name === name && each.how === 'bind' && isPart(each.id),
    );
    return last?.id ?? id;
  }

  /** What autograd gave a tensor whose value is right; nothing, where it gave it none. Null where it is no matter of autograd. */
  passedBack({ event }: Wrong, told: Key): Reading | null {
    const { observed } = this.#localised;
    const { how, requiresGrad } = this.#recording.events[event];
    const isHere = how === 'gradient' || how === 'leaf' || requiresGrad === undefined;
    if (
      !told.startsWith('g:') ||
      isHere ||
      nodeNamed(this.#recording.events[event])?.kind === 'gradient'
    )
      return null;
    // What a custom backward pass gives is returned by a statement of its own.
    if (this.#recording.functions.some(({ name }) => name.endsWith('.backward'))) return null;
    const value = `v:${told.slice(2)}`;
    const all = observed.filter(
      ({ event: { how: way, of } }) =>
        (way === 'gradient' || way === 'leaf') &&
        of !== undefined &&
        observed[of].found.some(({ entry: { key, role } }) => key === value && role === 'node'),
    );
    const given = all.find(({ standing }) => standing === 'off');
    if (all.length > 0 && !given) return null;
    const none = zeros(this.#state.predict(told).shape);
    const tensor = given ? this.#recording.tensor(given.event.id) : none;
    return tensor && { event: given?.event.id ?? event, key: told, tensor };
  }

  /** The tensor of an event as each node that it may be: what its operands make, its name says, or lies beside `told`. */
  read(id: number, told: Key | null): Reading[] {
    const tensor = this.#recording.tensor(id);
    const event = this.#recording.events[id];
    if (!tensor || sizeOf(event.shape) < 2) return [];
    const named = nodeNamed(event);
    const nameKey = named && keyOf(named.node, named.kind);
    const operands = this.#operands(id);
    // What it is beside: a later step than the one it is taken for is no mistake of that.
    const own = this.#localised.observed[id].found.map(({ entry }) => entry.key);
    const isOfGradients = operands.some(
      (keys) => keys.length > 0 && keys.every((key) => key.startsWith('g:') && key !== 'g:y'),
    );
    const kinds = isOfGradients ? /^g:/ : told?.startsWith('v:') ? /^v:/ : /^/;
    const near = new Set([...this.#beside(told), ...this.#beside(nameKey)]);
    const fitting = [...this.#sizes].flatMap(([key, size]) => {
      const isOther =
        size !== tensor.data.length ||
        !kinds.test(key) ||
        isOfOtherProjection(key, nameKey) ||
        operands.some((keys) => this.#isBefore(key, keys)) ||
        this.#isBefore(key, own);
      if (isOther) return [];
      const from = this.#makers.get(key);
      const used = operands.filter((keys) => keys.some((each) => from?.has(each))).length;
      const score = 2 * used + Number(key === nameKey) + (key === told ? MUCH : 0);
      return score > 0 || near.has(key) ? [{ key, score }] : [];
    });
    const best = fitting.sort((a, b) => b.score - a.score)[0]?.key ?? null;
    const most = fitting.filter(({ key }) => key !== told)[0]?.key ?? null;
    // One step on, where a statement takes two at once.
    const next = new Set([...this.#beside(best), ...this.#beside(most)]);
    return fitting
      .map(({ key, score }) => ({ key, score: score + (next.has(key) ? 0.5 : 0) }))
      .sort((a, b) => b.score - a.score)
      .slice(0, MOST_KEYS)
      .map(({ key }) => ({ event: id, key, tensor }));
  }

  /** Events behind wrong ones, computed from nothing else that is wrong. */
  behind(wrong: readonly number[]): number[] {
    const { events } = this.#recording;
    const { flow, observed } = this.#localised;
    const after = new Set(wrong);
    const open = [...wrong];
    const found: number[] = [];
    for (let step = 0; step < MOST_STEPS && open.length > 0 && found.length < MOST_LATER; step++) {
      open.sort((a, b) => b - a);
      const id = open.pop()!;
      if (id !== wrong[0] && !wrong.includes(id)) {
        const isAlone = flow.sources[id].every(
          (source) => after.has(source) || observed[source].standing !== 'off',
        );
        if (!isAlone || observed[id].standing === 'right') continue;
        const event = events[id];
        const isMade = COMPUTED.test(event.how) && handedOn(this.#recording, event) === null;
        if (isMade && this.whole(id) === id && this.#fits(event)) found.push(id);
      }
      for (const user of flow.users[id]) {
        if (after.has(user)) continue;
        after.add(user);
        open.push(user);
      }
    }
    return found;
  }

  #fits({ shape }: Event): boolean {
    const size = sizeOf(shape);
    return size > 1 && [...this.#sizes.values()].includes(size);
  }

  /** What the operands of an event are known to be. */
  #operands(id: number): Key[][] {
    const { observed, flow } = this.#localised;
    return flow.sources[id].map((source) => [
      ...new Set(observed[source].found.map(({ entry }) => entry.key)),
    ]);
  }

  /** Whether all that an operand may be is computed from a key: what is made of it is something later. */
  #isBefore(key: Key, operand: readonly Key[]): boolean {
    return (
      operand.length > 0 &&
      operand.every((each) => each !== key && this.#ancestors.get(each)?.has(key))
    );
  }

  /** Keys of which a key is made, and that are made of it. */
  #beside(key: Key | null): Set<Key> {
    if (key === null) return new Set();
    const made = [...this.#makers].flatMap(([each, from]) => (from.has(key) ? [each] : []));
    return new Set([...(this.#makers.get(key) ?? []), ...made]);
  }
}
