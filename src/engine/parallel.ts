// Work on tensors in the arena, in parts that do not touch each other: several threads can do it, with the same bits.
import { addressOf, arenaPlace, type Place, stagedAt, unstage } from './gemm/arena.ts';
import { multiplyInPlace, type PlacedProduct, writable } from './gemm/inPlace.ts';
import { SCRATCH } from './gemm/kernel.ts';
import { type Matrix, stepOf } from './gemm/matrix.ts';
import { giveBack, unwritten } from './memory.ts';

/** Products of a batch: where each begins in the three, in entries. */
interface Products {
  readonly kind: 'products';
  readonly product: PlacedProduct;
  readonly bases: readonly [left: Int32Array, right: Int32Array, out: Int32Array];
}

/** Rows as in ops/softmaxRows.ts; `entries` of them in all, addresses in bytes. */
interface Rows {
  readonly kind: 'weights' | 'back';
  readonly step: number;
  readonly length: number;
  readonly entries: number;
  /** Of back: the weights, then the upstream. */
  readonly from: readonly number[];
  readonly to: number;
}

interface Scale {
  readonly kind: 'scale';
  readonly factor: number;
  readonly entries: number;
  readonly from: number;
  readonly to: number;
}

/** Data alone: it is sent to other threads. */
export type Task = Products | Rows | Scale;

/** Threads that do tasks together. */
export interface Crew {
  readonly size: number;
  /** Returns when all parts are done, by `doPart` in whatever thread. */
  perform(task: Task, parts: number): void;
}

/** Multiplications and entries from which an operand is copied into the arena, and from which another thread pays. */
const SOME = 2 ** 12;
const MANY_MULTIPLICATIONS = 2 ** 23;
const MANY_ENTRIES = 2 ** 17;
/** Parts for each thread: one that is late does fewer. */
const PARTS = 4;

let crew: Crew | null = null;

/** Threads of the arena that help; null: this one does all. */
export function employ(threads: Crew | null): void {
  crew = threads;
}

/** Ends the copies of operands from elsewhere: at the end of a run. */
export const endCopies = (): void => giveBack(unstage());

function perform(task: Task, isLarge: boolean): true {
  if (crew && isLarge) crew.perform(task, crew.size * PARTS);
  else doPart(task, 0, 1);
  return true;
}

/** out = left right for each of a batch; false, and nothing done, where the arena's kernels cannot. */
export function multiplyAll(
  matrices: readonly [left: Matrix, right: Matrix, out: Matrix],
  bases: Products['bases'],
): boolean {
  if (!arenaPlace()) return false;
  const [left, right, out] = matrices;
  const [m, k, n] = [left.rows.length, left.cols.length, right.cols.length];
  const work = m * k * n * bases[0].length;
  const to = addressOf(out.data);
  if (work < SOME || to === null) return false;
  const steps = matrices.map(({ rows, cols }) => ({ rows: stepOf(rows), cols: stepOf(cols) }));
  if (steps.some(({ rows, cols }) => rows === null || cols === null)) return false;
  const [a, b] = [left, right].map(({ data }) => stagedAt(data, unwritten));
  if (a === null || b === null) return false;
  const [first, second, third] = [a, b, to].map((at, slot) => ({
    at,
    rows: steps[slot].rows!,
    cols: steps[slot].cols!,
  }));
  const found = writable({ m, k, n, left: first, right: second, out: third });
  if (!found) return false;
  const [ofLeft, ofRight, ofOut] = bases;
  const task: Products = {
    kind: 'products',
    product: found.product,
    bases: found.isTurned ? [ofRight, ofLeft, ofOut] : bases,
  };
  return perform(task, work >= MANY_MULTIPLICATIONS);
}

/** Softmax of rows into `out`; false as above. */
export function softmaxAll(
  operands: readonly Float64Array[],
  out: Float64Array,
  { step, length }: { readonly step: number; readonly length: number },
): boolean {
  const to = addressOf(out);
  // The kernels go by two.
  if (!arenaPlace() || to === null || (step === 1 ? length : step) % 2 !== 0) return false;
  const from = operands.map((data) => stagedAt(data, unwritten));
  if (from.some((at) => at === null)) return false;
  const kind = operands.length === 1 ? 'weights' : 'back';
  // Two operands of two columns must fit the workspace.
  if (step !== 1 && 4 * length > SCRATCH) return false;
  const entries = out.length;
  const task: Rows = { kind, step, length, entries, from: from as number[], to };
  return perform(task, entries >= MANY_ENTRIES);
}

/** out = factor * input; false as above. */
export function scaleAll(input: Float64Array, out: Float64Array, factor: number): boolean {
  const [from, to] = [addressOf(input), addressOf(out)];
  if (!arenaPlace() || from === null || to === null || out.length % 2 !== 0) return false;
  const entries = out.length;
  return perform({ kind: 'scale', factor, entries, from, to }, entries >= MANY_ENTRIES);
}

/** Whether all entries are finite, or -∞ where that is allowed; null where the arena's kernels cannot tell. */
export function isFineInArena(data: Float64Array, allowed: boolean): boolean | null {
  const [place, at] = [arenaPlace(), addressOf(data)];
  if (!place || at === null || data.length % 2 !== 0) return null;
  return place.kernels.isFine(at, data.length, Number(allowed)) === 1;
}

/** Part `part` of `parts` of a task. Throws Error where this thread has no part in the arena. */
export function doPart(task: Task, part: number, parts: number): void {
  const place = arenaPlace();
  if (!place) throw new Error('this thread has not joined the arena');
  switch (task.kind) {
    case 'products':
      multiplyPart(place, task, part, parts);
      return;
    case 'weights':
    case 'back':
      rowsPart(place, task, part, parts);
      return;
    case 'scale': {
      const share = 2 * Math.ceil(task.entries / 2 / parts);
      const first = part * share;
      const count = Math.min(share, task.entries - first);
      if (count > 0)
        place.kernels.scale(task.from + 8 * first, task.to + 8 * first, count, task.factor);
    }
  }
}

/** Whole products where there are enough, else some rows of each. */
function multiplyPart(
  place: Place,
  { product, bases }: Products,
  part: number,
  parts: number,
): void {
  const batch = bases[0].length;
  const pieces = batch >= parts ? 1 : parts;
  const share = Math.ceil(product.m / pieces / 4) * 4;
  for (let each = part; each < batch * pieces; each += parts) {
    const [n, piece] = [Math.floor(each / pieces), each % pieces];
    const [from, to] = [piece * share, Math.min(product.m, (piece + 1) * share)];
    if (from >= to) continue;
    const [left, right, out] = [product.left, product.right, product.out].map((own, slot) => ({
      ...own,
      at: own.at + 8 * bases[slot][n],
    }));
    multiplyInPlace(place, { ...product, left, right, out }, from, to);
  }
}

/** Entries of an operand in the workspace. */
const COLUMNS = 2 ** 16;

function rowsPart({ kernels, workspace }: Place, task: Rows, part: number, parts: number): void {
  const { kind, step, length, entries, from, to } = task;
  if (step === 1) {
    const rows = entries / length;
    const share = Math.ceil(rows / parts);
    const count = Math.min(share, rows - part * share);
    if (count <= 0) return;
    const at = [...from, to].map((each) => each + 8 * part * share * length);
    const run = kind === 'weights' ? kernels.softmaxRows : kernels.softmaxBackRows;
    run(...at, count, length, 8 * length);
    return;
  }
  // Down columns far apart: some at a time are brought together.
  const run = kind === 'weights' ? kernels.softmaxColumns : kernels.softmaxBackColumns;
  const share = Math.max(2, 2 * Math.floor(COLUMNS / length / 2));
  const pieces = Math.ceil(step / share);
  for (let each = part; each < (entries / (step * length)) * pieces; each += parts) {
    const [block, piece] = [Math.floor(each / pieces), each % pieces];
    const count = Math.min(share, step - piece * share);
    const first = 8 * (block * step * length + piece * share);
    const places = from.map((_, n) => workspace + 8 * n * share * length);
    from.forEach((at, n) =>
      kernels.copy(at + first, 8 * step, places[n], 8 * count, length, 8 * count),
    );
    const result = places[places.length - 1];
    run(...places, result, count, length, 8 * count);
    kernels.copy(result, 8 * count, to + first, 8 * step, length, 8 * count);
  }
}
