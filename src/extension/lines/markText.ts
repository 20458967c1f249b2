// What stands at the end of a line: which node it computes and whether it is right. Pure.
import { tensorName } from '../../engine/graph.ts';
import type { Detail } from '../../lineRun/details.ts';
import type { Line } from '../../lines/result.ts';

export type MarkKind = 'right' | 'wrong' | 'doubtful';

export interface Mark {
  /** From 0. */
  readonly line: number;
  readonly text: string;
  readonly kind: MarkKind;
}

/** Names at the end of one line. */
const MOST = 4;
const LONGEST = 28;

/** As in the panel. */
export const SIGNS: Readonly<Record<Line['status'], string>> = {
  match: '✓',
  diverges: '✗',
  consequence: '↳',
  unaligned: '',
};

/** "dS"; of what is not the node itself, what it is: "row maxima of Z". */
function nameOf({ place, line: { name, note, status } }: Detail): string {
  if (!place) return name;
  const { node, kind } = place;
  const isForm = status === 'match' && note !== '' && note.length <= LONGEST;
  return isForm && !note.includes(',') ? note : tensorName(node, kind);
}

/** Whether it is worth a mark: what is nothing known, or only handed on, has none. */
export const isMarked = ({ line: { status, node }, computes }: Detail): boolean =>
  status === 'diverges' ||
  (computes && (status === 'consequence' || (status === 'match' && node !== null)));

const kindOf = (details: readonly Detail[]): MarkKind =>
  details.some(({ line }) => line.status === 'diverges')
    ? 'wrong'
    : details.some(({ line }) => line.status === 'consequence')
      ? 'doubtful'
      : 'right';

const RANK = { diverges: 0, consequence: 1, match: 2, unaligned: 3 };

/** One for each line of the text; `details` are those of one document. */
export function marksOf(details: readonly Detail[]): Mark[] {
  const byLine = new Map<number, Detail[]>();
  for (const each of details.filter(isMarked))
    byLine.set(each.line.line, [...(byLine.get(each.line.line) ?? []), each]);
  return [...byLine].map(([line, all]) => {
    const sorted = [...all].sort((a, b) => RANK[a.line.status] - RANK[b.line.status]);
    const texts = new Set(sorted.map((each) => `${nameOf(each)} ${SIGNS[each.line.status]}`));
    const shown = [...texts].slice(0, MOST);
    const more = texts.size > MOST ? ' …' : '';
    return { line: line - 1, text: shown.join(' · ') + more, kind: kindOf(all) };
  });
}
