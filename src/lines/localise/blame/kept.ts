// Arrays that are not what was put into them: one array under several places of a list, numbers cut to whole ones.
import { rerunOf } from '../../expressions/rerun.ts';
import { isInteger } from '../../recorded/recording.ts';
import type { Field, Suspect } from '../suspects.ts';
import { rootOf } from './array.ts';
import type { Blame } from './common.ts';

const ELEMENT = /^(.*)\[(\d+)\]$/s;

/** Where one array was put into a list at several places, of those that an event was made of. */
export function oneArray(field: Field, { event }: Pick<Suspect, 'event'>): Blame | null {
  const { recording, flow } = field;
  const { events } = recording;
  const roots = new Set([event, ...flow.sources[event]].map((each) => rootOf(field, each)));
  const lists = new Map<string, { id: number; place: string }>();
  for (const { id, name, how, frame } of events) {
    if (id > event) break;
    const [, list, place] = ELEMENT.exec(name) ?? [];
    if (list === undefined || how !== 'bind') continue;
    const root = rootOf(field, id);
    if (!roots.has(root)) continue;
    const key = `${root} ${frame} ${list}`;
    const first = lists.get(key);
    if (first && first.place !== place && isChangedBetween(field, root, first.id, event))
      return {
        event: first.id,
        note: `one array is all of ${list}: what is written to it is in each`,
      };
    if (!first) lists.set(key, { id, place });
  }
  return null;
}

/** Whether an array was written to after it was put into a list. */
const isChangedBetween = (field: Field, root: number, from: number, to: number): boolean =>
  field.recording.events.some(
    ({ id, how }) =>
      id > from && id <= to && (how === 'update' || how === 'write') && rootOf(field, id) === root,
  );

/** An array of whole numbers that was given fractions. */
export function cutToWhole(field: Field, { event }: Suspect): Blame | null {
  const { recording, flow } = field;
  const { events } = recording;
  for (const source of flow.sources[event]) {
    const root = rootOf(field, source);
    if (
      !isInteger(events[source]) ||
      events[source].shape.length === 0 ||
      events[root].how !== 'bind'
    )
      continue;
    const written = events.find(
      ({ id, how }) => how === 'write' && id > root && id < event && rootOf(field, id) === root,
    );
    const made = written && rerunOf(recording).make(written.id, new Map());
    if (!made?.value.data.some((value) => Number.isFinite(value) && !Number.isInteger(value)))
      continue;
    const note = `${events[root].name} is of whole numbers: what is written to it is cut`;
    return { event: root, note };
  }
  return null;
}
