// Attention written by hand in plain loops, forward and backward, with slips: it shares no code with the engine.
import type { NamedTensor } from '../../src/formats/namedTensor.ts';
import { sizeOf, type Tensor, tensor } from '../../src/engine/tensor.ts';
import { generator } from '../conformance/draw.mjs';

/** Sizes: batch entries, heads, queries, keys, features of a head. */
export interface Sizes {
  readonly B: number;
  readonly H: number;
  readonly m: number;
  readonly n: number;
  readonly d: number;
}

/** What one head of one batch entry holds, [query][key] or [token][feature]. */
interface Head {
  readonly [name: string]: number[][];
}

type Hides = (j: number, i: number, b: number, h: number) => boolean;

export interface Slips {
  /** Of the forward pass, and of the weights that the backward pass recomputes with the right log-sum-exp. */
  readonly hides?: Hides;
  readonly backwardHides?: Hides;
  readonly scale?: number;
  /** Right where the setup has it too. */
  readonly softcap?: number;
  /** Added to the scores. */
  readonly bias?: (j: number, i: number, b: number, h: number) => number;
  /** The gradient of the masked scores of one head; `all`: the heads of this batch entry. */
  readonly dM?: (own: Head, h: number, all: readonly Head[]) => number[][];
  readonly dO?: (right: number[][]) => number[][];
  readonly dQ?: (own: Head) => number[][];
  readonly dK?: (own: Head) => number[][];
  readonly dV?: (own: Head) => number[][];
  /** Last of all, the gradient of a token's features from those of all tokens. */
  readonly after?: (own: number[][]) => number[][];
}

const table = <T>(rows: number, columns: number, of: (row: number, column: number) => T): T[][] =>
  Array.from({ length: rows }, (_, row) =>
    Array.from({ length: columns }, (_item, column) => of(row, column)),
  );
const sum = (count: number, of: (k: number) => number): number => {
  let total = 0;
  for (let k = 0; k < count; k++) total += of(k);
  return total;
};
export const times = (a: number[][], b: number[][]): number[][] =>
  table(a.length, b[0].length, (row, column) => sum(b.length, (k) => a[row][k] * b[k][column]));
export const turned = (a: number[][]): number[][] =>
  table(a[0].length, a.length, (row, column) => a[column][row]);
export const mapped = (a: number[][], of: (value: number, j: number, i: number) => number) =>
  table(a.length, a[0].length, (row, column) => of(a[row][column], row, column));

/** The gradient of softmax's input: P (dP − Σ P dP). */
export const softmaxBack = (P: number[][], dP: number[][]): number[][] =>
  mapped(P, (p, j, i) => p * (dP[j][i] - sum(P[j].length, (l) => P[j][l] * dP[j][l])));

/** Entries uniform in (-1, 1). */
function randomTensor(shape: readonly number[], seed: number): Tensor {
  const random = generator(seed);
  return tensor(
    shape,
    Array.from({ length: sizeOf(shape) }, () => 2 * random() - 1),
  );
}

/** Inputs: (B, m or n, H d) as a projection leaves them, and the upstream gradient of y. */
export function inputsOf({ B, H, m, n, d }: Sizes) {
  return {
    Q: randomTensor([B, m, H * d], 1),
    K: randomTensor([B, n, H * d], 2),
    V: randomTensor([B, n, H * d], 3),
    G: randomTensor([B, m, H * d], 4),
  };
}

/** All that such a program logs, heads before tokens. */
export function program(sizes: Sizes, slips: Slips = {}): Map<string, NamedTensor['tensor']> {
  const { B, H, m, n, d } = sizes;
  const inputs = inputsOf(sizes);
  const scale = slips.scale ?? 1 / Math.sqrt(d);
  const hides = slips.hides ?? (() => false);
  const cap = slips.softcap;
  const capped = (score: number): number =>
    cap === undefined ? score : cap * Math.tanh(score / cap);
  const logged = new Map<string, number[]>();
  const log = (name: string, rows: number[][]): void => {
    logged.set(name, [...(logged.get(name) ?? []), ...rows.flat()]);
  };
  const headOf = (name: 'Q' | 'K' | 'V' | 'G', b: number, h: number): number[][] => {
    const tokens = name === 'K' || name === 'V' ? n : m;
    return table(tokens, d, (t, k) => inputs[name].data[(b * tokens + t) * H * d + h * d + k]);
  };
  for (let b = 0; b < B; b++) {
    const heads = Array.from({ length: H }, (_, h): Head => {
      const [Q, K, V, G] = (['Q', 'K', 'V', 'G'] as const).map((name) => headOf(name, b, h));
      const Z = mapped(
        times(Q, turned(K)),
        (value, j, i) => capped(value * scale) + (slips.bias?.(j, i, b, h) ?? 0),
      );
      const exps = mapped(Z, (value, j, i) => (hides(j, i, b, h) ? 0 : Math.exp(value)));
      const P = mapped(exps, (value, j) => value / sum(n, (l) => exps[j][l]));
      const O = times(P, V);
      const dO = slips.dO?.(G) ?? G;
      const dP = times(dO, turned(V));
      const again = slips.backwardHides;
      const Pb = again
        ? mapped(Z, (value, j, i) =>
            again(j, i, b, h) ? 0 : Math.exp(value) / sum(n, (l) => exps[j][l]),
          )
        : P;
      const D = mapped(dO, (value, j, k) => value * O[j][k]).map((row) => [sum(d, (k) => row[k])]);
      return { Q, K, V, Z, P, O, dO, dP, Pb, D };
    });
    heads.forEach((own, h) => {
      const { Q, K, P, Pb, dP, D, dO, O } = own;
      const dM = slips.dM?.(own, h, heads) ?? mapped(Pb, (p, j, i) => p * (dP[j][i] - D[j][0]));
      const slope = (z: number): number => scale * (cap === undefined ? 1 : 1 - (z / cap) ** 2);
      const dS = mapped(dM, (value, j, i) => value * slope(own['Z'][j][i]));
      const all = { ...own, dM, dS };
      const after = slips.after ?? ((rows: number[][]) => rows);
      log('P', P);
      log('O', O);
      log('dO', own.dO);
      log('dP', dP);
      log('dM', dM);
      log('dS', dS);
      log('dQh', slips.dQ?.(all) ?? times(dS, K));
      log('dKh', after(slips.dK?.(all) ?? times(turned(dS), Q)));
      log('dVh', after(slips.dV?.(all) ?? times(turned(Pb), dO)));
    });
  }
  const shapes: Record<string, number[]> = {
    ...{ P: [m, n], O: [m, d], dO: [m, d], dP: [m, n], dM: [m, n], dS: [m, n] },
    ...{ dQh: [m, d], dKh: [n, d], dVh: [n, d] },
  };
  return new Map(
    [...logged].map(([name, data]) => [
      name,
      { shape: [B, H, ...shapes[name]], data: Float64Array.from(data) },
    ]),
  );
}
