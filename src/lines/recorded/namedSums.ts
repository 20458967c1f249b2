// Sums that loops add up under a name of their own, as the row sums of a softmax.
import { isNear } from '../align/align.ts';
import type { Catalogue, Entry } from '../align/catalogue.ts';
import { sumOver } from './lettered.ts';
import type { Event, Recording } from './recording.ts';
import { isAddition, LEAST, type Run, type Sweep } from './sweep.ts';

/** The sums that loops add up under a name, number by number or row by row: `total += e`, `total = total + e`. */
export function sumsByName(recording: Recording): Sweep[] {
  const { events, statements } = recording;
  const groups = new Map<string, Run[] | null>();
  for (const event of events) {
    const { how, loops, statement, frame, name } = event;
    if (loops.length === 0 || (how !== 'bind' && how !== 'update')) continue;
    const { kind, text, loads } = statements[statement];
    const isSum = isAddition(statements[statement]) || (kind === 'assign' && loads.includes(name));
    if (!isSum || (kind === 'assign' && !/=[^*/@%]*[+-]/.test(text))) continue;
    const key = `${statement} ${frame} ${name}`;
    const before = beforeOf(recording, event);
    const [own, old] = [recording.tensor(event.id), before && recording.tensor(before.id)];
    const runs = groups.has(key) ? groups.get(key)! : [];
    groups.set(key, runs);
    if (!own || !old || (old.data.length !== 1 && old.data.length !== own.data.length)) continue;
    // What it starts from may be a term too.
    const isStart = before!.statement !== statement;
    if (isStart && old.data.some((value) => value !== 0)) groups.set(key, null);
    const data = own.data.map((value, at) => value - old.data[old.data.length === 1 ? 0 : at]);
    runs?.push({ event, root: -1, terms: { shape: own.shape, data }, places: new Int32Array(0) });
  }
  return [...groups.values()].flatMap((runs): Sweep[] => {
    if (!runs || runs.length < LEAST) return [];
    const [{ event, terms }] = runs;
    if (runs.some((each) => each.terms.shape.join() !== terms.shape.join())) return [];
    return [{ statement: event.statement, frame: event.frame, isAdding: true, runs }];
  });
}

/** What a name stood for before it was added to. */
function beforeOf({ events }: Recording, { id, name, frame, alias }: Event): Event | null {
  if (alias !== undefined && events[alias].name === name) return events[alias];
  for (let at = id - 1; at >= 0; at--)
    if (events[at].name === name && events[at].frame === frame) return events[at];
  return null;
}

/** Whether the sums of its rows are a form too: exponentials, P dP. */
export function isOfRows(
  { entries, parts }: Catalogue,
  { key, letters, data, tolerance }: Entry,
): boolean {
  if (!letters.includes('i')) return false;
  const sums = sumOver({ letters, data }, 'i', parts.extents);
  return entries.some(
    (each) =>
      each.key === key &&
      each.letters.join() === sums.letters.join() &&
      each.data.every((value, at) => isNear(value, sums.data[at], tolerance + each.tolerance)),
  );
}
