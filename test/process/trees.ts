// Programs that start programs, each of which writes its process id into a folder and would run for ever.
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { expect } from 'vitest';

/** A process of a tree. */
export interface Tree {
  /** In a session of its own, as a daemon is. */
  readonly away?: boolean;
  /** Its output is its parent's. */
  readonly inherits?: boolean;
  /** Instead of waiting it computes, so that nothing in it is ever called. */
  readonly busy?: boolean;
  /** It ignores every signal that can be ignored. */
  readonly deaf?: boolean;
  /** It ends well as soon as its children run. */
  readonly ends?: boolean;
  readonly children?: readonly Tree[];
}

/** node -e PROGRAM TREE FOLDER */
const PROGRAM = `
  const { spawn } = require('node:child_process');
  const { readdirSync, writeFileSync } = require('node:fs');
  const [text, folder] = process.argv.slice(1);
  const tree = JSON.parse(text);
  if (tree.deaf) for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(name, () => {});
  for (const child of tree.children ?? []) {
    const words = ['-e', process.env.PROGRAM, JSON.stringify(child), folder];
    spawn(process.execPath, words, { detached: child.away, stdio: child.inherits ? 'inherit' : 'ignore' });
  }
  writeFileSync(folder + '/' + process.pid, '');
  const count = ({ children = [] }) => children.reduce((sum, each) => sum + count(each), 1);
  const all = Number(process.env.ALL);
  const wait = setInterval(() => {
    if (readdirSync(folder).length < all) return;
    clearInterval(wait);
    if (tree.ends) process.exit(0);
    if (tree.busy) for (;;);
    setInterval(() => {}, 1000);
  }, 20);
`;

export const sizeOfTree = ({ children = [] }: Tree): number =>
  children.reduce((sum, each) => sum + sizeOfTree(each), 1);

export interface Planted {
  readonly folder: string;
  readonly command: string;
  readonly args: readonly string[];
  readonly env: NodeJS.ProcessEnv;
  /** When every process of the tree runs. */
  readonly grown: () => Promise<void>;
  /** Those that still run; waits until there are none, or for `most` milliseconds. */
  readonly survivors: (most?: number) => Promise<number[]>;
}

/** The folder is the caller's to remove. */
export function plant(tree: Tree): Planted {
  const folder = mkdtempSync(join(tmpdir(), 'attention-tree-'));
  const size = sizeOfTree(tree);
  const pids = (): number[] => readdirSync(folder).map(Number);
  return {
    folder,
    command: process.execPath,
    args: ['-e', PROGRAM, JSON.stringify(tree), folder],
    env: { ...process.env, PROGRAM, ALL: `${size}` },
    grown: () => expect.poll(() => pids().length, { timeout: 60_000 }).toBe(size),
    async survivors(most = 60_000) {
      const end = Date.now() + most;
      while (pids().some(isAlive) && Date.now() < end) await sleep(20);
      const left = pids().filter(isAlive);
      // A test that fails leaves nothing behind either.
      for (const pid of left) process.kill(pid, 'SIGKILL');
      return left;
    },
  };
}

/** A zombie has ended. */
function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
  } catch {
    return false;
  }
  try {
    return !/\) [ZX] /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return process.platform !== 'linux';
  }
}

const HOST = `
  import { start } from ${JSON.stringify(fileURLToPath(new URL('../../src/process/ownProcess.ts', import.meta.url)))};
  const [command, ...args] = process.argv.slice(2);
  const { done } = start({ command, args, onStdout: (text) => process.stdout.write(text) });
  if (process.env.HOST_EXITS) setTimeout(() => process.exit(0), Number(process.env.HOST_EXITS));
  process.stdout.write(JSON.stringify(await done));
`;

/** Bundles a program that starts the command of its arguments as ours; gives its path, in `folder`. */
export async function bundleHost(folder: string): Promise<string> {
  const entry = join(folder, 'host.entry.mjs');
  const outfile = join(folder, 'host.mjs');
  writeFileSync(entry, HOST);
  await build({ entryPoints: [entry], outfile, bundle: true, platform: 'node', format: 'esm' });
  return outfile;
}

export const removeFolder = (folder: string): void => rmSync(folder, { recursive: true });
