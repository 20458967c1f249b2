// Where memory comes in large pages only for programs that ask, asks: first touching 4 KiB at a time takes longer than a check.
import { readFile } from 'node:fs/promises';
import { constants } from 'node:os';
import { start } from '../process/ownProcess.ts';

/** Which programs get large pages, the choice in brackets (kernel.org: admin-guide/mm/transhuge). */
const CHOICE = '/sys/kernel/mm/transparent_hugepage/enabled';
/** glibc reads it once, before the program begins (sourceware.org/glibc/manual: Memory Allocation Tunables). */
const TUNABLES = 'GLIBC_TUNABLES';
const ASKING = 'glibc.malloc.hugetlb=1';

/** The environment that asks for large pages; null where that changes nothing, or has been done. */
export function largePageEnvironment(
  choice: string,
  environment: NodeJS.ProcessEnv,
): NodeJS.ProcessEnv | null {
  const own = environment[TUNABLES] ?? '';
  if (!choice.includes('[madvise]') || own.includes('glibc.malloc.hugetlb=')) return null;
  return { ...environment, [TUNABLES]: own ? `${own}:${ASKING}` : ASKING };
}

/** This program once more with large pages, and its exit code; null if it would be the same. */
export async function runWithLargePages(): Promise<number | null> {
  const choice = await readFile(CHOICE, 'utf8').catch(() => '');
  const env = largePageEnvironment(choice, process.env);
  if (!env) return null;
  const words = [...process.execArgv, ...process.argv.slice(1)];
  const ended = await start({ command: process.execPath, args: words, env, inherit: true }).done;
  if (ended.error) return null;
  return ended.code ?? 128 + constants.signals[ended.signal!];
}
