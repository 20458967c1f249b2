// 30 kills of each writer while it writes: the file is the old one or the new one, whole, and no draft outlives the next.
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, readdirSync, statSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { findPython } from '../../scripts/lib/find.mjs';
import { diskSource } from '../../src/disk/regularFile.ts';
import { openTensorFile } from '../../src/formats/readTensors.ts';
import { ALL } from '../../src/formats/want.ts';
import { useCli } from '../cli/cli.ts';
import { amount, Counts, tell } from './amount.ts';
import { Mutations } from './mutate.ts';

const cli = useCli();
const KILLS = amount(30, 3);
const SIGNALS = ['SIGKILL', 'SIGTERM', 'SIGINT'] as const;

interface Writer {
  readonly what: string;
  readonly folder: string;
  readonly file: string;
  /** Writes a new file; `n` tells one from the others. */
  readonly start: (n: number) => ChildProcess;
}

const ended = (child: ChildProcess): Promise<void> =>
  new Promise((resolve) => {
    child.once('exit', () => resolve());
  });

async function killed({ what, folder, file, start }: Writer): Promise<void> {
  const counts = new Counts();
  const mutations = new Mutations(14);
  const others = (): string[] => readdirSync(folder).filter((name) => name !== file);
  await ended(start(0));
  for (let n = 1; n <= KILLS; n++) {
    const signal = SIGNALS[n % SIGNALS.length];
    const before = new Set(others());
    const child = start(n);
    const end = ended(child);
    // Not before it has begun to write.
    const isWriting = (): boolean => others().some((name) => !before.has(name));
    while (child.exitCode === null && !isWriting()) await sleep(1);
    await sleep(mutations.below(20));
    child.kill(signal);
    await end;
    counts.add(child.signalCode === null && child.exitCode === 0 ? 'ended before' : signal);
    const source = await diskSource(`${folder}/${file}`);
    const { tensors } = await (await openTensorFile(file, source)).read(ALL);
    expect(tensors.length).toBeGreaterThan(1);
    // Only a killed writer can leave one, and only until the next begins.
    expect(others().length).toBeLessThanOrEqual(signal === 'SIGKILL' ? 1 : 0);
    counts.add('drafts left', others().length);
  }
  await ended(start(KILLS + 1));
  expect(others()).toEqual([]);
  tell(`kills of ${what}`, counts.all);
}

test('run --out', async () => {
  const random = (rows: number, columns: number): object => ({
    ...{ random: 'normal', shape: [rows, columns] },
  });
  const weights = { W_K: random(8, 4), W_Q: random(8, 4) };
  await cli.shell('mkdir -p out');
  for (const n of [0, 1]) {
    const setup = { head: 'kq', x: random(900 + n, 8), weights };
    cli.write(`s${n}.attention.json`, JSON.stringify(setup));
  }
  await killed({
    ...{ what: 'run --out', folder: cli.path('out'), file: 'out.safetensors' },
    start: (n) =>
      spawn(
        process.execPath,
        [
          '.program/dist/cli.mjs',
          'run',
          `s${n % 2}.attention.json`,
          '--out',
          'out/out.safetensors',
        ],
        { cwd: cli.path(''), stdio: 'ignore' },
      ),
  });
});

const python = findPython(['numpy']);
describe.skipIf(!python)('attention_trace.py', () => {
  test('a trace and its setup', async () => {
    const helper = fileURLToPath(new URL('../../python', import.meta.url));
    cli.write(
      'log.py',
      `import sys; sys.path.insert(0, ${JSON.stringify(helper)})
import numpy as np
from attention_trace import trace
with trace("traces/t.npz") as t:
    for name in "PQKV":
        t[name] = np.full((700 + int(sys.argv[1]), 1000), float(sys.argv[1]))
`,
    );
    await cli.shell('mkdir -p traces');
    await killed({
      ...{ what: 'attention_trace.py', folder: cli.path('traces'), file: 't.npz' },
      start: (n) => spawn(python!, ['log.py', `${n}`], { cwd: cli.path(''), stdio: 'ignore' }),
    });
    expect(existsSync(cli.path('traces/t.npz'))).toBe(true);
    expect(statSync(cli.path('traces/t.npz')).size).toBeGreaterThan(2e7);
  });
});
