// What stands at the end of a line: which node it computes and whether it is right. Pure.
import { tensorName } from '../../engine/graph.ts';
import type { Detail } from '../../lineRun/details.ts';
import type { Line } from '../../lines/tell/result.ts';

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

/** Several nodes in one tensor: "W_Q, W_K, W_V". */
const JOINED = /^d?[A-Z][\w]*(, d?[A-Z][\w]*)+$/;

/** "dS"; of what is not the node itself, what it is: "row maxima of Z"; of a result without a name, nothing. */
function nameOf({ place, line: { name, note, status } }: Detail): string {
  if (!place) return status === 'consequence' ? '' : name;
  const { node, kind } = place;
  const isForm = status === 'match' && note !== '' && note.length <= LONGEST;
  return isForm && (!note.includes(',') || JOINED.test(note)) ? note : tensorName(node, kind);
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

/** What is wrong before what is right: only the first is in sight without scrolling. */
export const wrongFirst = (details: readonly Detail[]): Detail[] =>
  [...details].sort((a, b) => RANK[a.line.status] - RANK[b.line.status]);

/** One for each line of the text; `details` are those of one document. */
export function marksOf(details: readonly Detail[]): Mark[] {
  const byLine = new Map<number, Detail[]>();
  for (const each of details.filter(isMarked))
    byLine.set(each.line.line, [...(byLine.get(each.line.line) ?? []), each]);
  return [...byLine].map(([line, all]) => {
    const sorted = wrongFirst(all);
    const texts = new Set(
      sorted.map((each) => `${nameOf(each)} ${SIGNS[each.line.status]}`.trimStart()),
    );
    const shown = [...texts].slice(0, MOST);
    const more = texts.size > MOST ? ' …' : '';
    return { line: line - 1, text: shown.join(' · ') + more, kind: kindOf(all) };
  });
}
