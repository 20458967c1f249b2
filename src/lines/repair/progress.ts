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
  judged.localised.observed.filter(({ standing }) => standing === 'right' || standing === 'partial').length;

const includes = (all: ReadonlySet<Key>, some: Iterable<Key>): boolean => {
  for (const key of some) if (!all.has(key)) return false;
  return true;
};

/**
 * right: nothing is wrong any more, and what was wrong has come out. better: more is right, or what goes wrong first
 * comes later, and nothing that was right is wrong. A program from which the wrong tensor was only taken away is neither.
 */
export function compareStandings(before: Standing, after: Standing): 'right' | 'better' | 'neither' {
  if (after.recording.exit.code !== before.recording.exit.code) return 'neither';
  if (!includes(after.covered, before.covered)) return 'neither';
  const gained = after.covered.size - before.covered.size;
  if (gained === 0) return 'neither';
  if (after.judged.localised.verdict === 'match') return 'right';
  return 'better';
}
