// The scale of the scores: what the program multiplies with, or the usual choice where that cannot be meant.
import { near } from '../values/rows.ts';
import type { Values } from '../values/values.ts';

export interface FoundScale {
  /** undefined: left out of the setup, which then means the head's own. */
  readonly scale: number | '1/sqrt(d)' | undefined;
  readonly sure: boolean;
  readonly note: string;
  /** What the program multiplies with, where that is not what is taken. */
  readonly written?: number;
}

/** "1/sqrt(32)" for a factor that is one; else its number. */
function written(factor: number, eps: number): string {
  const square = 1 / factor ** 2;
  if (near(Math.round(square), square, 4 * eps) && Math.round(square) > 1)
    return `1/sqrt(${Math.round(square)})`;
  const inverse = Math.round(1 / factor);
  if (inverse > 1 && near(inverse, 1 / factor, 4 * eps)) return `1/${inverse}`;
  return String(Number(factor.toPrecision(6)));
}

/**
 * The scale that is meant where the program multiplies by `factor`, with keys of width `width`. `others` are the
 * factors of other places, as of a backward pass that computes the scores again.
 */
export function scaleOf(
  values: Values,
  factor: number,
  width: number,
  options: {
    readonly isPlain: boolean;
    /** Queries and keys are of length 1. */
    readonly isUnit?: boolean;
    /** A learned bias is added to the scores. */
    readonly isBiased?: boolean;
    readonly others: readonly number[];
    readonly eps: number;
  },
): FoundScale {
  const eps = Math.max(1e-4, 20 * options.eps);
  const usual = 1 / Math.sqrt(width);
  if (options.isPlain && near(factor, 1, eps))
    return { scale: undefined, sure: true, note: 'the scores are not scaled' };
  if (near(factor, usual, eps)) {
    const note = `the scores are scaled by 1/sqrt(${width})`;
    return { scale: options.isPlain ? '1/sqrt(d)' : undefined, sure: true, note };
  }
  // T5 has the scale in its weights.
  if (options.isBiased && near(factor, 1, eps))
    return { scale: 1, sure: true, note: 'the scores are not scaled' };
  const own = written(factor, eps);
  // Cosines are no larger for more features: each program has a scale of its own.
  if (options.isUnit) {
    const cosine = written(factor * width, eps);
    const sure = isNamed(values, factor * width, eps);
    return { scale: factor, sure, note: `the cosines are scaled by ${cosine}`, written: factor };
  }
  const assumed = (sure: boolean): FoundScale => ({
    ...{ scale: options.isPlain ? '1/sqrt(d)' : undefined, sure },
    ...{ note: `1/sqrt(${width}) assumed; the program has ${own}`, written: factor },
  });
  if (options.others.some((each) => near(each, usual, eps))) return assumed(true);
  if (near(factor, 1, eps)) {
    // Nothing is scaled anywhere: that may be meant. A root elsewhere says that it is not.
    const scaled = values.recording.statements.some(({ text }) =>
      /sqrt|\*\* ?-?0?\.5|\bscale\b|\bscaling\b/.test(text),
    );
    if (scaled) return assumed(false);
    return { scale: 1, sure: false, note: 'the scores are not scaled', written: 1 };
  }
  // As it is, or a temperature beside the usual scale.
  const meant = [factor, factor / usual].some((each) => isNamed(values, each, eps));
  if (meant) return { scale: factor, sure: true, note: `the scores are scaled by ${own}` };
  return assumed(false);
}

/** Whether the program has a number of its own for the factor or its inverse, by a name for such, and it is no size. */
const isNamed = (values: Values, factor: number, eps: number): boolean =>
  !isOfSize(values, factor, eps) &&
  values.numbers.some((event) => {
    const { name } = event;
    if (!/scal|temp|tau|beta/i.test(name)) return false;
    const value = event.value ?? values.recording.tensor(event.id)?.data[0];
    if (value === undefined) return false;
    // A temperature that is learned is often kept as its logarithm.
    const forms = /log/i.test(name) ? [value, Math.exp(value)] : [value];
    return forms.some((each) => near(each, factor, eps) || near(1 / each, factor, eps));
  });

/** Whether a factor is made of some recorded length, as 1/sqrt(length) or 1/length. */
function isOfSize(values: Values, factor: number, eps: number): boolean {
  const sizes = new Set(values.all.flatMap(({ tensor }) => tensor.shape));
  return [...sizes].some(
    (size) =>
      size > 1 &&
      [size ** -0.5, 1 / size, size ** 0.5, size].some((each) => near(each, factor, eps)),
  );
}
