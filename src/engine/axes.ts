// Axes by letter. One letter is one index of the mathematics; an axis is one letter or several merged ones.
import { sizeOf } from './tensor.ts';

/**
 * The letters, everywhere the same:
 * b batch · h query head, or r key/value head and g member of its group · i, l key · j query · t new key ·
 * c feature of x · e feature of x' · u feature of xValue · a feature of keys and queries · v feature of values · o output feature · w bucket of a table ·
 * s softmax of a pair ·
 * m, n feature of the latents of keys and queries · d, z feature of keys and queries without and with rotation
 */
export type Letter = string;

/** Lengths of the letters in one graph. */
export type Extents = Readonly<Record<Letter, number>>;

/** The letters of one axis, slowest first: ['r', 'a'] is the merged axis (kv head, feature). */
export type AxisLetters = readonly Letter[];

/** What the letters are bound to: { i: 2, j: 0 }. */
export type Binding = Readonly<Record<Letter, number>>;

const letterNames: Readonly<Record<Letter, string>> = {
  b: 'batch',
  h: 'head',
  r: 'kv head',
  g: 'group member',
  i: 'key',
  l: 'key',
  t: 'new key',
  j: 'query',
  c: 'x feature',
  e: 'x′ feature',
  u: 'xValue feature',
  a: 'feature',
  v: 'value feature',
  o: 'output feature',
  w: 'bucket',
  s: 'attention map',
  m: 'latent feature',
  n: 'latent feature',
  d: 'unrotated feature',
  z: 'rotated feature',
};

/** Whether a letter tells heads: also the two softmaxes of a pair. */
export const isOfHeads = (letter: Letter): boolean => /^[hrgs]$/.test(letter);

/** "query", "head × feature"; (r, g) and (g, r) together are the query heads. */
export function axisName(axis: AxisLetters): string {
  const name = axis.map((letter) => letterNames[letter] ?? letter).join(' × ');
  return name.replace(/kv head × group member|group member × kv head/, 'head');
}

/** "i", "(r a)". */
export function axisLabel(axis: AxisLetters): string {
  return axis.length === 1 ? axis[0] : `(${axis.join(' ')})`;
}

/** Parses "b i c, c (r a) -> b i (r a)" into the axes of each operand; the last one is the output. */
export function parseSpec(spec: string): AxisLetters[][] {
  return spec
    .split(/,|->/)
    .map((operand) =>
      [...operand.matchAll(/\(([^)]*)\)|(\S)/g)].map(([, merged, single]) =>
        merged === undefined ? [single] : merged.trim().split(/\s+/),
      ),
    );
}

export function axisLength(axis: AxisLetters, extents: Extents): number {
  return axis.reduce((length, letter) => length * extents[letter], 1);
}

export function shapeOf(axes: readonly AxisLetters[], extents: Extents): number[] {
  return axes.map((axis) => axisLength(axis, extents));
}

/** Row-major stride of each letter in a tensor with these axes. */
export function letterStrides(axes: readonly AxisLetters[], extents: Extents): Map<Letter, number> {
  const result = new Map<Letter, number>();
  let stride = 1;
  for (const letter of axes.flat().reverse()) {
    result.set(letter, stride);
    stride *= extents[letter];
  }
  return result;
}

/** Values of the letters at a row-major offset. */
export function bindingAt(axes: readonly AxisLetters[], extents: Extents, offset: number): Binding {
  const binding: Record<Letter, number> = {};
  let rest = offset;
  for (const letter of axes.flat().reverse()) {
    binding[letter] = rest % extents[letter];
    rest = Math.floor(rest / extents[letter]);
  }
  return binding;
}

/** Row-major offset of a binding; letters left unbound count as 0. */
export function offsetAt(axes: readonly AxisLetters[], extents: Extents, binding: Binding): number {
  let offset = 0;
  for (const letter of axes.flat()) offset = offset * extents[letter] + (binding[letter] ?? 0);
  return offset;
}

/** Offsets that `letters`, in row-major order, reach in a tensor with the given letter strides. */
export function offsetTable(
  letters: readonly Letter[],
  letterStride: ReadonlyMap<Letter, number>,
  extents: Extents,
): Int32Array {
  const lengths = letters.map((letter) => extents[letter]);
  const table = new Int32Array(sizeOf(lengths));
  let filled = 1;
  for (let n = letters.length - 1; n >= 0; n--) {
    const stride = letterStride.get(letters[n]) ?? 0;
    for (let value = lengths[n] - 1; value >= 0; value--) {
      for (let at = 0; at < filled; at++) table[value * filled + at] = value * stride + table[at];
    }
    filled *= lengths[n];
  }
  return table;
}
