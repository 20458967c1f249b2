// What a run that comes out right does not say: gradients that later calls add to, of which the first was judged.
import { isWhole } from '../align/align.ts';
import { type Flow, handedFrom, handedOn } from '../recorded/flow.ts';
import type { Localised } from '../localise/localise.ts';
import { placeText } from '../recorded/place.ts';
import type { Recording } from '../recorded/recording.ts';
import { Arrays } from '../recorded/versions.ts';

/** How the line begins. */
const FIRST_ALONE = 'the first call alone was judged';

/** Whether a note says that not all of the program was judged. */
export const isOfFirstAlone = (note: string): boolean => note.startsWith(FIRST_ALONE);

const COMPUTED = new Set(['bind', 'update', 'write', 'loop-end']);

/** Whether an event was computed from what its statement made before. */
function readsItself(recording: Recording, { sources }: Flow, id: number): boolean {
  const { events } = recording;
  const { name, statement } = events[id];
  return sources[id].some((source) => {
    const { name: made, statement: at } = events[[...handedFrom(recording, source)].at(-1)!];
    return made === name && at === statement;
  });
}

/** One line for all gradients that were right, and were then made something else by the same statement of a later call. */
export function unjudgedSums(
  recording: Recording,
  { verdict, observed, flow }: Localised,
): string[] {
  if (verdict !== 'match') return [];
  const { statements, files } = recording;
  const arrays = new Arrays(recording);
  for (const event of recording.events) arrays.take(event);
  const right = new Map<string, string>();
  const sums = new Map<
    string,
    { readonly node: string; readonly runs: number; readonly at: string }
  >();
  for (const { event, standing, found } of observed) {
    if (!COMPUTED.has(event.how) || handedOn(recording, event) !== null) continue;
    const root = event.how === 'bind' ? '' : arrays.rootOf(event.id);
    const key = `${event.statement} ${event.name} ${root}`;
    const whole = found.find(
      (each) => each.entry.key.startsWith('g:') && each.entry.role === 'node' && isWhole(each),
    );
    if (standing === 'right' && whole) {
      right.set(key, whole.entry.node);
      sums.delete(key);
    }
    const node = right.get(key);
    if (standing !== 'off' || node === undefined || !readsItself(recording, flow, event.id))
      continue;
    const { file, line, cell } = statements[event.statement];
    const at = placeText({ file: files[file].path, line, cell });
    sums.set(key, { node, runs: (sums.get(key)?.runs ?? 0) + 1, at });
  }
  if (sums.size === 0) return [];
  const all = [...sums.values()];
  const names = [...new Set(all.map(({ node }) => `d${node}`))].join(', ');
  const more = Math.max(...all.map(({ runs }) => runs));
  const places = [...new Set(all.map(({ at }) => at))].slice(0, 3).join(', ');
  const calls = more === 1 ? 'another call adds' : `${more} more calls add`;
  return [`${FIRST_ALONE}: ${calls} to ${names} (${places}), and what they add was not`];
}
