// The norm that makes one tensor of another: gains and biases are fitted feature by feature, then looked up.
import { type FoundNorm, groupsOf, LAYER_EPS, normalised, smallNumbers, vectors } from './norms.ts';
import { largest, type Rows } from '../values/rows.ts';
import type { Value, Values } from '../values/values.ts';

/** Of so many gains or biases that a fit allows each is tried. */
const MOST = 4;

/** result = gain * hat + bias for each feature, by least squares; null where it is not so. */
interface Fit {
  readonly gain: Float64Array;
  readonly bias: Float64Array;
}

function fitted(hat: Float64Array, result: Rows, hasBias: boolean, allowed: number): Fit | null {
  const { data, width } = result;
  const rows = data.length / width;
  const gain = new Float64Array(width);
  const bias = new Float64Array(width);
  for (let a = 0; a < width; a++) {
    let [x, y, xx, xy] = [0, 0, 0, 0];
    for (let at = a; at < data.length; at += width) {
      x += hat[at];
      y += data[at];
      xx += hat[at] * hat[at];
      xy += hat[at] * data[at];
    }
    const spread = hasBias ? xx - (x * x) / rows : xx;
    if (!(spread > 1e-12)) return null;
    gain[a] = (hasBias ? xy - (x * y) / rows : xy) / spread;
    bias[a] = hasBias ? (y - gain[a] * x) / rows : 0;
    for (let at = a; at < data.length; at += width)
      if (!(Math.abs(data[at] - gain[a] * hat[at] - bias[a]) <= allowed)) return null;
  }
  return { gain, bias };
}

/** Rows of a norm with a bias that a fit explains whatever they are. */
const FEW = 3;

/** How far a norm is off, squared; Infinity where it is not near. */
function distance(
  { data, width }: Rows,
  hat: Float64Array,
  { gain, offset, bias }: { gain: Value | null; offset: number; bias: Value | null },
  allowed: number,
): number {
  let sum = 0;
  for (let n = 0; n < data.length; n++) {
    const by = gain ? gain.tensor.data[n % width] + offset : 1;
    const shift = bias ? bias.tensor.data[n % width] : 0;
    const off = Math.abs(data[n] - by * hat[n] - shift);
    if (!(off <= allowed)) return Infinity;
    sum += off * off;
  }
  return sum;
}

/** So much nearer is another one that is meant: a narrow type does not tell what is added to a variance well. */
const LESS = 0.5;

class Nearest {
  norm: FoundNorm | null = null;
  #off = Infinity;

  take(norm: FoundNorm, off: number): void {
    if (this.norm && !(off < this.#off * LESS)) return;
    this.norm = norm;
    this.#off = off;
  }
}

/** The norm over the features of each token, with its gain and bias as they were recorded; null where there is none. */
export function normBetween(values: Values, plain: Rows, result: Rows): FoundNorm | null {
  const { length } = result.data;
  const { width } = plain;
  if (plain.data.length !== length || width !== result.width || width < 2) return null;
  const groups = groupsOf(
    plain,
    plain.outer.map(() => false),
  );
  const eps = Math.max(plain.eps, result.eps);
  const allowed = 20 * eps * largest(result.data);
  const isFew = length / width < FEW;
  const small = smallNumbers(values);
  let named: readonly Value[] | undefined;
  const best = new Nearest();
  for (const kind of ['rms', 'layer'] as const) {
    for (const over of kind === 'layer' ? [LAYER_EPS, ...small] : small) {
      const { hat } = normalised(plain, groups, kind, over);
      const offBy = (gain: Value | null, offset: number, bias: Value | null): number =>
        distance(result, hat, { gain, offset, bias }, allowed);
      const base = { kind, eps: over, over: 'head' as const };
      const plainly = offBy(null, 0, null);
      if (plainly < Infinity) {
        best.take({ ...base, gain: null, bias: null }, plainly);
        continue;
      }
      const fit = isFew ? null : fitted(hat, result, kind === 'layer', allowed);
      if (!fit && !isFew) continue;
      named ??= vectors(values, [width]);
      const like = (wanted: Float64Array | undefined, offset: number): readonly Value[] => {
        if (!wanted) return (named as readonly Value[]).slice(0, MOST);
        const near = 1e3 * eps * (1 + largest(wanted));
        return (named as readonly Value[])
          .filter(({ tensor: { data } }) =>
            data.every((value, a) => Math.abs(value + offset - wanted[a]) <= near),
          )
          .slice(0, MOST);
      };
      const biases = kind === 'layer' ? [null, ...like(fit?.bias, 0)] : [null];
      for (const offset of [0, 1]) {
        for (const gain of like(fit?.gain, offset)) {
          const bias = biases.find((each) => each !== gain && offBy(gain, offset, each) < Infinity);
          if (bias === undefined) continue;
          const norm = { ...base, gain, bias, ...(offset === 1 && { unitOffset: true }) };
          best.take(norm, offBy(gain, offset, bias));
        }
      }
    }
  }
  return best.norm;
}
