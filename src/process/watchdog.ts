// A shell beside a process of ours that outlives us, and ends the process and all that it started when we are gone.
import { type ChildProcess, spawn } from 'node:child_process';

import { readdirSync, readFileSync } from 'node:fs';
import type { Socket } from 'node:net';

/** In the environment of a process of ours, and so of all that it starts: its id, behind those it runs in itself. */
export const MARK = 'ATTENTION_PROCESSES';

/** What has been killed may be listed a moment longer, and what is being started is not listed yet. */
const ROUNDS = 20;

/**
 * Reads the process's id from standard input; at its end, which comes with our death, ends the process's group and
 * what left it: on Linux each process's environment can be read.
 */
const WATCH = `trap '' HUP INT TERM
read -r group
read -r _
round=0
while [ $round -lt ${ROUNDS} ]; do
  [ -n "$group" ] && kill -9 "-$group"
  found=$(grep -ls "$1" /proc/[0-9]*/environ)
  [ -n "$found" ] || break
  for each in $found; do
    each=\${each#/proc/}
    kill -9 "\${each%/environ}"
  done
  round=$((round + 1))
done`;

/** null on Windows, which has neither this shell nor groups. */
export function startWatchdog(id: string): ChildProcess | null {
  if (process.platform === 'win32') return null;
  const shell = spawn('/bin/sh', ['-c', WATCH, 'sh', id], {
    stdio: ['pipe', 'ignore', 'ignore'],
    detached: true,
    cwd: '/',
  });
  // Without it, what we end ourselves is ended all the same.
  shell.on('error', () => undefined);
  shell.stdin.on('error', () => undefined);
  shell.unref();
  (shell.stdin as Socket).unref();
  return shell;
}

/** Processes whose environment has the id; none where it cannot be read. */
function marked(id: string): number[] {
  let names: string[];
  try {
    names = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  } catch {
    return [];
  }
  return names.map(Number).filter((pid) => {
    try {
      return readFileSync(`/proc/${pid}/environ`, 'latin1').includes(id);
    } catch {
      return false;
    }
  });
}

function endOne(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It has ended.
  }
}

/** Ends a process of ours, its group, and on Linux also what left the group. */
export function endTree(pid: number, id: string): void {
  if (process.platform === 'win32') {
    spawn('taskkill', ['/pid', `${pid}`, '/T', '/F'], { stdio: 'ignore' }).on('error', () =>
      endOne(pid),
    );
    return;
  }
  for (let round = 0; round < ROUNDS; round++) {
    endOne(-pid);
    const found = marked(id);
    if (found.length === 0) return;
    found.forEach(endOne);
  }
}
