// Where in the catalogue a number stands: a hash table of all its values by their leading bits.
import type { Entry } from './catalogue.ts';

const BITS = new Float64Array(1);
/** Sign, exponent and the first 20 bits of the fraction come second on a little-endian machine. */
const WORDS = new Int32Array(BITS.buffer);

/** Up to this many values are indexed. */
const MOST = 4e6;

export class ValueIndex {
  readonly #entries: readonly Entry[];
  readonly #shift: number;
  readonly #mask: number;
  readonly #starts: Int32Array;
  readonly #keys: Int32Array;
  readonly #entryAt: Int32Array;
  readonly #offsetAt: Int32Array;
  /** How many values are held. */
  readonly size: number;

  /** `bits`: of a fraction that must agree but for one unit. */
  constructor(entries: readonly Entry[], bits: number) {
    this.#entries = entries;
    this.#shift = 20 - bits;
    const tables = this.#chosen();
    const size = tables.reduce((total, { data }) => total + data.length, 0);
    const slots = 2 ** Math.max(4, Math.ceil(Math.log2(size + 1)));
    this.#mask = slots - 1;
    this.#starts = new Int32Array(slots + 1);
    for (const { data } of tables)
      for (const value of data)
        if (value !== 0 && Number.isFinite(value)) this.#starts[this.#slot(this.#key(value)) + 1]++;
    for (let slot = 0; slot < slots; slot++) this.#starts[slot + 1] += this.#starts[slot];
    this.size = this.#starts[slots];
    this.#keys = new Int32Array(this.size);
    this.#entryAt = new Int32Array(this.size);
    this.#offsetAt = new Int32Array(this.size);
    const next = this.#starts.slice();
    for (const { id, data } of tables)
      for (let offset = 0; offset < data.length; offset++) {
        const value = data[offset];
        if (value === 0 || !Number.isFinite(value)) continue;
        const key = this.#key(value);
        const at = next[this.#slot(key)]++;
        this.#keys[at] = key;
        this.#entryAt[at] = id;
        this.#offsetAt[at] = offset;
      }
  }

  /** Nodes before forms before partial ones, as many as there is room for. */
  #chosen(): readonly Entry[] {
    const ranks = { node: 0, form: 1, partial: 2 };
    const sorted = [...this.#entries].sort(
      (a, b) => ranks[a.role] - ranks[b.role] || a.data.length - b.data.length,
    );
    let room = MOST;
    return sorted.filter(({ data }) => {
      const fits = data.length <= room;
      if (fits) room -= data.length;
      return fits;
    });
  }

  #key(value: number): number {
    BITS[0] = value;
    return WORDS[1] >> this.#shift;
  }

  #slot(key: number): number {
    return (Math.imul(key, 0x9e3779b1) >>> 7) & this.#mask;
  }

  /** Calls `visit` with each place whose number agrees with `value` in the leading bits, until it says true. */
  find(value: number, visit: (entry: Entry, offset: number) => boolean): void {
    const middle = this.#key(value);
    for (let key = middle - 1; key <= middle + 1; key++) {
      const slot = this.#slot(key);
      for (let at = this.#starts[slot]; at < this.#starts[slot + 1]; at++) {
        if (this.#keys[at] !== key) continue;
        if (visit(this.#entries[this.#entryAt[at]], this.#offsetAt[at])) return;
      }
    }
  }
}
