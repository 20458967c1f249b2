// Programs run and judged in a thread: the answer, cancelling at any time, and nothing that is left behind.
import { execFileSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import type { Outcome, RunRequest } from '../../../src/extension/lines/messages.ts';
import { Cancelled, LinesThread } from '../../../src/extension/lines/thread.ts';
import { recorderIn } from '../../../src/recorder/record.ts';

vi.setConfig({ testTimeout: 120_000 });
const root = fileURLToPath(new URL('../../..', import.meta.url));
const python = process.env.ATTENTION_PYTHON ?? 'python3';
const folder = mkdtempSync(join(tmpdir(), 'attention-thread-'));
const bundle = join(folder, 'lines.cjs');
const hasNumpy = (() => {
  try {
    execFileSync(python, ['-c', 'import numpy'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
})();

/** On a busy machine things take their time. */
const PATIENCE = { timeout: 60_000 };

interface Process {
  readonly pid: number;
  readonly parent: number;
  readonly args: string;
}

/** All that run on this machine; a zombie has ended. */
const processes = (): Process[] =>
  execFileSync('ps', ['-eo', 'pid=,ppid=,stat=,args='])
    .toString()
    .split('\n')
    .flatMap((line) => {
      const [, pid, parent, state, args] = /^\s*(\d+)\s+(\d+)\s+(\S+)\s+(.*)$/.exec(line) ?? [];
      return pid && !state.startsWith('Z') ? [{ pid: +pid, parent: +parent, args }] : [];
    });

/** Those that record for this process. */
function ours(): number[] {
  const all = processes();
  const below = (pid: number): Process[] =>
    all.filter(({ parent }) => parent === pid).flatMap((each) => [each, ...below(each.pid)]);
  return below(process.pid)
    .filter(({ args }) => args.includes('--serve'))
    .map(({ pid }) => pid);
}

const requestOf = (name: string): RunRequest => ({
  ...{ python, recorder: recorderIn(root), file: join(folder, name), args: [] },
  ...{ timeout: 60_000, answers: {} },
});

describe.skipIf(!hasNumpy)('the thread', () => {
  const printed: string[] = [];
  const thread = new LinesThread({ bundle, onOutput: (text) => printed.push(text) });
  const run = (name: string, signal = new AbortController().signal) =>
    thread.run(requestOf(name), signal);

  beforeAll(async () => {
    cpSync(join(root, 'test', 'vscode', 'fixtures', 'lines'), folder, { recursive: true });
    await build({
      entryPoints: [join(root, 'src', 'extension', 'lines', 'worker.ts')],
      ...{ outfile: bundle, bundle: true, logLevel: 'error', platform: 'node', format: 'cjs' },
      mainFields: ['module', 'main'],
    });
  }, 120_000);
  afterAll(() => {
    thread.dispose();
    rmSync(folder, { recursive: true });
  });

  test('answers with lines, numbers, the setup and the tensors of the nodes', async () => {
    const { verdict, files } = await run('single_head.py');
    expect(verdict).toMatchObject({ verdict: 'diverges', first: { node: 'Z', kind: 'gradient' } });
    const first = verdict?.details.find(({ line }) => line.status === 'diverges');
    expect(first?.grids).toMatchObject({ shape: [5, 5], yours: { rows: 5, cols: 5 } });
    expect(first?.grids?.worst?.yours).not.toBeCloseTo(first?.grids?.worst?.reference ?? NaN);
    expect(first?.formulas.join()).toContain('dZ');
    expect(verdict?.setup?.json).toContain('"single_head.py"');
    const names = verdict?.tensors.map(({ name }) => name);
    expect(names).toEqual(expect.arrayContaining(['Q', 'P', 'y', 'dP', 'dZ', 'dQ', 'dW_V']));
    expect(files.map(({ path }) => path)).toEqual(['single_head.py']);
    expect(printed.join('')).toMatch(/^loss /);
  });

  test('answers about a given setup', async () => {
    const { verdict } = await run('single_head.py');
    const setup = join(folder, 'single_head.attention.json');
    writeFileSync(setup, verdict!.setup!.json);
    writeFileSync(join(folder, 'single_head.npz'), verdict!.setup!.npz);
    const request = { ...requestOf('single_head.py'), setup };
    const again = await thread.run(request, new AbortController().signal);
    expect(again.verdict?.first).toEqual(verdict?.first);
    expect(again.verdict?.setup).toBeNull();
    writeFileSync(setup, '{"head": "qkv", "x": 3}');
    await expect(thread.run(request, new AbortController().signal)).rejects.toThrow(
      /single_head\.attention\.json: /,
    );
    rmSync(setup);
  });

  test('says where a program ends, and what is no Python', async () => {
    const crash = await run('crash.py');
    expect(crash.verdict?.verdict).toBe('match');
    expect(crash.exception).toMatchObject({ type: 'NameError', line: 10 });
    const broken = await run('syntax.py');
    expect(broken).toMatchObject({ verdict: null, isBroken: true, exception: { line: 5 } });
  });

  test('keeps a bounded part of what is printed', async () => {
    printed.length = 0;
    const { verdict, outputCut } = await run('loud.py');
    expect(verdict?.verdict).toBe('match');
    expect(outputCut).toBe(true);
    expect(printed.join('').length).toBeLessThan(210_000);
  });

  /** As `thread.run`, with a limit that lets the program get to where it hangs, however slow the machine is. */
  async function runToLimit(name: string): Promise<Outcome & { readonly limit: number }> {
    for (let limit = 3; ; limit *= 4) {
      printed.length = 0;
      const request = { ...requestOf(name), timeout: 1000 * limit };
      const outcome = await thread.run(request, new AbortController().signal);
      if (printed.join('').includes('here it stays')) return { ...outcome, limit };
    }
  }

  test('ends a program at its limit and judges what it computed', async () => {
    const request = requestOf('hang.py');
    const { timedOut, verdict } = await runToLimit('hang.py');
    expect(timedOut).toBe(true);
    expect(verdict?.verdict).toBe('match');
    // A part of an attention is none.
    const text = readFileSync(request.file, 'utf8');
    writeFileSync(
      request.file,
      text
        .replace(/^x = [^]*(?=scores =)/m, 'q, k = rng.normal(size=(2, 4, 3))\n')
        .replace('y = p @ v\n', ''),
    );
    const part = await runToLimit('hang.py');
    expect(part).toMatchObject({ verdict: null, timedOut: true });
    expect(part.problem).toContain(`ended after ${part.limit} s, and no attention was found`);
    writeFileSync(request.file, text);
  });

  test('is cancelled while a program runs, and goes on with the next', async () => {
    const running = new AbortController();
    printed.length = 0;
    const hanging = run('hang.py', running.signal);
    const rejected = expect(hanging).rejects.toThrow(Cancelled);
    await expect.poll(() => printed.join(''), PATIENCE).toContain('here it stays');
    running.abort();
    await rejected;
    const { verdict } = await run('single_head.py');
    expect(verdict?.verdict).toBe('diverges');
  });

  test('a run asked for behind one that is given up is answered all the same', async () => {
    const running = new AbortController();
    const fix = thread.run(requestOf('single_head.py'), running.signal, true);
    await new Promise((resolve) => setTimeout(resolve, 50));
    running.abort();
    const next = run('crash.py');
    await expect(fix).rejects.toThrow(Cancelled);
    expect((await next).exception?.type).toBe('NameError');
  });

  test('finds a fix that is proven', async () => {
    const { verdict } = await thread.run(
      requestOf('single_head.py'),
      new AbortController().signal,
      true,
    );
    const [fix] = verdict!.fixes;
    expect(fix.after).toMatch(/axis=-?1/);
    expect(fix.verified.tensors).toBeGreaterThan(10);
    const text = readFileSync(join(folder, 'single_head.py'), 'utf8');
    expect(
      text
        .split('\n')
        .slice(fix.line - 1, fix.endLine)
        .join('\n'),
    ).toBe(fix.before);
  });

  test.skipIf(process.platform === 'win32')('leaves no process behind', async () => {
    const said: string[] = [];
    const own = new LinesThread({ bundle, onOutput: (text) => said.push(text) });
    await own.run(requestOf('crash.py'), new AbortController().signal);
    const hanging = own.run(requestOf('hang.py'), new AbortController().signal);
    hanging.catch(() => undefined);
    await expect.poll(() => said.join(''), PATIENCE).toContain('here it stays');
    // Found while they are still ours: what is left behind belongs to nobody. Other checkouts run the same programs.
    const before = ours();
    expect(before.length).toBeGreaterThan(1);
    own.dispose();
    thread.dispose();
    await expect
      .poll(() => processes().filter(({ pid }) => before.includes(pid)), PATIENCE)
      .toEqual([]);
  });
});
