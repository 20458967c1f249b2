// From one text to another by the fewest lines. Pure.
import { counted, type Fix, verifiedWords } from '../../lines/repair/fix.ts';

/** Lines `start` to before `end`, from 0, become `lines`. */
export interface LineEdit {
  readonly start: number;
  readonly end: number;
  readonly lines: readonly string[];
}

/** What stands between the lines that both begin with and those that both end with. */
export function lineEdit(before: string, after: string): LineEdit {
  const [old, now] = [before.split('\n'), after.split('\n')];
  const most = Math.min(old.length, now.length);
  let start = 0;
  while (start < most && old[start] === now[start]) start++;
  let same = 0;
  while (same < most - start && old[old.length - 1 - same] === now[now.length - 1 - same]) same++;
  return { start, end: old.length - same, lines: now.slice(start, now.length - same) };
}

const LONGEST = 60;

/** "Fix: dq = ds @ k * scale (verified: 31 tensors, 3 seeds, 2 sizes)" */
export function fixTitle({ after, verified }: Pick<Fix, 'after' | 'verified'>): string {
  const [first, ...others] = after.split('\n').filter((line) => line.trim() !== '');
  const text = (first ?? '').trim().replaceAll(/\s+/g, ' ');
  const what = text === '' ? 'take the line away' : text;
  const more = others.length > 0 ? ` and ${counted(others.length, 'more line')}` : '';
  const short = what.length > LONGEST ? `${what.slice(0, LONGEST - 1)}…` : what;
  return `Fix: ${short}${more} (verified: ${verifiedWords(verified)})`;
}
