// Damaged bytes: set, cut, inserted, repeated and swapped, most of it where a format has its headers.
import { generator } from '../conformance/draw.mjs';

const MEANINGFUL = [
  ...[...new TextEncoder().encode('[]{}"\',:0129-+.eE\\<>|/*\n NaN PK(),')],
  ...[0, 1, 6, 8, 127, 128, 254, 255],
];

export class Mutations {
  readonly #random: () => number;

  constructor(seed: number) {
    this.#random = generator(seed);
  }

  /** From 0 to before `end`. */
  below(end: number): number {
    return Math.floor(this.#random() * end);
  }

  pick<T>(all: readonly T[]): T {
    return all[this.below(all.length)];
  }

  bytes(whole: Uint8Array): Uint8Array {
    const result = [...whole];
    const reach = Math.max(1, Math.min(this.pick([40, 400, result.length]), result.length));
    for (let left = 1 + this.below(1 + this.below(6)); left > 0; left--) {
      const near = this.below(reach);
      const at = this.below(2) === 0 ? near : Math.max(0, result.length - 1 - near);
      const byte = this.below(2) === 0 ? this.below(256) : this.pick(MEANINGFUL);
      const length = 1 + this.below(64);
      const changes = [
        () => (result[at] = byte),
        () => (result[at] ^= 1 << this.below(8)),
        () => result.splice(at, 0, byte),
        () => result.splice(at, length),
        () => result.splice(at, 0, ...result.slice(at, at + length)),
        () => result.splice(at, 0, ...result.splice(this.below(reach), length)),
      ];
      this.pick(changes)();
    }
    return Uint8Array.from(result);
  }
}
