// Parts of a gradient that are written where another part of it was, before anything read that one.
import type { Key } from '../../../compare/program/program.ts';
import { handedOn } from '../../recorded/flow.ts';
import { titlesOf } from './lost.ts';
import type { Mistaken } from '../names/mistaken.ts';
import type { Event } from '../../recorded/recording.ts';
import type { Field } from '../suspects.ts';

/** Statements that assign to entries of an array the one of a gradient's parts that should be added to another. */
export function replacedParts(field: Field): Mistaken[] {
  const { observed, covered, goals, recording } = field;
  const found: Mistaken[] = [];
  for (const { event, found: forms } of observed) {
    if (event.how !== 'write' || event.index === undefined || event.index === 'fancy') continue;
    const lost = forms.find(
      ({ entry: { key } }) =>
        goals.includes(key) && !covered.has(key) && titlesOf(observed[event.id], key).length > 0,
    );
    if (!lost) continue;
    const { key, title, node, kind } = lost.entry;
    const next = nextAt(field, event);
    if (!next || !isOtherPart(field, event.id, next.id, key)) continue;
    const isPlain = recording.statements[next.statement].kind === 'assign';
    const note = `it replaces ${title}, which is lost`;
    if (isPlain) found.push({ event: next.id, node, kind, note });
  }
  return found;
}

/** The next write to the very entries that a write filled, which nothing has read in between; null where there is none. */
function nextAt({ recording, flow }: Field, { id, index }: Event): Event | null {
  const { events, statements } = recording;
  const place = JSON.stringify(index);
  let at = id;
  for (;;) {
    const later = flow.users[at].filter((user) => handedOn(recording, events[user]) === null);
    const next = later.find((user) => events[user].alias === at && events[user].how === 'write');
    const isRead = later.some(
      (user) => user !== next && events[user].how !== 'loop-end' && user < (next ?? Infinity),
    );
    if (next === undefined || isRead) return null;
    const { name, statement } = events[next];
    const array = name.replace(/\[.*$/s, '');
    if (statements[statement].loads.some((load) => load.startsWith(`${array}[`))) return null;
    if (JSON.stringify(events[next].index) === place) return events[next];
    at = next;
  }
}

function isOtherPart({ observed }: Field, one: number, other: number, key: Key): boolean {
  const before = titlesOf(observed[one], key);
  const after = titlesOf(observed[other], key);
  return after.length > 0 && !after.some((title) => before.includes(title));
}
