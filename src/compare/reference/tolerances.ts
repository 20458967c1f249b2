// How far a tensor may be from the reference: twice or three times the error of a simulated run.
import type { HeadConfig } from '../../engine/config.ts';
import { largestMagnitude } from '../../engine/tensor.ts';
import type { NumberType } from './dtypes.ts';
import { HeadErrors } from './headErrors.ts';
import { difference, unitInLastPlace } from '../judge/judge.ts';
import { rounding } from './noise.ts';
import { entriesOf, type Key, State } from '../program/program.ts';

/** In a large run: as many units in the last place are right. */
const PLAIN_ULPS = 16;
/** Types in which that is far below what is wrong. */
const FINE = 2e-5;

/** Of a tolerance told by one head: so far beyond it the other heads need not be asked. */
const FAR = 5;

/** Entries of a whole graph beyond which fewer simulated runs must do. */
const SMALL = 20_000;
const MEDIUM = 500_000;

/** So much larger than the right program's the rounding of a mistaken one may be. */
export const MOST_PRECISION = 64;

/** Whether a program that is `off` by so much at `key` is no more than rounding off. */
export function isRoundingOf(
  { config, type }: { readonly config: HeadConfig; readonly type: NumberType },
  state: State,
  key: Key,
  off: number,
): boolean {
  return off <= new Tolerances(config, type, state).of(key, off);
}

/**
 * Tolerances of one program on one set of given tensors. DESIGN.md, "Judging equal": 2e for a value, 3e for a
 * gradient, e being the error of a run in the person's number type, plus one unit in the last place.
 */
export class Tolerances {
  readonly #config: HeadConfig;
  readonly #type: NumberType;
  readonly #exact: State;
  readonly #samples: State[];
  #oneHead: HeadErrors | null = null;

  constructor(config: HeadConfig, type: NumberType, exact: State) {
    const { program, given } = exact;
    const size = entriesOf(program.graph);
    const count = size < SMALL ? 8 : size < MEDIUM ? 3 : 1;
    this.#config = config;
    this.#type = type;
    this.#exact = exact;
    this.#samples = Array.from(
      { length: count },
      (_, n) => new State(program, given, rounding(type, n + 1, config)),
    );
  }

  /** The tolerance at `key` for a tensor that is `off` by so much. */
  of(key: Key, off: number): number {
    return (
      (this.#samples.length === 1 ? this.#quick(key, off) : null) ??
      this.#allow(key, this.#simulated(key), this.#samples.length === 1 ? 1.5 : 1)
    );
  }

  /** By how much the type alone puts a right program off. */
  alone(key: Key): number {
    if (this.#samples.length > 1) return this.#simulated(key);
    this.#oneHead ??= HeadErrors.of(this.#config, this.#type, this.#exact);
    return this.#oneHead?.at(key) ?? this.#simulated(key);
  }

  /** Simulating a large run takes seconds: null only where it must be done. */
  #quick(key: Key, off: number): number | null {
    const size = largestMagnitude(this.#exact.predict(key));
    const plain = PLAIN_ULPS * this.#type.epsilon * size;
    const isFine = this.#type.epsilon < FINE;
    if (isFine && off <= plain) return plain;
    this.#oneHead ??= HeadErrors.of(this.#config, this.#type, this.#exact);
    if (!this.#oneHead) return null;
    const told = this.#allow(key, this.#oneHead.at(key), 2);
    // Of f the bound is a loose one.
    return off <= told || off > FAR * told || key === 'v:f' ? told : null;
  }

  /** The largest error of the simulated runs. */
  #simulated(key: Key): number {
    const exact = this.#exact.predict(key);
    let error = 0;
    for (const sample of this.#samples) {
      const { maxAbs } = difference(sample.predict(key), exact);
      if (maxAbs > error && Number.isFinite(maxAbs)) error = maxAbs;
    }
    return error;
  }

  /** `luck`: one simulated run may be lucky where a tensor has few entries. */
  #allow(key: Key, error: number, luck: number): number {
    const factor = key.startsWith('v:') ? 2 : 3;
    const size = largestMagnitude(this.#exact.predict(key));
    return factor * luck * error + unitInLastPlace(size, this.#type);
  }
}
