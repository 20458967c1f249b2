// What a hover says of a line. Pure: Markdown without VS Code.
import { tensorName } from '../../engine/graph.ts';
import type { Detail } from '../../lineRun/details.ts';
import type { Cause } from '../../compare/report.ts';
import type { Line } from '../../lines/tell/result.ts';
import { SIGNS } from './markText.ts';
import { dataUri, type Ground, heatmap, shortNumber } from './heatmap.ts';

const WORDS: Readonly<Record<Line['status'], string>> = {
  match: 'right',
  diverges: 'wrong',
  consequence: 'off, but only because of what is wrong before it',
  unaligned: 'unknown',
};
/** What the program or a formula says is text, whatever it looks like. */
export const escapeMarkdown = (text: string): string =>
  text.replaceAll(/[!#()*+.<>[\\\]_`{|}~-]/g, String.raw`\$&`);

const code = (text: string): string => `\`\`\`text\n${text.replaceAll('```', '` ` `')}\n\`\`\``;

const titleOf = ({ place, line: { name, status } }: Detail): string => {
  const what = escapeMarkdown(place ? tensorName(place.node, place.kind) : name);
  const own = name && what !== escapeMarkdown(name) ? ` \`${name.replaceAll('`', '')}\`:` : '';
  return `**${SIGNS[status]} ${what}**${own} ${WORDS[status]}`;
};

function numbersOf({ grids }: Detail, ground: Ground): string[] {
  if (!grids) return [];
  const { shape, slice, step, worst, reference } = grids;
  const isReduced = step[0] > 1 || step[1] > 1;
  const what = [
    `shape (${shape.join(', ')})`,
    ...(slice ? [`shown: ${slice}`] : []),
    ...(isReduced
      ? [`each cell is the mean of ${step[0]} × ${step[1]}, of differences the largest`]
      : []),
    ...(reference ? [] : ['which part of the reference this is, is not known']),
  ];
  const at =
    worst &&
    `Farthest at [${worst.index.join(', ')}]: ${shortNumber(worst.yours)} instead of ${shortNumber(worst.reference)}.`;
  return [
    `![yours, the reference and the difference](${dataUri(heatmap(grids, ground))})`,
    escapeMarkdown(what.join('; ')),
    ...(at ? [escapeMarkdown(at)] : []),
  ];
}

const remedyOf = ({ wrong, right, numpy, pytorch }: Cause): string =>
  code(`wrong:   ${wrong}\nright:   ${right}\nNumPy:   ${numpy}\nPyTorch: ${pytorch}`);

export interface HoverContext {
  readonly ground: Ground;
  /** Of the first wrong statement. */
  readonly cause: Cause | null;
  /** The problem at the same place says so already. */
  readonly isTold: boolean;
  readonly isStale: boolean;
  /** Address of the command that goes to the line's node; null where there is none. */
  readonly goTo: string | null;
}

/** Paragraphs of Markdown. */
export function hoverText(detail: Detail, context: HoverContext): string {
  const { line, formulas } = detail;
  const { cause, ground, isTold, isStale, goTo } = context;
  const isWrong = line.status === 'diverges';
  const parts = [
    titleOf(detail) + (isStale ? ', before your last edit' : ''),
    ...(line.note && !isTold ? [escapeMarkdown(line.note)] : []),
  ];
  if (isWrong && cause && !isTold)
    parts.push(`**${escapeMarkdown(cause.title)}**`, escapeMarkdown(cause.why));
  if (isWrong && !cause && !isTold && line.node !== null)
    parts.push('No known mistake gives these numbers.');
  if (isWrong) parts.push(...numbersOf(detail, ground));
  if (formulas.length > 0) parts.push(code(formulas.join('\n')));
  if (isWrong && cause) parts.push(remedyOf(cause));
  if (goTo) parts.push(`[Go to this node in the panel](${goTo})`);
  return parts.join('\n\n');
}
