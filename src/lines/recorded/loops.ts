// Which loops a statement stands in, by where it stands.
import type { Recording } from './recording.ts';

const isLoop = (kind: string): boolean => kind === 'for' || kind === 'while';

/** The loops around a statement, outermost first, as far as their statements are known. */
export function loopsAround({ statements }: Pick<Recording, 'statements'>, of: number): number[] {
  const own = statements[of];
  const found: number[] = [];
  let column = own.column;
  const before = statements
    .flatMap((each, id) => {
      const isHere =
        each.file === own.file && each.cell === own.cell && each.function === own.function;
      return isHere && each.line < own.line ? [{ ...each, id }] : [];
    })
    .sort((a, b) => b.line - a.line || b.column - a.column);
  for (const { id, kind, column: start } of before) {
    if (kind === 'parameter' || start >= column) continue;
    column = start;
    if (isLoop(kind)) found.unshift(id);
  }
  return found;
}
