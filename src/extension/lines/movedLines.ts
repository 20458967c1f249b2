// Where a line of a text is after edits of it. Pure.

/** A change of what stood from line `start` to line `end`, both from 0. */
export interface Edit {
  readonly start: number;
  readonly end: number;
  /** It begins at the start of its first line, and what it puts in ends with a line break or is nothing. */
  readonly isWholeLines: boolean;
  /** Line breaks in what was put in. */
  readonly breaks: number;
}

/** The line that `line` is now; null where it was edited itself or is gone. */
export function lineAfter(line: number, edits: readonly Edit[]): number | null {
  let at = line;
  for (const { start, end, isWholeLines, breaks } of edits) {
    if (at < start) continue;
    // Whole lines that are put in or taken away end at the start of the line behind them.
    if (at > end || (at === end && isWholeLines)) at += breaks - (end - start);
    else return null;
  }
  return at;
}
