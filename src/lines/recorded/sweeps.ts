// Sums that loops add up term by term: which terms were added, and to which entry of the array each of them went.
import type { NodeId } from '../../engine/graph.ts';
import { sizeOf, strides } from '../../engine/tensor.ts';
import type { Kind } from '../../compare/program/program.ts';
import { type Aligner, tellingOf } from '../align/align.ts';
import type { Catalogue, Entry } from '../align/catalogue.ts';
import { gathered, offsetsInForm } from './gathered.ts';
import { loopsAround } from './loops.ts';
import { isOfRows, sumsByName } from './namedSums.ts';
import { isAddition, LEAST, type Run, type Sweep } from './sweep.ts';
import type { Event, Recording } from './recording.ts';
import type { Field } from '../localise/suspects.ts';
import { followed } from './flow.ts';
import { Arrays, offsetsAt } from './versions.ts';

/** A sweep whose numbers are terms of a sum. */
interface Aligned {
  readonly sweep: Sweep;
  readonly entry: Entry;
  /** For each run, entry by entry, which term it is. */
  readonly terms: readonly Int32Array[];
}

export interface Slip {
  readonly event: number;
  /** The loop that is too short, where that is it. */
  readonly statement?: number;
  readonly node: NodeId;
  readonly kind: Kind;
  readonly note: string;
}

/** The writes of each statement in loops, by call. */
function sweepsOf(recording: Recording): Sweep[] {
  const { events, statements } = recording;
  const isSwept = ({ how, loops, index }: Event): boolean =>
    how === 'write' && loops.length > 0 && index !== undefined && index !== 'fancy';
  if (events.filter(isSwept).length < LEAST) return [];
  const arrays = new Arrays(recording);
  const groups = new Map<string, Run[] | null>();
  for (const event of events) {
    const change = arrays.take(event);
    const { index } = event;
    if (!isSwept(event) || index === undefined || index === 'fancy') continue;
    const isAdding = isAddition(statements[event.statement]);
    const terms = isAdding ? change : recording.tensor(event.id);
    const root = arrays.rootOf(event.id);
    const places = offsetsAt(events[root].shape, index);
    const key = `${event.statement} ${event.frame} ${event.name}`;
    const runs = groups.get(key);
    if (!terms || !places || places.length !== terms.data.length) groups.set(key, null);
    else if (runs) runs.push({ event, root, terms, places });
    else if (runs === undefined) groups.set(key, [{ event, root, terms, places }]);
  }
  return [...groups.values()].flatMap((runs): Sweep[] => {
    if (!runs || runs.length < LEAST) return [];
    const [{ event, terms }] = runs;
    if (runs.some((each) => each.terms.shape.join() !== terms.shape.join())) return [];
    const { statement, frame } = event;
    return [{ statement, frame, isAdding: isAddition(statements[statement]), runs }];
  });
}

/** Whether a form has letters that its node lacks, over which it is to be summed. */
function isOfTerms({ entries }: Catalogue, { key, letters }: Entry): boolean {
  const node = entries.find((each) => each.key === key && each.role === 'node');
  return node !== undefined && letters.length > node.letters.length;
}

function alignedOf(sweep: Sweep, aligner: Aligner, catalogue: Catalogue): Aligned | null {
  const parts = sweep.runs.map(({ event, terms }) => ({ loops: event.loops, tensor: terms }));
  const found = gathered(parts);
  if (!found) return null;
  const { tensor, starts } = found;
  const known = aligner.align(tensor, tellingOf(tensor), { hasGaps: true });
  const alignment =
    known.find(({ entry }) => entry.role === 'partial' && isOfTerms(catalogue, entry)) ??
    known.find(({ entry }) => sweep.runs[0].root < 0 && isOfRows(catalogue, entry));
  if (!alignment || known.some(({ entry }) => entry.role === 'node')) return null;
  const offsets = offsetsInForm(alignment, tensor.shape);
  const size = sizeOf(sweep.runs[0].terms.shape);
  const terms = starts.map((start) => offsets.subarray(start, start + size));
  return { sweep, entry: alignment.entry, terms };
}

/**
 * By which letters a sum's tokens and features may go among its terms: its own, those of the queries' side, of the
 * Jacobian's rows.
 */
const NAMES = ['ic', 'jc', 'je', 'ie', 'lc'];

/** Which entry of the sum each term belongs to; null where no form is the sum of the terms. */
function sumsOf({ entries }: Catalogue, entry: Entry): Int32Array | null {
  const { key, letters, lengths, data } = entry;
  const node = entries.find((each) => each.key === key && each.role === 'node');
  if (!node) return null;
  const steps = strides(lengths);
  const size = node.data.length;
  const whole = entries.filter((each) => each.key === key && each.data.length === size);
  for (const [token, feature] of NAMES) {
    const ends = node.letters.map((letter) =>
      letter === 'i' ? token : letter === 'c' ? feature : letter,
    );
    if (ends.some((letter) => !letters.includes(letter))) continue;
    const own = letters.map((letter) => {
      const at = ends.indexOf(letter);
      return at < 0 ? 0 : node.strides[at];
    });
    const where = Int32Array.from({ length: data.length }, (_, at) =>
      own.reduce((sum, step, n) => sum + (Math.floor(at / steps[n]) % lengths[n]) * step, 0),
    );
    const sums = new Float64Array(size);
    where.forEach((to, at) => (sums[to] += data[at]));
    const isSum = whole.some((each) =>
      each.data.every(
        (value, at) => Math.abs(value - sums[at]) <= Math.max(each.tolerance, 1e-9 * each.size),
      ),
    );
    if (isSum) return where;
  }
  return null;
}

const letterName: Readonly<Record<string, string>> = {
  ...{ b: 'sequences', h: 'heads', r: 'heads', g: 'heads', i: 'keys', j: 'queries' },
};

/** What goes wrong in sums that loops add up and that never come out; in the order of time. */
export function slipsOf(field: Field): Slip[] {
  const { recording, catalogue, aligner, covered } = field;
  const sweeps = [...sweepsOf(recording), ...sumsByName(recording)];
  if (sweeps.length === 0) return [];
  const all = sweeps.flatMap((sweep) => alignedOf(sweep, aligner, catalogue) ?? []);
  const spoilt = spoiltArrays(field);
  const open = all.filter(
    ({ entry, sweep }) => !covered.has(entry.key) || spoilt.has(arrayOf(recording, sweep.runs[0])),
  );
  const found = open.flatMap((each): Slip[] => {
    if (each.sweep.runs[0].root < 0) {
      const slip = short(recording, all, each);
      return slip ? [slip] : [];
    }
    const sums = sumsOf(catalogue, each.entry);
    if (!sums) return [];
    const slip = misplaced(each, sums) ?? overwritten(each, sums) ?? short(recording, all, each);
    return slip ? [slip] : [];
  });
  return found.sort((a, b) => a.event - b.event);
}

/** The first event of the memory that a run writes to; −1 of a sum by name. */
const arrayOf = ({ events }: Recording, { root }: Run): number =>
  root < 0 ? root : followed(events, root);

/** Arrays that loops filled and that came out wrong, by the first events of their memory. */
function spoiltArrays({ recording: { events }, observed, leads }: Field): Set<number> {
  const found = observed.flatMap(({ event: { id, how }, standing }) =>
    how === 'loop-end' && standing === 'off' && !leads[id] ? [followed(events, id)] : [],
  );
  return new Set(found);
}

const titleOf = ({ key }: Entry): string =>
  key.startsWith('g:') ? `d${key.slice(2)}` : key.slice(2);
const slipAt = ({ entry }: Aligned, event: number, note: string): Slip => ({
  ...{ event, note, node: entry.node, kind: entry.kind },
});

const isTerm = ({ data, tolerance }: Entry, at: number): boolean => Math.abs(data[at]) > tolerance;

/** Terms of different entries of a sum that go to one entry of the array. */
function misplaced(each: Aligned, sums: Int32Array): Slip | null {
  const { sweep, entry, terms } = each;
  const owner = new Map<string, number>();
  for (const [n, { event, root, places }] of sweep.runs.entries())
    for (let at = 0; at < places.length; at++) {
      const term = terms[n][at];
      if (!isTerm(entry, term)) continue;
      const key = `${root} ${places[at]}`;
      const before = owner.get(key);
      if (before === undefined) owner.set(key, sums[term]);
      else if (before !== sums[term]) {
        const note = `terms of different entries of ${titleOf(entry)} go to one and the same entry`;
        return slipAt(each, event.id, note);
      }
    }
  return null;
}

/** Terms that are assigned where others of the same sum were. */
function overwritten(each: Aligned, sums: Int32Array): Slip | null {
  const { sweep, entry, terms } = each;
  if (sweep.isAdding) return null;
  const seen = new Map<string, number>();
  for (const [n, { event, root, places }] of sweep.runs.entries())
    for (let at = 0; at < places.length; at++) {
      const term = terms[n][at];
      if (!isTerm(entry, term)) continue;
      const key = `${root} ${places[at]}`;
      if (seen.get(key) === sums[term])
        return slipAt(each, event.id, `each term of ${titleOf(entry)} replaces the one before`);
      seen.set(key, sums[term]);
    }
  return null;
}

/** Terms that no run added. */
function short(recording: Recording, all: readonly Aligned[], each: Aligned): Slip | null {
  const { entry, sweep } = each;
  const done = new Uint8Array(entry.data.length);
  for (const other of all)
    if (other.entry === entry)
      for (const terms of other.terms) for (const term of terms) done[term] = 1;
  const missing: number[] = [];
  entry.data.forEach((_, at) => {
    if (!done[at] && isTerm(entry, at) && !entry.hidden?.[at]) missing.push(at);
  });
  if (missing.length === 0) return null;
  const at = shortLoop(recording, each, missing);
  const letters = lettersOf(each, missing);
  const what = letters.map((letter) => letterName[letter] ?? 'features').join(' and ');
  const note = `${missing.length} of the terms of ${titleOf(entry)} are never added${what ? `: some ${what} are left out` : ''}`;
  const slip = slipAt(each, sweep.runs[0].event.id, note);
  return at === null ? slip : { ...slip, statement: at };
}

/** Letters of which the terms that are missing are never met beside the rest of their indices. */
function lettersOf({ entry }: Aligned, missing: readonly number[]): string[] {
  const { letters, lengths, strides: steps } = entry;
  return letters.filter((_, n) => {
    const seen = new Set(missing.map((at) => Math.floor(at / steps[n]) % lengths[n]));
    return seen.size < lengths[n];
  });
}

/**
 * The loop that ends too early: the outermost whose outer loops ran for most of the missing terms, as other statements in
 * them show. null where no loop runs along what is missing.
 */
function shortLoop(
  recording: Recording,
  { sweep, entry, terms }: Aligned,
  missing: readonly number[],
): number | null {
  const loops = loopsAround(recording, sweep.statement);
  const depth = sweep.runs[0].event.loops.length;
  if (loops.length !== depth) return null;
  const ran = ranIn(recording, sweep.frame, loops);
  // Which letters each loop turns, by the terms of its runs.
  const indexOf = (at: number): number[] =>
    entry.lengths.map((length, n) => Math.floor(at / entry.strides[n]) % length);
  const turned = turnedBy(sweep, terms, indexOf);
  const votes = Array.from({ length: depth }, () => 0);
  for (const at of missing) {
    const index = indexOf(at);
    const own = runOf(index, turned);
    if (!own) continue;
    let n = 0;
    while (n < depth - 1 && ran.has(own.slice(0, n + 1).join())) n++;
    votes[n]++;
  }
  const most = Math.max(...votes);
  return most === 0 ? null : loops[votes.indexOf(most)];
}

/** Iterations of loops, with those of the loops around them, in which anything of a call was recorded. */
function ranIn(recording: Recording, frame: number, loops: readonly number[]): Set<string> {
  const around = new Map<number, number[]>();
  const ran = new Set<string>();
  for (const event of recording.events) {
    if (event.frame !== frame) continue;
    const own = around.get(event.statement) ?? loopsAround(recording, event.statement);
    around.set(event.statement, own);
    for (let n = 0; n < event.loops.length && own[n] === loops[n]; n++)
      ran.add(event.loops.slice(0, n + 1).join());
  }
  return ran;
}

interface Turn {
  /** Place of the letter among the form's. */
  readonly letter: number;
  /** Iteration at index 0 of the letter, and iterations for each index. */
  readonly start: number;
  readonly step: number;
}

/** For each loop the letter that it turns; null where it turns none or several. */
function turnedBy(
  { runs }: Sweep,
  terms: readonly Int32Array[],
  indexOf: (at: number) => number[],
): (Turn | null)[] {
  const indices = terms.map((each) => indexOf(each[0]));
  return runs[0].event.loops.map((_, n) => {
    const pairs = runs.map(({ event }, run) => ({ turn: event.loops[n], index: indices[run] }));
    for (let letter = 0; letter < indices[0].length; letter++) {
      const [a] = pairs;
      const b = pairs.find(({ turn }) => turn !== a.turn);
      if (!b) return null;
      const step = (b.index[letter] - a.index[letter]) / (b.turn - a.turn);
      if (step === 0) continue;
      const start = a.turn - a.index[letter] / step;
      if (pairs.every(({ turn, index }) => turn === start + index[letter] / step))
        return { letter, start, step: 1 / step };
    }
    return null;
  });
}

/** In which iteration of each loop a term would have been added. */
function runOf(index: readonly number[], turned: readonly (Turn | null)[]): number[] | null {
  const found = turned.map((turn) => (turn ? turn.start + index[turn.letter] * turn.step : 0));
  return found.some((each) => !Number.isInteger(each)) ? null : found;
}
