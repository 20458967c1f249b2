// Rows of arrays that a program runs over, as by `map` or `zip`: they are recorded with nothing that was read.
import { sizeOf, type Tensor } from '../../engine/tensor.ts';
import type { Event, Recording } from './recording.ts';

/** Where a row of an array begins, by its first number and its size: its event. */
type Rows = ReadonlyMap<string, readonly number[]>;

const keyOf = (size: number, first: number): string => `${size} ${first}`;

function rowsOf(recording: Recording): Rows {
  const found = new Map<string, number[]>();
  for (const { id, shape, same, how } of recording.events) {
    if (shape.length < 2 || same !== undefined || how === 'gradient') continue;
    const tensor = recording.tensor(id);
    if (!tensor) continue;
    const size = sizeOf(shape.slice(1));
    for (let row = 0; row < shape[0]; row++) {
      const key = keyOf(size, tensor.data[row * size]);
      const own = found.get(key);
      if (own) own.push(id);
      else found.set(key, [id]);
    }
  }
  return found;
}

const isRowOf = ({ data: row }: Tensor, { data }: Tensor): boolean => {
  for (let start = 0; start < data.length; start += row.length)
    if (row.every((each, n) => Object.is(each, data[start + n]))) return true;
  return false;
};

/** Finds the array of which an argument is a row. */
export class Iterated {
  readonly #recording: Recording;
  #rows?: Rows;

  constructor(recording: Recording) {
    this.#recording = recording;
  }

  /** The latest array before it of which an argument that was read nowhere is a row; [] where there is none. */
  of({ id, how, reads, shape }: Event): number[] {
    if (how !== 'argument' || reads.length > 0 || shape.length === 0) return [];
    const row = this.#recording.tensor(id);
    if (!row || row.data.length < 2) return [];
    this.#rows ??= rowsOf(this.#recording);
    const all = this.#rows.get(keyOf(row.data.length, row.data[0])) ?? [];
    const found = all.findLast((each) => {
      const whole = each < id ? this.#recording.tensor(each) : null;
      return whole !== null && isRowOf(row, whole);
    });
    return found === undefined ? [] : [found];
  }
}
