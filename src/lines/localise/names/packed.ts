// Several tensors that one statement packs, or gives to a call, and another unpacks: which of the two has them out of order.
import { handedOn } from '../../recorded/flow.ts';
import { nodeNamed } from '../../align/observe.ts';
import type { Event, Recording } from '../../recorded/recording.ts';
import type { Field } from '../suspects.ts';

const LETTER = /^(?:[Wb]_)?([QKVO])h?$/;
const ORDER = 'QKV';

/** The letters of what is named as queries, keys or values, in the order of the events. */
const lettersOf = (events: readonly Event[]): string =>
  events.map((each) => LETTER.exec(nodeNamed(each)?.node ?? '')?.[1] ?? '').join('');

/** Whether queries come before keys and keys before values. */
const isUsual = (letters: string): boolean =>
  Array.from(letters)
    .filter((letter) => ORDER.includes(letter))
    .every((letter, n, all) => n === 0 || ORDER.indexOf(letter) > ORDER.indexOf(all[n - 1]));

interface Place {
  readonly event: number;
  readonly statement?: number;
}

/** The event of another statement that an event was handed on from: a statement may take one thing twice. */
function takenFrom(recording: Recording, { statement, frame, id }: Event): number | null {
  const { events } = recording;
  let from = handedOn(recording, events[id]);
  while (from !== null && events[from].statement === statement && events[from].frame === frame)
    from = handedOn(recording, events[from]);
  return from;
}

/** What the events of one statement's run were handed on from. */
function originsOf({ recording }: Field, { statement, frame, how }: Event): Event[] {
  const { events } = recording;
  return events
    .filter((each) => each.statement === statement && each.frame === frame && each.how === how)
    .flatMap((each) => {
      const from = takenFrom(recording, each);
      return from === null ? [] : [events[from]];
    });
}

/** Where something that was handed on got the name of something else: the pack, the call, or itself. */
export function misnamedAt(field: Field, id: number): number | Place {
  const { recording } = field;
  const { events } = recording;
  const event = events[id];
  const from = takenFrom(recording, event);
  if (from === null) return id;
  if (event.how === 'argument') return givenAt(field, event);
  const targets = events.filter(
    ({ statement, frame }) => statement === event.statement && frame === event.frame,
  );
  if (!isUsual(lettersOf(targets))) return id;
  const saved = savedAt(field, event);
  if (saved !== null) return { event: id, statement: saved };
  let pack = from;
  if (events[from].how === 'return' && events[from].name.includes('[')) {
    // A tuple in a tuple is looked at where it was put in.
    if (!/\]\[/.test(events[from].name)) return from;
  } else if (!events[from].name.includes('[')) return id;
  for (;;) {
    const before = handedOn(recording, events[pack]);
    if (before === null || !events[before].name.includes('[')) break;
    pack = before;
  }
  return isUsual(lettersOf(originsOf(field, events[pack]))) ? id : pack;
}

/** An argument is told of at the call, unless the parameters alone are out of order. */
function givenAt(field: Field, event: Event): number | Place {
  const { recording } = field;
  const { events, statements } = recording;
  const own = statements[event.statement].function;
  const given = events.filter(
    ({ how, frame, statement }) =>
      how === 'argument' && frame === event.frame && statements[statement].function === own,
  );
  const passed = given.flatMap((each) => {
    const from = handedOn(recording, each);
    return from === null ? [] : [events[from]];
  });
  const isOfParameters = !isUsual(lettersOf(given)) && isUsual(lettersOf(passed));
  return isOfParameters ? { event: event.id, statement: event.statement } : event.id;
}

/** The save_for_backward whose tensors a backward pass unpacks, where it has them out of order. */
function savedAt({ recording }: Field, event: Event): number | null {
  const { statements, functions, events } = recording;
  const own = statements[event.statement];
  if (!/\bsaved_tensors\b/.test(own.text)) return null;
  const forward = functions[own.function].name.replace(/backward$/, 'forward');
  const found = statements.findIndex(
    ({ text, function: of }) =>
      functions[of].name === forward && /\bsave_for_backward\(/.test(text),
  );
  if (found < 0) return null;
  const [, names = ''] = /save_for_backward\(([^()]*)\)/.exec(statements[found].text) ?? [];
  const saved = names.split(',').flatMap((name) => {
    const of = events.find(
      (each) =>
        each.name === name.trim() &&
        functions[statements[each.statement].function].name === forward,
    );
    return of ? [of] : [];
  });
  return isUsual(lettersOf(saved)) ? null : found;
}

/** Where a tensor first was an element of a tuple or list that was handed on. */
export function firstElement(recording: Recording, id: number): number {
  const { events } = recording;
  for (let at = id; ;) {
    const from = handedOn(recording, events[at]);
    if (from === null || !events[from].name.endsWith(']')) return at;
    at = from;
  }
}
