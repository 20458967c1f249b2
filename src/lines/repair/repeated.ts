// Calls of a function that tell nothing new, such as those of a check by finite differences: a repair records the first alone.
import type { Judged } from '../judge.ts';
import type { Recording } from '../recorded/recording.ts';
import type { Bench, Calls } from './bench.ts';
import type { Standing } from './progress.ts';

/** Fewer calls take no time. */
const MANY = 24;
/** Of all calls at most this share tells something. */
const FEW = 0.25;
/** An edit may make others tell something. */
const MORE = 2;

/** Of functions that are called often how many calls of each tell something; empty where there are none. */
export function tellingCalls(recording: Recording, { localised }: Judged): Calls {
  const { events, statements, functions } = recording;
  const frames = new Map<number, number[]>();
  const order = functions.map((): Set<number> => new Set());
  for (const { id, frame, statement } of events) {
    frames.set(frame, [...(frames.get(frame) ?? []), id]);
    order[statements[statement].function].add(frame);
  }
  const blamed = new Set(localised.wrong.flatMap(({ event, seen }) => [event, seen]));
  const names = functions.map(({ name }) => name);
  const found: Record<string, number> = {};
  functions.forEach(({ name, calls }, at) => {
    if (calls < MANY || name === '' || names.indexOf(name) !== names.lastIndexOf(name)) return;
    const known = new Set<string>();
    let telling = 0;
    [...order[at]].forEach((frame, n) => {
      for (const id of frames.get(frame)!) {
        if (statements[events[id].statement].function !== at) continue;
        const what = contentOf(recording, localised, id);
        if (blamed.has(id) || (what !== null && !known.has(what))) telling = n + 1;
        if (what !== null) known.add(what);
      }
    });
    if (telling > 0 && telling <= FEW * calls) found[name] = telling + MORE;
  });
  return found;
}

/** What of the graph an event is, and which part of it; null where it is nothing. */
function contentOf(
  { events }: Recording,
  { observed }: Judged['localised'],
  id: number,
): string | null {
  const { standing, found, pieces } = observed[id];
  const [first] = found.length > 0 ? found : pieces;
  if (!first || standing === 'off' || events[id].shape.length === 0) return null;
  const ranges = [...first.ranges].map(([letter, range]) => `${letter}${JSON.stringify(range)}`);
  return `${events[id].statement} ${events[id].name} ${first.entry.key} ${ranges.join()}`;
}

/** The bench, with no more than these calls recorded. */
export const recordingFirst = (bench: Bench, calls: Calls): Bench => ({
  frame: (request) => bench.frame(request),
  vary: (sources) => bench.vary(sources),
  record: (sources, args) => bench.record(sources, args, calls),
});

/** Whether a run of which fewer calls were recorded tells the same of the program. */
export const isAsTelling = (whole: Standing, first: Standing): boolean =>
  first.judged.localised.verdict === whole.judged.localised.verdict &&
  whole.covered.size === first.covered.size &&
  [...whole.covered].every((key) => first.covered.has(key)) &&
  whole.missing.length === first.missing.length &&
  whole.missing.every(({ key }, n) => key === first.missing[n].key);
