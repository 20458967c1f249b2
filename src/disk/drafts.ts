// What stands beside a file, or in the system's folder for such, while it is written: told by its name whose it is.
import { createHash, randomBytes } from 'node:crypto';
import { readdir, rm } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
/** Another machine's processes cannot be asked after. */
const HOST = createHash('sha256').update(hostname()).digest('hex').slice(0, 8);
const DRAFT = /^\.attention-([0-9a-f]{8})-(\d+)-[0-9a-f]+\.\w+$/;

/** A new name of this process's. */
export const draftName = (ending: string): string =>
  `.attention-${HOST}-${process.pid}-${randomBytes(6).toString('hex')}.${ending}`;

/** Those of processes of this machine that have ended. */
export async function removeDrafts(folder: string): Promise<void> {
  const names = await readdir(folder).catch(() => []);
  for (const name of names) {
    const [, host, pid] = DRAFT.exec(name) ?? [];
    if (host !== HOST || isRunning(Number(pid))) continue;
    await rm(join(folder, name), { recursive: true, force: true }).catch(() => undefined);
  }
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/** Cleans up and ends as the signal asks, where nobody else listens to it. Gives what takes this back. */
export function onSignals(clean: () => void): () => void {
  const listeners = SIGNALS.map((signal) => {
    const listener = (): void => {
      try {
        clean();
      } catch {
        // It is in its place already, or not there yet.
      }
      forget();
      if (process.listenerCount(signal) === 0) process.kill(process.pid, signal);
    };
    process.on(signal, listener);
    return [signal, listener] as const;
  });
  const forget = (): void => {
    for (const [signal, listener] of listeners) process.off(signal, listener);
  };
  return forget;
}
