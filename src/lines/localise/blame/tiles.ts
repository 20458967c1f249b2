// Loops over tiles that end too early or begin too late.
import { contentsOf } from '../../recorded/flow.ts';
import type { Alignment } from '../../align/align.ts';
import type { Entry } from '../../align/catalogue.ts';
import { isIn } from '../../recorded/sizes.ts';
import { loopsAround } from '../../recorded/loops.ts';
import type { Field, Suspect } from '../suspects.ts';
import { type Blame, originOf } from './common.ts';

/** What is right only once the loop over tiles is done. */
const SO_FAR = / after tile \d+ of keys/;

/** A result that is right for the tiles so far, after a loop that ended before the last one. */
export function shortTiles(field: Field, { event }: Suspect): Blame | null {
  const { recording, observed, flow } = field;
  const { events } = recording;
  // What was not finished may be seen where it is used.
  const made = [event, ...flow.sources[event].map((source) => originOf(field, source))];
  const written = made.flatMap((id) =>
    events[id].how === 'loop-end' ? [...flow.sources[id]].sort((a, b) => a - b) : [id],
  );
  for (const id of written) {
    const { found, standing } = observed[id];
    if (standing !== 'partial' || !found.every(({ entry }) => SO_FAR.test(entry.title))) continue;
    const depth = events[id].loops.length;
    const last = flow.sources[id].find((source) => {
      const { found: of, standing: own, event: from } = observed[source];
      if (own !== 'right' || from.frame !== events[id].frame) return false;
      return from.loops.length > depth && of.some(({ entry }) => SO_FAR.test(entry.title));
    });
    if (last === undefined) continue;
    const loop = loopsAround(recording, events[last].statement)[depth];
    if (loop === undefined) continue;
    const note = 'the loop over tiles of keys ends before the last one that these queries see';
    return { event: last, statement: limitOf(field, loop), note };
  }
  return null;
}

/** Keys that lie beyond the last one, which a tile of scores does not hide. */
export function unhiddenBeyond(field: Field, { event }: Suspect): Blame | null {
  const { observed, flow } = field;
  // What is made of values beyond the last one may be right: those are zeros.
  const weights = [event, ...flow.sources[event]].find((id) => observed[id].beyond);
  if (weights === undefined) return null;
  const scores = flow.sources[weights].find((source) =>
    observed[source].pieces.some(({ entry: { key } }) => /^v:[SZM]$/.test(key)),
  );
  if (scores === undefined) return null;
  const note = 'keys that lie beyond the last one are not hidden';
  return { event: originOf(field, scores), note };
}

/** A sum over tiles of which some were left out by the loop. */
export function missingTiles(field: Field, { event }: Suspect): Blame | null {
  const { recording } = field;
  const { events } = recording;
  const own = events[event];
  const versions = own.how === 'loop-end' ? partsOf(field, event) : [versionsOf(field, event)];
  const short = versions.find((each) => lacksTiles(field, each));
  if (!short) return null;
  const [first] = short;
  if (recording.statements[events[first].statement].kind !== 'augmented') return null;
  const loop = loopAlong(field, short);
  if (loop === undefined) return null;
  const note = 'the loop leaves out some tiles';
  return { event: first, statement: limitOf(field, loop), note };
}

/** The loop that adds one tile after the other to one part: its variable does not say which part it is. */
function loopAlong(field: Field, versions: readonly number[]): number | undefined {
  const { recording } = field;
  const { events, statements } = recording;
  const [first] = versions;
  const { name, statement } = events[first];
  const loops = loopsAround(recording, statement);
  const [, part = ''] = /\[(.*)\]$/s.exec(name) ?? [];
  const isOfPart = (loop: number): boolean =>
    statements[loop].targets.some((target) => isIn(target, part));
  // Where the other tiles begin is computed for each of them.
  const bounded = loops.findLast((loop) => boundOf(field, loop) !== loop);
  const along = loops.filter((loop) => !isOfPart(loop));
  return bounded ?? along.at(-1) ?? loops.at(-1);
}

/** The versions of an array until an event, the first one first, as far as they are sums of tiles. */
function versionsOf({ recording: { events }, observed }: Field, id: number): number[] {
  const found: number[] = [];
  for (const at of contentsOf(events, id)) if (observed[at].found.length > 0) found.unshift(at);
  return found;
}

/** Of an array that was filled in parts: the versions of each part. */
function partsOf({ recording: { events }, flow, observed }: Field, id: number): number[][] {
  const parts = new Map<string, number[]>();
  for (const source of [...flow.sources[id]].sort((a, b) => a - b)) {
    if (observed[source].found.length === 0) continue;
    const key = JSON.stringify(events[source].index);
    parts.set(key, [...(parts.get(key) ?? []), source]);
  }
  return [...parts.values()];
}

const TILES = / of tiles? (\d+)(?: to (\d+))? of (?:keys|queries)$/;

/** The tiles of which an event has the sum, or which it added. */
function tilesIn({ found }: Field['observed'][number]): Set<number> {
  const tiles = new Set<number>();
  for (const { entry } of found) {
    const [, from, to = from] = TILES.exec(entry.title) ?? [];
    if (from !== undefined) for (let n = Number(from); n <= Number(to); n++) tiles.add(n);
  }
  return tiles;
}

/** Whether a tile that was never added would have brought something. */
function lacksTiles({ observed, catalogue }: Field, versions: readonly number[]): boolean {
  const tiles = new Set(versions.flatMap((id) => [...tilesIn(observed[id])]));
  if (tiles.size === 0) return false;
  const last = observed[versions[versions.length - 1]];
  // Whatever has come out whole has what it needs.
  if (last.found.some(({ entry }) => !TILES.test(entry.title))) return false;
  const like = versions
    .flatMap((id) => observed[id].found)
    .find(({ entry }) => TILES.test(entry.title))!;
  const stem = like.entry.title.replace(TILES, '');
  const side = like.entry.title.slice(like.entry.title.lastIndexOf(' '));
  return catalogue.entries.some((entry) => {
    const [, from, to] = TILES.exec(entry.title) ?? [];
    if (from === undefined || to !== undefined || tiles.has(Number(from))) return false;
    if (entry.title.replace(TILES, '') !== stem || !entry.title.endsWith(side)) return false;
    return isFelt(like, entry);
  });
}

/** Whether any entry of a form is not zero in the part that another of the same letters is aligned with. */
function isFelt({ ranges }: Alignment, { letters, strides, data, tolerance }: Entry): boolean {
  const walk = (n: number, at: number): boolean => {
    if (n === letters.length) return Math.abs(data[at]) > tolerance;
    const { start, step, count } = ranges.get(letters[n])!;
    for (let k = 0; k < count; k++)
      if (walk(n + 1, at + (start + k * step) * strides[n])) return true;
    return false;
  };
  return letters.every((letter) => ranges.has(letter)) && walk(0, 0);
}

/**
 * What leaves tiles out: a test in the loop that passes some over, or a function that lists them; else where the loop begins
 * or ends.
 */
function limitOf(field: Field, loop: number): number {
  const { statements, files } = field.recording;
  const { line, column, function: inside, file } = statements[loop];
  const source = files[file].source.split('\n');
  const after = statements.flatMap((each, id) =>
    each.function === inside && each.file === file && each.line > line ? [{ ...each, id }] : [],
  );
  after.sort((a, b) => a.line - b.line);
  for (const { id, kind, endLine, column: own, text } of after) {
    if (own <= column) break;
    if (kind === 'if' && PASSES.test(source.slice(endLine - 1, endLine + 1).join('\n')))
      return returnOf(field, text) ?? id;
  }
  const [, over = ''] = /\bin\s+(.*?):?\s*$/s.exec(statements[loop].text.split('\n')[0]) ?? [];
  return returnOf(field, over) ?? boundOf(field, loop);
}

const PASSES = /:\s*(#.*)?\n?\s*(break|continue)\b/;

/** The only return of the program's own function that an expression is a call of, where it is short. */
function returnOf({ recording: { statements, functions } }: Field, text: string): number | null {
  const [, name] = /^\s*(?:if\s+|elif\s+)?(?:not\s+)?(\w+)\(/.exec(text) ?? [];
  const own = functions.findIndex((each) => each.name === name && each.calls > 0);
  if (name === undefined || own < 0) return null;
  const inside = statements.flatMap(({ function: of, kind }, id) =>
    of === own && kind !== 'parameter' ? [id] : [],
  );
  return inside.length === 1 && statements[inside[0]].kind === 'return' ? inside[0] : null;
}

/** The statement in the loops around it that computes where a loop begins or ends, else the loop itself. */
function boundOf({ recording: { statements, events } }: Field, loop: number): number {
  const { text, line } = statements[loop];
  // What more is computed of it there may be the mistake.
  const bounds = new Set(text.split('\n')[0].match(/(?<=[(,]\s*)\w+(?=\s*[,)])/g) ?? []);
  const own = loopsAround({ statements }, loop);
  const limits = statements.flatMap((each, id) => {
    const isLimit =
      each.kind === 'assign' &&
      each.function === statements[loop].function &&
      each.line < line &&
      each.targets.length === 1 &&
      bounds.has(each.targets[0]);
    if (!isLimit) return [];
    const inside = loopsAround({ statements }, id);
    const isNumber = events.some(({ statement, dtype }) => statement === id && dtype === 'int');
    return isNumber && inside.length > 0 && inside.length === own.length ? [id] : [];
  });
  return limits.at(-1) ?? loop;
}
