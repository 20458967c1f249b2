// Edits of a text, and what changed as a unified diff.
import type { Edit } from './bench.ts';

/** `edits` count in code points and do not overlap. */
export function applyEdits(text: string, edits: readonly Edit[]): string {
  const characters = Array.from(text);
  const parts: string[] = [];
  let at = 0;
  for (const [start, end, replacement] of [...edits].sort((a, b) => a[0] - b[0] || a[1] - b[1])) {
    parts.push(characters.slice(at, start).join(''), replacement);
    at = Math.max(at, end);
  }
  parts.push(characters.slice(at).join(''));
  return parts.join('');
}

const CONTEXT = 3;

/** One run of lines that differ: [from, to) in the old text and in the new one. */
export interface Hunk {
  readonly old: readonly [from: number, to: number];
  readonly new: readonly [from: number, to: number];
}

/** The lines that differ, by the longest common subsequence of what is between the common ends. */
export function hunksOf(before: readonly string[], after: readonly string[]): Hunk[] {
  let head = 0;
  while (head < before.length && head < after.length && before[head] === after[head]) head++;
  let tail = 0;
  while (
    tail < before.length - head &&
    tail < after.length - head &&
    before[before.length - 1 - tail] === after[after.length - 1 - tail]
  )
    tail++;
  const a = before.slice(head, before.length - tail);
  const b = after.slice(head, after.length - tail);
  const hunks: { old: [number, number]; new: [number, number] }[] = [];
  let [i, j] = [0, 0];
  for (const [x, y] of [...commonOf(a, b), [a.length, b.length] as const]) {
    if (x > i || y > j) hunks.push({ old: [head + i, head + x], new: [head + j, head + y] });
    [i, j] = [x + 1, y + 1];
  }
  return hunks;
}

/** Pairs of indices of a longest common subsequence. Only the edited lines come here, so they are few. */
function commonOf(a: readonly string[], b: readonly string[]): (readonly [number, number])[] {
  const length = Array.from({ length: a.length + 1 }, () => new Uint32Array(b.length + 1));
  for (let i = a.length - 1; i >= 0; i--)
    for (let j = b.length - 1; j >= 0; j--)
      length[i][j] =
        a[i] === b[j] ? length[i + 1][j + 1] + 1 : Math.max(length[i + 1][j], length[i][j + 1]);
  const pairs: (readonly [number, number])[] = [];
  for (let i = 0, j = 0; i < a.length && j < b.length;) {
    if (a[i] === b[j]) pairs.push([i++, j++]);
    else if (length[i + 1][j] >= length[i][j + 1]) i++;
    else j++;
  }
  return pairs;
}

/** Lines with their line breaks, which the last may lack. */
const split = (text: string): string[] => text.match(/[^\n]*\n|[^\n]+$/g) ?? [];

const WRITTEN = /[^\r\n]*(?:\r\n?|\n)|[^\r\n]+$/g;

/**
 * `after` with the byte order mark and the line breaks of the file, of which Python read `before`; `after` itself where
 * the file is another one by now.
 */
export function asWritten(file: string, before: string, after: string): string {
  const mark = file.startsWith('\uFEFF') ? '\uFEFF' : '';
  const written = file.slice(mark.length).match(WRITTEN) ?? [];
  const old = split(before);
  const isRead = (line: string, n: number): boolean => line.replace(/\r\n?$/, '\n') === old[n];
  if (written.length !== old.length || !written.every(isRead)) return after;
  const now = split(after);
  const ending = /\r\n?$/.exec(written[0] ?? '')?.[0] ?? '\n';
  for (const hunk of hunksOf(old, now).reverse()) {
    const lines = now.slice(...hunk.new).map((line) => line.replace(/\n$/, ending));
    written.splice(hunk.old[0], hunk.old[1] - hunk.old[0], ...lines);
  }
  return mark + written.join('');
}

/** A diff that `git apply` and `patch -p1` take, with `file` relative to where they are run. */
export function unifiedDiff(file: string, before: string, after: string): string {
  const [old, now] = [split(before), split(after)];
  const hunks = hunksOf(old, now);
  if (hunks.length === 0) return '';
  const out = [`--- a/${file}`, `+++ b/${file}`];
  for (const group of grouped(hunks)) {
    const [first, last] = [group[0], group.at(-1)!];
    const from = Math.max(0, first.old[0] - CONTEXT);
    const to = Math.min(old.length, last.old[1] + CONTEXT);
    const shift = first.new[0] - first.old[0];
    const body: string[] = [];
    let [removed, added] = [0, 0];
    let at = from;
    const put = (mark: string, line: string): void => {
      body.push(mark + line.replace(/\n$/, ''));
      if (!line.endsWith('\n')) body.push('\\ No newline at end of file');
    };
    for (const hunk of group) {
      for (; at < hunk.old[0]; at++) put(' ', old[at]);
      for (; at < hunk.old[1]; at++, removed++) put('-', old[at]);
      for (let n = hunk.new[0]; n < hunk.new[1]; n++, added++) put('+', now[n]);
    }
    for (; at < to; at++) put(' ', old[at]);
    const length = to - from;
    const start = (line: number, count: number): number => (count === 0 ? line : line + 1);
    const lengthNow = length - removed + added;
    out.push(
      `@@ -${start(from, length)},${length} +${start(from + shift, lengthNow)},${lengthNow} @@`,
    );
    out.push(...body);
  }
  return `${out.join('\n')}\n`;
}

/** Hunks whose surroundings touch are shown as one. */
function grouped(hunks: readonly Hunk[]): Hunk[][] {
  const groups: Hunk[][] = [];
  for (const hunk of hunks) {
    const last = groups.at(-1);
    if (last && hunk.old[0] - last.at(-1)!.old[1] <= 2 * CONTEXT) last.push(hunk);
    else groups.push([hunk]);
  }
  return groups;
}
