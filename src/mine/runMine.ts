// "Run mine": a person's module in a process of its own, with a time limit, and its tensors by name.
import { stat } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { HeadConfig } from '../engine/config.ts';
import type { Graph } from '../engine/graph.ts';
import { run } from '../engine/run.ts';
import { sameShape, type Tensor } from '../engine/tensor.ts';
import type { CodeLine, NamedTensor } from '../formats/namedTensor.ts';
import { resolveName } from '../formats/nodeNames.ts';
import { visible } from '../formats/shown.ts';
import { type Ended, type OwnProcess, start } from '../process/ownProcess.ts';
import { inputsOf } from './inputs.ts';
import { fromRunner, type Inputs, type Output, type Phase, type ToRunner } from './messages.ts';
import { nodeFor, plainEnvironment } from './node.ts';
import { Decoder, encode, WireError } from './wire.ts';

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
/** Longer, and Node waits 1 ms. */
const LONGEST_TIMER = 2 ** 31 - 1; // ms

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
  const conversation = new Conversation(options, inputs);
  const { memory = MEMORY } = options;
  const running = start({
    command: node.path,
    args: [
      ...[...node.flags, '--no-warnings', `--max-old-space-size=${memory}`],
      ...[options.runner, `${2 * memory}`],
    ],
    cwd: dirname(module),
    env: plainEnvironment(),
    ...(options.signal && { signal: options.signal }),
    onStdout: (text) => conversation.print(text, 'stdout'),
    onStderr: (text) => conversation.print(text, 'stderr'),
    onMessage: (bytes) => conversation.receive(bytes),
  });
  try {
    return await conversation.tensors(running);
  } finally {
    // One that has said all ends by itself, when what it prints has arrived.
    const late = setTimeout(() => running.kill(), conversation.isOver ? MOST_LINGER : 0);
    await running.done;
    clearTimeout(late);
  }
}

const PHASES: Readonly<Record<Phase, string>> = {
  load: 'loading it',
  forward: 'forward',
  backward: 'backward',
};

/** With one runner, from its start to its last word. */
class Conversation {
  readonly #options: MineOptions;
  readonly #inputs: Inputs;
  readonly #name: string;
  readonly #decoder = new Decoder();
  #running: OwnProcess | null = null;
  #phase: Phase = 'load';
  #printed = 0;
  #isReady = false;
  #isOver = false;
  #lastWords = '';
  #values: NamedTensor[] = [];
  #upstream: Tensor | null = null;
  #timer: NodeJS.Timeout | undefined;
  #resolve: (tensors: NamedTensor[]) => void = () => undefined;
  #reject: (error: unknown) => void = () => undefined;

  constructor(options: MineOptions, inputs: Inputs) {
    this.#options = options;
    this.#inputs = inputs;
    this.#name = basename(options.module);
  }

  /** The runner has said its last word. */
  get isOver(): boolean {
    return this.#isOver;
  }

  async tensors(running: OwnProcess): Promise<NamedTensor[]> {
    this.#running = running;
    try {
      return await new Promise<NamedTensor[]>((resolve, reject) => {
        this.#resolve = resolve;
        this.#reject = reject;
        this.#limit(START_TIME, `Node did not start in ${START_TIME} s`);
        // After the last output, which may tell why.
        void running.done.then((ended) => reject(this.#ended(ended)));
      });
    } finally {
      clearTimeout(this.#timer);
    }
  }

  #limit(seconds: number, words: string): void {
    clearTimeout(this.#timer);
    const late = (): void => this.#reject(this.#error(words));
    this.#timer = setTimeout(late, Math.min(1000 * seconds, LONGEST_TIMER));
  }

  /** What the runner writes, as it comes. */
  receive(bytes: Uint8Array): void {
    if (this.#isOver) return;
    try {
      for (const message of this.#decoder.push(bytes)) {
        const all = this.#hear(message);
        if (all) this.#resolve(all);
      }
    } catch (error) {
      this.#isOver = true;
      const found = `${PHASES[this.#phase]} sent ${(error as Error).message}`;
      const forged = `${found}, expected tensors to be returned`;
      this.#reject(error instanceof WireError ? this.#error(forged) : error);
    }
  }

  #say(message: ToRunner): void {
    this.#running?.send(encode(message));
  }

  /** Everything, once it is all there. */
  #hear(heard: unknown): NamedTensor[] | null {
    const message = fromRunner(heard);
    switch (message.type) {
      case 'ready':
        // Again, it would give itself more time.
        if (this.#isReady) throw new WireError('that it is ready again');
        this.#isReady = true;
        this.#limit(this.#options.timeout, '');
        this.#say({
          type: 'run',
          module: pathToFileURL(this.#options.module).href,
          inputs: this.#inputs,
        });
        return null;
      case 'begins':
        this.#phase = message.phase;
        return null;
      case 'forward':
        if (this.#upstream) throw new WireError('tensors of forward again');
        this.#values = message.outputs.map(toNamed);
        this.#isOver = !message.hasBackward;
        if (this.#isOver) return this.#values;
        this.#upstream = this.#upstreamAt();
        this.#say({ type: 'upstream', upstream: this.#upstream });
        return null;
      case 'backward':
        if (!this.#upstream) throw new WireError('gradients before it was given dy');
        this.#isOver = true;
        return this.#withGradients(message.outputs.map(toNamed));
      case 'failed': {
        this.#isOver = true;
        const { message: words, stack, place } = message;
        const lines = stack.split('\n').map((line) => `${visible(line)}\n`);
        if (stack) this.#options.onOutput(lines.join(''), 'stderr');
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
      const found = this.#nodeOf(each);
      return found?.kind === 'value' ? { ...each, name: `d${found.node}` } : each;
    });
    const isGiven = named.some((each) => this.#is(each, 'y', 'gradient'));
    const upstream = { name: 'dy', dtype: 'float64', tensor: this.#upstream! } as const;
    return [...this.#values, ...(isGiven ? [] : [upstream]), ...named];
  }

  #nodeOf({ name, tensor }: NamedTensor): ReturnType<typeof resolveName> {
    return resolveName(name, this.#options.names, tensor.shape.length);
  }

  #is(each: NamedTensor, node: string, kind: 'value' | 'gradient'): boolean {
    const found = this.#nodeOf(each);
    return found?.node === node && found.kind === kind;
  }

  print(text: string, stream: 'stdout' | 'stderr'): void {
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

  #ended({ code, signal, cancelled, error }: Ended): MineError {
    if (error) return this.#error(error.message);
    if (cancelled) return this.#error('was stopped');
    const where = PHASES[this.#phase];
    const isMemory = signal === 'SIGKILL' || this.#lastWords.includes('heap out of memory');
    if (isMemory) return this.#error(`${where} took more memory than it may`);
    const how = signal ? `by ${signal}` : `with exit code ${code}`;
    return this.#error(`${where} ended the process ${how}`);
  }
}

function toNamed({ name, dtype, shape, data }: Output): NamedTensor {
  return { name, dtype, tensor: { shape, data } };
}
