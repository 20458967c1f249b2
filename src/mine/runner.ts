// The process in which a person's module runs: loads it, calls forward and backward, sends what they return.
import { spawnSync } from 'node:child_process';
import { Socket } from 'node:net';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import type { CodeLine } from '../formats/namedTensor.ts';
import type { FromRunner, Inputs, Phase, ToRunner } from './messages.ts';
import { OutputError, toNested, toOutputs } from './nested.ts';
import { Decoder, encode } from './wire.ts';

/** In all, in bytes: typed arrays lie outside of the heap that Node can limit. */
const MOST_MEMORY = 2 ** 20 * Number(process.argv[2]);
const LOOK_EVERY = 100; // ms

/** Of an error's words and stack, in characters: a person reads no more. */
const MOST_WORDS = 10_000;

/** The pipe to whoever started this, file descriptor 3 (src/process/ownProcess.ts). */
const pipe = new Socket({ fd: 3 });
const incoming = new Decoder();
const waiting: ((message: ToRunner) => void)[] = [];

const send = (message: FromRunner): Promise<void> =>
  new Promise((resolve) => {
    pipe.write(encode(message), () => resolve());
  });

const receive = (): Promise<ToRunner> =>
  new Promise((resolve) => {
    waiting.push(resolve);
  });

/** From a thread of its own, for the person's code may never yield. */
function watchMemory(): void {
  const source = `setInterval(() => {
    if (process.memoryUsage.rss() > ${MOST_MEMORY}) process.kill(process.pid, 'SIGKILL');
  }, ${LOOK_EVERY})`;
  new Worker(source, { eval: true }).unref();
}

/** Where in the person's code an error comes from: the first frame that is neither Node's nor this file's. */
function placeOf(stack: string): CodeLine | null {
  const own = import.meta.url;
  for (const line of stack.split('\n')) {
    if (line.includes('node:')) continue;
    const [, address, number] =
      /((?:file:\/\/)?(?:\/|[A-Za-z]:[\\/])[^()\n]*?):(\d+)(?::\d+)?\)?$/.exec(line) ?? [];
    if (address === undefined || address === own) continue;
    const file = address.startsWith('file:') ? fileURLToPath(address) : address;
    if (file !== fileURLToPath(own)) return { file, line: Number(number) };
  }
  return null;
}

/** When all that was printed is written. */
async function leave(code: number): Promise<never> {
  for (const stream of [process.stdout, process.stderr])
    await new Promise<void>((resolve) => {
      stream.write('', () => resolve());
    });
  process.exit(code);
}

let module = '';

/** Of the error that the grammar of a standard module has: its stack has Node's own lines only. */
function placeOfSyntax(): CodeLine | null {
  const { stderr } = spawnSync(process.execPath, ['--check', module], {
    encoding: 'utf8',
    timeout: 10_000,
  });
  return placeOf(stderr.split('\n')[0]);
}

/** What has no text of its own can be thrown too. */
function inWords(value: unknown): string {
  try {
    return String(value);
  } catch {
    return `a ${typeof value}`;
  }
}

async function fail(error: unknown): Promise<never> {
  if (error instanceof OutputError) {
    await send({ type: 'failed', message: error.message, stack: '', place: null });
  } else {
    const isError = error instanceof Error;
    const words = isError ? `${error.name}: ${error.message}` : `threw ${inWords(error)}`;
    const stack = (isError && error.stack) || '';
    const place = placeOf(stack) ?? (error instanceof SyntaxError ? placeOfSyntax() : null);
    const [message, long] = [words.slice(0, MOST_WORDS), stack.slice(0, MOST_WORDS)];
    await send({ type: 'failed', message, stack: long, place });
  }
  return leave(1);
}

type Function = (...words: unknown[]) => unknown;

async function load(url: string): Promise<Record<'forward' | 'backward', Function | undefined>> {
  const loaded = (await import(url)) as Record<string, unknown> & { default?: unknown };
  const inside = (typeof loaded.default === 'object' && loaded.default) || {};
  const all = { ...inside, ...loaded } as Record<string, unknown>;
  const named = (name: string): Function | undefined => {
    const value = all[name];
    if (value === undefined || typeof value === 'function') return value as Function | undefined;
    throw new OutputError(`${name} is a ${typeof value}, expected a function`);
  };
  const forward = named('forward');
  if (!forward) {
    const names = Object.keys(all).filter((name) => name !== 'default');
    const found = names.length > 0 ? `exports ${names.join(', ')}` : 'exports nothing';
    throw new OutputError(`the module ${found}, expected a function forward(inputs)`);
  }
  return { forward, backward: named('backward') };
}

async function runModule(url: string, inputs: Inputs): Promise<void> {
  const begins = (phase: Phase): Promise<void> => send({ type: 'begins', phase });
  module = fileURLToPath(url);
  await begins('load');
  const { forward, backward } = await load(url);
  await begins('forward');
  const result = await forward!(toNested(inputs));
  const outputs = toOutputs('forward', result);
  const upstream = receive();
  await send({ type: 'forward', outputs, hasBackward: backward !== undefined });
  if (!backward) return;
  const message = await upstream;
  if (message.type !== 'upstream') return;
  await begins('backward');
  // Fresh inputs: forward may have changed its own.
  const gradients = await backward(toNested(inputs), result, toNested(message.upstream));
  await send({ type: 'backward', outputs: toOutputs('backward', gradients) });
}

process.on('uncaughtException', (error) => void fail(error));
process.on('unhandledRejection', (error) => void fail(error));
// Whoever started this is gone.
for (const event of ['end', 'error', 'close']) pipe.on(event, () => process.exit(1));
pipe.on('data', (bytes) => {
  for (const each of incoming.push(bytes)) waiting.shift()?.(each as ToRunner);
});
watchMemory();
const started = receive();
await send({ type: 'ready' });
const message = await started;
try {
  if (message.type === 'run') await runModule(message.module, message.inputs);
  await leave(0);
} catch (error) {
  await fail(error);
}
