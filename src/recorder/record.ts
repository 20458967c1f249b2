// Runs a Python program in a process of its own and gives back what was recorded of it.
import { join } from 'node:path';
import { start } from '../process/ownProcess.ts';
import { DEFAULT_PYTHON, fileOf, flagsOf, folderOf, type RecordOptions } from './options.ts';
import { Limit } from './limit.ts';
import { readRecording, type Recorded, RecordError, withFile } from './recorded.ts';

export { type Recorded, RecordError } from './recorded.ts';
export type { RecordOptions } from './options.ts';

/**
 * Rejects with RecordError where nothing was recorded: Python is not there, the program was cancelled, killed or not
 * Python. A program that fails, or ends with another code than 0, has been recorded until then.
 */
export function record(options: RecordOptions, signal?: AbortSignal): Promise<Recorded> {
  return withFile((path) => recordTo(path, options, signal));
}

async function recordTo(
  path: string,
  options: RecordOptions,
  signal: AbortSignal | undefined,
): Promise<Recorded> {
  const { python = DEFAULT_PYTHON, recorder, args = [], env, mostOutput } = options;
  let stdout = '';
  let stderr = '';
  const own = start({
    command: python,
    args: [recorder, '--record', path, ...flagsOf(options), fileOf(options), '--', ...args],
    cwd: folderOf(options),
    ...(env && { env }),
    ...(mostOutput !== undefined && { mostOutput }),
    ...(signal && { signal }),
    onStdout: (text) => {
      stdout += text;
      options.onStdout?.(text);
    },
    onStderr: (text) => {
      stderr += text;
      options.onStderr?.(text);
    },
  });
  const limit = new Limit(options.timeout, (how) => {
    if (how === 'now') own.kill();
    else if (own.pid !== undefined) terminate(own.pid);
  });
  const { error, ...exit } = await own.done;
  limit.clear();
  if (error) throw new RecordError(notStarted(python, error));
  return readRecording(path, { stdout, stderr, exit: { ...exit, timedOut: limit.isOver } });
}

function terminate(pid: number): void {
  try {
    process.kill(pid, 'SIGTERM');
  } catch {
    // It has just ended.
  }
}

export function notStarted(python: string, error: NodeJS.ErrnoException): string {
  const why = error.code === 'ENOENT' ? 'it was not found' : error.message;
  return `${python} did not start: ${why}`;
}

/** Where the recorder lies, by the folder that has `python`. */
export const recorderIn = (folder: string): string => join(folder, 'python', 'attention_lines');
