// What is recorded and how: the recorder's own command line.
import { basename, dirname } from 'node:path';

export interface RecordOptions {
  /** The folder `python/attention_lines`. */
  readonly recorder: string;
  /** A path, or a name on the PATH; `python3` if left out. */
  readonly python?: string;
  /** The absolute path of a .py file, a .ipynb file or a folder with a __main__.py. */
  readonly file: string;
  /** The program's own arguments. */
  readonly args?: readonly string[];
  /** The file's folder if left out. */
  readonly cwd?: string;
  /** Ours if left out. */
  readonly env?: NodeJS.ProcessEnv;
  /** Records this function and what it calls, and the statements outside of functions. */
  readonly function?: string;
  /** Sub-expressions are recorded too: of all lines or of these. */
  readonly expressions?: 'all' | readonly number[];
  /** Of tensors, in all; the first iterations are kept. */
  readonly maxBytes?: number;
  readonly maxEvents?: number;
  /** Modules below this folder are recorded too; the file's folder if left out. */
  readonly root?: string;
  /** Runs the file through pytest. */
  readonly pytest?: boolean;
  /** In milliseconds; then the program is ended, and what was recorded until then is given. Without it, no limit. */
  readonly timeout?: number;
  /** Characters that the program prints, of which more are dropped. */
  readonly mostOutput?: number;
  readonly onStdout?: (text: string) => void;
  readonly onStderr?: (text: string) => void;
}

export const DEFAULT_PYTHON = 'python3';

export const folderOf = ({ file, cwd }: RecordOptions): string => cwd ?? dirname(file);

/** The file as the program finds it in sys.argv: by its name where it lies in the working directory. */
export const fileOf = (options: RecordOptions): string =>
  dirname(options.file) === folderOf(options) ? basename(options.file) : options.file;

export function flagsOf(options: RecordOptions): string[] {
  const { expressions, maxBytes, maxEvents, root, pytest } = options;
  const flags: string[] = [];
  if (options.function !== undefined) flags.push('--function', options.function);
  if (expressions !== undefined && expressions.length > 0)
    flags.push('--expressions', expressions === 'all' ? 'all' : expressions.join(','));
  if (maxBytes !== undefined) flags.push('--max-bytes', String(maxBytes));
  if (maxEvents !== undefined) flags.push('--max-events', String(maxEvents));
  if (root !== undefined) flags.push('--root', root);
  if (pytest) flags.push('--pytest');
  return flags;
}
