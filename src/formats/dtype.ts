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
  if (littleEndian && HOST_IS_LITTLE_ENDIAN && (dtype === 'float32' || dtype === 'float64')) {
    // A copy is aligned; typed arrays convert many times faster than a loop.
    const { buffer } = new Uint8Array(bytes.subarray(0, count * size));
    return dtype === 'float32'
      ? new Float64Array(new Float32Array(buffer))
      : new Float64Array(buffer);
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const data = new Float64Array(count);
  for (let i = 0; i < count; i++) data[i] = read(view, i * size, littleEndian);
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
