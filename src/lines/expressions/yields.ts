// What a generator of the program's own gives to the loops over it.
import type { Event, Recording } from '../recorded/recording.ts';
import { parseLoop, pathOf } from './parse.ts';

/** What one `yield` gave: its events, of which each element of a tuple is one. */
type Given = readonly Event[];

const YIELD = /^yield(\[\d+\])?$/;

const known = new WeakMap<Recording, ReadonlyMap<string, readonly Given[]>>();

/** By the names of the generators. */
function yieldsOf(recording: Recording): ReadonlyMap<string, readonly Given[]> {
  const before = known.get(recording);
  if (before) return before;
  const { events, statements, functions } = recording;
  const found = new Map<string, Event[][]>();
  for (const event of events) {
    if (event.how !== 'return' || !YIELD.test(event.name)) continue;
    const name = functions[statements[event.statement].function].name.split('.').at(-1)!;
    const given = found.get(name) ?? [];
    found.set(name, given);
    const isNext = /^yield(\[0\])?$/.test(event.name);
    if (isNext || given.length === 0) given.push([event]);
    else given.at(-1)!.push(event);
  }
  known.set(recording, found);
  return found;
}

const generatorOf = ({ statements }: Recording, loop: number): string | undefined => {
  const over = parseLoop(statements[loop].text.split('\n')[0])?.over;
  return over?.kind === 'call' ? pathOf(over.of)?.split('.').at(-1) : undefined;
};

/**
 * What the loop at `at`, of those around an event, was given in the event's iteration; null where no generator of the
 * program's own gave it. Loops over one generator take one after the other, the outermost first.
 */
export function yielded(
  recording: Recording,
  around: readonly number[],
  at: number,
  event: Event,
): Given | null {
  const own = generatorOf(recording, around[at]);
  const all = own === undefined ? undefined : yieldsOf(recording).get(own);
  if (!all) return null;
  const { events } = recording;
  const given = (depth: number): Given | undefined => {
    const above = around
      .slice(0, depth)
      .flatMap((loop, n) => (generatorOf(recording, loop) === own ? (given(n) ?? []) : []));
    const iteration = event.loops.slice(0, depth + 1).join();
    return all.find(([first]) => {
      if (first.id > event.id || above.includes(first)) return false;
      const next = events.find(({ id, frame }) => id > first.id && frame === event.frame);
      return next?.loops.slice(0, depth + 1).join() === iteration;
    });
  };
  return given(at) ?? null;
}
