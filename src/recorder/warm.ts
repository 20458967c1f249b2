// A Python process that has imported what a file imports, and forks for each run.
import { constants } from 'node:os';
import { resolve } from 'node:path';
import { type OwnProcess, start } from '../process/ownProcess.ts';
import { DEFAULT_PYTHON, fileOf, flagsOf, folderOf, type RecordOptions } from './options.ts';
import { Limit } from './limit.ts';
import { notStarted, record } from './record.ts';
import { type Exit, readRecording, type Recorded, RecordError, withFile } from './recorded.ts';

/** What the process answers about a run. */
interface Answer {
  readonly id: number;
  readonly stdout?: string;
  readonly stderr?: string;
  readonly exit?: number;
  readonly signal?: number;
  readonly warm?: readonly string[];
}

type Listener = (answer: Answer | null) => void;

/** One process for each interpreter and environment, until `dispose`. */
export class WarmRecorder {
  #server: Server | null = null;

  /** Lets the process import what the file imports; a failure shows at `record`. */
  async warm(options: RecordOptions): Promise<void> {
    await this.#serverFor(options)?.warm(options.file);
  }

  /** As `record`, which it falls back to where the system cannot fork. */
  async record(options: RecordOptions, signal?: AbortSignal): Promise<Recorded> {
    const server = this.#serverFor(options);
    if (!server || options.pytest) return record(options, signal);
    return withFile((path) => server.record(path, options, signal));
  }

  dispose(): void {
    this.#server?.kill();
    this.#server = null;
  }

  #serverFor(options: RecordOptions): Server | null {
    if (process.platform === 'win32') return null;
    const key = JSON.stringify([options.python, options.recorder, options.env]);
    if (this.#server?.key !== key || this.#server.isGone) {
      this.#server?.kill();
      this.#server = new Server(key, options);
    }
    return this.#server;
  }
}

class Server {
  readonly key: string;
  isGone = false;
  readonly #python: string;
  readonly #process: OwnProcess;
  readonly #listeners = new Map<number, Listener>();
  #failure = '';
  #stderr = '';
  #text = '';
  #count = 0;

  constructor(key: string, { python = DEFAULT_PYTHON, recorder, env }: RecordOptions) {
    this.key = key;
    this.#python = python;
    const decoder = new TextDecoder();
    this.#process = start({
      command: python,
      args: [recorder, '--serve', '--channel', '3'],
      ...(env && { env }),
      onStderr: (text) => (this.#stderr = (this.#stderr + text).slice(-2000)),
      onMessage: (bytes) => this.#receive(decoder.decode(bytes, { stream: true })),
    });
    void this.#end();
  }

  kill(): void {
    this.#process.kill();
  }

  async #end(): Promise<void> {
    const { error, code, signal } = await this.#process.done;
    this.isGone = true;
    const said = this.#stderr.trim().split('\n').at(-1);
    this.#failure = error
      ? notStarted(this.#python, error)
      : `${this.#python} ended (${signal ?? `code ${code}`})${said ? `: ${said}` : ''}`;
    for (const listener of this.#listeners.values()) listener(null);
  }

  #receive(text: string): void {
    const lines = (this.#text + text).split('\n');
    this.#text = lines.pop() ?? '';
    for (const line of lines) {
      const answer = JSON.parse(line) as Answer;
      this.#listeners.get(answer.id)?.(answer);
    }
  }

  #ask(message: object): void {
    this.#process.send(new TextEncoder().encode(`${JSON.stringify(message)}\n`));
  }

  #begin(listener: Listener): number {
    const id = ++this.#count;
    this.#listeners.set(id, listener);
    return id;
  }

  async warm(file: string): Promise<void> {
    if (this.isGone) return;
    await new Promise<void>((done) => this.#ask({ id: this.#begin(() => done()), warm: file }));
  }

  async record(path: string, options: RecordOptions, signal?: AbortSignal): Promise<Recorded> {
    if (this.isGone) throw new RecordError(this.#failure);
    const run = new Run(options);
    const cancel = (): void => {
      run.isCancelled = true;
      this.#ask({ id: run.id, end: 'now' });
    };
    const limit = new Limit(options.timeout, (end) => this.#ask({ id: run.id, end }));
    const ended = new Promise<Answer | null>((done) => {
      run.id = this.#begin((answer) => {
        if (answer === null || answer.exit !== undefined || answer.signal !== undefined) {
          done(answer);
        } else run.print(answer);
      });
    });
    this.#ask({
      ...{ id: run.id, file: fileOf(options), args: options.args ?? [], out: path },
      ...{ cwd: resolve(folderOf(options)), options: flagsOf(options) },
    });
    signal?.addEventListener('abort', cancel);
    if (signal?.aborted) cancel();
    const answer = await ended;
    this.#listeners.delete(run.id);
    limit.clear();
    signal?.removeEventListener('abort', cancel);
    if (!answer) throw new RecordError(this.#failure, run);
    return readRecording(path, run.end(answer, limit.isOver));
  }
}

/** One run's output. */
class Run {
  id = 0;
  stdout = '';
  stderr = '';
  isCancelled = false;
  readonly #options: RecordOptions;
  readonly #decoders = { stdout: new TextDecoder(), stderr: new TextDecoder() };
  #left: number;
  #outputCut = false;

  constructor(options: RecordOptions) {
    this.#options = options;
    this.#left = options.mostOutput ?? Infinity;
  }

  print({ stdout, stderr }: Answer): void {
    if (stdout !== undefined) this.#pass('stdout', stdout, this.#options.onStdout);
    if (stderr !== undefined) this.#pass('stderr', stderr, this.#options.onStderr);
  }

  #pass(stream: 'stdout' | 'stderr', encoded: string, then?: (text: string) => void): void {
    const bytes = Buffer.from(encoded, 'base64');
    const text = this.#decoders[stream].decode(bytes, { stream: true });
    const passed = text.slice(0, this.#left);
    this.#left -= passed.length;
    if (passed.length < text.length) this.#outputCut = true;
    this[stream] += passed;
    if (passed) then?.(passed);
  }

  end({ exit, signal }: Answer, timedOut: boolean): Omit<Recorded, 'bytes'> {
    const names = Object.entries(constants.signals);
    const name = names.find(([, number]) => number === signal)?.[0] ?? null;
    return {
      stdout: this.stdout,
      stderr: this.stderr,
      exit: {
        ...{ code: exit ?? null, signal: name as Exit['signal'] },
        ...{ timedOut, cancelled: this.isCancelled, outputCut: this.#outputCut },
      },
    };
  }
}
