// "Run mine": a person's module in a process of its own, with a time limit, and its tensors by name.
import { type ChildProcess, fork } from 'node:child_process';
import { stat } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import type { HeadConfig } from '../engine/config.ts';
import type { Graph } from '../engine/graph.ts';
import { run } from '../engine/run.ts';
import { sameShape, type Tensor } from '../engine/tensor.ts';
import type { CodeLine, NamedTensor } from '../formats/namedTensor.ts';
import { resolveName } from '../formats/nodeNames.ts';
import { inputsOf } from './inputs.ts';
import type { FromRunner, Inputs, Output, Phase, ToRunner } from './messages.ts';
import { nodeFor, plainEnvironment } from './node.ts';

export interface MineOptions {
  /** Of the bundled runner. */
  readonly runner: string;
  /** Absolute path. */
  readonly module: string;
  /** For loading, forward and backward together, in seconds. */
  readonly timeout: number;
  readonly config: HeadConfig;
  readonly graph: Graph;
  /** The setup's map from names to nodes. */
  readonly names: Readonly<Record<string, string>>;
  /** What the person's code prints, and what errors say beyond their message. */
  readonly onOutput: (text: string, stream: 'stdout' | 'stderr') => void;
  /** Of its heap, in MiB; typed arrays, which lie outside of it, may take as much again. */
  readonly memory?: number;
  /** Ends the run; nobody waits for it any more. */
  readonly signal?: AbortSignal;
}

/** The person's module failed; the message is one line for the person. */
export class MineError extends Error {
  readonly place: CodeLine | null;

  constructor(message: string, place: CodeLine | null = null) {
    super(message);
    this.place = place;
  }
}

const MEMORY = 2048; // MiB
const MOST_PRINTED = 2 ** 20; // characters
const MOST_LINGER = 1000; // ms
/** For Node to start, on a loaded machine. */
const START_TIME = 60; // s

/** The tensors of forward, and the gradients of backward with the upstream gradient it was given. Throws MineError. */
export async function runMine(options: MineOptions): Promise<NamedTensor[]> {
  const { module, config, graph } = options;
  const isFile = await stat(module).then(
    (found) => found.isFile(),
    () => false,
  );
  if (!isFile) throw new MineError(`${module}: no such file, expected the setup's implementation`);
  let inputs: Inputs;
  try {
    inputs = inputsOf(config, graph);
  } catch (error) {
    throw new MineError(`${basename(module)}: ${(error as Error).message}`);
  }
  const node = await nodeFor(module);
  if (!node) {
    const found = `found Node ${process.versions.node}`;
    const expected = 'expected Node 22.6 or newer, here or as "node" on the PATH, or JavaScript';
    throw new MineError(`${basename(module)}: TypeScript: ${found}, ${expected}`);
  }
  const { memory = MEMORY } = options;
  const child = fork(options.runner, [`${2 * memory}`], {
    execPath: node.path,
    execArgv: [...node.flags, '--no-warnings', `--max-old-space-size=${memory}`],
    cwd: dirname(module),
    env: plainEnvironment(),
    // Tensors go as typed arrays; infinities and NaN as they are.
    serialization: 'advanced',
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  });
  const closed = new Promise<void>((resolve) => {
    child.once('close', () => resolve());
  });
  const conversation = new Conversation(child, options, inputs);
  try {
    return await conversation.tensors();
  } finally {
    // One that has said all ends by itself, when what it prints has arrived.
    if (conversation.isOver) await Promise.race([closed, sleep(MOST_LINGER)]);
    child.kill('SIGKILL');
  }
}

const PHASES: Readonly<Record<Phase, string>> = {
  load: 'loading it',
  forward: 'forward',
  backward: 'backward',
};

/** With one runner, from its start to its last word. */
class Conversation {
  readonly #child: ChildProcess;
  readonly #options: MineOptions;
  readonly #inputs: Inputs;
  readonly #name: string;
  #phase: Phase = 'load';
  #printed = 0;
  #isOver = false;
  #lastWords = '';
  #values: NamedTensor[] = [];
  #upstream: Tensor | null = null;
  #timer: NodeJS.Timeout | undefined;

  constructor(child: ChildProcess, options: MineOptions, inputs: Inputs) {
    this.#child = child;
    this.#options = options;
    this.#inputs = inputs;
    this.#name = basename(options.module);
  }

  /** The runner has said its last word. */
  get isOver(): boolean {
    return this.#isOver;
  }

  tensors(): Promise<NamedTensor[]> {
    const { signal } = this.#options;
    return new Promise<NamedTensor[]>((resolve, reject) => {
      const limit = (seconds: number, words: string): void => {
        clearTimeout(this.#timer);
        this.#timer = setTimeout(() => reject(this.#error(words)), 1000 * seconds);
      };
      const { timeout } = this.#options;
      limit(START_TIME, `Node did not start in ${START_TIME} s`);
      this.#child.on('message', (message: FromRunner) => {
        if (message.type === 'ready') {
          limit(timeout, '');
          this.#say({
            type: 'run',
            module: pathToFileURL(this.#options.module).href,
            inputs: this.#inputs,
          });
          return;
        }
        try {
          const all = this.#receive(message);
          if (all) resolve(all);
        } catch (error) {
          reject(error);
        }
      });
      this.#child.stdout?.on('data', (data: Buffer) => this.#print(String(data), 'stdout'));
      this.#child.stderr?.on('data', (data: Buffer) => this.#print(String(data), 'stderr'));
      this.#child.on('error', (error) => reject(this.#error(error.message)));
      // 'close' comes after the last output, which may tell why.
      this.#child.on('close', (code, killed) => reject(this.#ended(code, killed)));
      signal?.addEventListener('abort', () => reject(this.#error('was stopped')));
      if (signal?.aborted) reject(this.#error('was stopped'));
    }).finally(() => clearTimeout(this.#timer));
  }

  #say(message: ToRunner): void {
    // One that has ended meanwhile says so by its exit.
    this.#child.send(message, () => undefined);
  }

  /** Everything, once it is all there. */
  #receive(message: FromRunner): NamedTensor[] | null {
    switch (message.type) {
      case 'ready':
        return null;
      case 'begins':
        this.#phase = message.phase;
        return null;
      case 'forward':
        this.#values = message.outputs.map(toNamed);
        this.#isOver = !message.hasBackward;
        if (this.#isOver) return this.#values;
        this.#upstream = this.#upstreamAt();
        this.#say({ type: 'upstream', upstream: this.#upstream });
        return null;
      case 'backward':
        this.#isOver = true;
        return this.#withGradients(message.outputs.map(toNamed));
      case 'failed': {
        this.#isOver = true;
        const { message: words, stack, place } = message;
        if (stack) this.#options.onOutput(`${stack}\n`, 'stderr');
        const at = place ? `${basename(place.file)}:${place.line}` : this.#name;
        throw new MineError(`${at}: ${words.split('\n')[0]}`, place);
      }
    }
  }

  /** df/dy where the person's y is, so that a wrong y is not told twice; the reference's if there is no y. */
  #upstreamAt(): Tensor {
    const { graph } = this.#options;
    const reference = graph.nodes.find(({ id }) => id === 'y')!;
    const own = this.#values.find(
      (each) => this.#is(each, 'y', 'value') && sameShape(each.tensor.shape, reference.shape),
    );
    const override = own && new Map([['y', own.tensor]]);
    return run(graph, { override }).gradients.get('y')!;
  }

  /** What backward returns is gradients, whether it calls them dQ, grad_q or just Q. */
  #withGradients(gradients: readonly NamedTensor[]): NamedTensor[] {
    const named = gradients.map((each) => {
      const found = this.#resolve(each);
      return found?.kind === 'value' ? { ...each, name: `d${found.node}` } : each;
    });
    const isGiven = named.some((each) => this.#is(each, 'y', 'gradient'));
    const upstream = { name: 'dy', dtype: 'float64', tensor: this.#upstream! } as const;
    return [...this.#values, ...(isGiven ? [] : [upstream]), ...named];
  }

  #resolve({ name, tensor }: NamedTensor): ReturnType<typeof resolveName> {
    return resolveName(name, this.#options.names, tensor.shape.length);
  }

  #is(each: NamedTensor, node: string, kind: 'value' | 'gradient'): boolean {
    const found = this.#resolve(each);
    return found?.node === node && found.kind === kind;
  }

  #print(text: string, stream: 'stdout' | 'stderr'): void {
    this.#lastWords = `${this.#lastWords}${text}`.slice(-2000);
    const before = this.#printed;
    this.#printed += text.length;
    const { onOutput } = this.#options;
    if (before < MOST_PRINTED) onOutput(text.slice(0, MOST_PRINTED - before), stream);
    if (before < MOST_PRINTED && this.#printed >= MOST_PRINTED)
      onOutput('\n(what it prints from here on is left out)\n', 'stderr');
  }

  #error(words: string): MineError {
    const { timeout } = this.#options;
    const late = `${PHASES[this.#phase]} did not end in ${timeout} s (the setup's implementation.timeout)`;
    return new MineError(`${this.#name}: ${words || late}`);
  }

  #ended(code: number | null, killed: string | null): MineError {
    const where = PHASES[this.#phase];
    const isMemory = killed === 'SIGKILL' || this.#lastWords.includes('heap out of memory');
    if (isMemory) return this.#error(`${where} took more memory than it may`);
    const how = killed ? `by ${killed}` : `with exit code ${code}`;
    return this.#error(`${where} ended the process ${how}`);
  }
}

function toNamed({ name, dtype, shape, data }: Output): NamedTensor {
  return { name, dtype, tensor: { shape, data } };
}
