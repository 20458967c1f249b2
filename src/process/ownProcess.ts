// Every process that this project starts: it and all that it starts end at its end, at its limit, and when we end.
import { type ChildProcess, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import type { Duplex, Readable } from 'node:stream';
import { endTree, MARK, startWatchdog } from './watchdog.ts';

export interface ProcessOptions {
  /** A path, or a name on the PATH of `env`. */
  readonly command: string;
  readonly args?: readonly string[];
  readonly cwd?: string;
  /** Ours if left out. */
  readonly env?: NodeJS.ProcessEnv;
  /** From the start, in milliseconds; without it there is no limit. */
  readonly timeout?: number;
  /** Aborted, it ends the process. */
  readonly signal?: AbortSignal;
  /** UTF-8, of which no character is cut. */
  readonly onStdout?: (text: string) => void;
  readonly onStderr?: (text: string) => void;
  /** Characters of standard output and error together that are passed on; the rest is read and dropped. */
  readonly mostOutput?: number;
  /** Written to its standard input, which then ends; empty if left out. */
  readonly stdin?: string | Uint8Array;
  /** Bytes that it writes to file descriptor 3, which is there both ways only with this. */
  readonly onMessage?: (bytes: Buffer) => void;
}

export interface Ended {
  /** null where a signal ended it, or it did not start. */
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly timedOut: boolean;
  readonly cancelled: boolean;
  /** It printed more than `mostOutput`. */
  readonly outputCut: boolean;
  /** Why it did not start, such as ENOENT. */
  readonly error: NodeJS.ErrnoException | null;
}

export interface OwnProcess {
  /** Of the process and its group; undefined where it did not start. */
  readonly pid: number | undefined;
  /** When it and all that it started are gone, and all that they printed has been passed on. Never rejects. */
  readonly done: Promise<Ended>;
  /** Writes to its file descriptor 3. */
  send(bytes: Uint8Array): void;
  /** Ends it and all that it started, at once. */
  kill(): void;
}

/** For what holds its output open although it was not found among ours, in milliseconds. */
const MOST_LINGER = 1000;
/** For a killed process to be gone, in milliseconds: one that waits for a disk cannot be killed. */
const MOST_DYING = 5000;
/** Longer, and Node waits 1 ms. */
const LONGEST_TIMER = 2 ** 31 - 1;

/** Starts the process. What it started ends with it, also where it ends well, and when this program is killed. */
export function start(options: ProcessOptions): OwnProcess {
  return new Running(options);
}

class Running implements OwnProcess {
  readonly done: Promise<Ended>;
  readonly #options: ProcessOptions;
  readonly #id = randomUUID();
  readonly #watchdog: ChildProcess | null;
  readonly #child: ChildProcess | null;
  readonly #cancel = (): void => this.#end('cancelled');
  /** It has ended, or will not end. */
  #isGone: () => void = () => undefined;
  #error: NodeJS.ErrnoException | null = null;
  #left: number;
  #why: 'timedOut' | 'cancelled' | null = null;
  #outputCut = false;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: ProcessOptions) {
    this.#options = options;
    this.#left = options.mostOutput ?? Infinity;
    // Before the process: no moment is without it.
    this.#watchdog = startWatchdog(this.#id);
    this.#child = this.#spawn();
    this.#watchdog?.stdin?.write(`${this.pid ?? ''}\n`);
    this.#listen();
    this.done = this.#ended();
    const { timeout, signal } = options;
    if (timeout !== undefined) this.#wait(timeout, () => this.#end('timedOut'));
    signal?.addEventListener('abort', this.#cancel);
    if (signal?.aborted) this.#cancel();
  }

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  send(bytes: Uint8Array): void {
    this.#channel?.write(bytes);
  }

  kill(): void {
    this.#end(null);
  }

  get #channel(): Duplex | null {
    return (this.#child?.stdio[3] ?? null) as Duplex | null;
  }

  /** null where the operating system takes no such command or arguments. */
  #spawn(): ChildProcess | null {
    const { command, args = [], cwd, env = process.env, onMessage } = this.#options;
    const { stdin } = this.#options;
    const input = stdin === undefined ? 'ignore' : 'pipe';
    try {
      return spawn(command, args, {
        cwd,
        env: { ...env, [MARK]: `${env[MARK] ?? ''} ${this.#id}` },
        stdio: [input, 'pipe', 'pipe', onMessage ? 'pipe' : 'ignore'],
        detached: process.platform !== 'win32',
        windowsHide: true,
      });
    } catch (error) {
      this.#error = error as NodeJS.ErrnoException;
      return null;
    }
  }

  #wait(milliseconds: number, then: () => void): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(then, Math.min(milliseconds, LONGEST_TIMER));
  }

  #end(why: 'timedOut' | 'cancelled' | null): void {
    const { pid } = this;
    if (pid === undefined || this.#child?.exitCode !== null || this.#child.signalCode) return;
    this.#why ??= why;
    endTree(pid, this.#id);
    this.#wait(MOST_DYING, this.#isGone);
  }

  #listen(): void {
    const { onStdout, onStderr, onMessage, stdin } = this.#options;
    const child = this.#child;
    if (!child) return;
    for (const stream of child.stdio) stream?.on('error', () => undefined);
    const pass = (stream: Readable | null, receive: ((text: string) => void) | undefined): void => {
      stream?.setEncoding('utf8').on('data', (text: string) => {
        const passed = text.slice(0, this.#left);
        this.#left -= passed.length;
        if (passed.length < text.length) this.#outputCut = true;
        if (passed) receive?.(passed);
      });
    };
    pass(child.stdout, onStdout);
    pass(child.stderr, onStderr);
    if (onMessage) this.#channel?.on('data', onMessage);
    if (stdin !== undefined) child.stdin?.end(stdin);
  }

  async #ended(): Promise<Ended> {
    const child = this.#child;
    const closed = child && new Promise<void>((resolve) => child.once('close', () => resolve()));
    await new Promise<void>((resolve) => {
      this.#isGone = resolve;
      child?.once('exit', () => resolve());
      child?.on('error', (error) => {
        // Without a process there is neither 'exit' nor 'close'.
        this.#error = error;
        resolve();
      });
      if (!child) resolve();
    });
    clearTimeout(this.#timer);
    this.#options.signal?.removeEventListener('abort', this.#cancel);
    if (child?.pid !== undefined) {
      endTree(child.pid, this.#id);
      const lingered = new Promise<void>((resolve) => this.#wait(MOST_LINGER, resolve));
      await Promise.race([closed, lingered]);
      clearTimeout(this.#timer);
    }
    for (const stream of child?.stdio ?? []) stream?.destroy();
    this.#watchdog?.kill('SIGKILL');
    this.#watchdog?.stdin?.destroy();
    return {
      code: child?.pid === undefined ? null : child.exitCode,
      signal: child?.signalCode ?? null,
      timedOut: this.#why === 'timedOut',
      cancelled: this.#why === 'cancelled',
      outputCut: this.#outputCut,
      error: this.#error,
    };
  }
}
