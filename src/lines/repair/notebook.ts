// A fix of a notebook: it was proven on the cells as one program, and is told of the cells and of the file that holds them.
import type { Cell } from '../recorded/recording.ts';
import { type Fix, fixOf, type Verified } from './fix.ts';
import { hunksOf, unifiedDiff } from './text.ts';

/** The line before each cell in the program that the cells are run as (python/attention_lines/mutate/launch.py). */
const MARK = /^# %% cell (\d+)$/;

/** The cells of such a program, by their index among all cells. */
function cellsOf(program: string): Map<number, readonly string[]> {
  const cells = new Map<number, string[]>();
  let last: string[] | null = null;
  for (const line of program.split('\n')) {
    const [, cell] = MARK.exec(line) ?? [];
    if (cell === undefined) last?.push(line);
    else cells.set(Number(cell), (last = []));
  }
  return cells;
}

/** `text`, of which `before` is what was run: what changed there changes here; lines that are no Python stay. */
function withChanges(text: string, before: readonly string[], after: readonly string[]): string {
  const lines = text.split('\n');
  // A cell that ends without a line break was run with one.
  const [old, now] = [before, after].map((each) => (each.at(-1) === '' ? each.slice(0, -1) : each));
  for (const hunk of hunksOf(old, now).reverse())
    lines.splice(hunk.old[0], hunk.old[1] - hunk.old[0], ...now.slice(hunk.new[0], hunk.new[1]));
  return lines.join('\n');
}

/**
 * `json` is the notebook's text, `before` and `after` the programs that its cells were run as; null where the file is not
 * written as notebooks are.
 */
export function notebookFix(
  file: string,
  json: string,
  cells: readonly Cell[],
  before: string,
  after: string,
  slips: readonly string[],
  verified: Verified,
): Fix | null {
  const [old, now] = [cellsOf(before), cellsOf(after)];
  const changed = cells.flatMap(({ cell, source }) => {
    const [was, is] = [old.get(cell), now.get(cell)];
    if (!was || !is || was.join('\n') === is.join('\n')) return [];
    return [{ cell, was: source, source: withChanges(source, was, is) }];
  });
  const [first] = changed;
  if (!first) return null;
  let text = json;
  for (const { cell, source } of changed) {
    const next = withSource(text, cell, source);
    if (next === null) return null;
    text = next;
  }
  const told = fixOf(file, first.was, first.source, slips, verified);
  return {
    ...told,
    cell: first.cell,
    cells: changed.map(({ cell, source }) => ({ cell, source })),
    diff: unifiedDiff(file, json, text),
    source: text,
  };
}

/** The notebook with another source of one cell; nothing else changes but the lines that do. */
function withSource(json: string, cell: number, source: string): string | null {
  const cells = memberOf(json, start(json, 0), 'cells');
  const at = cells === null ? null : elementsOf(json, cells)?.[cell];
  const place = at === null || at === undefined ? null : memberOf(json, at, 'source');
  if (place === null) return null;
  const end = endOf(json, place);
  if (json[place] === '"') return json.slice(0, place) + JSON.stringify(source) + json.slice(end);
  const elements = elementsOf(json, place);
  if (!elements) return null;
  const old = elements.map((from) => json.slice(from, endOf(json, from)));
  const now = (source.match(/[^\n]*\n|[^\n]+$/g) ?? []).map((line) => written(line, old));
  if (now.length === 0 || old.length === 0)
    return json.slice(0, place) + JSON.stringify(source) + json.slice(end);
  const open = json.slice(place, elements[0]);
  const between =
    elements.length > 1 ? json.slice(endOf(json, elements[0]), elements[1]) : `,${open.slice(1)}`;
  const close = json.slice(endOf(json, elements.at(-1)!), end);
  return json.slice(0, place) + open + now.join(between) + close + json.slice(end);
}

/** A line as the file writes it already, if it does. */
function written(line: string, old: readonly string[]): string {
  return old.find((each) => JSON.parse(each) === line) ?? JSON.stringify(line);
}

const start = (json: string, from: number): number => {
  let at = from;
  while (/[\s\uFEFF]/.test(json[at] ?? '')) at++;
  return at;
};

/** Behind the value that begins at `from`. */
function endOf(json: string, from: number): number {
  let depth = 0;
  for (let at = from; at < json.length; at++) {
    const character = json[at];
    if (character === '"') {
      for (at++; at < json.length && json[at] !== '"'; at++) if (json[at] === '\\') at++;
      if (depth === 0) return at + 1;
    } else if (character === '{' || character === '[') depth++;
    else if (character === '}' || character === ']') {
      if (depth === 0) return at;
      if (--depth === 0) return at + 1;
    } else if (depth === 0 && /[,\s]/.test(character)) return at;
  }
  return json.length;
}

/** Where the value of a key of the object at `from` begins; null where there is none. */
function memberOf(json: string, from: number, key: string): number | null {
  if (json[from] !== '{') return null;
  let at = start(json, from + 1);
  while (json[at] === '"') {
    const end = endOf(json, at);
    const value = start(json, start(json, end) + 1);
    if (json.slice(at + 1, end - 1) === key) return value;
    at = start(json, endOf(json, value));
    if (json[at] === ',') at = start(json, at + 1);
  }
  return null;
}

/** Where the elements of the array at `from` begin; null where it is none. */
function elementsOf(json: string, from: number): number[] | null {
  if (json[from] !== '[') return null;
  const found: number[] = [];
  let at = start(json, from + 1);
  while (at < json.length && json[at] !== ']') {
    found.push(at);
    at = start(json, endOf(json, at));
    if (json[at] === ',') at = start(json, at + 1);
  }
  return found;
}
