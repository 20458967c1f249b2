// Reads of a file of tensors those that are wanted: headers first, and of the others nothing but these.
import { sizeOf } from '../engine/tensor.ts';
import { FormatError } from './formatError.ts';
import { MAX_JSON_BYTES, MAX_UNPACKED_BYTES } from './limits.ts';
import type { NamedTensor } from './namedTensor.ts';
import { codeLines } from './npz.ts';
import { fromFortran } from './npy.ts';
import type { Joined, LeftOut } from './parts.ts';
import { type ByteSource, inMemory } from './ranges/byteSource.ts';
import { entriesOf, type FileTensor } from './ranges/fileTensor.ts';
import { listTensors } from './ranges/listTensors.ts';
import { tensorFormat } from './tensorFile.ts';
import { readTraceJson } from './traceJson.ts';
import { tooLarge, type Want } from './want.ts';

/** A file, nothing but its headers read yet. */
export interface OpenedFile {
  /** In the order of the file; null for JSON, which has no header. */
  readonly names: readonly string[] | null;
  /** What attention_trace.py says of them. */
  readonly meta?: () => Promise<Uint8Array>;
  /** Throws FormatError, also where those that are wanted are more than MAX_UNPACKED_BYTES together. */
  read(want: Want, isPart?: boolean): Promise<Joined>;
}

const START = 64;

/** Throws FormatError for what is no file of tensors, and for a header that is broken. */
export async function openTensorFile(
  file: string,
  from: Uint8Array | ByteSource,
): Promise<OpenedFile> {
  const source = from instanceof Uint8Array ? inMemory(from) : from;
  if (tensorFormat(file, await source.read(0, START)) === 'json') {
    const read = async (want: Want): Promise<Joined> =>
      readTraceJson(await textOf(source, file), file, want);
    return { names: null, read };
  }
  const { tensors, meta } = await listTensors(source, file, { strict: true });
  return {
    names: tensors.map(({ name }) => name),
    ...(meta && { meta }),
    read: async (want, isPart = false) => {
      const lines = codeLines(await meta?.().catch(() => undefined));
      const { wanted, leftOut } = choose(tensors, file, want, isPart);
      const read: NamedTensor[] = [];
      for (const tensor of wanted) {
        const line = lines.get(tensor.name);
        read.push({ ...(await readOne(tensor, file)), ...(line && { line }) });
      }
      return { tensors: read, leftOut };
    },
  };
}

/** Text is read whole. */
async function textOf(source: ByteSource, file: string): Promise<Uint8Array> {
  if (source.size > MAX_JSON_BYTES) {
    const found = `${source.size} bytes of JSON`;
    throw new FormatError(file, '', found, `at most ${MAX_JSON_BYTES}; use .npz`);
  }
  return source.read(0, source.size);
}

function choose(
  tensors: readonly FileTensor[],
  file: string,
  { most, why }: Want,
  isPart: boolean,
): { wanted: FileTensor[]; leftOut: LeftOut[] } {
  const wanted: FileTensor[] = [];
  const leftOut: LeftOut[] = [];
  let bytes = 0;
  for (const tensor of tensors) {
    const { name, shape } = tensor;
    const size = sizeOf(shape);
    const reason = why(name, shape, isPart) || (size > most ? tooLarge(size, most) : '');
    if (reason) {
      leftOut.push({ name, reason });
      continue;
    }
    bytes += 8 * size;
    if (bytes > MAX_UNPACKED_BYTES) {
      const found = `${bytes} bytes up to here, as float64`;
      throw new FormatError(file, name, found, `at most ${MAX_UNPACKED_BYTES}`);
    }
    wanted.push(tensor);
  }
  return { wanted, leftOut };
}

async function readOne(tensor: FileTensor, file: string): Promise<NamedTensor> {
  const { name, dtype, shape, fortranOrder } = tensor;
  const bytes = await tensor.open({ breathe: () => undefined, checked: true });
  const entries = await entriesOf(tensor, bytes, file).read(0, sizeOf(shape));
  const data = fortranOrder ? fromFortran(shape, entries) : entries;
  return { name, dtype, tensor: { shape, data } };
}
