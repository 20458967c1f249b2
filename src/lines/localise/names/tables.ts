// Cosines under the name of sines, and sines under that of cosines.
import type { Key } from '../../../compare/program/program.ts';
import { handedOn, tellingEvent } from '../../recorded/flow.ts';
import type { Mistaken } from './mistaken.ts';
import type { Field } from '../suspects.ts';

type Side = 'sines' | 'cosines';

function namedSide(name: string): Side | null {
  const own = name.replaceAll(/\[['"](\w+)['"]\]$/g, '.$1').replace(/^.*\./, '');
  const isOf = (side: string): boolean => new RegExp(`(^|_)${side}(ine)?s?(_|$)`, 'i').test(own);
  const [cos, sin] = [isOf('cos'), isOf('sin')];
  return cos === sin ? null : cos ? 'cosines' : 'sines';
}

function sideOf({ observed }: Field, id: number): Side | null {
  const [side, ...others] = new Set(
    observed[id].found.flatMap(
      ({ entry: { title } }) => (/^−?RoPE’s (sines|cosines)\b/.exec(title)?.[1] ?? []) as Side[],
    ),
  );
  return side !== undefined && others.length === 0 ? side : null;
}

/** Where both are under each other's names and the turned queries or keys are missing: where it first became so. */
export function exchangedTables(field: Field): Mistaken[] {
  const { recording, covered, goals } = field;
  const { events } = recording;
  const isMissing =
    goals.some((goal) => !covered.has(goal)) && !TURNED.every((key) => covered.has(key));
  if (!isMissing) return [];
  const conflicts = events.flatMap(({ id, name, how }) => {
    const named = how === 'gradient' ? null : namedSide(name);
    const is = named && sideOf(field, id);
    return named && is && named !== is ? [{ id, is }] : [];
  });
  const [first] = conflicts;
  if (!first || !conflicts.some(({ is }) => is !== first.is)) return [];
  const { id, is } = first;
  const since = id;
  let at = id;
  for (let from = handedOn(recording, events[at]); from !== null;) {
    // The name was right until here.
    if (namedSide(events[from].name) === is) break;
    at = from;
    from = handedOn(recording, events[at]);
  }
  const note = `${events[id].name} are the ${is}`;
  return [{ event: tellingEvent(recording, at), since, node: 'Qh', kind: 'value', note }];
}

const TURNED: readonly Key[] = ['v:Qh', 'v:Kh'];
