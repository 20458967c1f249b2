// Whether an edited program is better than before: more of the right numbers, and none of those lost that were there.
import type { Key } from '../../compare/program.ts';
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

/**
 * right: nothing is wrong any more, and what was wrong has come out. better: more is right, and nothing that was right is
 * wrong. A program from which the wrong tensor was only taken away is neither.
 */
export function compareStandings(
  before: Standing,
  after: Standing,
): 'right' | 'better' | 'neither' {
  if (after.recording.exit.code !== before.recording.exit.code) return 'neither';
  if (!includes(after.covered, before.covered)) return 'neither';
  const gained = after.covered.size - before.covered.size;
  const isRight = after.judged.localised.verdict === 'match';
  if (isRight && (gained > 0 || hasComeOut(before, after))) return 'right';
  return gained > 0 && !isRight ? 'better' : 'neither';
}

/** Whether what was blamed is still computed, under its name, and is right. */
function hasComeOut(before: Standing, after: Standing): boolean {
  const { wrong } = before.judged.localised;
  const places = placesByName(after);
  return (
    wrong.length > 0 &&
    wrong.every(({ event, seen }) =>
      [event, seen].some((id) => places.get(placeName(before.recording, id)) === true),
    )
  );
}

/** Function, name and kind: lines may have moved. */
function placeName({ events, statements, functions }: Recording, id: number): string {
  const { statement, name, how } = events[id];
  return `${functions[statements[statement].function].name} ${how} ${name}`;
}

/** Of each place whether all that was recorded there is right. */
function placesByName({ recording, judged }: Standing): Map<string, boolean> {
  const places = new Map<string, boolean>();
  for (const { event, standing } of judged.localised.observed) {
    const name = placeName(recording, event.id);
    const isRight = standing === 'right' || standing === 'partial';
    places.set(name, isRight && places.get(name) !== false);
  }
  return places;
}
