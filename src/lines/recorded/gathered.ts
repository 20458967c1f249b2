// One statement's numbers over the loops around it, as one tensor with an axis for each loop.
import { sizeOf, strides, type Tensor } from '../../engine/tensor.ts';
import {
  type Aligner,
  type Alignment,
  isRegrouped,
  type Range,
  tellingOf,
} from '../align/align.ts';
import type { Observed } from '../align/observe.ts';
import type { Event, Recording } from './recording.ts';

/** What one run of a statement made. */
interface Run {
  /** Iteration of each loop, outermost first. */
  readonly loops: readonly number[];
  readonly tensor: Tensor;
}

/** Largest tensor that is gathered, in entries. */
const MOST = 2e5;

/** All runs as one tensor, NaN where nothing was run; null where that is too large. `starts`: where each run begins. */
export function gathered(
  runs: readonly Run[],
): { readonly tensor: Tensor; readonly starts: readonly number[] } | null {
  const [first] = runs;
  const lengths = first.loops.map((_, n) => Math.max(...runs.map(({ loops }) => loops[n])) + 1);
  const inner = sizeOf(first.tensor.shape);
  if (sizeOf(lengths) * inner > MOST) return null;
  const shape = [...lengths, ...first.tensor.shape];
  const steps = strides(lengths);
  const data = new Float64Array(sizeOf(shape)).fill(NaN);
  const starts = runs.map(({ loops }) =>
    loops.reduce((at, n, axis) => at + n * steps[axis] * inner, 0),
  );
  runs.forEach(({ tensor }, n) => data.set(tensor.data, starts[n]));
  return { tensor: { shape, data }, starts };
}

/** For each entry of a tensor that is aligned so, its offset in the form. */
export function offsetsInForm(
  { entry, axes, ranges }: Alignment,
  shape: readonly number[],
): Int32Array {
  const strideOf = (letter: string): number => entry.strides[entry.letters.indexOf(letter)];
  const along = new Set(axes.flat());
  let all = Int32Array.of(
    entry.letters.reduce(
      (sum, letter) =>
        along.has(letter) ? sum : sum + ranges.get(letter)!.start * strideOf(letter),
      0,
    ),
  );
  shape.forEach((length, axis) => {
    const table = Int32Array.from({ length }, (_, n) => {
      let [rest, offset] = [n, 0];
      for (const letter of [...axes[axis]].reverse()) {
        const { start, step, count } = ranges.get(letter)!;
        offset += (start + (rest % count) * step) * strideOf(letter);
        rest = Math.floor(rest / count);
      }
      return offset;
    });
    const next = new Int32Array(all.length * length);
    all.forEach((value, at) => {
      for (let n = 0; n < length; n++) next[at * length + n] = value + table[n];
    });
    all = next;
  });
  return all;
}

/** All that a statement's runs made, and what that is. */
export interface Gathered {
  readonly tensor: Tensor;
  readonly found: readonly Alignment[];
}

/** Fewer runs are looked at one by one; so many sums are sure. */
const LEAST = 8;
const LEAST_SUMS = 4;

interface Number {
  readonly id: number;
  readonly loops: readonly number[];
}

/** Numbers that statements in loops made, by statement, call and name: of a sum what it was when its loop had ended. */
function numbersOf(recording: Recording): { readonly least: number; readonly runs: Number[] }[] {
  const { events, statements } = recording;
  const groups = new Map<string, Map<string, Number>>();
  for (const { id, how, loops, shape, frame, statement, name } of events) {
    if (loops.length === 0 || sizeOf(shape) !== 1 || !/^(bind|write|update)$/.test(how)) continue;
    const isSum = isAccumulated(events[id], statements[statement]);
    if (isSum && how === 'write') continue;
    const own = isSum ? loops.slice(0, -1) : loops;
    const key = `${statement} ${frame} ${name} ${isSum ? 'sum' : how} ${loops.length}`;
    const group = groups.get(key) ?? new Map<string, Number>();
    groups.set(key, group.set(own.join(), { id, loops: own }));
  }
  return [...groups].map(([key, group]) => ({
    least: / sum \d+$/.test(key) ? LEAST_SUMS : LEAST,
    runs: [...group.values()],
  }));
}

/** Of a sum each run has what was added so far. */
const isAccumulated = (
  { name }: Event,
  { kind, text, loads }: Recording['statements'][number],
): boolean =>
  kind === 'augmented' ? /[^*/@%]\s*[+-]=/.test(text) : kind === 'assign' && loads.includes(name);

/**
 * Looks at numbers in loops together: what they are is then sure, also in narrow types, in which one alone may be
 * anything.
 */
export function gatherNumbers(
  recording: Recording,
  aligner: Aligner,
  observed: readonly Observed[],
): { readonly observed: Observed[]; readonly sweeps: ReadonlyMap<number, Gathered> } {
  const found = [...observed];
  const sweeps = new Map<number, Gathered>();
  for (const { least, runs: group } of numbersOf(recording)) {
    if (group.length < least) continue;
    const runs = group.flatMap(({ id, loops }) => {
      const tensor = recording.tensor(id);
      return tensor && observed[id].standing !== 'unknown'
        ? [{ id, loops, tensor: { shape: [], data: tensor.data } }]
        : [];
    });
    if (runs.length < least || runs.every(({ id }) => observed[id].isMask)) continue;
    const all = gathered(runs);
    const telling = all && tellingOf(all.tensor);
    if (!all || telling!.probes.length === 0 || telling!.isMask) continue;
    const known = aligner.align(all.tensor, telling!, { hasGaps: true });
    for (const { id } of runs) sweeps.set(id, { tensor: all.tensor, found: known });
    if (known.length === 0) {
      for (const { id } of runs)
        if (isVague(observed[id]) && !isPlain(recording, id) && isOfTensors(recording, id))
          found[id] = off(observed[id]);
      continue;
    }
    const offsets = known.map((each) => offsetsInForm(each, all.tensor.shape));
    // A loop may run backwards.
    const isRight = known.some((each) => each.entry.role !== 'partial' && !isRegrouped(each));
    runs.forEach(({ id }, n) => {
      const own = known.map((each, k) => pointAt(each, offsets[k][all.starts[n]]));
      const { event } = observed[id];
      const standing = isRight ? 'right' : 'partial';
      found[id] = { event, standing, found: own, pieces: [], added: false, isMask: false };
    });
  }
  return { observed: found.map((each) => judgedRow(each, found)), sweeps };
}

/** A list of Python's numbers is whatever it is, but where it was made of scores or weights: it is to be such then. */
function judgedRow(row: Observed, observed: readonly Observed[]): Observed {
  const { isRow, event } = row;
  if (!isRow) return row;
  const isOfScores = event.reads.some((read) => {
    const { standing, found } = observed[read];
    return (
      read < event.id && standing === 'right' && found.some(({ entry }) => SCORES.test(entry.key))
    );
  });
  return isOfScores ? off(row) : row;
}

const SCORES = /^v:[SZMP]$/;

/** Nought or one, as exp(0) and a sum of one weight are whatever the rest is. */
function isPlain(recording: Recording, id: number): boolean {
  const [value] = recording.tensor(id)!.data;
  return Math.min(Math.abs(value), Math.abs(value - 1)) < 1e-6;
}

/** Taken for nothing because it is a single number, of a narrow type or Python's own. */
const isVague = ({ standing, event, isMask }: Observed): boolean =>
  standing === 'neutral' && !isMask && /^b?float\d*$/.test(event.dtype);

/** Whether it was computed from something else than Python's own numbers. */
function isOfTensors({ events }: Recording, id: number): boolean {
  const seen = new Set([id]);
  for (const each of seen) for (const read of events[each].reads) if (read < each) seen.add(read);
  return [...seen].some((each) => !/^(int|float|bool)$/.test(events[each].dtype));
}

const off = (own: Observed): Observed => ({ ...own, standing: 'off' });

/** One entry of what is aligned. */
function pointAt({ entry }: Alignment, offset: number): Alignment {
  const ranges = new Map<string, Range>();
  entry.letters.forEach((letter, n) => {
    const start = Math.floor(offset / entry.strides[n]) % entry.lengths[n];
    ranges.set(letter, { start, step: 1, count: 1 });
  });
  return { entry, axes: [], ranges };
}
