// Whether an edited program is better than before: more of the right numbers, and none of those lost that were there.
import { type Key, keyOf } from '../../compare/program.ts';
import { goalsOf } from '../goals.ts';
import type { Judged } from '../judge.ts';
import type { Recording } from '../recording.ts';

export interface Standing {
  readonly recording: Recording;
  readonly judged: Judged;
  /** Nodes and gradients of which every entry was recorded. */
  readonly covered: ReadonlySet<Key>;
}

export function standingOf(recording: Recording, judged: Judged): Standing {
  return { recording, judged, covered: judged.localised.covered };
}

/** Recorded tensors that are right. */
export const rightTensors = ({ judged }: Standing): number =>
  judged.localised.observed.filter(({ standing }) => standing === 'right' || standing === 'partial')
    .length;

const includes = (all: ReadonlySet<Key>, some: Iterable<Key>): boolean => {
  for (const key of some) if (!all.has(key)) return false;
  return true;
};

/** A number that is none where it has no effect is one all the same. */
const tensorsWithNaN = ({ recording }: Standing): number =>
  recording.events.filter(({ id }) => recording.tensor(id)?.data.some(Number.isNaN)).length;

/**
 * right: nothing is wrong any more, and what was wrong has come out. better: more is right, and nothing that was right is
 * wrong. A program from which the wrong tensor was only taken away, or that holds something else in its place, is neither.
 */
export function compareStandings(
  before: Standing,
  after: Standing,
): 'right' | 'better' | 'neither' {
  if (after.recording.exit.code !== before.recording.exit.code) return 'neither';
  if (!includes(after.covered, before.covered)) return 'neither';
  if (tensorsWithNaN(after) > tensorsWithNaN(before)) return 'neither';
  const gained = after.covered.size - before.covered.size;
  if (after.judged.localised.verdict !== 'match') return gained > 0 ? 'better' : 'neither';
  return hasComeOut(before, after, gained > 0) ? 'right' : 'neither';
}

/**
 * Whether what was wrong is now there: of outputs and gradients of inputs every one that was blamed, somewhere; where
 * nothing was gained by the edit, all that was blamed, whole and at the very place.
 */
function hasComeOut(before: Standing, after: Standing, isMore: boolean): boolean {
  const { wrong } = before.judged.localised;
  const meant = wrong.flatMap(({ node, kind }) =>
    node !== null && kind !== 'other' ? [keyOf(node, kind)] : [],
  );
  const goals = new Set(goalsOf(before.judged.catalogue.graph));
  if (isMore)
    return includes(
      after.covered,
      meant.filter((key) => goals.has(key)),
    );
  const places = keysByPlace(after);
  return (
    includes(after.covered, meant) &&
    meant.length > 0 &&
    meant.length === wrong.length &&
    wrong.every(({ event, seen }, n) =>
      [event, seen].some((id) => places.get(placeName(before.recording, id))?.has(meant[n])),
    )
  );
}

/** Function, name and kind: lines may have moved. */
function placeName({ events, statements, functions }: Recording, id: number): string {
  const { statement, name, how } = events[id];
  return `${functions[statements[statement].function].name} ${how} ${name}`;
}

/** Of each place what is recorded there. */
function keysByPlace({ recording, judged }: Standing): Map<string, Set<Key>> {
  const places = new Map<string, Set<Key>>();
  for (const { event, found } of judged.localised.observed) {
    const name = placeName(recording, event.id);
    const keys = places.get(name) ?? new Set();
    places.set(name, keys);
    for (const { entry } of found) if (entry.role !== 'partial') keys.add(entry.key);
  }
  return places;
}
