// A person's trace for the command line: a file, a folder of .npy files, or the parts of several ranks.
import { readdir, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { diskSource, NotRegularError } from '../disk/regularFile.ts';
import { FormatError } from '../formats/formatError.ts';
import type { Joined, JoinOptions } from '../formats/parts.ts';
import { readTrace, readTraceFolder, type TraceFolder } from '../formats/readTrace.ts';
import { InputError } from './support.ts';

const traceFolder = (path: string): TraceFolder => ({
  names: () => readdir(path),
  read: (name) => diskSource(join(path, name)),
  label: (name) => join(path, name),
});

/** Throws InputError. */
export async function readTracePath(path: string, options: JoinOptions): Promise<Joined> {
  try {
    const isFolder = await stat(path).then(
      (found) => found.isDirectory(),
      () => false,
    );
    return isFolder
      ? await readTraceFolder(traceFolder(path), options)
      : await readTrace(traceFolder(dirname(path)), basename(path), options);
  } catch (error) {
    if (error instanceof FormatError) throw new InputError(error.message);
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === undefined && !(error instanceof NotRegularError)) throw error;
    const found = code === 'ENOENT' ? 'no such file' : message.replace(/, expected .*/, '');
    throw new InputError(`${path}: ${found}, expected a trace`);
  }
}
