// Processes of ours: what they print and how they end is told, and nothing that they started stays behind.
import { spawn } from 'node:child_process';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { type Ended, type ProcessOptions, start } from '../../src/process/ownProcess.ts';
import { bundleHost, plant, type Planted, removeFolder, type Tree } from './trees.ts';

vi.setConfig({ testTimeout: 120_000 });

const WELL: Ended = {
  ...{ code: 0, signal: null, error: null },
  ...{ timedOut: false, cancelled: false, outputCut: false },
};

interface Told extends Ended {
  readonly stdout: string;
  readonly stderr: string;
}

async function node(program: string, options: Partial<ProcessOptions> = {}): Promise<Told> {
  let stdout = '';
  let stderr = '';
  const { done } = start({
    ...{ command: process.execPath, args: ['-e', program] },
    onStdout: (text) => (stdout += text),
    onStderr: (text) => (stderr += text),
    ...options,
  });
  return { ...(await done), stdout, stderr };
}

describe('what is told', () => {
  test.concurrent('output, exit code, standard input, folder and environment', async () => {
    const program = `process.stdin.on('data', (text) => console.log(String(text)));
      process.stdin.on('end', () => { console.error(process.cwd(), process.env.A); process.exit(3); });`;
    const told = await node(program, { stdin: 'in', cwd: '/', env: { A: 'b' } });
    expect(told).toEqual({ ...WELL, code: 3, stdout: 'in\n', stderr: '/ b\n' });
  });

  test.concurrent('an empty standard input where none is given', async () => {
    expect(await node('process.stdin.resume().on("end", () => console.log("end"))')).toEqual({
      ...{ ...WELL, stdout: 'end\n', stderr: '' },
    });
  });

  test.concurrent('the signal that ended it', async () => {
    const told = await node('process.kill(process.pid, "SIGTERM"); setInterval(() => {}, 99)');
    expect(told).toMatchObject({ code: null, signal: 'SIGTERM', timedOut: false });
  });

  test.concurrent.each([
    ['a program that is not there', '/no/such/program', [], '/', 'ENOENT'],
    ['a name that is not on the PATH', 'no-such-program', [], '/', 'ENOENT'],
    ['what is no program', '/etc/passwd', [], '/', 'EACCES'],
    ['a folder that is not there', process.execPath, [], '/no/such/folder', 'ENOENT'],
    ['a null byte', process.execPath, ['-e', 'a\0b'], '/', 'ERR_INVALID_ARG_VALUE'],
    ['too long a word', process.execPath, ['-e', `//${'a'.repeat(2 ** 22)}`], '/', 'E2BIG'],
  ])('why %s does not start', async (_, command, args, cwd, code) => {
    const { pid, done } = start({ command, args, cwd, timeout: 60_000 });
    expect([pid, await done]).toMatchObject([undefined, { code: null, error: { code } }]);
  });

  test.concurrent('characters whole, however the bytes arrive', async () => {
    const program = `const bytes = Buffer.from('\u00e9\u20ac\u{1f600}'.repeat(3));
      (async () => { for (const each of bytes) {
        process.stdout.write(Uint8Array.of(each));
        await new Promise((resolve) => setTimeout(resolve, 5));
      } })();`;
    expect((await node(program)).stdout).toBe('\u00e9\u20ac\u{1f600}'.repeat(3));
  });

  test.concurrent('no more output than asked for, and that there was more', async () => {
    const program = 'process.stdout.write("a".repeat(1e7), () => console.error("end"))';
    const told = await node(program, { mostOutput: 1000 });
    expect(told).toEqual({ ...WELL, outputCut: true, stdout: 'a'.repeat(1000), stderr: '' });
  });

  test.concurrent('messages both ways beside its output', async () => {
    const program = `const socket = new (require('node:net').Socket)({ fd: 3 });
      socket.on('data', (bytes) => socket.end(Buffer.concat([bytes, bytes])));
      socket.on('close', () => process.exit(0));`;
    const received: Buffer[] = [];
    const running = start({
      ...{ command: process.execPath, args: ['-e', program] },
      onMessage: (bytes) => received.push(bytes),
    });
    running.send(Uint8Array.of(0, 255));
    expect(await running.done).toEqual(WELL);
    expect(Buffer.concat(received)).toEqual(Buffer.of(0, 255, 0, 255));
  });

  test.concurrent('writing to one that has ended is no error', async () => {
    const running = start({ command: 'true', stdin: 'a'.repeat(1e6), onMessage: () => undefined });
    running.send(new Uint8Array(1e6));
    expect(await running.done).toEqual(WELL);
    running.send(new Uint8Array(1e6));
    running.kill();
    await sleep(50);
  });
});

/** One that stays, its daemon, a deaf one that holds the output, and a busy one far down. */
const FAMILY: Tree = {
  children: [
    { away: true, children: [{ away: true, inherits: true }] },
    { inherits: true, deaf: true, children: [{ busy: true, inherits: true }] },
    { ends: true, children: [{ away: true, inherits: true, deaf: true }] },
  ],
};

async function ended(tree: Tree, end: (planted: Planted) => Promise<unknown>): Promise<number[]> {
  const planted = plant(tree);
  try {
    await end(planted);
    return await planted.survivors();
  } finally {
    removeFolder(planted.folder);
  }
}

describe('nothing stays behind', () => {
  test('when it ends well, and its output does not end with it', async () => {
    const left = await ended({ ...FAMILY, ends: true }, async ({ command, args, env }) => {
      expect(await start({ command, args, env, timeout: 60_000 }).done).toEqual(WELL);
    });
    expect(left).toEqual([]);
  });

  test('when its time is up', async () => {
    const left = await ended({ ...FAMILY, busy: true }, async ({ command, args, env }) => {
      expect(await start({ command, args, env, timeout: 4000 }).done).toEqual({
        ...{ ...WELL, code: null, signal: 'SIGKILL', timedOut: true },
      });
    });
    expect(left).toEqual([]);
  });

  test('when it is cancelled or killed, or was cancelled before', async () => {
    const cancelled = await ended(FAMILY, async ({ command, args, env, grown }) => {
      const stop = new AbortController();
      const { done } = start({ command, args, env, signal: stop.signal });
      await grown();
      stop.abort();
      expect(await done).toMatchObject({ signal: 'SIGKILL', cancelled: true });
    });
    const killed = await ended(FAMILY, async ({ command, args, env, grown }) => {
      const running = start({ command, args, env });
      await grown();
      running.kill();
      expect(await running.done).toMatchObject({ signal: 'SIGKILL', cancelled: false });
    });
    const before = await ended(FAMILY, async ({ command, args, env }) => {
      const { done } = start({ command, args, env, signal: AbortSignal.abort() });
      expect(await done).toMatchObject({ signal: 'SIGKILL', cancelled: true });
    });
    expect([cancelled, killed, before]).toEqual([[], [], []]);
  });

  const folder = mkdtempSync(join(tmpdir(), 'attention-host-'));
  let host = '';
  beforeAll(async () => {
    host = await bundleHost(folder);
  });
  afterAll(() => removeFolder(folder));

  test.each(['SIGKILL', 'SIGTERM', 'SIGINT', 'SIGHUP', 'exit'] as const)(
    'when we end by %s',
    async (how) => {
      const left = await ended({ ...FAMILY, busy: true }, async ({ command, args, env, grown }) => {
        const more = how === 'exit' ? { HOST_EXITS: '4000' } : {};
        const words = [host, command, ...args];
        const parent = spawn(process.execPath, words, {
          env: { ...env, ...more },
          stdio: 'ignore',
        });
        const gone = new Promise((resolve) => {
          parent.once('exit', resolve);
        });
        if (how !== 'exit') await grown().then(() => parent.kill(how));
        await gone;
      });
      expect(left).toEqual([]);
    },
  );

  test('when we run in a process of ours ourselves, and that is ended', async () => {
    const left = await ended({ ...FAMILY, busy: true }, async ({ command, args, env, grown }) => {
      const running = start({ command, args: [host, command, ...args], env });
      await grown();
      running.kill();
      await running.done;
    });
    expect(left).toEqual([]);
  });
});
