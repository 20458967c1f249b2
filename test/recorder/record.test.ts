// Recording a program from Node, in a process of its own and in a warm one.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { record, type RecordOptions, RecordError, recorderIn } from '../../src/recorder/record.ts';
import { WarmRecorder } from '../../src/recorder/warm.ts';

const recorder = recorderIn(fileURLToPath(new URL('../..', import.meta.url)));
const python = process.env.ATTENTION_PYTHON ?? 'python3';

interface Header {
  readonly events: readonly {
    name: string;
    dtype: string;
    at?: [number, number];
    value?: number;
  }[];
  readonly exit: { code: number; exception?: { type: string; line: number } };
  readonly args: readonly string[];
}

function headerOf(bytes: Uint8Array): Header {
  const length = Number(
    new DataView(bytes.buffer, bytes.byteOffset + bytes.length - 16).getBigUint64(0, true),
  );
  const text = new TextDecoder().decode(
    bytes.subarray(bytes.length - 16 - length, bytes.length - 16),
  );
  return JSON.parse(text) as Header;
}

let folder = '';
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'attention-lines-test-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function program(text: string): RecordOptions {
  const file = join(folder, 'program.py');
  writeFileSync(file, text);
  return { recorder, python, file };
}

/** A run to its limit, which lets a program that prints "begun" get there, however slow the machine is. */
async function begun<T>(
  run: (options: Pick<RecordOptions, 'timeout' | 'onStdout'>) => Promise<T>,
): Promise<T> {
  for (let timeout = 1000; ; timeout *= 4) {
    let said = '';
    const ended = run({ timeout, onStdout: (text) => (said += text) });
    await ended.catch(() => undefined);
    if (said.includes('begun')) return ended;
  }
}

const warm = new WarmRecorder();
afterAll(() => warm.dispose());

const ways = [
  { name: 'in a process of its own', run: record },
  {
    name: 'in a warm process',
    run: (options: RecordOptions, signal?: AbortSignal) => warm.record(options, signal),
  },
];

describe.each(ways)('$name', ({ run }) => {
  test('gives the recording and what was printed', async () => {
    const options = program(
      'import sys\nscale = 0.25\nprint("größer", sys.argv)\nprint("e", file=sys.stderr)\n',
    );
    const { bytes, stdout, stderr, exit } = await run({ ...options, args: ['--n', '3'] });
    expect(stdout).toBe("größer ['program.py', '--n', '3']\n");
    expect(stderr).toBe('e\n');
    expect(exit).toMatchObject({ code: 0, signal: null, cancelled: false });
    const { events, args } = headerOf(bytes);
    expect(events).toMatchObject([{ name: 'scale', dtype: 'float', value: 0.25 }]);
    expect(args).toEqual(['--n', '3']);
  });

  test('gives what was recorded until an exception', async () => {
    const options = program('scale = 2.0\nscale / 0\n');
    const { bytes, stderr, exit } = await run(options);
    expect(exit.code).toBe(1);
    const plain = (): unknown =>
      execFileSync(python, ['program.py'], { cwd: folder, stdio: 'pipe' });
    expect(plain).toThrow(expect.objectContaining({ stderr: Buffer.from(stderr) }));
    expect(headerOf(bytes)).toMatchObject({
      events: [{ name: 'scale' }],
      exit: { code: 1, exception: { type: 'ZeroDivisionError', line: 2 } },
    });
  });

  test('ends a program that hangs', async () => {
    const options = program('scale = 2.0\nprint("begun", flush=True)\nwhile True: pass\n');
    const { bytes, exit } = await begun((more) => run({ ...options, ...more }));
    expect(exit).toMatchObject({ code: null, signal: 'SIGTERM', timedOut: true, cancelled: false });
    expect(headerOf(bytes).events).toMatchObject([{ name: 'scale' }]);
    await expect(run(options, AbortSignal.timeout(300))).rejects.toThrow('The run was cancelled.');
  });

  test('ends a program that will not end', async () => {
    const text =
      'import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\nprint("begun", flush=True)\nwhile True: pass\n';
    const hung = begun((more) => run({ ...program(text), ...more }));
    await expect(hung).rejects.toThrow('The program did not end in time.');
  });

  test('drops what is printed beyond the limit', async () => {
    const { stdout, exit } = await run({ ...program('print("x" * 100_000)\n'), mostOutput: 50 });
    expect(stdout).toBe('x'.repeat(50));
    expect(exit.outputCut).toBe(true);
  });

  test('says that Python is not there', async () => {
    const options = { ...program(''), python: '/no/python' };
    const error: unknown = await run(options).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(RecordError);
    expect(error).toHaveProperty('message', '/no/python did not start: it was not found');
  });
});

test('a warm process draws new random numbers for each run', async () => {
  const options = program('import random\nprint(random.random())\n');
  await warm.warm(options);
  const [first, second] = [await warm.record(options), await warm.record(options)];
  expect(first.stdout).not.toBe(second.stdout);
});
