// A fix as it is offered: what changes in the person's file, and what was run to prove it.
import { asWritten, hunksOf, unifiedDiff } from './text.ts';

export interface Verified {
  /** Recorded tensors that are now right. */
  readonly tensors: number;
  /** Runs with other random numbers, the person's own included. */
  readonly seeds: number;
  /** Runs with other sizes, the person's own included. */
  readonly sizes: number;
}

/** "3 tensors", "1 tensor". */
export const counted = (n: number, word: string): string => `${n} ${word}${n === 1 ? '' : 's'}`;

/** "31 tensors, 3 seeds, 2 sizes" */
export const verifiedWords = ({ tensors, seeds, sizes }: Verified): string =>
  [counted(tensors, 'tensor'), counted(seeds, 'seed'), counted(sizes, 'size')].join(', ');

export interface Fix {
  readonly file: string;
  /** In a notebook: the cell, as in Recording; lines count within it. */
  readonly cell?: number;
  readonly line: number;
  readonly endLine: number;
  readonly before: string;
  readonly after: string;
  readonly diff: string;
  readonly verified: Verified;
  /** What was wrong, as keys: "axis", "row term". */
  readonly slips: readonly string[];
  /** The whole text of the file after the fix. */
  readonly source: string;
  /** Of a notebook the texts of the cells that change. */
  readonly cells?: readonly { readonly cell: number; readonly source: string }[];
}

/**
 * `line` to `endLine` (from 1) are the lines of the old text that change; of a pure insertion the line before it. `written` is the
 * text that the file has, whose line breaks Python reads as one.
 */
export function fixOf(
  file: string,
  before: string,
  after: string,
  slips: readonly string[],
  verified: Verified,
  written = before,
): Fix {
  const [old, now] = [before.split('\n'), after.split('\n')];
  const hunks = hunksOf(old, now);
  const source = asWritten(written, before, after);
  const [first, last] = [hunks[0], hunks.at(-1)!];
  const line = first.old[0] === first.old[1] ? Math.max(1, first.old[0]) : first.old[0] + 1;
  return {
    file,
    line,
    endLine: Math.max(line, last.old[1]),
    before: old.slice(first.old[0], last.old[1]).join('\n'),
    after: now.slice(first.new[0], last.new[1]).join('\n'),
    diff: unifiedDiff(file, written, source),
    verified,
    slips,
    source,
  };
}
