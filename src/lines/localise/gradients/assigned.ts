// Statements that assign what they should add: together, what their runs gave is whole, and each replaces the one before.
import type { Key } from '../../../compare/program/program.ts';
import { sizeOf, type Tensor } from '../../../engine/tensor.ts';
import { isWhole, tellingOf } from '../../align/align.ts';
import { piecesOf } from '../../align/pieces.ts';
import { handedOn } from '../../recorded/flow.ts';
import type { Mistaken } from '../names/mistaken.ts';
import { gathered } from '../../recorded/gathered.ts';
import { type Event, isZeroAt } from '../../recorded/recording.ts';
import type { Field } from '../suspects.ts';
import { offsetsAt } from '../../recorded/versions.ts';

export interface Assigned extends Mistaken {
  /** What its runs are, under all names: each is right in itself. */
  readonly runs: ReadonlySet<number>;
}

/** Of gradients that never come out. */
export function assignedParts(field: Field): Assigned[] {
  const found: Assigned[] = [];
  for (const runs of runsOf(field)) {
    const missing = wholeOf(field, sumOf(field, runs));
    if (missing === null) continue;
    const [node, kind] = [missing.slice(2), 'gradient' as const];
    const note = `each ${runs[0].name} replaces the one before: together they are d${node}`;
    const own = new Set(runs.flatMap(({ id }) => namesOf(field, id)));
    found.push({ event: runs[1].id, since: runs[0].id, node, kind, note, runs: own });
  }
  return found;
}

/** An array that is made anew in each iteration of a loop, and whose contents together are a gradient that never comes out. */
export function arraysMadeAnew(field: Field): Mistaken[] {
  const { recording } = field;
  const found: Mistaken[] = [];
  for (const resets of runsOf(field)) {
    if (resets.some(({ how, id }) => how !== 'bind' || !isZeroAt(recording, id))) continue;
    // Other names of one array, as of an attribute of what a loop goes over.
    if (new Set(resets.map(({ id }) => namesOf(field, id).at(-1))).size < resets.length) continue;
    const contents = resets.map((reset, n) => contentOf(field, reset, resets[n + 1]));
    const [first] = contents;
    if (!first || contents.some((each) => each?.data.length !== first.data.length)) continue;
    const data = first.data.map((_, at) => contents.reduce((sum, each) => sum + each!.data[at], 0));
    const missing = wholeOf(field, { shape: first.shape, data });
    if (missing === null) continue;
    const [node, kind] = [missing.slice(2), 'gradient' as const];
    const { name, id } = resets[0];
    const note = `${name} begins anew in each iteration: together they are d${node}`;
    found.push({ event: id, node, kind, note });
  }
  return found;
}

/** Fewer sums may be anything. */
const LEAST_SUMS = 4;

/** Numbers that begin with 0 and that a loop assigns where it should add: what it assigns makes right sums. */
export function assignedNumbers(field: Field): Mistaken[] {
  const { recording, aligner } = field;
  const groups = new Map<string, Event[]>();
  for (const event of recording.events) {
    const { frame, name, how, shape } = event;
    if (how !== 'bind' || sizeOf(shape) !== 1 || !/float/.test(event.dtype)) continue;
    const key = `${frame} ${name}`;
    groups.set(key, [...(groups.get(key) ?? []), event]);
  }
  return [...groups.values()].flatMap((all): Mistaken[] => {
    const isStart = (event: Event): boolean => isZeroAt(recording, event.id);
    const runs = sectionsOf(all, isStart);
    const [statement, ...others] = new Set(runs.flat().map((each) => each.statement));
    const first = runs.find((each) => each.length > 1);
    if (!first || others.length > 0 || runs.length < LEAST_SUMS) return [];
    if (recording.statements[statement].kind !== 'assign') return [];
    const [start] = all;
    if (start.statement === statement || !isStart(start)) return [];
    // The number itself may be read by the name of what was assigned.
    const isTaken = ({ id, name }: Event, until: number): boolean =>
      field.flow.users[id].some(
        (user) =>
          user < until &&
          recording.statements[recording.events[user].statement].loads.includes(name),
      );
    if (runs.some((each) => each.some((run, n) => each[n + 1] && isTaken(run, each[n + 1].id))))
      return [];
    const depth = start.loops.length;
    if (depth === 0 || runs.some(([run]) => run.loops.length <= depth)) return [];
    const sums = gathered(
      runs.map((each) => {
        const sum = each.reduce(
          (total, { id }) => total + (recording.tensor(id)?.data[0] ?? NaN),
          0,
        );
        return {
          loops: each[0].loops.slice(0, depth),
          tensor: { shape: [], data: Float64Array.of(sum) },
        };
      }),
    )?.tensor;
    const best =
      sums &&
      aligner
        .align(sums, tellingOf(sums), { hasGaps: true })
        .find(({ entry }) => entry.role !== 'partial');
    if (!best) return [];
    const { node, kind, title } = best.entry;
    const note = `each ${start.name} replaces the one before: together they are ${title}`;
    return [{ event: first[1].id, since: first[0].id, node, kind, note }];
  });
}

/** What comes after each event of some kind, until the next one of that kind. */
function sectionsOf(events: readonly Event[], begins: (event: Event) => boolean): Event[][] {
  const sections: Event[][] = [];
  for (const event of events)
    if (begins(event)) sections.push([]);
    else sections.at(-1)?.push(event);
  return sections.filter(({ length }) => length > 0);
}

/** What an array holds before it is made anew; null where something else was computed from it, or that is not known. */
function contentOf({ recording, flow }: Field, reset: Event, next?: Event): Tensor | null {
  const { events } = recording;
  const until = next?.id ?? events.length;
  const tensor = recording.tensor(reset.id);
  if (!tensor) return null;
  const data = Float64Array.from(tensor.data);
  const versions = new Set([reset.id]);
  for (let id = reset.id + 1; id < until; id++) {
    const { alias, how, index } = events[id];
    if (alias === undefined || !versions.has(alias)) continue;
    versions.add(id);
    const part = recording.tensor(id)?.data;
    const isPart = how === 'write';
    if (!isPart && part?.length === data.length) {
      data.set(part);
      continue;
    }
    const places = index === undefined || index === 'fancy' ? null : offsetsAt(tensor.shape, index);
    if (!isPart || !part || places?.length !== part.length) return null;
    places.forEach((at, n) => (data[at] = part[n]));
  }
  const isUsed = [...versions].some((id) =>
    flow.users[id].some((user) => user < until && !versions.has(user)),
  );
  return isUsed && next ? null : { shape: tensor.shape, data };
}

/** An event and those that it is handed on from. */
function namesOf({ recording }: Field, id: number): number[] {
  const found = [id];
  for (;;) {
    const from = handedOn(recording, recording.events[found.at(-1)!]);
    if (from === null) return found;
    found.push(from);
  }
}

/** Runs of one statement that give one name, or parts of one array, to one thing after the other, of which the last stays. */
function runsOf({ recording }: Field): Event[][] {
  const groups = new Map<string, Event[]>();
  for (const event of recording.events) {
    const { statement, frame, name, how, shape } = event;
    if (how !== 'write' && (how !== 'bind' || sizeOf(shape) < 2)) continue;
    if (recording.statements[statement].kind !== 'assign') continue;
    const key = `${statement} ${frame} ${name}`;
    const group = groups.get(key);
    if (group) group.push(event);
    else groups.set(key, [event]);
  }
  return [...groups.values()].filter(
    (runs) =>
      runs.length > 1 && new Set(runs.map(({ loops }) => loops.join())).size === runs.length,
  );
}

/** What all runs together would have left; null where one of them was read before the next, or their shapes differ. */
function sumOf(field: Field, runs: readonly Event[]): Tensor | null {
  const { recording } = field;
  const [first] = runs;
  const isWrite = first.how === 'write';
  if (runs.some((run, n) => n < runs.length - 1 && isRead(field, run, runs[n + 1].id))) return null;
  if (!isWrite && runs.some(({ shape }) => shape.join() !== first.shape.join())) return null;
  const array = isWrite ? arrayOf(field, runs) : first;
  if (!array) return null;
  const data = new Float64Array(sizeOf(array.shape));
  const counts = new Uint8Array(data.length);
  for (const run of runs) {
    const tensor = recording.tensor(run.id);
    const index = run.index;
    const places = isWrite
      ? index === undefined || index === 'fancy'
        ? null
        : offsetsAt(array.shape, index)
      : null;
    if (!tensor || (isWrite && places?.length !== tensor.data.length)) return null;
    tensor.data.forEach((value, n) => {
      const at = places ? places[n] : n;
      data[at] += value;
      counts[at] = Math.min(2, counts[at] + 1);
    });
  }
  // Where nothing was written twice nothing was lost.
  return counts.includes(2) ? { shape: array.shape, data } : null;
}

const arrayOf = ({ recording: { events } }: Field, runs: readonly Event[]): Event | undefined => {
  const last = runs.at(-1)!;
  return events.find(({ how, alias }) => how === 'loop-end' && alias === last.id);
};

/** Whether anything but the next version of the same was computed from a run's result before that was replaced. */
function isRead(
  { recording: { events }, flow }: Field,
  { id, name }: Event,
  until: number,
): boolean {
  return flow.users[id].some((user) => {
    const { how, alias, name: other } = events[user];
    if (how === 'loop-end' || (how === 'write' && alias === id)) return false;
    return user < until || other !== name;
  });
}

/** Which missing gradient a sum is, all of it. */
function wholeOf({ aligner, covered, goals, catalogue }: Field, sum: Tensor | null): Key | null {
  if (!sum) return null;
  const all = aligner.align(sum, tellingOf(sum));
  const found = [...all, ...(all.length > 0 ? [] : piecesOf(sum, aligner, catalogue))].find(
    (each) =>
      each.entry.role === 'node' &&
      each.entry.kind === 'gradient' &&
      isWhole(each) &&
      !covered.has(each.entry.key),
  );
  return found && (goals.includes(found.entry.key) || /^g:[QKV]h?$/.test(found.entry.key))
    ? found.entry.key
    : null;
}
