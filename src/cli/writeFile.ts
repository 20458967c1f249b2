// Writes a file so that nobody reads half of it, a failure leaves the old one, and a killed writer leaves nothing long.
import { constants, unlinkSync } from 'node:fs';
import { access, type FileHandle, lstat, open, readlink, rename, rm, stat } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { draftName, onSignals, removeDrafts } from '../disk/drafts.ts';

const MOST_LINKS = 40;

/**
 * Links are followed and stay; the mode stays. What is no regular file, such as a device or a FIFO, is written to and
 * never replaced. Rejects with the system's error.
 */
export async function writeFileSafely(path: string, bytes: Uint8Array): Promise<void> {
  const old = await stat(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return null;
    throw error;
  });
  if (old && !old.isFile()) {
    const handle = await open(path, constants.O_WRONLY);
    await withHandle(handle, () => handle.writeFile(bytes));
    return;
  }
  const file = await behindLinks(resolve(path));
  if (old) await access(file, constants.W_OK);
  const folder = dirname(file);
  await removeDrafts(folder);
  const draft = join(folder, draftName('draft'));
  const forget = onSignals(() => unlinkSync(draft));
  try {
    // Not even for a moment more than the old file allowed.
    const handle = await open(draft, 'wx', old ? 0o600 : 0o666);
    await withHandle(handle, async () => {
      await handle.writeFile(bytes);
      if (old) {
        // Only root may give a file away; the mode is what counts.
        await handle.chown(old.uid, old.gid).catch(() => undefined);
        await handle.chmod(old.mode & 0o7777);
      }
      await handle.sync();
    });
    await rename(draft, file);
  } catch (error) {
    await rm(draft, { force: true });
    throw error;
  } finally {
    forget();
  }
}

async function withHandle(handle: FileHandle, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } finally {
    await handle.close();
  }
}

/** Where the links end, whether there is a file or not. */
async function behindLinks(path: string): Promise<string> {
  let file = path;
  for (let links = 0; links < MOST_LINKS; links++) {
    const found = await lstat(file).catch(() => null);
    if (!found?.isSymbolicLink()) return file;
    file = resolve(dirname(file), await readlink(file));
  }
  // The system says that they are too many.
  await stat(path);
  return file;
}
