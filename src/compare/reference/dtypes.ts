// Number types a person computes in: how each rounds, and which one a trace was computed in.
import type { NamedTensor } from '../../formats/namedTensor.ts';
import type { NumberTypeName } from '../../engine/config.ts';
import type { Tensor } from '../../engine/tensor.ts';

export interface NumberType {
  readonly name: string;
  /** Distance from 1 to the next number. */
  readonly epsilon: number;
  /** The same for sums: half types accumulate in float32. */
  readonly sumEpsilon: number;
  /** The distance from 0 to the next number. */
  readonly smallest: number;
  round(value: number): number;
}

const BITS = new Float64Array(1);
/** Machines that this runs on are little-endian: sign and exponent come second. */
const WORDS = new Uint32Array(BITS.buffer);

/** Rounding to `bits` significant bits, ties to even, with subnormals below 2^least. */
function rounder(bits: number, least: number, largest: number): (value: number) => number {
  // Added to a number of that exponent it leaves no bit below the last significant one.
  const magic = Float64Array.from(
    { length: 2048 },
    (_, biased) => 1.5 * 2 ** (52 + Math.max(biased - 1023, least) - bits + 1),
  );
  return (value) => {
    if (value === 0 || !Number.isFinite(value)) return value;
    if (Math.abs(value) > 2 * largest) return value * Infinity;
    BITS[0] = value;
    const most = magic[(WORDS[1] >>> 20) & 0x7ff];
    const rounded = value + most - most;
    return Math.abs(rounded) > largest ? rounded * Infinity : rounded;
  };
}

export const FLOAT64: NumberType = {
  name: 'float64',
  epsilon: 2 ** -52,
  sumEpsilon: 2 ** -52,
  smallest: 2 ** -1074,
  round: (value) => value,
};
export const FLOAT32: NumberType = {
  name: 'float32',
  epsilon: 2 ** -23,
  sumEpsilon: 2 ** -23,
  smallest: 2 ** -149,
  round: (value) => Math.fround(value),
};
export const BFLOAT16: NumberType = {
  name: 'bfloat16',
  epsilon: 2 ** -7,
  sumEpsilon: 2 ** -23,
  smallest: 2 ** -133,
  round: rounder(8, -126, 3.3895313892515355e38),
};
export const FLOAT16: NumberType = {
  name: 'float16',
  epsilon: 2 ** -10,
  sumEpsilon: 2 ** -23,
  smallest: 2 ** -24,
  round: rounder(11, -14, 65504),
};

/** Operands of matrix products have the bits of float16 and the range of float32; all else is float32. */
export const TF32: NumberType = {
  name: 'tf32',
  epsilon: 2 ** -23,
  sumEpsilon: 2 ** -23,
  smallest: 2 ** -149,
  round: (value) => Math.fround(value),
};
/** How the operands of a product in TF32 are rounded: to the nearest, or cut off as some units do. */
export const tf32Operand = { nearest: rounder(11, -126, 3.4e38), cut: cutTo(11) };
export const FLOAT8_E4M3: NumberType = {
  name: 'float8_e4m3fn',
  epsilon: 2 ** -3,
  sumEpsilon: 2 ** -23,
  smallest: 2 ** -9,
  // It has no infinity.
  round: nanBeyond(rounder(4, -6, 448)),
};
export const FLOAT8_E5M2: NumberType = {
  name: 'float8_e5m2',
  epsilon: 2 ** -2,
  sumEpsilon: 2 ** -23,
  smallest: 2 ** -16,
  round: rounder(3, -14, 57344),
};

function nanBeyond(round: (value: number) => number): (value: number) => number {
  return (value) => {
    const rounded = round(value);
    return Number.isFinite(rounded) ? rounded : NaN;
  };
}

/** Cuts off what is behind `bits` significant bits. */
function cutTo(bits: number): (value: number) => number {
  return (value) => {
    if (value === 0 || !Number.isFinite(value)) return value;
    const unit = 2 ** (Math.floor(Math.log2(Math.abs(value))) - bits + 1);
    return Math.trunc(value / unit) * unit;
  };
}

/** Numbers printed with `digits` decimals. */
function decimals(digits: number): NumberType {
  const unit = 10 ** -digits;
  return {
    name: `${digits} decimals`,
    epsilon: unit,
    sumEpsilon: 2 ** -52,
    smallest: unit,
    round: (value) => (Number.isFinite(value) ? Math.round(value / unit) * unit : value),
  };
}

const NARROW_FIRST = [BFLOAT16, FLOAT16, FLOAT32, FLOAT64];
const EIGHT_BITS = [FLOAT8_E4M3, FLOAT8_E5M2];
const BY_NAME = new Map([...NARROW_FIRST, ...EIGHT_BITS].map((type) => [type.name, type]));

/** The type that a setup names for the program that is judged. */
export function namedType(name: NumberTypeName | undefined): NumberType | undefined {
  return name === undefined ? undefined : name === 'tf32' ? TF32 : BY_NAME.get(name);
}

/** Entries looked at, spread evenly over a large tensor. */
const SAMPLE = 4096;

function sampled({ shape, data }: Tensor): Tensor {
  if (data.length <= SAMPLE) return { shape, data };
  // An odd step meets all columns of a matrix.
  const step = Math.floor(data.length / SAMPLE) | 1;
  return {
    shape: [SAMPLE],
    data: Float64Array.from({ length: SAMPLE }, (_, n) => data[(n * step) % data.length]),
  };
}

/** Whether most entries that are not 0 could tell the types apart: not ±1 or another small whole number. */
function telling({ data }: Tensor): boolean {
  let [count, all] = [0, 0];
  for (const value of data) {
    if (value === 0) continue;
    all++;
    if (Number.isFinite(value) && !Number.isInteger(value * 64)) count++;
  }
  return count >= Math.min(4, data.length) && count > all / 8;
}

const holds = ({ data }: Tensor, type: NumberType): boolean =>
  data.every((value) => !Number.isFinite(value) || type.round(value) === value);

/** Whether a tensor has numbers so small that float16 keeps few of their bits, which are then bfloat16's too. */
function isUnderflown(tensor: Tensor): boolean {
  const isSmall = (value: number): boolean => value !== 0 && Math.abs(value) < 2 ** -16;
  return tensor.data.some(isSmall) && holds(tensor, FLOAT16);
}

/** The narrowest type that holds all entries, or null where the entries cannot tell. */
export function narrowestType({
  tensor: whole,
  dtype,
}: Pick<NamedTensor, 'tensor' | 'dtype'>): NumberType | null {
  const own = BY_NAME.get(dtype);
  const tensor = sampled(whole);
  if (!own || !telling(tensor)) return null;
  if (own === FLOAT16 || own === BFLOAT16 || EIGHT_BITS.includes(own)) return own;
  if (isUnderflown(tensor)) return FLOAT16;
  for (const type of NARROW_FIRST.slice(0, NARROW_FIRST.indexOf(own)))
    if (holds(tensor, type)) return type;
  if (own !== FLOAT64) return own;
  for (let digits = 2; digits <= 8; digits++) {
    const type = decimals(digits);
    const close = (value: number): boolean =>
      !Number.isFinite(value) ||
      Math.abs(type.round(value) - value) <= 1e-15 * Math.max(1, Math.abs(value));
    if (tensor.data.length >= 4 && tensor.data.every(close)) return type;
  }
  return FLOAT64;
}

/** The type of most tensors of a trace, the narrower one on a tie; float64 where nothing tells. */
export function typeOf(tensors: readonly Pick<NamedTensor, 'tensor' | 'dtype'>[]): NumberType {
  const votes = new Map<string, { type: NumberType; count: number }>();
  for (const each of tensors) {
    const type = narrowestType(each);
    if (type) votes.set(type.name, { type, count: (votes.get(type.name)?.count ?? 0) + 1 });
  }
  const ranked = [...votes.values()].sort(
    (a, b) => b.count - a.count || b.type.epsilon - a.type.epsilon,
  );
  if (ranked.length > 0) return ranked[0].type;
  const declared = tensors.flatMap(({ dtype }) => BY_NAME.get(dtype) ?? []);
  return declared.sort((a, b) => b.epsilon - a.epsilon)[0] ?? FLOAT64;
}

/**
 * The half type that a trace saved as float32 may have been computed in, or null: its entries fit one, but are too few
 * or too plain to tell. A tensor of quarters fits too: take it only for a trace that is right so.
 */
export function possibleHalf(
  tensors: readonly Pick<NamedTensor, 'tensor' | 'dtype'>[],
): NumberType | null {
  const isOpen = ({ dtype, tensor }: (typeof tensors)[number]): boolean =>
    dtype === FLOAT32.name && !telling(sampled(tensor));
  const fits = (type: NumberType): boolean => tensors.every(({ tensor }) => holds(tensor, type));
  return tensors.every(isOpen) ? ([BFLOAT16, FLOAT16].find(fits) ?? null) : null;
}
