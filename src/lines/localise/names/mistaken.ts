// Tensors that are right as something else than what their names, or their places in a return, say they are.
import type { Key } from '../../../compare/program/program.ts';
import { sizeOf } from '../../../engine/tensor.ts';
import { isWhole } from '../../align/align.ts';
import { handedOn, tellingEvent } from '../../recorded/flow.ts';
import { originOf } from '../blame/common.ts';
import { isNothing } from '../goals.ts';
import { firstElement, misnamedAt } from './packed.ts';
import { isKeyed, nodeNamed, type Observed } from '../../align/observe.ts';
import type { Event } from '../../recorded/recording.ts';
import type { Field } from '../suspects.ts';

export interface Mistaken {
  readonly event: number;
  readonly node: string;
  readonly kind: 'value' | 'gradient';
  readonly note: string;
  /** The statement where it is told, where that is not the event's. */
  readonly statement?: number;
  /** The event that shows it, where that is an earlier one. */
  readonly since?: number;
}

/** Queries, keys, values, output: what may be taken for one another. */
const LETTER = /^(?:(W|b)_)?([QKVO])h?$/;

interface Side {
  readonly sort: string;
  readonly letter: string;
}

function sideOf(node: string, kind: string): Side | null {
  const [found, weight = '', letter] = LETTER.exec(node) ?? [];
  return found === undefined ? null : { sort: `${kind} ${weight}`, letter };
}

interface Conflict {
  readonly event: number;
  readonly named: Side & { readonly node: string };
  readonly is: Side;
}

/** The name of an event and its numbers where they disagree. */
function conflictOf({ event, standing, found, added }: Observed): Conflict | null {
  if (standing !== 'right' || added || found.length === 0) return null;
  const name = nodeNamed(event);
  const named = name && sideOf(name.node, name.kind);
  if (!name || !named) return null;
  const sides = found.map(({ entry }) => sideOf(entry.node, entry.kind));
  if (sides.some((side) => side === null || side.letter === named.letter)) return null;
  const kind = named.sort.split(' ')[0];
  const own = sides.find((side) => side!.sort === named.sort);
  if (own) return { event: event.id, named: { ...named, node: name.node }, is: own };
  if (!isKeyed(event)) return null;
  // A dictionary of weights has them under the letters alone; so has one of their gradients, whatever that is called.
  const is =
    sides.find((side) => side!.sort === `${kind} W`) ??
    sides.find((side) => side!.sort === 'gradient W');
  const node = `W_${named.letter}`;
  return is ? { event: event.id, named: { ...named, sort: is.sort, node }, is } : null;
}

/** Statements that give one name to several of queries, keys and values, one after the other: it says nothing there. */
function isGeneric({ observed }: Field, { event }: Observed): boolean {
  const letters = new Set<string>();
  for (const other of observed) {
    if (other.event.statement !== event.statement || other.event.name !== event.name) continue;
    const [best] = other.found;
    if (best && other.standing === 'right') letters.add(best.entry.key);
  }
  return letters.size > 2;
}

/** All events whose statement makes or hands on something under another's name, where something is missing for it. */
export function mistakenNames(field: Field): Mistaken[] {
  const { recording, observed, covered, goals, catalogue } = field;
  const conflicts = observed.flatMap((each) => {
    const conflict = conflictOf(each);
    return conflict && !isGeneric(field, each) ? conflict : [];
  });
  const found: Mistaken[] = [];
  for (const { event, named, is } of conflicts) {
    const kind = named.sort.startsWith('gradient') ? 'gradient' : 'value';
    const key = `${kind === 'value' ? 'v' : 'g'}:${named.node}`;
    const isNode = catalogue.graph.nodes.some(({ id }) => id === named.node);
    const isThere = covered.has(key) && !isNothing(catalogue, key) && !isReplaced(field, key);
    const isMissing = isNode && !isThere && (goals.includes(key) || isProjected(named.node));
    const isExchanged = conflicts.some(
      (other) =>
        other.named.sort === named.sort &&
        other.named.letter === is.letter &&
        other.is.letter === named.letter,
    );
    if (!isMissing && !isExchanged && !isWrittenOver(field, event)) continue;
    const from = handedOn(recording, recording.events[event]);
    // It is told of where the name was given first.
    if (from !== null && conflicts.some((other) => other.event === from)) continue;
    const place = from === null ? (pairedAt(field, event, is) ?? event) : misnamedAt(field, event);
    const prefix = kind === 'gradient' ? 'd' : '';
    const weight = named.sort.split(' ')[1] ? `${named.sort.split(' ')[1]}_` : '';
    const note = `${recording.events[event].name} is ${prefix}${weight}${is.letter}, not ${prefix}${weight}${named.letter}`;
    const of = typeof place === 'number' ? { event: tellingEvent(recording, place) } : place;
    found.push({ ...of, since: event, node: named.node, kind, note });
  }
  return found;
}

/** Whether every name that once was this node or gradient has got something else in the end. */
function isReplaced({ recording: { events }, observed }: Field, key: Key): boolean {
  const isKey = ({ found }: Observed): boolean =>
    found.some((each) => each.entry.key === key && isWhole(each));
  const all = observed.filter(isKey);
  return (
    all.length > 0 &&
    all.every(({ event: { id, name, frame, how } }) => {
      if (how === 'leaf' || how === 'gradient') return false;
      const last = events.findLast(
        (other) => other.frame === frame && other.name === name && other.how !== 'gradient',
      );
      return last !== undefined && last.id !== id && !isKey(observed[last.id]);
    })
  );
}

/** What is written into the array of another one and then replaced there by what belongs in it, before anything read it. */
function isWrittenOver({ recording, flow, observed }: Field, id: number): boolean {
  const { events } = recording;
  const { how, name } = events[id];
  if (how !== 'update' && how !== 'write') return false;
  const named = nodeNamed(events[id]);
  // What replaces it reads nothing of it.
  const next = events.filter((each) => each.alias === id && each.how === how);
  const users = [...new Set([...flow.users[id], ...next.map((each) => each.id)])];
  return (
    users.length > 0 &&
    users.every((user) => {
      const { alias, how: other, name: same, statement } = events[user];
      if (other !== 'update' && other !== 'write') return false;
      // The array that it is a view of.
      if (same !== name) return events[user].statement !== events[id].statement;
      return (
        alias === id &&
        statement !== events[id].statement &&
        observed[user].found.some(({ entry }) => entry.node === named?.node)
      );
    })
  );
}

/** Of these a right program has each by its name. */
const isProjected = (node: string): boolean => /^[QKV]h?$/.test(node);

/** The loop that pairs names with tensors, where it hands on the one that was taken for the other. */
function pairedAt({ recording, flow, observed }: Field, event: number, is: Side): number | null {
  const { events, statements } = recording;
  const isOther = (id: number): boolean =>
    observed[id].found.some(({ entry }) => sideOf(entry.node, entry.kind)?.letter === is.letter);
  const seen = new Set([event]);
  for (const id of seen)
    for (const source of flow.sources[id]) {
      const { kind, targets } = statements[events[source].statement];
      if (!isOther(source)) continue;
      if (kind === 'for' && targets.length > 1) return source;
      seen.add(source);
    }
  return null;
}

/** The operand, or what it was handed on from, that is something else than its name says. */
export function misnamedOperand(
  field: Field,
  id: number,
): { event: number; statement?: number; note: string } | null {
  const { recording, observed, flow } = field;
  const { events } = recording;
  const seen = new Set<number>();
  const queue = [...flow.sources[id]];
  const found: number[] = [];
  for (const source of queue) {
    if (seen.has(source)) continue;
    seen.add(source);
    const mixed = mixtureOf(field, source);
    if (mixed) return mixed;
    // A number in a narrow type, such as a sum so far, tells nothing itself.
    const { event, standing } = observed[source];
    if (standing === 'neutral' && sizeOf(event.shape) === 1) queue.push(...flow.sources[source]);
    const isNamedWrongly = isConflict(field, source) && !isGeneric(field, observed[source]);
    if (isNamedWrongly && !isOfOneKey(field, source)) found.push(source);
    const from = handedOn(recording, events[source]);
    const keys = new Set(observed[source].found.map(({ entry }) => entry.key));
    const same = flow.sources[source].filter((each) =>
      observed[each].found.some(({ entry }) => keys.has(entry.key)),
    );
    if (from !== null) queue.push(from);
    else queue.push(...same);
  }
  if (found.length === 0) return null;
  const first = firstOfName(field, Math.min(...found));
  const { is } = conflictIn(field, first)!;
  const at = misnamedAt(field, first);
  // What a function gives back may be what it was given.
  const isReturned = typeof at === 'number' && /^return\[\d+\]$/.test(events[at].name);
  const place = isReturned ? first : at;
  const of = typeof place === 'number' ? { event: tellingEvent(recording, place) } : place;
  return { ...of, note: `${events[first].name} is ${is.letter}` };
}

/** Values of one key that are the output of a query which sees that key alone: computed with weights, not taken for another. */
const isOfOneKey = (field: Field, id: number): boolean =>
  field.flow.sources[originOf(field, id)].some(
    (source) =>
      field.observed[source].found.some(({ entry: { key } }) => /^v:Pd?$/.test(key)) ||
      field.recording.tensor(source)?.data.every((value) => value === 1) === true,
  );

/** The first event that gave a name, in the same call, to what it is not. */
function firstOfName(field: Field, id: number): number {
  const { events } = field.recording;
  const { name, frame } = events[id];
  const first = events.find(
    (each) =>
      each.id <= id && each.name === name && each.frame === frame && isConflict(field, each.id),
  );
  return first?.id ?? id;
}

/** The conflict of an event, or of another run of its statement: one alone may be several things. */
function conflictIn({ observed, recording }: Field, id: number): Conflict | null {
  const { statement, name, frame } = recording.events[id];
  for (const each of [observed[id], ...observed]) {
    const { event } = each;
    if (event.statement !== statement || event.name !== name || event.frame !== frame) continue;
    const found = conflictOf(each);
    if (found) return found;
  }
  return null;
}

const isConflict = (field: Field, id: number): boolean => conflictIn(field, id) !== null;

/** Queries, keys or values by name and size that are some of each. */
function mixtureOf(field: Field, id: number): { event: number; note: string } | null {
  const { observed, catalogue } = field;
  const { event, pieces } = observed[id];
  const name = nodeNamed(event);
  if (pieces.length < 2 || !name || !/^[QKV]h?$/.test(name.node)) return null;
  const node = catalogue.graph.nodes.find((each) => each.id === name.node);
  if (!node || sizeOf(node.shape) !== sizeOf(event.shape)) return null;
  const parts = pieces.map(({ entry }) => entry.node.replace(/h$/, ''));
  return { event: originOf(field, id), note: `${event.name} has parts of ${parts.join(', ')}` };
}

const QKV = /[QKV]/;

/** Gradients that a function returns in another order than it takes what they are of, where nobody names them. */
export function returnsInOrder(field: Field): Mistaken[] {
  const { recording, observed } = field;
  const { functions, statements, events } = recording;
  const found: Mistaken[] = [];
  functions.forEach((_, at) => {
    const inFunction = events.filter(({ statement }) => statements[statement].function === at);
    const [frame] = inFunction.map((each) => each.frame);
    const own = inFunction.filter((each) => each.frame === frame);
    const letterOf = (id: number, kind: string): string => {
      const sides = observed[id].found.flatMap(({ entry }) =>
        entry.kind === kind ? (sideOf(entry.node, '') ?? []) : [],
      );
      return sides.length > 0 ? `${sides[0].sort.trim()}${sides[0].letter}` : '';
    };
    const lettersOf = (all: readonly Event[]): string[] =>
      all
        .filter(({ how }) => how === 'argument')
        .map(({ id }) => letterOf(id, 'value'))
        .filter((letter) => QKV.test(letter));
    const taken = [lettersOf(own), lettersOf(aroundOf(field, at))].find(({ length }) => length > 0);
    const returned = own.filter(
      ({ how, name }) => how === 'return' && /^return\[\d+\]$/.test(name),
    );
    const given = returned
      .map(({ id }) => letterOf(id, 'gradient'))
      .filter((letter) => QKV.test(letter));
    const order = [...new Set(taken ?? [])].filter((letter) => given.includes(letter));
    if (given.length < 2 || order.length !== given.length || new Set(given).size < given.length)
      return;
    if (order.join('') === given.join('')) return;
    // Whoever unpacks them by their right names takes them in this order.
    const isNamed = returned.some(({ id }) =>
      events.some((other) => {
        const name = handedOn(recording, other) === id ? nodeNamed(other) : null;
        return name?.kind === 'gradient' && sideOf(name.node, '') !== null;
      }),
    );
    if (isNamed) return;
    const note = `gradients of ${given.join(', ')} are returned where ${order.join(', ')} were taken`;
    returned
      .filter(({ id }) => QKV.test(letterOf(id, 'gradient')))
      .forEach(({ id }, n) => {
        const node = order[n].replace(/^([Wb])/, '$1_');
        if (given[n] !== order[n]) found.push({ event: id, node, kind: 'gradient', note });
      });
  });
  return found;
}

/** What the first call of the function recorded in which another one is written: a closure uses what that one takes. */
function aroundOf({ recording: { functions, statements, events } }: Field, at: number): Event[] {
  const around = functions[at].name.split('.').slice(0, -1).join('.');
  const inside = events.filter(({ statement }) => {
    const { name, file } = functions[statements[statement].function];
    return around !== '' && name === around && file === functions[at].file;
  });
  return inside.filter(({ frame }) => frame === inside[0].frame);
}

/** "gheads[0][1]" is the gradient of "heads[0][1]". */
const ELEMENT = /^(?:d|g|grads?)_?([a-zA-Z]\w*)((?:\[\d+\])+)$/;

/** Gradients in a tuple or list that lie in another order than what they are of lies in the one whose name they bear. */
export function exchangedElements({ recording, observed }: Field): Mistaken[] {
  const { events } = recording;
  const sidesOf = (id: number, kind: string): Side[] =>
    observed[id].found.flatMap(({ entry }) =>
      entry.kind === kind ? (sideOf(entry.node, '') ?? []) : [],
    );
  const values = new Map<string, Side>();
  for (const { id, name } of events) {
    if (!name.endsWith(']') || values.has(name)) continue;
    const [side] = sidesOf(id, 'value');
    if (side) values.set(name, side);
  }
  const conflicts = events.flatMap(({ id, name }) => {
    const [, base, path] = ELEMENT.exec(name) ?? [];
    const of = values.get(`${base}${path}`);
    const own = of ? sidesOf(id, 'gradient').filter(({ sort }) => sort === of.sort) : [];
    if (!of || own.length === 0 || own.some(({ letter }) => letter === of.letter)) return [];
    return { id, of, is: own[0].letter };
  });
  return conflicts.flatMap(({ id, of, is }): Mistaken[] => {
    if (!conflicts.some((other) => other.of.letter === is && other.is === of.letter)) return [];
    const node = `${of.sort.trim() ? `${of.sort.trim()}_` : ''}${of.letter}`;
    const note = `${events[id].name} is of ${is}, not of ${of.letter}`;
    return [{ event: firstElement(recording, id), node, kind: 'gradient', note }];
  });
}

/** autograd.Function: what backward returns at place k is not the gradient of forward's k-th argument. */
export function exchangedReturns(field: Field): Mistaken[] {
  const { recording, observed } = field;
  const { functions, statements, events } = recording;
  const found: Mistaken[] = [];
  functions.forEach(({ name }, backward) => {
    if (!name.endsWith('.backward')) return;
    const forward = functions.findIndex(
      (each) => each.name === name.replace(/backward$/, 'forward'),
    );
    if (forward < 0) return;
    const parameters = statements
      .flatMap((each, id) =>
        each.function === forward && each.kind === 'parameter' ? [{ ...each, id }] : [],
      )
      .sort((a, b) => a.line - b.line || a.column - b.column)
      .filter(({ text }) => !/^(ctx|self)\b/.test(text));
    for (const event of events) {
      const [, place] = /^return\[(\d+)\]$/.exec(event.name) ?? [];
      if (place === undefined || event.how !== 'return') continue;
      if (statements[event.statement].function !== backward) continue;
      const argument = events.find(
        (each) => each.how === 'argument' && each.statement === parameters[Number(place)]?.id,
      );
      if (!argument) continue;
      const wanted = new Set(
        observed[argument.id].found.flatMap(
          ({ entry }) => sideOf(entry.node, 'gradient')?.letter ?? [],
        ),
      );
      const own = observed[event.id].found.flatMap(({ entry }) =>
        entry.kind === 'gradient' ? (sideOf(entry.node, entry.kind) ?? []) : [],
      );
      if (wanted.size === 0 || own.length === 0 || own.some(({ letter }) => wanted.has(letter)))
        continue;
      const [letter] = wanted;
      const note = `the gradient of ${argument.name} is d${letter}, but d${own[0].letter} is returned for it`;
      found.push({ event: event.id, node: letter, kind: 'gradient', note });
    }
  });
  return found;
}
