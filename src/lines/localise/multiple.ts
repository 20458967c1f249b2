// A node that comes out right but for one factor, such as a mean over another count: what follows may look right by chance.
import { sizeOf } from '../../engine/tensor.ts';
import { type Key, keyOf } from '../../compare/program/program.ts';
import { isReordered } from '../align/align.ts';
import { isNaming, originOf } from './blame/common.ts';
import { isGradientName } from '../infer/values/names.ts';
import type { Entry } from '../align/catalogue.ts';
import { cone, handedOn, tellingEvent } from '../recorded/flow.ts';
import { Supposed } from './hypothesis.ts';
import type { Mistaken } from './names/mistaken.ts';
import { operandsOf, type Field, type Suspect } from './suspects.ts';

interface Multiple {
  readonly event: number;
  readonly entry: Entry;
  readonly factor: number;
}

/** Fewer entries are a multiple of much. */
const LEAST = 6;

/** By which factor some numbers are those of an entry from `start` on; null where by none. */
function factorOf(own: Float64Array, { data, tolerance }: Entry, start: number): number | null {
  let [most, at] = [0, -1];
  for (let n = 0; n < own.length; n++) {
    const size = Math.abs(data[start + n]);
    if (size > most && size < Infinity) [most, at] = [size, n];
  }
  if (at < 0 || most <= 4 * tolerance) return null;
  const factor = own[at] / data[start + at];
  if (!Number.isFinite(factor) || Math.abs(factor) < 1e-6) return null;
  const near = tolerance * Math.max(1, Math.abs(factor));
  for (let n = 0; n < own.length; n++)
    if (!(Math.abs(own[n] - factor * data[start + n]) <= near)) return null;
  return factor;
}

/** The node of which an event is a multiple, all of it or some of its first axis. */
function multipleOf({ recording, catalogue }: Field, id: number, of?: Entry): Multiple | null {
  const own = recording.tensor(id)?.data;
  if (!own || own.length < LEAST) return null;
  for (const entry of of ? [of] : catalogue.entries) {
    const isMade = entry.role === 'node' && entry.kind === 'gradient';
    const inner = entry.data.length / (entry.lengths[0] ?? 1);
    if (!isMade || own.length > entry.data.length || own.length % inner !== 0) continue;
    for (let start = 0; start + own.length <= entry.data.length; start += inner) {
      const factor = factorOf(own, entry, start);
      if (factor !== null) return { event: id, entry, factor };
    }
  }
  return null;
}

/** The last of the statements that only multiply a node further. */
function lastOf(field: Field, first: Multiple): Multiple {
  const { recording, flow, observed } = field;
  let last = first;
  const queue = [first.event];
  for (const id of queue)
    for (const user of flow.users[id]) {
      if (user <= id || observed[user].standing !== 'off' || queue.includes(user)) continue;
      const next = multipleOf(field, user, first.entry);
      if (!next) continue;
      queue.push(user);
      const isFurther = Math.abs(next.factor - last.factor) > 1e-6 * Math.abs(last.factor);
      const isOwn = handedOn(recording, recording.events[user]) === null;
      if (isFurther && isOwn && user > last.event) last = next;
    }
  return last;
}

/**
 * The first gradient that is off by one factor, where all that goes wrong follows from it, whatever came out right by chance
 * in between; null where there is none before the first suspect.
 */
export function multipleMistake(field: Field, suspects: readonly Suspect[]): Mistaken | null {
  const { observed, flow, leads } = field;
  const sure = suspects.find(({ isDoubtful }) => !isDoubtful);
  if (!sure) return null;
  for (const { event, standing } of observed) {
    if (event.id > sure.event) return null;
    if (standing !== 'off' || event.how === 'gradient' || event.how === 'leaf') continue;
    if (sizeOf(event.shape) < LEAST || handedOn(field.recording, event) !== null) continue;
    if (!operandsOf(field, leads, event.id)) continue;
    const first = multipleOf(field, event.id);
    if (!first) continue;
    const after = cone(flow, [event.id]);
    const isSuspect = sure.event === event.id;
    if ([...after].some((id) => isGoal(field, id))) continue;
    if (!isSuspect && !(after.has(sure.event) && explains(field, first, after))) continue;
    const renamed = outputsAsGradient(field, event.id);
    if (renamed !== null) {
      const note = `dy comes out ${Number(first.factor.toPrecision(4))} times as large`;
      return { event: renamed, node: 'y', kind: 'gradient', note };
    }
    const last = lastOf(field, first);
    const count = countBehind(field, last);
    if (isSuspect && last.event === event.id && !count) return null;
    const { node } = last.entry;
    const times = Number(last.factor.toPrecision(4));
    const at = count?.event ?? tellingEvent(field.recording, last.event);
    const note = `d${node} comes out ${times} times as large${count?.note ?? ''}`;
    return { event: at, node, kind: 'gradient', note };
  }
  return null;
}

/** The statement that only calls outputs by the name of a gradient, which something was computed from; null where none did. */
const outputsAsGradient = (field: Field, id: number): number | null =>
  field.flow.sources[id].find(
    (source) =>
      isNaming(field, source) &&
      isGradientName(field.recording.events[source].name) &&
      field.observed[source].found.some(({ entry }) => entry.key === keyOf('y', 'value')),
  ) ?? null;

/** Whether the node, so much larger, makes what something that goes wrong and leads to nothing right is. */
function explains(
  { catalogue, recording, observed, leads }: Field,
  { entry, factor }: Multiple,
  after: ReadonlySet<number>,
): boolean {
  const { shape, data } = catalogue.state.predict(entry.key);
  const own = { shape, data: data.map((value) => factor * value) };
  const supposed = new Supposed(catalogue, entry.key, own);
  return [...after].some((id) => {
    if (observed[id].standing !== 'off' || leads[id]) return false;
    const tensor = recording.tensor(id);
    return tensor !== null && tensor.data.length >= LEAST && supposed.makes(tensor);
  });
}

/** Whether an event is a gradient that the program is to compute. */
function isGoal({ observed, goals }: Field, id: number): boolean {
  const { standing, found } = observed[id];
  const isOf = (key: Key): boolean => key.startsWith('g:') && goals.includes(key);
  return (
    standing === 'right' &&
    found.some((each) => each.entry.role === 'node' && isOf(each.entry.key) && !isReordered(each))
  );
}

/** The number by which this and something else went wrong alike. */
function countBehind(
  field: Field,
  { event, factor }: Multiple,
): { readonly event: number; readonly note: string } | null {
  const { recording, flow, observed, catalogue } = field;
  const { events } = recording;
  const loss = catalogue.entries.find(
    ({ key, role }) => key === keyOf('f', 'value') && role === 'node',
  );
  if (!loss) return null;
  const isAlike = (user: number): boolean => {
    const own = recording.tensor(user)?.data ?? [events[user].value ?? NaN];
    const share = own[0] / loss.data[0];
    return own.length === 1 && Math.abs(share - factor) <= 1e-5 * Math.abs(factor);
  };
  for (const source of flow.sources[event]) {
    const { dtype, value, name, statement } = events[source];
    if (dtype !== 'int' || value === undefined || observed[source].standing !== 'neutral') continue;
    const origin = originOf(field, source);
    if (events[origin].statement === events[event].statement) continue;
    const wanted = value * factor;
    const isWhole = Math.abs(wanted - Math.round(wanted)) < 1e-4 * wanted;
    const others = flow.users[source].filter(
      (user) => !events[user].shape.length && user !== event,
    );
    if (!isWhole || !others.some(isAlike) || statement === events[event].statement) continue;
    return { event: origin, note: `: ${name} is ${value} and not ${Math.round(wanted)}` };
  }
  return null;
}
