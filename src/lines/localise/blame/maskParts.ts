// What a mask tells alone: which keys of those that should be seen, as far as its own axes go.
import { strides, type Tensor } from '../../../engine/tensor.ts';
import type { Catalogue } from '../../align/catalogue.ts';
import { offsetsIn } from '../../recorded/lettered.ts';

/** A mask broadcast to `shape`, 1 where it is set; null where it does not fit. */
export function seenBy(mask: Tensor | null, shape: readonly number[]): Uint8Array | null {
  if (!mask || mask.shape.length > shape.length) return null;
  const full = shape.map((_, axis) => mask.shape[axis - (shape.length - mask.shape.length)] ?? 1);
  if (full.some((length, axis) => length !== 1 && length < shape[axis])) return null;
  const steps = strides(full);
  const size = shape.reduce((total, length) => total * length, 1);
  return Uint8Array.from({ length: size }, (_, at) => {
    let [rest, from] = [at, 0];
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      if (full[axis] !== 1) from += (rest % shape[axis]) * steps[axis];
      rest = Math.floor(rest / shape[axis]);
    }
    return mask.data[from] !== 0 ? 1 : 0;
  });
}

/** Nothing but ones or zeros, of which masks are cut. */
export const isPlain = (mask: Tensor | null): boolean =>
  mask?.data.every((value) => value === mask.data[0]) ?? false;

/** Which keys are left in where the others' weights are set to 0; null where anything else was done to them. */
export function keptIn({ data }: Tensor, { data: before }: Tensor): Uint8Array | null {
  const isKept =
    data.length === before.length && data.every((value, at) => value === 0 || value === before[at]);
  return isKept ? Uint8Array.from(data, (value) => (value === 0 ? 0 : 1)) : null;
}

/** Whether a mask of 0 and 1 is neither `shouldBe` nor its complement, under NumPy's broadcasting. */
export function hidesOther(mask: Tensor, shouldBe: Uint8Array, shape: readonly number[]): boolean {
  if (mask.data.length < 2) return false;
  const seen = seenBy(mask, shape);
  if (!seen) return true;
  return (
    seen.some((each, at) => each !== shouldBe[at]) && seen.some((each, at) => each === shouldBe[at])
  );
}

/** `shouldBe` as far as a mask of such a shape can tell it: 1 where any entry that it stands for should be seen. */
function foldFor(
  mask: readonly number[],
  shouldBe: Uint8Array,
  shape: readonly number[],
): Uint8Array {
  const full = shape.map((_, axis) => mask[axis - (shape.length - mask.length)] ?? 1);
  const steps = strides(full);
  const own = strides(shape);
  const to = Int32Array.from(shouldBe, (_, at) =>
    shape.reduce(
      (sum, length, axis) =>
        full[axis] === 1 ? sum : sum + (Math.floor(at / own[axis]) % length) * steps[axis],
      0,
    ),
  );
  const any = new Uint8Array(full.reduce((size, length) => size * length, 1));
  shouldBe.forEach((seen, at) => {
    if (seen) any[to[at]] = 1;
  });
  return Uint8Array.from(to, (at) => any[at]);
}

/** What a mask lets be seen, or hides, where that is right as far as it goes, over all of `shape`; null where it is not. */
export function foldOf(
  mask: Tensor | null,
  shouldBe: Uint8Array,
  shape: readonly number[],
  catalogue: Catalogue,
): Uint8Array | null {
  const seen = seenBy(mask, shape);
  if (!mask) return null;
  if (!seen) return paddingOf(mask, shouldBe, shape, catalogue);
  const fold = foldFor(mask.shape, shouldBe, shape);
  const isSame = seen.every((each, at) => each === fold[at]);
  return isSame || seen.every((each, at) => each !== fold[at]) ? fold : null;
}

/** Whether a mask is right as far as it goes: keys of each sequence, keys alone. */
export const isPart = (
  mask: Tensor,
  shouldBe: Uint8Array,
  shape: readonly number[],
  catalogue: Catalogue,
): boolean =>
  seenBy(mask, shape) === null
    ? isPadding(mask, catalogue)
    : foldOf(mask, shouldBe, shape, catalogue) !== null;

/** Of a mask that is laid out for later: what hides a key as such is the fold over all that it has no axis for. */
function paddingOf(
  mask: Tensor,
  shouldBe: Uint8Array,
  shape: readonly number[],
  catalogue: Catalogue,
): Uint8Array | null {
  if (!isPadding(mask, catalogue)) return null;
  const [first, ...rest] = mask.shape;
  const middle = shape.length - mask.shape.length;
  if (middle < 1) return null;
  const spread = [first, ...Array.from({ length: middle }, () => 1), ...rest];
  return foldFor(spread, shouldBe, shape);
}

/** Whether a mask tells, of some letters, which keys are seen: keys of each sequence, keys alone. */
function isPadding(mask: Tensor, { visible, parts }: Catalogue): boolean {
  if (!visible) return false;
  const { letters, data } = visible;
  const shape = mask.shape.filter((length) => length !== 1);
  const chosen: string[] = [];
  const matches = (): boolean => {
    const fold = offsetsIn(letters, chosen, parts.extents);
    const seen = new Uint8Array(mask.data.length);
    data.forEach((value, at) => {
      if (value) seen[fold[at]] = 1;
    });
    const same = mask.data.every((value, at) => (value !== 0) === (seen[at] === 1));
    return same || mask.data.every((value, at) => (value !== 0) !== (seen[at] === 1));
  };
  const choose = (axis: number): boolean =>
    axis === shape.length
      ? matches()
      : letters.some((letter) => {
          if (chosen.includes(letter) || parts.extents[letter] !== shape[axis]) return false;
          chosen[axis] = letter;
          const found = choose(axis + 1);
          chosen.length = axis;
          return found;
        });
  return choose(0);
}
