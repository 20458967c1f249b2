// Gradients that were right and that nobody can read where they are looked for: zeroed, shared by several owners, in another order.
import type { Key } from '../../../compare/program/program.ts';
import { isWhole } from '../../align/align.ts';
import { callOf } from '../blame/calls.ts';
import { handedOn } from '../../recorded/flow.ts';
import type { Observed } from '../../align/observe.ts';
import { isIn } from '../../recorded/sizes.ts';
import { type Event, isZeroAt, type Recording } from '../../recorded/recording.ts';
import type { Wrong } from '../localise.ts';
import type { Field } from '../suspects.ts';

export const discarded = (field: Field): Wrong[] => [
  ...zeroedUnread(field),
  ...sharedDefaults(field),
  ...otherHeads(field),
];

const COMPUTED = new Set(['bind', 'update', 'write', 'loop-end']);

/** A whole gradient that a statement computed and from which nothing was made. */
function* unreadGradients(field: Field): Generator<{ event: Event; key: Key; node: string }> {
  const { observed, recording, flow, goals } = field;
  const isRead = (id: number): boolean =>
    flow.users[id].some(
      (user) =>
        recording.events[user].name !== recording.events[id].name &&
        (handedOn(recording, recording.events[user]) === null || isRead(user)),
    );
  for (const { event, found, standing, added } of observed) {
    if (standing !== 'right' || added || !COMPUTED.has(event.how)) continue;
    const best = found.find(
      (each) => each.entry.role === 'node' && each.entry.kind === 'gradient' && isWhole(each),
    );
    if (!best || !goals.includes(best.entry.key) || isRead(event.id)) continue;
    yield { event, key: best.entry.key, node: best.entry.node };
  }
}

/** The statement of the main program in which an event was computed, in whatever call. */
function outermost(recording: Recording, { frame, statement }: Event): number | null {
  if (frame === 0) return statement;
  const caller = callOf(recording, frame);
  return caller === null ? null : outermost(recording, recording.events[caller]);
}

/** Statements that zero gradients after the backward pass, and before anybody reads them. */
function zeroedUnread(field: Field): Wrong[] {
  const { recording } = field;
  const { events } = recording;
  const found = new Map<number, Wrong>();
  for (const { event, node } of unreadGradients(field)) {
    const later = events.filter(({ id, name }) => id > event.id && name === event.name);
    const [zero] = later;
    if (zero === undefined || !later.every(({ id }) => isZeroAt(recording, id))) continue;
    const passing = outermost(recording, event);
    const zeroing = passing === null ? null : zeroingAt(recording, zero, passing);
    if (zeroing === null || !isReadAfter(recording, event, passing!, zeroing)) continue;
    if (found.has(zeroing)) continue;
    found.set(zeroing, {
      event: zero.id,
      statement: zeroing,
      seen: zero.id,
      node,
      kind: 'gradient',
      note: `d${node} is zeroed after it was computed and before it is read`,
    });
  }
  return [...found.values()];
}

/** Where the main program zeroes, right after the backward pass: by itself, or by a method of the object that has them. */
function zeroingAt(recording: Recording, zero: Event, passing: number): number | null {
  const { statements, functions } = recording;
  if (zero.frame === 0) return zero.statement;
  const name = functions[statements[zero.statement].function].name.split('.').at(-1)!;
  const calls = statements.flatMap(({ text, line, file, cell, function: of }, id) => {
    const own = statements[passing];
    const isAfter = file === own.file && cell === own.cell && of === own.function;
    const isCall = new RegExp(String.raw`^[\w.]+\.${name}\(\)$`).test(text.trim());
    return isAfter && line > own.line && isCall ? [id] : [];
  });
  return calls.length === 1 ? calls[0] : null;
}

/** Whether gradients are read by the main program after they were zeroed, and nowhere else. */
function isReadAfter(
  recording: Recording,
  { name, frame }: Event,
  passing: number,
  zeroing: number,
): boolean {
  const { statements, events } = recording;
  const zeroes = statements[zeroing];
  const base = name.replace(/\[.*$/s, '');
  const root = frame === 0 ? base.split('.')[0] : zeroes.text.split('.')[0].trim();
  const own = frame === 0 ? base : `${root}.${base.replace(/^self\./, '')}`;
  const isOf = new RegExp(String.raw`(?<![\w.])${root}\b`);
  if (frame !== 0 && (!base.startsWith('self.') || !isOf.test(statements[passing].text)))
    return false;
  const isOfBase = (each: Event): boolean => each.name.replace(/\[.*$/s, '') === base;
  const makers = new Set(events.flatMap((each) => (isOfBase(each) ? [each.statement] : [])));
  const attribute = new RegExp(String.raw`\b${own.split('.').at(-1)!}\b`);
  const readers = statements.filter(
    ({ text }, id) => !makers.has(id) && id !== zeroing && attribute.test(text),
  );
  const isAfter = ({ line, file, cell, function: of, loads }: (typeof readers)[number]): boolean =>
    file === zeroes.file &&
    cell === zeroes.cell &&
    of === zeroes.function &&
    line > zeroes.endLine &&
    loads.includes(own);
  const isBetween = statements.some(
    ({ line, function: of, text }, id) =>
      of === zeroes.function &&
      line > statements[passing].endLine &&
      line < zeroes.line &&
      !makers.has(id) &&
      isOf.test(text),
  );
  return readers.length > 0 && readers.every((each) => isAfter(each)) && !isBetween;
}

/** Parameters whose default is one dictionary for all objects: what one writes into it replaces what another one wrote. */
function sharedDefaults(field: Field): Wrong[] {
  const { recording } = field;
  const { statements, functions } = recording;
  const unread = [...unreadGradients(field)];
  for (const [parameter, { kind, text, function: of }] of statements.entries()) {
    const { name } = functions[of];
    if (kind !== 'parameter' || !name.endsWith('.__init__')) continue;
    const own = text.replace(/[:=].*$/s, '').trim();
    if (!isShared(recording, parameter, own)) continue;
    const [holder] = statements.flatMap((each) =>
      each.function === of && each.loads.includes(own) ? each.targets : [],
    );
    if (holder === undefined) continue;
    const lost = unread.find(({ event, key }) =>
      unread.some(
        (other) =>
          event.name.startsWith(`${holder}[`) &&
          other.event.statement === event.statement &&
          other.event.name === event.name &&
          other.event.frame !== event.frame &&
          other.event.id > event.id &&
          other.key !== key,
      ),
    );
    if (!lost) continue;
    const { event, node } = lost;
    const note = `all objects have one and the same ${own}: d${node} is replaced in it`;
    return [
      { event: event.id, seen: event.id, statement: parameter, node, kind: 'gradient', note },
    ];
  }
  return [];
}

/** Whether a constructor's parameter is an empty dictionary or list by default, and is given by no call. */
function isShared({ statements, functions, files }: Recording, id: number, own: string): boolean {
  const { function: of, file } = statements[id];
  const { name, line } = functions[of];
  const lines = files[file].source.split('\n').slice(line - 1);
  const header = /^[^]*?\)\s*(?:->[^:]*)?:\s*(?:#.*)?$/m.exec(lines.join('\n'))?.[0] ?? '';
  if (!new RegExp(String.raw`\b${own}\b[^,=]*=\s*(?:\{\}|\[\]|dict\(\)|list\(\))`).test(header))
    return false;
  const [made] = name.split('.').slice(-2);
  const parameters = statements.filter((each) => each.function === of && each.kind === 'parameter');
  // The first one is the object.
  const place = parameters.indexOf(statements[id]) - 1;
  const calls = statements.flatMap(({ text }) => [
    ...text.matchAll(new RegExp(String.raw`\b${made}\(([^()]*)(\(|\))`, 'g')),
  ]);
  return (
    calls.length > 0 &&
    calls.every(([, given, end]) => {
      const all = given.split(',').filter((each) => each.trim() !== '');
      return end === ')' && all.length <= place && !isIn(own, given) && !given.includes('*');
    })
  );
}

interface Heads {
  readonly base: string;
  readonly key: Key;
  readonly node: string;
  readonly ids: readonly number[];
  readonly heads: readonly number[];
}

const ELEMENT = /^(.*)\[(\d+)\]$/s;

/** Lists that hold a part of one node for each head: what each element was in the end. */
function headLists({ recording, observed }: Field, kind: 'value' | 'gradient'): Heads[] {
  const lists = new Map<string, Map<number, number>>();
  for (const { id, name, how } of recording.events) {
    const [, base, place] = ELEMENT.exec(name) ?? [];
    if (base === undefined || how !== 'bind') continue;
    const list = lists.get(base) ?? new Map<number, number>();
    lists.set(base, list.set(Number(place), id));
  }
  return [...lists].flatMap(([base, list]): Heads[] => {
    const ids = [...list].sort(([a], [b]) => a - b).map(([, id]) => id);
    const parts = ids.flatMap((id) => headOf(observed[id], kind, ids.length) ?? []);
    if (ids.length < 2 || parts.length < ids.length) return [];
    const [{ key, node }] = parts;
    if (parts.some((each) => each.key !== key)) return [];
    return [{ base, key, node, ids, heads: parts.map(({ head }) => head) }];
  });
}

/** Of which head, of so many, an event is the whole part. */
function headOf(
  { found }: Observed,
  kind: 'value' | 'gradient',
  count: number,
): { key: Key; node: string; head: number } | null {
  const parts = found.flatMap(({ entry, ranges }) => {
    const range = ranges.get('h');
    const length = entry.lengths[entry.letters.indexOf('h')];
    const isHead = range?.count === 1 && entry.role === 'node' && entry.kind === kind;
    return isHead && length === count
      ? [{ key: entry.key, node: entry.node, head: range.start }]
      : [];
  });
  return parts.length === 1 ? parts[0] : null;
}

const isInOrder = ({ heads }: Heads): boolean => heads.every((head, at) => head === at);

/** Of a list that grows at its beginning what is in between is not recorded anew. */
const endsInOrder = ({ heads }: Heads): boolean =>
  heads[0] === 0 && heads.at(-1) === heads.length - 1;

/** Lists of the heads' gradients in another order than those beside them. */
function otherHeads(field: Field): Wrong[] {
  const { recording, flow } = field;
  const { statements, events } = recording;
  const values = headLists(field, 'value').filter((each) => isInOrder(each));
  const lists = headLists(field, 'gradient');
  const rootOf = ({ base }: Heads): string => /^\w+/.exec(base)?.[0] ?? base;
  return lists.flatMap((list): Wrong[] => {
    const { base, node, ids, heads } = list;
    if (isInOrder(list) || new Set(heads).size < heads.length) return [];
    const isNamedLike = values.some((each) => each.node === node);
    const isBeside = lists.some(
      (each) => each.base !== base && rootOf(each) === rootOf(list) && endsInOrder(each),
    );
    const isUsed = ids.some((id) =>
      flow.users[id].some((user) => handedOn(recording, events[user]) === null),
    );
    const isTurned = statements.some(
      ({ text }) =>
        TURNS.test(text) && isIn(rootOf(list), text.replaceAll(/reversed\(range\(.*?\)\)/g, '')),
    );
    if (!isNamedLike || !isBeside || isUsed || isTurned) return [];
    const event = ids.find((_, at) => heads[at] !== at)!;
    const note = `${events[event].name} is that of head ${heads[ids.indexOf(event)]}`;
    return [{ event, seen: event, node, kind: 'gradient', note }];
  });
}

/** What lays a list out in another order, or takes from its end. */
const TURNS = /\breversed\(|\.reverse\(|::\s*-1|\.pop\(|\bsorted\(|\.sort\(|\[-\w/;
