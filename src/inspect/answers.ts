// Answers the page's questions about tensors: keeps statistics and pyramids of those that are looked at.
import { histogramOf } from './histogram.ts';
import type { Answer, Question, StatisticsAnswer } from './messages.ts';
import { planeOf } from './plane.ts';
import { Pyramid } from './pyramid.ts';
import { type Breathe, indexAt, type TensorSource } from './source.ts';
import { statisticsOf } from './statistics.ts';
import { sumsOf } from './sums.ts';

const HISTOGRAM_BINS = 48;

/** Bytes of pyramids that are kept. */
const MOST_BYTES = 2 ** 25;
const MOST_STATISTICS = 64;

/** The tensor has changed or is gone since the question was asked. */
export class StaleError extends Error {
  override readonly name = 'StaleError';
}

export interface Versioned {
  readonly version: number;
  readonly source: TensorSource;
}

export interface AnswersOptions {
  /** The tensor of an id now. */
  readonly find: (id: string) => Versioned | null;
  readonly progress?: (tensor: string, done: number | null) => void;
}

/** An entry in the order of use: reading moves it to the end, the oldest are dropped. */
class Recent<T> {
  readonly #items = new Map<string, T>();

  get(key: string, make: () => T): T {
    const item = this.#items.get(key) ?? make();
    this.#items.delete(key);
    this.#items.set(key, item);
    return item;
  }

  delete(key: string): void {
    this.#items.delete(key);
  }

  /** Drops the oldest while `isTooMuch`, but never the newest. */
  trim(isTooMuch: (items: readonly T[]) => boolean): void {
    while (this.#items.size > 1 && isTooMuch([...this.#items.values()])) {
      this.#items.delete(this.#items.keys().next().value!);
    }
  }
}

export class Answers {
  readonly #options: AnswersOptions;
  readonly #pyramids = new Recent<Pyramid>();
  readonly #statistics = new Recent<Promise<StatisticsAnswer>>();

  constructor(options: AnswersOptions) {
    this.#options = options;
  }

  /**
   * Throws StaleError when the tensor is not the one asked about, RangeError for places that it does not
   * have, and whatever reading its entries throws.
   */
  async answer(question: Question, breathe: Breathe): Promise<Answer> {
    const { tensor, version } = question;
    const found = this.#options.find(tensor);
    if (!found || found.version !== version) throw new StaleError(`${tensor} has changed`);
    const { source } = found;
    const { progress } = this.#options;
    const key = `${tensor} ${version}`;
    switch (question.kind) {
      case 'statistics': {
        const kept = this.#statistics.get(key, () => this.#statisticsOf(source, tensor, breathe));
        this.#statistics.trim((items) => items.length > MOST_STATISTICS);
        return kept.catch((error: unknown) => {
          this.#statistics.delete(key);
          throw error;
        });
      }
      case 'tile': {
        const plane = planeOf(source, question.slicing);
        const name = [key, ...Object.values(plane), question.reduction].join(' ');
        const pyramid = this.#pyramids.get(
          name,
          () => new Pyramid(source.entries, plane, question.reduction),
        );
        this.#pyramids.trim(
          (items) => items.reduce((sum, { bytes }) => sum + bytes, 0) > MOST_BYTES,
        );
        const tile = await pyramid.tile(question.place, breathe, (done) =>
          progress?.(tensor, done),
        );
        progress?.(tensor, null);
        return { kind: 'tile', tile };
      }
      case 'sums': {
        const sums = await sumsOf(source.entries, planeOf(source, question.slicing), breathe);
        return { kind: 'sums', rows: sums.rows.slice().buffer, cols: sums.cols.slice().buffer };
      }
    }
  }

  async #statisticsOf(
    source: TensorSource,
    tensor: string,
    breathe: Breathe,
  ): Promise<StatisticsAnswer> {
    const { progress } = this.#options;
    const statistics = await statisticsOf(source.entries, breathe, (done) =>
      progress?.(tensor, done),
    );
    const histogram = await histogramOf(source.entries, statistics, HISTOGRAM_BINS, breathe);
    progress?.(tensor, null);
    const place = (offset: number | null): number[] | null =>
      offset === null ? null : indexAt(source, offset);
    return {
      kind: 'statistics',
      statistics,
      histogram,
      firstNan: place(statistics.firstNan),
      firstInfinite: place(statistics.firstInfinite),
    };
  }
}
