// The object that `lines --json` prints.
import type { NodeId } from '../../engine/graph.ts';
import type { Kind } from '../../compare/program/program.ts';
import type { Cause } from '../../compare/report.ts';
import type { Fix } from '../repair/fix.ts';
import type { Localised } from '../localise/localise.ts';
import type { Event, Place, Recording, Statement } from '../recorded/recording.ts';

export interface LinePlace {
  /** Relative to the folder of the chosen file. */
  readonly file: string;
  /** In a notebook: index among all its cells, from 0; lines count within it. */
  readonly cell?: number;
  readonly line: number;
}

export interface Line extends LinePlace {
  readonly endLine: number;
  readonly column: number;
  readonly endColumn: number;
  readonly name: string;
  readonly node: NodeId | null;
  readonly kind: Kind | 'other';
  readonly status: 'match' | 'diverges' | 'consequence' | 'unaligned';
  readonly note: string;
}

export interface InferredEntry {
  readonly entry: string;
  readonly from: LinePlace;
  readonly sure: boolean;
  /** Its value, or what it was told by. */
  readonly note: string;
}

export interface LinesResult {
  readonly verdict: 'match' | 'diverges' | 'unaligned';
  readonly setup: object;
  readonly inferred: readonly InferredEntry[];
  readonly lines: readonly Line[];
  readonly first:
    | (LinePlace & {
        readonly endLine: number;
        readonly node: NodeId | null;
        readonly kind: Kind | 'other';
      })
    | null;
  readonly causes: readonly Cause[];
  /** What is known of the first mistake where no cause is; else ''. */
  readonly known: string;
  /** Proven, the shortest edit first; only where they were asked for. */
  readonly fixes: readonly Omit<Fix, 'source' | 'slips' | 'cells'>[];
  /** What is to be known beside it: a program that broke off, what was left out. */
  readonly notes: readonly string[];
  /** After a match: which mistakes this run could not have shown. */
  readonly notShown: readonly { readonly because: string; readonly hides: string }[];
}

const RANK = { diverges: 0, consequence: 1, match: 2, unaligned: 3 };

/** Where the entry of a key stands in a dictionary that is written over several lines; null elsewhere. */
function entryPlace(statement: Statement, { name }: Event): Place | null {
  const [, key] = /\['(\w+)'\]$/.exec(name) ?? [];
  if (key === undefined || statement.endLine === statement.line) return null;
  const rows = statement.text.split('\n');
  const begins = (row: string, of: string): boolean =>
    new RegExp(`^\\s*(["']${of}["']\\s*:|${of}\\s*=(?!=))`).test(row);
  const first = rows.findIndex((row) => begins(row, key));
  if (first < 1 || rows.length !== statement.endLine - statement.line + 1) return null;
  const next = rows.findIndex(
    (row, n) => n > first && (begins(row, String.raw`\w+`) || /^\s*[)}\]]/.test(row)),
  );
  const last = (next < 0 ? rows.length : next) - 1;
  return {
    line: statement.line + first,
    endLine: statement.line + last,
    column: rows[first].search(/\S/) + 1,
    endColumn: rows[last].length + 1,
  };
}

function placeOf(
  recording: Recording,
  event: Event,
  at: number = event.statement,
  isEntry = false,
): Omit<Line, 'name' | 'node' | 'kind' | 'status' | 'note'> {
  const statement = recording.statements[at];
  const entry = isEntry && at === event.statement ? entryPlace(statement, event) : null;
  const { line, endLine, column, endColumn } =
    entry ?? (event.how === 'expression' ? { ...statement, ...event } : statement);
  return {
    file: recording.files[statement.file].path,
    ...(statement.cell !== undefined && { cell: statement.cell }),
    ...{ line, endLine, column, endColumn },
  };
}

/** A line for each statement and node; of a loop's iterations the wrong one counts. */
export const linesOf = (recording: Recording, localised: Localised): Line[] =>
  linesWithEvents(recording, localised).map(({ line }) => line);

/** The lines, each with the event that it tells of. */
export function linesWithEvents(
  recording: Recording,
  { observed, wrong, consequences }: Localised,
): { readonly line: Line; readonly event: number }[] {
  const blamed = new Map(
    wrong.flatMap(({ beside = [], statement, ...each }) =>
      [each, ...beside].map((one) => [one.event, { ...one, statement }]),
    ),
  );
  const lines = new Map<string, { line: Line; event: number }>();
  for (const { event, standing, found, pieces } of observed) {
    const cause = blamed.get(event.id);
    if (!cause && (standing === 'neutral' || standing === 'unknown' || standing === 'free'))
      continue;
    const [best] = [...found, ...pieces];
    const isRight = standing === 'right' || standing === 'partial';
    // What is incomplete stays so.
    const follows = consequences.has(event.id) && standing !== 'right';
    const status = cause ? 'diverges' : follows ? 'consequence' : isRight ? 'match' : 'unaligned';
    const known = cause ?? (isRight ? { node: best.entry.node, kind: best.entry.kind } : null);
    const note = cause
      ? cause.note
      : pieces.length > 0
        ? pieces.map(({ entry }) => entry.title).join(', ')
        : isRight && best.entry.role !== 'node'
          ? best.entry.title
          : '';
    const line: Line = {
      ...placeOf(recording, event, cause?.statement, cause !== undefined),
      name: event.name,
      node: known?.node ?? null,
      kind: known?.kind ?? 'other',
      ...{ status, note },
    };
    const key = `${event.statement} ${line.kind} ${line.node ?? event.name}`;
    const other = lines.get(key);
    if (!other || RANK[status] < RANK[other.line.status]) lines.set(key, { line, event: event.id });
  }
  return [...lines.values()];
}

export function firstOf(recording: Recording, { wrong }: Localised): LinesResult['first'] {
  const [first] = wrong;
  if (!first) return null;
  const { file, cell, line, endLine } = placeOf(
    recording,
    recording.events[first.event],
    first.statement,
    true,
  );
  return {
    file,
    ...(cell !== undefined && { cell }),
    line,
    endLine,
    node: first.node,
    kind: first.kind,
  };
}

/** What is to be known beside the lines. */
export function notesOf({ exit, leftOut, notes }: Recording): string[] {
  const { exception } = exit;
  const said = notes.map(({ message }) => message);
  if (leftOut.events > 0 || leftOut.bytes > 0)
    said.push(
      `${leftOut.events} tensors, ${leftOut.bytes} bytes, were left out: the first iterations were kept`,
    );
  if (exception && exception.type !== 'SystemExit') {
    const where = exception.file ? ` at ${exception.file}:${exception.line}` : '';
    said.push(
      `the program ended with ${exception.type}${where}: ${exception.message.split('\n')[0]}; what it computed before is judged`,
    );
  }
  return said;
}
