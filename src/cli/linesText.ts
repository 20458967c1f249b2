// What `lines` prints: the lines that compute, each right, wrong or off because of it; the first mistake and why; what to do.
import { type NodeId, tensorName } from '../engine/graph.ts';
import type { Kind } from '../compare/program/program.ts';
import type { Cause } from '../compare/report.ts';
import type { Detail } from '../lineRun/details.ts';
import { placeText } from '../lines/recorded/place.ts';
import type { Recording } from '../lines/recorded/recording.ts';
import { verifiedWords } from '../lines/repair/fix.ts';
import { isOfFirstAlone } from '../lines/tell/laterSums.ts';
import { legendOf, meaningOf } from '../lines/tell/legend.ts';
import type { Line, LinesResult } from '../lines/tell/result.ts';

type Where = Pick<Line, 'file' | 'cell' | 'line'>;

function textOf(recording: Recording, { file, cell, line }: Where): string {
  const source =
    cell === undefined
      ? recording.files.find(({ path }) => path === file)?.source
      : recording.cells?.find((each) => each.cell === cell)?.source;
  return source?.split('\n')[line - 1]?.trim() ?? '';
}

/** As in the editor. */
const MARKS: Readonly<Record<Line['status'], string>> = {
  match: '✓ right',
  diverges: '✗ wrong',
  consequence: '↳ follows',
  unaligned: '',
};

interface Named {
  readonly node: NodeId;
  readonly kind: Kind;
}

const namedOf = ({ line: { node, kind }, place }: Detail): Named | null =>
  node !== null && kind !== 'other' ? { node, kind } : place;

/** What computes something, and what is wrong wherever it stands. */
const isShown = (detail: Detail): boolean =>
  detail.line.status === 'diverges' ||
  (detail.computes &&
    (detail.line.status === 'consequence' ||
      (detail.line.status === 'match' && namedOf(detail) !== null)));

/** The rows of the table, its head first, and the nodes that it names. */
export function tableOf(
  details: readonly Detail[],
  { first }: Pick<LinesResult, 'first'>,
): { rows: string[][]; legend: string } {
  // Where nothing is told, nothing is called wrong.
  const shown = details.filter(
    (detail) => isShown(detail) && (first !== null || detail.line.status === 'match'),
  );
  const named = shown.flatMap((detail) => namedOf(detail) ?? []);
  const rows = shown.map((detail) => {
    const { line } = detail;
    const own = namedOf(detail);
    const node = own ? tensorName(own.node, own.kind) : '';
    return [placeText(line), line.name, node, MARKS[line.status], line.note];
  });
  return {
    rows: rows.length > 0 ? [['line', 'name', 'node', '', ''], ...rows] : [],
    legend: legendOf(named),
  };
}

/** Of NumPy's and PyTorch's remedy the one in what the program is written. */
function remedyOf({ numpy, pytorch }: Cause, { files }: Recording): string {
  const isTorch = files.some(({ source }) => /^\s*(import|from) torch\b/m.test(source));
  return isTorch ? pytorch : numpy;
}

function causeText(cause: Cause, recording: Recording): string[] {
  const { title, id, why, wrong, right } = cause;
  const remedy = remedyOf(cause, recording);
  return [
    '',
    `Cause: ${title}  [${id}]`,
    // That it comes out so the formula says.
    ...(/^\S+ is exactly /.test(why) ? [] : [`  ${why}`]),
    `  yours: ${wrong}`,
    `  right: ${right}`,
    ...(remedy === right ? [] : [`  write: ${remedy}`]),
  ];
}

/** Of the first mistake. */
export function firstText(
  { first, lines, causes, known, notes }: LinesResult,
  recording: Recording,
): string[] {
  if (!first) return [];
  const { node, kind } = first;
  const named = node !== null && kind !== 'other' ? { node, kind } : null;
  const computes = named ? `, which computes ${tensorName(named.node, named.kind)}` : '';
  const meaning = named && meaningOf(named);
  const said = lines.find(
    ({ status, line, file }) => status === 'diverges' && line === first.line && file === first.file,
  );
  const isBroken = notes.some((note) => note.startsWith('the program ended')) && !said;
  const unknown = isBroken
    ? ['', 'Cause: the program ends here with an error, see the note above']
    : ['', `Cause: ${said?.note ? said.note : 'unknown'}${known ? `; ${known}` : ''}`];
  return [
    '',
    `First wrong: ${placeText(first)}${computes}`,
    `  ${textOf(recording, first)}`,
    ...(said?.note && causes.length > 0 ? [`  ${said.note}`] : []),
    ...(meaning ? [`  (${meaning})`] : []),
    ...(causes.length > 0 ? causes.flatMap((cause) => causeText(cause, recording)) : unknown),
  ];
}

/** Of a program in which nothing is wrong. */
export function rightText({ verdict, notes, notShown }: LinesResult, hasFailed: boolean): string[] {
  if (verdict !== 'match') return [];
  const what = notes.some(isOfFirstAlone) ? 'judged' : 'computed';
  return [
    '',
    `All that was ${what}${hasFailed ? ' until it ended' : ''} is right.`,
    ...(notShown.length > 0 ? ['', 'What this run could not have shown:'] : []),
    ...notShown.map(({ because, hides }) => `  ${because}: ${hides}`),
  ];
}

/** Of the search for a fix. */
export function fixesText(
  { verdict, fixes }: LinesResult,
  {
    write,
    dryRun,
    file,
  }: { readonly write: boolean; readonly dryRun: boolean; readonly file: string },
): string[] {
  if (verdict !== 'diverges') return [];
  if (fixes.length === 0) return ['', 'No edit was found that makes the whole program right.'];
  const shown = fixes.flatMap(({ diff, verified }) => [
    '',
    `Verified: ${verifiedWords(verified)}`,
    diff,
  ]);
  const [{ file: changed }] = fixes;
  if (dryRun) return [...shown, `Not written (--dry-run): ${changed}.`];
  return [
    ...shown,
    write ? `Written to ${changed}.` : `To write the first: lines ${file} --fix --write`,
  ];
}
