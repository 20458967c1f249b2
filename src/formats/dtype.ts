// Number types of tensor files: their names, sizes and decoding to float64.

const READERS = {
  bool: [1, (view: DataView, at: number) => (view.getUint8(at) === 0 ? 0 : 1)],
  int8: [1, (view: DataView, at: number) => view.getInt8(at)],
  uint8: [1, (view: DataView, at: number) => view.getUint8(at)],
  int16: [2, (view: DataView, at: number, little: boolean) => view.getInt16(at, little)],
  uint16: [2, (view: DataView, at: number, little: boolean) => view.getUint16(at, little)],
  int32: [4, (view: DataView, at: number, little: boolean) => view.getInt32(at, little)],
  uint32: [4, (view: DataView, at: number, little: boolean) => view.getUint32(at, little)],
  int64: [8, (view: DataView, at: number, little: boolean) => Number(view.getBigInt64(at, little))],
  uint64: [
    8,
    (view: DataView, at: number, little: boolean) => Number(view.getBigUint64(at, little)),
  ],
  float16: [
    2,
    (view: DataView, at: number, little: boolean) => fromFloat16(view.getUint16(at, little)),
  ],
  bfloat16: [
    2,
    (view: DataView, at: number, little: boolean) => fromBfloat16(view.getUint16(at, little)),
  ],
  float8_e4m3fn: [1, (view: DataView, at: number) => fromFloat8(view.getUint8(at), 4)],
  float8_e5m2: [1, (view: DataView, at: number) => fromFloat8(view.getUint8(at), 5)],
  float32: [4, (view: DataView, at: number, little: boolean) => view.getFloat32(at, little)],
  float64: [8, (view: DataView, at: number, little: boolean) => view.getFloat64(at, little)],
} as const;

export type DType = keyof typeof READERS;

export const DTYPES = Object.keys(READERS) as readonly DType[];

export function isDType(name: string): name is DType {
  return Object.hasOwn(READERS, name);
}

/** Bytes of one entry. */
export function byteSize(dtype: DType): number {
  return READERS[dtype][0];
}

const HOST_IS_LITTLE_ENDIAN = new Uint8Array(new Uint16Array([1]).buffer)[0] === 1;

/**
 * The first `count` entries of `bytes` as float64. Exact but for 64-bit integers beyond 2^53, which are
 * rounded to the nearest float64. Throws RangeError if `bytes` is too short.
 */
export function decode(
  dtype: DType,
  bytes: Uint8Array,
  littleEndian: boolean,
  count: number,
): Float64Array {
  const [size, read] = READERS[dtype];
  if (bytes.length < count * size) {
    throw new RangeError(`${bytes.length} bytes do not hold ${count} entries of ${size} bytes`);
  }
  if (littleEndian && HOST_IS_LITTLE_ENDIAN && (dtype === 'float32' || dtype === 'float64'))
    return decodeNative(dtype, bytes, count);
  if (dtype === 'float16' || dtype === 'bfloat16')
    return decodeHalf(dtype, bytes, littleEndian, count);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const data = new Float64Array(count);
  for (let i = 0; i < count; i++) data[i] = read(view, i * size, littleEndian);
  return data;
}

const ALIGNED = new Uint8Array(2 ** 16);

/** By typed arrays, which convert many times faster than a loop; they must begin at a multiple of their entries. */
function decodeNative(
  dtype: 'float32' | 'float64',
  bytes: Uint8Array,
  count: number,
): Float64Array {
  const data = new Float64Array(count);
  const size = byteSize(dtype);
  const most = ALIGNED.length / size;
  const entries = new (dtype === 'float32' ? Float32Array : Float64Array)(ALIGNED.buffer);
  // Through a small buffer: a copy of all would cost more than the conversion.
  for (let at = 0; at < count; at += most) {
    const length = Math.min(most, count - at);
    ALIGNED.set(bytes.subarray(at * size, (at + length) * size));
    data.set(entries.subarray(0, length), at);
  }
  return data;
}

/** All bit patterns of a 16-bit type, decoded once. */
const patterns = new Map<DType, Float64Array>();

function decodeHalf(
  dtype: 'float16' | 'bfloat16',
  bytes: Uint8Array,
  littleEndian: boolean,
  count: number,
): Float64Array {
  const read = dtype === 'float16' ? fromFloat16 : fromBfloat16;
  const table =
    patterns.get(dtype) ?? Float64Array.from({ length: 2 ** 16 }, (_, bits) => read(bits));
  patterns.set(dtype, table);
  const [low, high] = littleEndian ? [0, 1] : [1, 0];
  const data = new Float64Array(count);
  for (let n = 0; n < count; n++) data[n] = table[bytes[2 * n + low] | (bytes[2 * n + high] << 8)];
  return data;
}

/** IEEE 754 binary16: 1 sign, 5 exponent and 10 fraction bits. */
function fromFloat16(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 0x1f) return fraction === 0 ? sign * Infinity : NaN;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  return sign * (0x400 + fraction) * 2 ** (exponent - 25);
}

/** The upper half of a binary32: 1 sign, 8 exponent and 7 fraction bits. */
function fromBfloat16(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 7) & 0xff;
  const fraction = bits & 0x7f;
  if (exponent === 0xff) return fraction === 0 ? sign * Infinity : NaN;
  if (exponent === 0) return sign * fraction * 2 ** -133;
  return sign * (0x80 + fraction) * 2 ** (exponent - 134);
}

/**
 * 1 sign bit, `width` bits of exponent, the rest fraction: e5m2 is a binary16 cut short; e4m3 has no infinities, and NaN
 * in place of its largest number (Micikevicius et al. 2022, FP8 formats for deep learning).
 */
function fromFloat8(bits: number, width: 4 | 5): number {
  if (width === 5) return fromFloat16(bits << 8);
  const sign = bits & 0x80 ? -1 : 1;
  const exponent = (bits >> 3) & 0xf;
  const fraction = bits & 0x7;
  if (exponent === 0xf && fraction === 0x7) return NaN;
  if (exponent === 0) return sign * fraction * 2 ** -9;
  return sign * (8 + fraction) * 2 ** (exponent - 10);
}
