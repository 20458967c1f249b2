// A tensor in a file, known by the file's header; its entries are read when asked for.
import { sizeOf, strides } from '../../engine/tensor.ts';
import { byteSize, decode, type DType } from '../dtype.ts';
import { FormatError } from '../formatError.ts';
import { type ByteSource, readExactly } from './byteSource.ts';

/** Most entries of a tensor that is read by ranges. */
export const MOST_ENTRIES = 2 ** 40;

/** Awaited between slices of long work; throws when it is cancelled. Nothing at once where it is not time yet. */
export type Breathe = () => Promise<void> | undefined;

export interface Opening {
  readonly breathe: Breathe;
  /** Holds what is stored as it is against its checksum too, where the format has one: that reads all of it. */
  readonly checked?: boolean;
  /** The share that is done, in [0, 1]. */
  readonly progress?: (done: number) => void;
}

export interface FileTensor {
  readonly name: string;
  readonly dtype: DType;
  readonly littleEndian: boolean;
  readonly shape: readonly number[];
  /** The first axis runs fastest. */
  readonly fortranOrder: boolean;
  /** Size of the entries, unpacked. */
  readonly bytes: number;
  readonly compressed: boolean;
  /** Its entries' bytes; what is compressed is unpacked first. Throws FormatError. */
  open(opening: Opening): Promise<ByteSource>;
}

/** What a file lists that cannot be shown, with one line that says why. */
export interface Unreadable {
  readonly name: string;
  readonly problem: string;
}

export interface TensorList {
  readonly tensors: readonly FileTensor[];
  readonly unreadable: readonly Unreadable[];
  /** The bytes of what attention_trace.py says of the tensors, if it does and they are not too many. */
  readonly meta?: () => Promise<Uint8Array>;
}

/** In entries, one per axis. */
export function stridesOf({
  shape,
  fortranOrder,
}: Pick<FileTensor, 'shape' | 'fortranOrder'>): number[] {
  return fortranOrder ? strides([...shape].reverse()).reverse() : strides(shape);
}

/** The entries in the order of the file, decoded as they are read. `file` is for messages. */
export function entriesOf(
  tensor: FileTensor,
  bytes: ByteSource,
  file: string,
): { readonly size: number; read(offset: number, length: number): Promise<Float64Array> } {
  const each = byteSize(tensor.dtype);
  return {
    size: sizeOf(tensor.shape),
    read: async (offset, length) => {
      const raw = await readExactly(bytes, offset * each, length * each, file, tensor.name);
      return decode(tensor.dtype, raw, tensor.littleEndian, length);
    },
  };
}

/** Throws FormatError unless `found` bytes are what dtype and shape ask for. */
export function checkBytes(
  file: string,
  name: string,
  found: number,
  { dtype, shape }: Pick<FileTensor, 'dtype' | 'shape'>,
): void {
  const expected = sizeOf(shape) * byteSize(dtype);
  if (found === expected) return;
  const wanted = `${expected} for ${dtype} of shape (${shape.join(', ')})`;
  throw new FormatError(file, name, `${found} bytes of entries`, wanted);
}
