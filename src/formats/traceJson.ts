// Tensors in JSON: an object of nested arrays, as Python's json module and JSON.stringify write them.
import { sizeOf } from '../engine/tensor.ts';
import { type DType, DTYPES, isDType } from './dtype.ts';
import { FormatError } from './formatError.ts';
import { JsonCursor } from './jsonCursor.ts';
import { MAX_AXES, MAX_TENSORS, MAX_UNPACKED_BYTES } from './limits.ts';
import { checkedSize, type NamedTensor } from './namedTensor.ts';
import type { Joined, LeftOut } from './parts.ts';
import { readArray } from './traceArray.ts';
import { ALL, tooLarge, type Want } from './want.ts';

/**
 * The tensors in the order of the text. An entry is a number, a boolean, nested arrays of them, or
 * {"shape": [2, 3], "data": [flat, row-major], "dtype": "float32"}; in an object of objects the keys are
 * joined by a slash ("grad/Q"). Numbers may be NaN, Infinity and -Infinity or the strings "nan", "inf" and
 * "-inf". Strings under keys that begin with _ or $ are comments. The dtype is float64, or bool where all
 * entries are booleans, unless it is told. Throws FormatError.
 */
export function readTraceJson(bytes: Uint8Array, file: string, want: Want = ALL): Joined {
  if ((bytes[0] === 0xff && bytes[1] === 0xfe) || (bytes[0] === 0xfe && bytes[1] === 0xff)) {
    throw new FormatError(file, '', 'text in UTF-16', 'JSON in UTF-8');
  }
  const cursor = new JsonCursor(file, bytes);
  if (cursor.peek() !== '{')
    cursor.fail('an object of tensors such as {"P": [[0.2, 0.8]], "dP": …}', '');
  const reader = new Reader(cursor, want);
  reader.object('');
  cursor.end();
  return reader;
}

class Reader implements Joined {
  readonly tensors: NamedTensor[] = [];
  readonly leftOut: LeftOut[] = [];
  readonly #cursor: JsonCursor;
  readonly #want: Want;
  #bytes = 0;

  constructor(cursor: JsonCursor, want: Want) {
    this.#cursor = cursor;
    this.#want = want;
  }

  /** One tensor in the form {shape, data}, or the tensors of all members. */
  object(name: string): void {
    const cursor = this.#cursor;
    let dtype: DType | undefined;
    let shape: NamedTensor | undefined;
    let data: NamedTensor | undefined;
    let others = 0;
    cursor.members((key) => {
      const path = name === '' ? key : `${name}/${key}`;
      const next = cursor.peek();
      if (next === '"' && /^[_$]/.test(key)) cursor.string();
      else if (next === '"' && key === 'dtype' && name !== '') dtype = readDType(cursor, name);
      else if (next === '{') {
        others++;
        this.object(path);
      } else {
        // Of a tensor that is told as {shape, data}, or tensors of these names.
        const isHalf = name !== '' && (key === 'shape' || key === 'data');
        const most = this.#mostOf(path, isHalf ? name : path);
        const read = { name: path, ...readArray(cursor, path, most) };
        if (isHalf && key === 'shape') shape = read;
        else if (isHalf) data = read;
        else {
          others++;
          this.#add(read);
        }
      }
    });
    if (shape && data && others === 0) {
      this.#add({ ...reshape(cursor.file, name, data, shape), ...(dtype && { dtype }) });
      return;
    }
    if (dtype) throw new FormatError(cursor.file, name, 'a dtype', '"shape" and "data" beside it');
    for (const each of [shape, data]) if (each) this.#add(each);
  }

  /** How many entries are kept of a tensor that may come to have the one or the other name. */
  #mostOf(path: string, name: string): number {
    const { most, only } = this.#want;
    const mayBe = only === undefined || only === path || only === name;
    return mayBe ? Math.max(most, MAX_AXES) : MAX_AXES;
  }

  #add(read: NamedTensor): void {
    const { name, tensor } = read;
    const { file } = this.#cursor;
    const size = sizeOf(tensor.shape);
    const { most, why } = this.#want;
    const reason = why(name, tensor.shape, false) || (size > most ? tooLarge(size, most) : '');
    if (reason) this.leftOut.push({ name, reason });
    else {
      this.tensors.push(read);
      this.#bytes += 8 * size;
    }
    const count = this.tensors.length + this.leftOut.length;
    if (count > MAX_TENSORS)
      throw new FormatError(file, name, `tensor ${count}`, `at most ${MAX_TENSORS}`);
    if (this.#bytes > MAX_UNPACKED_BYTES) {
      const found = `${this.#bytes} bytes up to here, as float64`;
      throw new FormatError(file, name, found, `at most ${MAX_UNPACKED_BYTES}`);
    }
  }
}

function reshape(
  file: string,
  name: string,
  { dtype, tensor }: NamedTensor,
  lengths: NamedTensor,
): NamedTensor {
  const shape = [...lengths.tensor.data];
  const size = checkedSize(file, name, shape);
  if (size !== sizeOf(tensor.shape)) {
    throw new FormatError(
      file,
      name,
      `${sizeOf(tensor.shape)} entries`,
      `${size} for shape (${shape.join(', ')})`,
    );
  }
  return { name, dtype, tensor: { shape, data: tensor.data } };
}

function readDType(cursor: JsonCursor, name: string): DType {
  const text = cursor.string();
  const word = text.replace(/^torch\./, '');
  if (isDType(word)) return word;
  throw new FormatError(cursor.file, name, `dtype "${text}"`, `one of ${DTYPES.join(', ')}`);
}
