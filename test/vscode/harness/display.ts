// A virtual display for the desktop VS Code where there is no screen (Linux without DISPLAY).
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Readable } from 'node:stream';

export interface Display {
  /** For the variable DISPLAY; undefined where no display of our own is needed. */
  readonly name: string | undefined;
  close(): void;
}

export async function openDisplay(): Promise<Display> {
  if (process.platform !== 'linux' || process.env.DISPLAY) {
    return { name: undefined, close: () => undefined };
  }
  // -displayfd: Xvfb takes a free number itself and writes it to that file descriptor when it is ready.
  const child = spawn(
    'Xvfb',
    ['-displayfd', '3', '-screen', '0', '1920x1200x24', '-nolisten', 'tcp'],
    { stdio: ['ignore', 'ignore', 'ignore', 'pipe'] },
  );
  const kill = (): void => void child.kill();
  process.once('exit', kill);
  const ready = child.stdio[3] as Readable;
  const [number] = (await Promise.race([
    once(ready, 'data'),
    once(child, 'exit').then(() => Promise.reject(new Error('Xvfb ended before it was ready'))),
  ])) as [Buffer];
  return {
    name: `:${number.toString().trim()}`,
    close: () => {
      process.off('exit', kill);
      kill();
    },
  };
}
