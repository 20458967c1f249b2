// The bench of a repair: one Python that has imported what the program imports, and forks for every edit that is tried.
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { sizeOf, tensor, type Tensor } from '../engine/tensor.ts';
import type {
  Bench,
  Calls,
  Candidate,
  FrameReply,
  FrameRequest,
  Sources,
  Variations,
} from '../lines/repair/bench.ts';
import { parseRecording, type Recording } from '../lines/recorded/recording.ts';
import { type OwnProcess, start } from '../process/ownProcess.ts';

export interface BenchOptions {
  readonly python: string;
  /** The folder attention_lines. */
  readonly recorder: string;
  /** Absolute. */
  readonly file: string;
  readonly args: readonly string[];
  readonly cwd: string;
  readonly root?: string;
  readonly pytest?: boolean;
  /** Of one run of the program, in seconds. */
  readonly timeout: number;
  readonly signal?: AbortSignal;
}

interface Reply {
  readonly id: number;
  readonly error?: string;
  /** Of the processor's time, in seconds. */
  readonly spent?: number;
}

/** A float64 tensor in the file that a reply names. */
interface Written {
  readonly shape: readonly number[];
  readonly at: number;
}

interface FrameAnswer extends Reply {
  readonly candidates: readonly (Candidate & {
    readonly values: readonly Written[];
    readonly alternatives: readonly Candidate[];
  })[];
  readonly now: readonly Written[];
  readonly executions: number;
  readonly others: readonly Candidate[];
  readonly tried: number;
  readonly looked: number;
}

interface VaryAnswer extends Reply, Partial<Variations> {
  /** Sizes of what the program loads: no edit changes them. */
  readonly loaded?: readonly number[];
}

/** A bench and how to end it; what it wrote is gone then, and nothing is answered any more. */
export interface OpenBench extends Bench {
  /** Imports what the program imports before it is asked for. */
  warm(): void;
  /** How long the processor was at what has been answered, in seconds: other programs on the machine do not count. */
  readonly spent: number;
  close(): Promise<void>;
}

export async function openBench(options: BenchOptions): Promise<OpenBench> {
  const folder = await mkdtemp(join(tmpdir(), 'attention-repair-'));
  return new PythonBench(options, folder);
}

class PythonBench implements OpenBench {
  readonly #options: BenchOptions;
  readonly #folder: string;
  readonly #process: OwnProcess;
  readonly #waiting = new Map<number, (reply: Reply) => void>();
  /** Of the line that is being read. */
  #pieces: Buffer[] = [];
  #next = 0;
  #loaded: readonly number[] | undefined;
  #isOver = false;
  spent = 0;

  constructor(options: BenchOptions, folder: string) {
    this.#options = options;
    this.#folder = folder;
    this.#process = start({
      command: options.python,
      args: ['-W', 'ignore', options.recorder, '--repair', '3'],
      cwd: options.cwd,
      ...(options.signal && { signal: options.signal }),
      onMessage: (bytes) => this.#read(bytes),
    });
    void this.#process.done.then(() => this.#end());
  }

  async frame(request: FrameRequest): Promise<FrameReply | null> {
    const { sources, pairs, seconds, most, ...place } = request;
    const asked = { sources, place, pairs, seconds, most };
    const { reply, out } = await this.#ask({ job: 'frame', ...asked });
    if (reply.error !== undefined) return null;
    const { candidates, others, now, executions, tried, looked } = reply as FrameAnswer;
    const bytes = await readFile(out);
    await this.#forget(out);
    const decode = (values: readonly Written[]): Tensor[] =>
      values.map(({ shape, at }) => {
        const from = bytes.byteOffset + at;
        const buffer = bytes.buffer.slice(from, from + 8 * sizeOf(shape));
        return tensor(shape, new Float64Array(buffer));
      });
    return {
      candidates: candidates.map(({ values, ...each }) => ({ ...each, values: decode(values) })),
      others,
      now: decode(now),
      executions,
      tried,
      looked,
    };
  }

  async record(
    sources: Sources,
    args?: readonly string[],
    calls?: Calls,
  ): Promise<Recording | null> {
    const asked = { sources, ...(args && { args }), ...(calls && { calls }) };
    const { reply, out } = await this.#ask({ job: 'record', ...asked });
    try {
      if (reply.error !== undefined) return null;
      return parseRecording(new Uint8Array(await readFile(out)), out);
    } catch {
      return null;
    } finally {
      await this.#forget(out);
    }
  }

  async vary(sources: Sources): Promise<Variations> {
    const known = this.#loaded && { loaded: this.#loaded };
    const { reply, out } = await this.#ask({ job: 'vary', sources, ...known });
    await this.#forget(out);
    const { seeds = [], sizes = [], loaded } = reply as VaryAnswer;
    this.#loaded ??= loaded;
    return { seeds, sizes };
  }

  warm(): void {
    void this.vary({});
  }

  async close(): Promise<void> {
    this.#process.kill();
    await this.#process.done;
    await rm(this.#folder, { recursive: true, force: true });
  }

  async #forget(out: string): Promise<void> {
    await rm(out, { force: true });
    await rm(`${out}.files`, { recursive: true, force: true });
  }

  #ask(request: object): Promise<{ reply: Reply; out: string }> {
    const { file, args, cwd, root, pytest, timeout } = this.#options;
    const id = this.#next++;
    const out = join(this.#folder, String(id));
    if (this.#isOver) return Promise.resolve({ reply: { id, error: 'Python has ended' }, out });
    const whole = { file, args, cwd, root, pytest, timeout, ...request, id, out };
    return new Promise((resolve) => {
      this.#waiting.set(id, (reply) => resolve({ reply, out }));
      this.#process.send(Buffer.from(`${JSON.stringify(whole)}\n`));
    });
  }

  #read(bytes: Buffer): void {
    let from = 0;
    for (let at = bytes.indexOf(10); at >= 0; at = bytes.indexOf(10, from)) {
      const line = Buffer.concat([...this.#pieces, bytes.subarray(from, at)]).toString('utf8');
      this.#pieces = [];
      from = at + 1;
      const reply = JSON.parse(line) as Reply;
      this.spent += reply.spent ?? 0;
      this.#waiting.get(reply.id)?.(reply);
      this.#waiting.delete(reply.id);
    }
    // Joined once: of a long line there are thousands.
    if (from < bytes.length) this.#pieces.push(bytes.subarray(from));
  }

  #end(): void {
    this.#isOver = true;
    for (const [id, answer] of this.#waiting) answer({ id, error: 'Python has ended' });
    this.#waiting.clear();
  }
}
