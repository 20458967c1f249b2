// The loops around a statement, and whether what it writes in them tells something by itself.
import type { Event, Recording } from '../recorded/recording.ts';

/** Statements that begin the loops around an event, the innermost first. */
export function loopsAround({ statements }: Recording, { statement, loops }: Event): number[] {
  const { file, function: inside, line } = statements[statement];
  let { column } = statements[statement];
  const above = statements
    .map((each, at) => ({ ...each, at }))
    .filter((each) => each.file === file && each.function === inside && each.line < line)
    .sort((a, b) => b.line - a.line);
  const found: number[] = [];
  for (const each of above) {
    if (each.column >= column) continue;
    column = each.column;
    if (each.kind === 'for' || each.kind === 'while') found.push(each.at);
  }
  return found.slice(0, loops.length);
}

export const isOneNumber = ({ shape, how }: Event): boolean =>
  how !== 'loop-end' && shape.every((length) => length === 1);

/** Whether its statement writes single numbers in loops: what it gives shows in all of them together. */
export const writesOneNumber = ({ events }: Recording, { statement }: Event): boolean =>
  events.some(
    (each) =>
      each.statement === statement &&
      each.loops.length > 0 &&
      isOneNumber(each) &&
      each.how !== 'expression',
  );
