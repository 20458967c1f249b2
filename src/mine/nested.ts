// Between flat tensors and what a person's JavaScript has: nested arrays, typed arrays, {shape, data}.
import type { DType } from '../formats/dtype.ts';
import { sizeOf, type Tensor } from '../engine/tensor.ts';
import { isTensor } from './inputs.ts';
import type { Output } from './messages.ts';

/** Of all outputs of one function together: 256 MiB on the way to the comparison. */
const MOST_ENTRIES = 2 ** 25;
const MOST_NAMES = 1000;
const MOST_AXES = 8;

/** The person's module is not as it should be; the message says it all. */
export class OutputError extends Error {}

/** A fresh copy in which every tensor is nested arrays. */
export function toNested(value: unknown): unknown {
  if (isTensor(value)) return nest(value);
  if (Array.isArray(value)) return value.map(toNested);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, toNested(each)]));
}

function nest(tensor: Tensor & { readonly dtype?: string }): unknown {
  const { shape, data } = tensor;
  const isBoolean = tensor.dtype === 'bool';
  let at = 0;
  const level = (axis: number): unknown => {
    if (axis < shape.length) return Array.from({ length: shape[axis] }, () => level(axis + 1));
    const value = data[at++];
    return isBoolean ? value !== 0 : value;
  };
  return level(0);
}

/**
 * The tensors of an object that the person's `source` ("forward") returned; null and undefined are left out. Throws
 * OutputError.
 */
export function toOutputs(source: string, result: unknown): Output[] {
  if (typeof result !== 'object' || result === null || Array.isArray(result) || isTyped(result)) {
    const found = describe(result);
    throw new OutputError(
      `${source}: found ${found}, expected an object of tensors such as { P, y }`,
    );
  }
  const entries = Object.entries(result).filter(
    ([, value]) => value !== null && value !== undefined,
  );
  if (entries.length > MOST_NAMES)
    throw new OutputError(
      `${source}: found ${entries.length} tensors, expected at most ${MOST_NAMES}`,
    );
  let left = MOST_ENTRIES;
  return entries.map(([name, value]) => {
    const output = new Flattening(`${source}: ${name}`, left).output(name, value);
    left -= output.data.length;
    return output;
  });
}

type Typed = Exclude<ArrayBufferView, DataView> & ArrayLike<number>;

const isTyped = (value: unknown): value is Typed =>
  ArrayBuffer.isView(value) && !(value instanceof DataView);

const TYPES: Readonly<Record<string, DType>> = {
  ...{ Int8Array: 'int8', Int16Array: 'int16', Int32Array: 'int32' },
  ...{ Uint8Array: 'uint8', Uint8ClampedArray: 'uint8', Uint16Array: 'uint16' },
  ...{ Uint32Array: 'uint32', Float16Array: 'float16', Float32Array: 'float32' },
  Float64Array: 'float64',
};

class Flattening {
  readonly #name: string;
  readonly #left: number;
  readonly #shape: number[] = [];
  readonly #data: number[] = [];
  #dtype: DType | undefined;

  constructor(name: string, left: number) {
    this.#name = name;
    this.#left = left;
  }

  output(name: string, value: unknown): Output {
    if (isTensor(value)) return this.#flat(name, value);
    this.#measure(value);
    this.#walk(value, 0, '');
    const data = Float64Array.from(this.#data);
    return { name, dtype: this.#dtype ?? 'float64', shape: this.#shape, data };
  }

  #fail(at: string, found: string, expected: string): never {
    throw new OutputError(`${this.#name}${at}: found ${found}, expected ${expected}`);
  }

  /** {shape, data}, row-major. */
  #flat(name: string, { shape, data }: { shape: unknown; data: unknown }): Output {
    const isShape = (value: unknown): value is number[] =>
      Array.isArray(value) && value.every((each) => Number.isSafeInteger(each) && each >= 0);
    const lengths = isTyped(shape) ? Array.from(shape) : shape;
    if (!isShape(lengths) || lengths.length > MOST_AXES)
      return this.#fail('.shape', describe(shape), `an array of up to ${MOST_AXES} lengths`);
    if (!Array.isArray(data) && !isTyped(data))
      return this.#fail('.data', describe(data), 'an array or a typed array');
    const size = sizeOf(lengths);
    if (data.length !== size)
      this.#fail('.data', `${data.length} entries`, `${size} for shape (${lengths.join(', ')})`);
    this.#walkRow(data as ArrayLike<unknown>, '.data');
    const dtype = this.#dtype ?? 'float64';
    return { name, dtype, shape: lengths, data: Float64Array.from(this.#data) };
  }

  /** The shape is that of the first entries; what differs from it is found on the way. */
  #measure(value: unknown): void {
    for (let level = value; Array.isArray(level) || isTyped(level);) {
      if (this.#shape.push(level.length) > MOST_AXES)
        this.#fail('', `more than ${MOST_AXES} axes`, 'a tensor');
      level = (level as ArrayLike<unknown>)[0];
    }
  }

  #walk(value: unknown, axis: number, at: string): void {
    const shape = this.#shape;
    if (axis === shape.length) {
      this.#entry(value, at);
      return;
    }
    if (!Array.isArray(value) && !isTyped(value))
      this.#fail(at, describe(value), `${shape[axis]} entries as before it`);
    const row = value as ArrayLike<unknown>;
    if (row.length !== shape[axis])
      this.#fail(at, `${row.length} entries`, `${shape[axis]} as before it`);
    if (axis === shape.length - 1) this.#walkRow(row, at);
    else for (let n = 0; n < row.length; n++) this.#walk(row[n], axis + 1, `${at}[${n}]`);
  }

  #walkRow(row: ArrayLike<unknown>, at: string): void {
    if (this.#data.length + row.length > this.#left)
      this.#fail('', `more than ${MOST_ENTRIES} entries in all`, 'fewer');
    if (isTyped(row)) {
      const name = (row as object).constructor.name;
      const dtype = TYPES[name];
      if (dtype === undefined) this.#fail(at, `a ${name}`, 'numbers');
      this.#dtype ??= dtype;
      for (let n = 0; n < row.length; n++) this.#data.push(row[n]);
      return;
    }
    for (let n = 0; n < row.length; n++) this.#entry(row[n], `${at}[${n}]`);
  }

  #entry(value: unknown, at: string): void {
    if (typeof value !== 'number' && typeof value !== 'boolean')
      this.#fail(at, describe(value), 'a number');
    const dtype = typeof value === 'boolean' ? 'bool' : 'float64';
    if (this.#dtype !== dtype && this.#dtype === 'bool')
      this.#fail(at, describe(value), 'a boolean as before it');
    this.#dtype ??= dtype;
    this.#data.push(Number(value));
  }
}

/** What stands there, in words. */
function describe(value: unknown): string {
  if (value === null || value === undefined) return String(value);
  if (Array.isArray(value))
    return value.length === 0 ? 'an empty array' : `an array of ${value.length}`;
  switch (typeof value) {
    case 'number':
    case 'boolean':
      return String(value);
    case 'string':
      return `the string ${JSON.stringify(value.slice(0, 40))}`;
    case 'object':
      return `an object (${value.constructor?.name ?? 'without prototype'})`;
    default:
      return `a ${typeof value}`;
  }
}
