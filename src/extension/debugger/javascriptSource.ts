// What is evaluated in a paused JavaScript program: one function that uses nothing from outside of itself.
import type { Block } from './blocks.ts';

type Described = readonly [
  expression: string,
  shape: readonly number[],
  dtype: string,
  sentAs: string,
];
type Variable = readonly [name: string, value: () => unknown];
type Place = Block & { readonly size: number };
type Numbers = ArrayLike<number | bigint> & ArrayBufferView;

/** Its text is sent, so it may call only what every JavaScript engine has. Getters of the program are not called. */
export function programSide() {
  const MOST = 200;
  const TYPES: Readonly<Record<string, string>> = {
    Int8Array: 'int8',
    Uint8Array: 'uint8',
    Uint8ClampedArray: 'uint8',
    Int16Array: 'int16',
    Uint16Array: 'uint16',
    Int32Array: 'int32',
    Uint32Array: 'uint32',
    BigInt64Array: 'int64',
    BigUint64Array: 'uint64',
    Float16Array: 'float16',
    Float32Array: 'float32',
    Float64Array: 'float64',
  };

  const own = (value: unknown, key: string): unknown =>
    Object.getOwnPropertyDescriptor(Object(value), key)?.value as unknown;
  const typeOf = (value: unknown): string | undefined =>
    ArrayBuffer.isView(value)
      ? TYPES[Object.prototype.toString.call(value).slice(8, -1)]
      : undefined;

  /** Shape, number type, number type on the way; null for what is no tensor. */
  const describe = (value: unknown): [shape: number[], dtype: string, sentAs: string] | null => {
    const dtype = typeOf(value);
    if (dtype) return [[(value as Numbers).length], dtype, dtype];
    if (Array.isArray(value)) {
      const rows = value as unknown[];
      const first = rows.length > 0 ? describe(rows[0]) : null;
      if (!first) return null;
      const wanted = JSON.stringify(first);
      const isRagged =
        first[0].length > 0 && rows.some((row) => JSON.stringify(describe(row)) !== wanted);
      return isRagged ? null : [[rows.length, ...first[0]], first[1], 'float64'];
    }
    if (typeof value === 'number') return [[], 'float64', 'float64'];
    if (typeof value === 'boolean') return [[], 'bool', 'float64'];
    const shape = own(value, 'shape');
    const flat = Array.isArray(shape) ? describe(own(value, 'data')) : null;
    if (!flat) return null;
    const lengths = Array.from(shape as unknown[], Number);
    const size = lengths.reduce((product, length) => product * length, 1);
    return flat[0].length === 1 && flat[0][0] === size ? [lengths, flat[1], flat[2]] : null;
  };

  /** Of an object with data and shape, a gradient without a shape of its own has that of the data. */
  const gradient = (value: unknown): unknown => {
    const grad = own(value, 'grad');
    const shape = own(value, 'shape');
    return typeOf(grad) && Array.isArray(shape) ? { data: grad, shape: shape as unknown } : grad;
  };

  const entries = (expression: string, value: unknown): Described[] => {
    const found = describe(value);
    const grad = found && describe(gradient(value));
    return [
      ...(found ? [[expression, ...found] as const] : []),
      ...(grad ? [[`${expression}.grad`, ...grad] as const] : []),
    ];
  };

  const members = (name: string, value: unknown): [expression: string, member: unknown][] => {
    if (typeof value !== 'object' || value === null || ArrayBuffer.isView(value)) return [];
    // Rows of numbers are no tensors of their own.
    if (describe(value) && !(Array.isArray(value) && typeOf(value[0]))) return [];
    return Object.keys(value)
      .slice(0, MOST)
      .map((key) => {
        const isName = /^[\p{L}_$][\p{L}\p{N}_$]*$/u.test(key);
        const index = Array.isArray(value) ? key : JSON.stringify(key);
        return [isName ? `${name}.${key}` : `${name}[${index}]`, own(value, key)];
      });
  };

  const base64 = (bytes: Uint8Array): string => {
    if (typeof Buffer === 'function')
      return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64');
    let text = '';
    for (let at = 0; at < bytes.length; at += 0x2000)
      text += String.fromCharCode.apply(
        null,
        bytes.subarray(at, at + 0x2000) as unknown as number[],
      );
    return btoa(text);
  };
  const json = (make: () => unknown): string => {
    let value: unknown;
    try {
      value = make();
    } catch (error) {
      value = { error: String(error) };
    }
    return `~json ${base64(new TextEncoder().encode(JSON.stringify(value)))}`;
  };

  const list = (variables: readonly Variable[]): Described[] => {
    const found = new Map<string, Described>();
    for (const [name, get] of variables) {
      try {
        const value = get();
        const all = [[name, value] as [string, unknown], ...members(name, value)];
        const tensors = all.filter(([, each]) => typeof each === 'object' && each !== null);
        for (const entry of tensors.flatMap(([expression, each]) => entries(expression, each)))
          if (!found.has(entry[0])) found.set(entry[0], entry);
      } catch {
        // A variable that is not bound yet, or that the engine has optimised away.
      }
    }
    return [...found.values()];
  };

  const flatten = (value: unknown, out: number[]): void => {
    if (typeof value === 'number') out.push(value);
    else if (Array.isArray(value) || typeOf(value)) {
      const rows = value as ArrayLike<unknown>;
      for (let at = 0; at < rows.length; at++) flatten(rows[at], out);
    } else if (typeof value === 'boolean' || typeof value === 'bigint') out.push(Number(value));
    else throw new TypeError(`${String(value)} is among its entries`);
  };

  /** `prefix`, `from` and `to` are for arrays of arrays, `offset` and `count` for what lies flat. */
  const read = (value: unknown, { size, prefix, from, to, offset, count }: Place): string => {
    const found = describe(value)?.[0].reduce((product, length) => product * length, 1);
    if (found !== size) throw new Error('it has changed while it was read');
    const data =
      own(value, 'shape') === undefined || Array.isArray(value) ? value : own(value, 'data');
    if (typeOf(data)) {
      const all = data as Numbers & { readonly BYTES_PER_ELEMENT: number };
      const at = all.byteOffset + offset * all.BYTES_PER_ELEMENT;
      return base64(new Uint8Array(all.buffer, at, count * all.BYTES_PER_ELEMENT));
    }
    const out: number[] = [];
    if (data !== value) flatten((data as unknown[]).slice(offset, offset + count), out);
    else if (!Array.isArray(value)) out.push(Number(value));
    else {
      const rows = prefix.reduce((inner, index) => inner[index] as unknown[], value as unknown[]);
      flatten(Array.from(rows).slice(from, to), out);
    }
    return base64(new Uint8Array(Float64Array.from(out).buffer));
  };

  return {
    list: (variables: readonly Variable[]): string => json(() => list(variables)),
    describe: (expression: string, get: () => unknown): string =>
      json(() => {
        const found = entries(expression, get());
        if (found.length === 0) throw new TypeError(`${expression} is not an array of numbers`);
        return found;
      }),
    read: (get: () => unknown, place: Place): string => {
      try {
        return `~data ${read(get(), place)}`;
      } catch (error) {
        return json(() => {
          throw error;
        });
      }
    },
  };
}
