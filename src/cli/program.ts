// Runs a person's Python program under the recorder, with the interpreter that has what it imports.
import { existsSync } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { lacksModule } from '../lineRun/answer.ts';
import { isPytestFile } from '../lineRun/pytestFile.ts';
import { parseRecording, type Recording } from '../lines/recorded/recording.ts';
import { type Recorded, RecordError, record, recorderIn } from '../recorder/record.ts';
import { InputError } from './support.ts';

/** The recorder lies beside the bundle's folder, and beside src. */
export function recorder(): string {
  const here = dirname(fileURLToPath(import.meta.url));
  for (const folder of [join(here, '..'), join(here, '..', '..')])
    if (existsSync(recorderIn(folder))) return recorderIn(folder);
  throw new InputError('found no python/attention_lines beside the command line');
}

/** Interpreters that are tried: the one that is asked for alone, else until one has what the program imports. */
export function interpreters(): string[] {
  const asked = process.env['ATTENTION_PYTHON'];
  if (asked) return [asked];
  const { VIRTUAL_ENV: environment } = process.env;
  const inside = process.platform === 'win32' ? 'Scripts/python.exe' : 'bin/python';
  const own = environment ? [join(environment, inside)] : [];
  return [...own, 'python3', '/usr/bin/python3', 'python'];
}

const isJson = async (path: string): Promise<boolean> =>
  /^\s*[{[]/.test(await readFile(path, 'utf8').catch(() => ''));

export interface ProgramOptions {
  readonly file: string;
  readonly args: readonly string[];
  readonly function?: string;
  /** Which of several attentions, from 1. */
  readonly layer?: number;
}

export interface Ran {
  readonly recording: Recording;
  readonly recorded: Recorded;
  readonly python: string;
  /** It was run by pytest. */
  readonly pytest: boolean;
}

/** Whether pytest runs it. */
export const isPytest = async (path: string): Promise<boolean> =>
  isPytestFile(path, await readFile(path, 'utf8').catch(() => ''));

/** Throws InputError. */
export async function runProgram({ file, args, function: name }: ProgramOptions): Promise<Ran> {
  const path = resolve(file);
  const found = await stat(path).catch(() => null);
  if (!found)
    throw new InputError(`${file}: no such file, expected a Python program or a notebook`);
  if (!/\.(py|ipynb)$/i.test(file) && (await isJson(path)))
    throw new InputError(
      `${file}: this is no Python program; a setup is given beside one: lines FILE.py --setup ${file}`,
    );
  const pytest = await isPytest(path);
  let best: Ran | null = null;
  let failure: RecordError | null = null;
  for (const python of interpreters()) {
    try {
      const recorded = await record({
        ...{ recorder: recorder(), python, file: path, args, cwd: process.cwd() },
        ...(name !== undefined && { function: name }),
        ...(pytest && { pytest }),
      });
      const recording = parseRecording(recorded.bytes, file);
      best ??= { recording, recorded, python, pytest };
      if (!lacksModule(recording)) {
        best = { recording, recorded, python, pytest };
        break;
      }
    } catch (error) {
      if (!(error instanceof RecordError)) throw error;
      failure ??= error;
      if (error.exit) break;
    }
  }
  if (!best) throw new InputError(`${file}: ${failure?.message ?? 'nothing was recorded'}`);
  return best;
}
