// Parts of a gradient that are thrown away, or computed over and over in place of the others.
import type { Key } from '../../../compare/program/program.ts';
import type { Alignment } from '../../align/align.ts';
import { callingStatement } from '../blame/calls.ts';
import { boundAt, originOf } from '../blame/common.ts';
import { handedOn } from '../../recorded/flow.ts';
import type { Mistaken } from '../names/mistaken.ts';
import type { Observed } from '../../align/observe.ts';
import type { Field } from '../suspects.ts';

/** All of them, in the order of time. */
export const lostParts = (field: Field): Mistaken[] =>
  [...overwritten(field), ...repeated(field), ...unused(field), ...unread(field)].sort(
    (a, b) => a.event - b.event,
  );

const PART = / through |^one head’s part of /;

/** What an event is a contribution of, that is never whole. */
function contribution({ covered }: Field, { found }: Observed): Alignment | undefined {
  return found.find(({ entry }) => PART.test(entry.title) && !covered.has(entry.key));
}

const COMPUTED = new Set(['bind', 'update', 'write']);

/** Statements that give the name of a contribution, which nothing has read yet, to another one. */
function overwritten(field: Field): Mistaken[] {
  const { recording, observed } = field;
  const { events } = recording;
  const found: Mistaken[] = [];
  for (const each of observed) {
    const { id, name, frame, how } = each.event;
    if (!COMPUTED.has(how) || isRead(field, id) || isHeldElsewhere(field, id)) continue;
    const lost = contribution(field, each);
    if (!lost) continue;
    const { key, title, node, kind } = lost.entry;
    const next =
      events.find((other) => other.id > id && other.frame === frame && other.name === name) ?? null;
    const again = sameStatement(field, id, key);
    if (again !== null)
      found.push({
        event: again,
        node,
        kind,
        note: `each part of d${node} replaces the one before`,
      });
    if (next?.how !== 'bind' || originOf(field, next.id) <= id) continue;
    if (!observed[next.id].found.some(({ entry }) => entry.key === key)) continue;
    const event = boundAt(field, next.id);
    found.push({ event, node, kind, note: `it replaces ${title}, which is lost` });
  }
  return found;
}

/** Contributions that nothing takes, where a statement of the same call takes the others: it should have added them. */
function unused(field: Field): Mistaken[] {
  const { recording, observed, flow } = field;
  const { events } = recording;
  const madeAt = (source: number): number => events[originOf(field, source)].statement;
  return observed.flatMap((each): Mistaken[] => {
    const { id, how, frame } = each.event;
    if (!COMPUTED.has(how) || flow.users[id].length > 0) return [];
    const lost = contribution(field, each);
    if (!lost) return [];
    const { key, node, kind, title } = lost.entry;
    const isOther = (source: number): boolean =>
      source !== id &&
      events[source].frame === frame &&
      COMPUTED.has(events[source].how) &&
      titlesOf(observed[source], key).length > 0 &&
      !titlesOf(observed[source], key).some((own) => titlesOf(each, key).includes(own));
    const taker = events.find(
      (other) =>
        other.id > id &&
        other.frame === frame &&
        flow.sources[other.id].some((own) => isOther(own)),
    );
    if (!taker) return [];
    // One statement makes them all, and assigns each anew.
    const again = flow.sources[taker.id].find(
      (own) => isOther(own) && madeAt(own) === each.event.statement,
    );
    if (again !== undefined && recording.statements[each.event.statement].kind === 'assign') {
      const note = `each part of d${node} replaces the one before`;
      return [{ event: id, node, kind, note }];
    }
    return [{ event: taker.id, node, kind, note: `${title} is computed and never added` }];
  });
}

/** Contributions that a function returns to a statement which does nothing with them. */
function unread(field: Field): Mistaken[] {
  const { recording, observed, flow } = field;
  return observed.flatMap((each): Mistaken[] => {
    const { id, how } = each.event;
    const lost = contribution(field, each);
    if (how !== 'return' || !lost || flow.users[id].length > 0) return [];
    const statement = callingStatement(recording, each.event);
    if (statement === null || recording.statements[statement].kind !== 'expression') return [];
    const { node, kind, title } = lost.entry;
    return [{ event: id, statement, node, kind, note: `${title} is computed and never added` }];
  });
}

/** Whether anything was computed from an event, under whatever name it was handed on. */
function isRead(field: Field, id: number): boolean {
  const { recording, flow } = field;
  return flow.users[id].some(
    (user) => handedOn(recording, recording.events[user]) === null || isRead(field, user),
  );
}

/** Whether another name of the same call has it too. */
function isHeldElsewhere({ recording: { events }, flow }: Field, id: number): boolean {
  const { frame, name } = events[id];
  return flow.users[id].some((user) => {
    const other = events[user];
    return other.how === 'bind' && other.frame === frame && other.name !== name;
  });
}

/** Another run of an event's statement that assigns what reaches a node by another path, which nothing has read either. */
function sameStatement(field: Field, id: number, key: Key): number | null {
  const { recording, observed } = field;
  const { events, statements } = recording;
  const { statement, how, loops } = events[id];
  if (how !== 'bind' || statements[statement].kind !== 'assign' || loops.length === 0) return null;
  const own = titlesOf(observed[id], key).join();
  const other = events.find(
    (each) =>
      each.id > id &&
      each.statement === statement &&
      each.how === 'bind' &&
      each.loops.join() !== loops.join() &&
      !isRead(field, each.id) &&
      titlesOf(observed[each.id], key).length > 0 &&
      titlesOf(observed[each.id], key).join() !== own,
  );
  if (!other) return null;
  // What is left in the end is the part of the last run.
  const last = events.findLast(
    (each) =>
      each.statement === statement &&
      each.how === 'bind' &&
      each.frame === other.frame &&
      each.loops.slice(0, -1).join() === other.loops.slice(0, -1).join() &&
      titlesOf(observed[each.id], key).length > 0,
  );
  return (last ?? other).id;
}

/** What an event is of a node, and which part of it. */
export const titlesOf = ({ found }: Observed, key: Key): string[] =>
  found.flatMap((each) => {
    const { title, key: own } = each.entry;
    return own === key && PART.test(title) ? [`${title} ${partOf(each)}`] : [];
  });

const LOOPED = /^[bhrgij]$/;

/** Which part of its form an alignment is: "h2 j0+5"; '' where it has all that loops run through. */
function partOf({ entry, ranges }: Alignment): string {
  const { letters, lengths } = entry;
  const isPart = letters.some(
    (letter, n) => LOOPED.test(letter) && ranges.get(letter)!.count === 1 && lengths[n] > 1,
  );
  if (!isPart) return '';
  return letters
    .map((letter) => {
      const { start, step, count } = ranges.get(letter)!;
      return `${letter}${start}+${count}*${step}`;
    })
    .join(' ');
}

/** Statements in loops that compute the same part of a node again and again, so that others are missing. */
function repeated(field: Field): Mistaken[] {
  const { recording, observed, goals, covered, flow } = field;
  const { events } = recording;
  const groups = new Map<string, Map<number, string>>();
  const partsOf = ({ event, found, standing }: Observed, key?: Key): Map<Key, string> => {
    const parts = new Map<Key, string>();
    const from = handedOn(recording, event);
    // Of a list that grows, what was in it before.
    const isShown = from !== null && events[from].name === event.name;
    if (
      isShown ||
      standing !== 'right' ||
      found.length === 0 ||
      event.loops.length === 0 ||
      !COMPUTED.has(event.how)
    )
      return parts;
    const [best] = found;
    const { entry } = best;
    const part = partOf(best);
    if (entry.role === 'node' && part !== '' && (key === undefined || key === entry.key))
      parts.set(entry.key, part);
    return parts;
  };
  for (const each of observed)
    for (const [key, part] of partsOf(each)) {
      const group = `${each.event.statement} ${each.event.frame} ${key}`;
      groups.set(group, (groups.get(group) ?? new Map()).set(each.event.id, part));
    }
  const isRepeated = (id: number, key: Key): boolean => {
    const group = groups.get(`${events[id].statement} ${events[id].frame} ${key}`);
    const part = group?.get(id);
    const runs = new Set(
      [...(group ?? [])].flatMap(([other, own]) =>
        own === part ? [events[other].loops.join()] : [],
      ),
    );
    return runs.size > 1;
  };
  const found: Mistaken[] = [];
  for (const goal of goals) {
    if (covered.has(goal)) continue;
    const first = observed.find(
      (each) => partsOf(each, goal).size > 0 && isRepeated(each.event.id, goal),
    );
    if (!first) continue;
    // An operand of the same iteration that is the same one each time is to blame.
    let at = first.event.id;
    const { loops } = first.event;
    for (;;) {
      const stale = flow.sources[at].find(
        (source) =>
          events[source].loops.join() === loops.join() &&
          [...partsOf(observed[source]).keys()].some((key) => isRepeated(source, key)),
      );
      if (stale === undefined) break;
      at = stale;
    }
    const [best] = observed[at].found;
    const { node, kind } = best.entry;
    const note = `the same part of ${kind === 'gradient' ? 'd' : ''}${node} in several iterations`;
    found.push({ event: at, node, kind, note });
  }
  return found;
}
