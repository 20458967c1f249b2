// What comes of a run, or why nothing does.
import { rmSync } from 'node:fs';
import { mkdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { draftName, onSignals, removeDrafts } from '../disk/drafts.ts';

export interface Exit {
  /** null where a signal ended it. */
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly timedOut: boolean;
  readonly cancelled: boolean;
  readonly outputCut: boolean;
}

export interface Recorded {
  readonly bytes: Uint8Array;
  readonly stdout: string;
  readonly stderr: string;
  readonly exit: Exit;
}

/** Nothing was recorded; the message is one line. */
export class RecordError extends Error {
  readonly stdout: string;
  readonly stderr: string;
  readonly exit: Exit | null;

  constructor(message: string, run: { stdout?: string; stderr?: string; exit?: Exit } = {}) {
    super(message);
    this.stdout = run.stdout ?? '';
    this.stderr = run.stderr ?? '';
    this.exit = run.exit ?? null;
  }
}

/** Calls `run` with the path of a file to write to, in a folder that is gone afterwards. */
export async function withFile<Result>(run: (path: string) => Promise<Result>): Promise<Result> {
  await removeDrafts(tmpdir());
  const folder = join(tmpdir(), draftName('recording'));
  await mkdir(folder, { mode: 0o700 });
  const forget = onSignals(() => rmSync(folder, { recursive: true, force: true }));
  try {
    return await run(join(folder, 'recording'));
  } finally {
    forget();
    await rm(folder, { recursive: true, force: true });
  }
}

/** Throws RecordError where the run wrote none. */
export async function readRecording(path: string, run: Omit<Recorded, 'bytes'>): Promise<Recorded> {
  const bytes = await readFile(path).catch(() => null);
  if (!bytes || !isWhole(bytes)) throw new RecordError(reason(run), run);
  return { bytes, ...run };
}

const MAGIC = 'ATLINES1';

const isWhole = (bytes: Uint8Array): boolean =>
  new TextDecoder('latin1').decode(bytes.subarray(-MAGIC.length)) === MAGIC;

function reason({ stderr, exit }: Omit<Recorded, 'bytes'>): string {
  if (exit.cancelled) return 'The run was cancelled.';
  if (exit.timedOut) return 'The program did not end in time.';
  if (exit.signal) return `The program was ended by ${exit.signal}.`;
  const said = stderr.trim().split('\n').at(-1) ?? '';
  return `The program ended with code ${exit.code} before anything was recorded${said && `: ${said}`}`;
}
