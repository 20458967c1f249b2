// Reads what a person names as their trace: one file, a folder of .npy files, or the parts of several ranks.
import { FormatError } from './formatError.ts';
import { type Part, partName, partOf, readPart, wholeName } from './partMeta.ts';
import { joinParts, type Joined, type JoinOptions } from './parts.ts';
import type { ByteSource } from './ranges/byteSource.ts';
import { type OpenedFile, openTensorFile } from './readTensors.ts';
import { ALL, type Want } from './want.ts';

/** All bytes of a file, or a source of them. */
export type Bytes = Uint8Array | ByteSource;

/** The folder in which the trace is, or which is the trace. */
export interface TraceFolder {
  /** The names of its files. */
  names(): Promise<readonly string[]>;
  /** Rejects if there is no such file. */
  read(name: string): Promise<Bytes>;
  /** How messages call a file of it. */
  label(name: string): string;
}

/**
 * The tensors of the file `name`; of all parts where it is a rank's, or where parts of that name are there and it is
 * not. Throws FormatError, or what `read` rejects with.
 */
export async function readTrace(
  folder: TraceFolder,
  name: string,
  options: JoinOptions,
): Promise<Joined> {
  const whole = wholeName(name);
  let from: Bytes;
  try {
    from = await folder.read(name);
  } catch (error) {
    const first = await anyPart(folder, whole ?? name, options);
    if (!first) throw error;
    return joinAll(folder, whole ?? name, first, options);
  }
  const label = folder.label(name);
  const opened = await openTensorFile(label, from);
  // A rank that says of no head and no token that it is its own has a trace of its own.
  const spans = (whole !== null && (await partOf(opened, label))?.spans) || {};
  if (whole === null || Object.keys(spans).length === 0) return opened.read(wantOf(options));
  return joinAll(folder, whole, (await readPart(opened, label, wantOf(options)))!, options);
}

/** The tensors of all .npy files of the folder, or of the parts in it. Throws FormatError. */
export async function readTraceFolder(folder: TraceFolder, options: JoinOptions): Promise<Joined> {
  const names = [...(await folder.names())].sort();
  const arrays = names.filter((name) => name.endsWith('.npy'));
  if (arrays.length > 0) {
    const read: Joined[] = [];
    // One after the other: together, their bytes would be in memory together.
    for (const name of arrays) read.push(await (await opened(folder, name)).read(wantOf(options)));
    return {
      tensors: read.flatMap(({ tensors }) => tensors),
      leftOut: read.flatMap(({ leftOut }) => leftOut),
    };
  }
  const wholes = [...new Set(names.flatMap((name) => wholeName(name) ?? []))];
  const [whole] = wholes;
  const expected = 'one .npy file per tensor, or the parts of all ranks (NAME.rank0.npz, ...)';
  if (whole === undefined) throw new FormatError(folder.label(''), '', 'no .npy file', expected);
  if (wholes.length > 1) {
    const found = `parts of ${wholes.slice(0, 5).join(', ')}`;
    throw new FormatError(
      folder.label(''),
      '',
      found,
      'those of one: name it instead of the folder',
    );
  }
  return readTrace(folder, whole, options);
}

/** Whether there is a part of `whole`: that of rank 0. */
export async function hasParts(folder: Parts, whole: string): Promise<boolean> {
  if (!whole.endsWith('.npz')) return false;
  return folder.read(partName(whole, 0)).then(
    () => true,
    () => false,
  );
}

/** The tensors of `whole` from its parts, found by asking for rank 0; null where there is none. */
export async function readPartsOf(
  folder: Parts,
  whole: string,
  options: JoinOptions,
): Promise<Joined | null> {
  if (!whole.endsWith('.npz')) return null;
  const first = await partOfRank(folder, whole, 0, options);
  return first && joinAll(folder, whole, first, options);
}

type Parts = Pick<TraceFolder, 'read' | 'label'>;

const wantOf = ({ want = ALL }: JoinOptions): Want => want;

const opened = async (folder: Parts, name: string): Promise<OpenedFile> =>
  openTensorFile(folder.label(name), await folder.read(name));

async function anyPart(
  folder: TraceFolder,
  whole: string,
  options: JoinOptions,
): Promise<Part | null> {
  const names = await folder.names().catch(() => []);
  const first = names.find((name) => wholeName(name) === whole);
  if (first === undefined) return null;
  return readPart(await opened(folder, first), folder.label(first), wantOf(options));
}

async function joinAll(
  folder: Parts,
  whole: string,
  first: Part,
  options: JoinOptions,
): Promise<Joined> {
  const parts: Part[] = [];
  for (let rank = 0; rank < first.world; rank++) {
    const part = rank === first.rank ? first : await partOfRank(folder, whole, rank, options);
    if (part) parts.push(part);
  }
  return joinParts(folder.label(whole), parts, options);
}

async function partOfRank(
  folder: Parts,
  whole: string,
  rank: number,
  options: JoinOptions,
): Promise<Part | null> {
  const name = partName(whole, rank);
  let from: Bytes;
  try {
    from = await folder.read(name);
  } catch {
    return null;
  }
  const label = folder.label(name);
  const part = await readPart(await openTensorFile(label, from), label, wantOf(options));
  if (part && part.rank === rank) return part;
  const found = part ? `a part of rank ${part.rank}` : 'no part of several ranks';
  throw new FormatError(label, '', found, `that of rank ${rank}`);
}
