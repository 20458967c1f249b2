// Tensors in JSON: an object of nested arrays, as Python's json module and JSON.stringify write them.
import { strFromU8 } from 'fflate';
import { sizeOf } from '../engine/tensor.ts';
import { type DType, DTYPES, isDType } from './dtype.ts';
import { FormatError } from './formatError.ts';
import { JsonCursor } from './jsonCursor.ts';
import { MAX_JSON_BYTES, MAX_TENSORS } from './limits.ts';
import { checkedSize, type NamedTensor } from './namedTensor.ts';
import { readArray } from './traceArray.ts';

/**
 * The tensors in the order of the text. An entry is a number, a boolean, nested arrays of them, or
 * {"shape": [2, 3], "data": [flat, row-major], "dtype": "float32"}; in an object of objects the keys are
 * joined by a slash ("grad/Q"). Numbers may be NaN, Infinity and -Infinity or the strings "nan", "inf" and
 * "-inf". Strings under keys that begin with _ or $ are comments. The dtype is float64, or bool where all
 * entries are booleans, unless it is told. Throws FormatError.
 */
export function readTraceJson(bytes: Uint8Array, file: string): NamedTensor[] {
  if ((bytes[0] === 0xff && bytes[1] === 0xfe) || (bytes[0] === 0xfe && bytes[1] === 0xff)) {
    throw new FormatError(file, '', 'text in UTF-16', 'JSON in UTF-8');
  }
  if (bytes.length > MAX_JSON_BYTES) {
    throw new FormatError(
      file,
      '',
      `${bytes.length} bytes of JSON`,
      `at most ${MAX_JSON_BYTES}; use .npz`,
    );
  }
  const cursor = new JsonCursor(file, strFromU8(bytes));
  if (cursor.peek() !== '{')
    cursor.fail('an object of tensors such as {"P": [[0.2, 0.8]], "dP": …}', '');
  const tensors = readObject(cursor, '');
  cursor.end();
  return tensors;
}

/** One tensor in the form {shape, data}, or the tensors of all members. */
function readObject(cursor: JsonCursor, name: string): NamedTensor[] {
  const tensors: NamedTensor[] = [];
  let dtype: DType | undefined;
  cursor.members((key) => {
    const path = name === '' ? key : `${name}/${key}`;
    const next = cursor.peek();
    if (next === '"' && /^[_$]/.test(key)) cursor.string();
    else if (next === '"' && key === 'dtype' && name !== '') dtype = readDType(cursor, name);
    else if (next === '{') tensors.push(...readObject(cursor, path));
    else tensors.push({ name: path, ...readArray(cursor, path) });
    if (tensors.length > MAX_TENSORS) {
      throw new FormatError(
        cursor.file,
        path,
        `tensor ${tensors.length}`,
        `at most ${MAX_TENSORS}`,
      );
    }
  });
  const shape = tensors.find((each) => each.name === `${name}/shape`);
  const data = tensors.find((each) => each.name === `${name}/data`);
  if (shape && data && tensors.length === 2) {
    return [
      { ...reshape(cursor.file, name, data, [...shape.tensor.data]), ...(dtype && { dtype }) },
    ];
  }
  if (dtype) throw new FormatError(cursor.file, name, 'a dtype', '"shape" and "data" beside it');
  return tensors;
}

function reshape(
  file: string,
  name: string,
  { dtype, tensor }: NamedTensor,
  shape: number[],
): NamedTensor {
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
