// Reads a file of tensors, whichever of the formats it is in.
import { strFromU8 } from 'fflate';
import { FormatError } from './formatError.ts';
import type { NamedTensor } from './namedTensor.ts';
import { type NpyOptions, readNpy } from './npy.ts';
import { readNpz } from './npz.ts';
import { readSafetensors } from './safetensors.ts';
import { readTraceJson } from './traceJson.ts';

type TensorFormat = 'npy' | 'npz' | 'safetensors' | 'json';

/** Extensions of tensor files, without the dot. */
const TENSOR_EXTENSIONS: readonly TensorFormat[] = ['npy', 'npz', 'safetensors', 'json'];

const EXPECTED = 'a .npy, .npz, .safetensors or .json file';
/** A member, or the end of an empty archive. */
const ZIP_STARTS = ['PK\x03\x04', 'PK\x05\x06'];
const PICKLES = ['pt', 'pth', 'pkl', 'pickle', 'ckpt', 'bin', 'joblib'];

/**
 * The tensors of a file, by its content; the extension, where it is one of ours, must agree. The one tensor
 * of a .npy file has the file's name without folder and extension. Throws FormatError.
 */
export function readTensorFile(
  fileName: string,
  bytes: Uint8Array,
  options: NpyOptions = {},
): NamedTensor[] {
  const stem = fileName.replace(/^.*[/\\]/s, '').replace(/\.[^.]*$/s, '');
  switch (tensorFormat(fileName, bytes)) {
    case 'npy':
      return [readNpy(bytes, fileName, stem, options)];
    case 'npz':
      return readNpz(bytes, fileName, options);
    case 'safetensors':
      return readSafetensors(bytes, fileName);
    case 'json':
      return [...readTraceJson(bytes, fileName).tensors];
  }
}

/**
 * The format of a file that begins with `bytes`, at least 64 of them: by its content; the extension, where it is
 * one of ours, must agree. Throws FormatError for anything else.
 */
export function tensorFormat(fileName: string, bytes: Uint8Array): TensorFormat {
  const base = fileName.replace(/^.*[/\\]/s, '');
  const extension = /\.([^.]*)$/s.exec(base)?.[1].toLowerCase() ?? '';
  if (bytes.length === 0) throw new FormatError(fileName, '', 'an empty file', EXPECTED);
  const format = formatOf(bytes);
  const claimed = TENSOR_EXTENSIONS.find((each) => each === extension);
  if (PICKLES.includes(extension) || (!format && bytes[0] === 0x80)) {
    const found = 'a pickle, which is not run';
    throw new FormatError(fileName, '', found, `${EXPECTED}: save with numpy.savez or safetensors`);
  }
  if (claimed && format && claimed !== format) {
    throw new FormatError(
      fileName,
      '',
      `the content of a .${format} file`,
      `that of a .${claimed} file`,
    );
  }
  const result = claimed ?? format;
  if (!result) throw new FormatError(fileName, '', `content of an unknown format`, EXPECTED);
  return result;
}

/** By the first bytes; a .safetensors file has an opening brace behind its 8 bytes of length. */
function formatOf(bytes: Uint8Array): TensorFormat | undefined {
  const start = strFromU8(bytes.subarray(0, 64), true);
  if (start.startsWith('\x93NUMPY')) return 'npy';
  if (ZIP_STARTS.some((magic) => start.startsWith(magic))) return 'npz';
  if (start[8] === '{' && bytes[6] === 0 && bytes[7] === 0) return 'safetensors';
  if (/^(\xef\xbb\xbf)?\s*[{[]/.test(start)) return 'json';
  return undefined;
}
