// 20 trees of processes, ended in every way: nothing of them is left. And the command line, killed under a module that loops.
import { spawn } from 'node:child_process';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { start } from '../../src/process/ownProcess.ts';
import { useCli } from '../cli/cli.ts';
import {
  bundleHost,
  plant,
  type Planted,
  removeFolder,
  sizeOfTree,
  type Tree,
} from '../process/trees.ts';
import { amount, Counts, tell } from './amount.ts';
import { Mutations } from './mutate.ts';

const cli = useCli();
const folder = mkdtempSync(join(tmpdir(), 'attention-host-'));
let host = '';
beforeAll(async () => {
  host = await bundleHost(folder);
});
afterAll(() => removeFolder(folder));

/** Up to `left` processes below it. */
function grow(mutations: Mutations, depth: number): Tree {
  const flag = (): boolean => mutations.below(3) === 0;
  const children =
    depth === 0 ? [] : Array.from({ length: mutations.below(3) }, () => grow(mutations, depth - 1));
  return { away: flag(), inherits: flag(), busy: flag(), deaf: flag(), ends: flag(), children };
}

const parent = (words: readonly string[], planted: Planted): ReturnType<typeof spawn> =>
  spawn(process.execPath, [host, ...words], { env: planted.env, stdio: 'ignore' });

type Way = (planted: Planted) => Promise<unknown>;

async function killParent(planted: Planted, signal: NodeJS.Signals): Promise<void> {
  const child = parent([planted.command, ...planted.args], planted);
  const gone = new Promise((resolve) => {
    child.once('exit', resolve);
  });
  await planted.grown();
  child.kill(signal);
  await gone;
}

const WAYS: Readonly<Record<string, Way>> = {
  'at the end': ({ command, args, env }) => start({ command, args, env, timeout: 60_000 }).done,
  'at the limit': ({ command, args, env }) => start({ command, args, env, timeout: 3000 }).done,
  'by its caller': async ({ command, args, env, grown }) => {
    const running = start({ command, args, env });
    await grown();
    running.kill();
    await running.done;
  },
  'with us, by SIGKILL': (planted) => killParent(planted, 'SIGKILL'),
  'with us, by SIGTERM': (planted) => killParent(planted, 'SIGTERM'),
  'with us, by SIGINT': (planted) => killParent(planted, 'SIGINT'),
};

test('trees of processes', async () => {
  const counts = new Counts();
  const mutations = new Mutations(15);
  const total = amount(20, 3);
  const ways = Object.entries(WAYS);
  for (let n = 0; n < total; n++) {
    const [way, end] = ways[n % ways.length];
    const tree = { ...grow(mutations, 3), away: false, ends: way === 'at the end' };
    const planted = plant(tree);
    try {
      await end(planted);
      expect(await planted.survivors(), JSON.stringify(tree)).toEqual([]);
    } finally {
      removeFolder(planted.folder);
    }
    counts.add('processes', sizeOfTree(tree));
    counts.add(`trees ended ${way}`);
  }
  tell('trees of processes', counts.all);
});

test('a module that loops and has children, and the command line is killed', async () => {
  const counts = new Counts();
  const signals = (['SIGKILL', 'SIGTERM', 'SIGINT', 'SIGHUP'] as const).slice(0, amount(4, 1));
  for (const signal of signals) {
    const planted = plant({ busy: true, away: true, inherits: true, children: [{ away: true }] });
    const tree = JSON.stringify([planted.command, planted.args]);
    cli.write(
      'loops.mjs',
      `import { spawn } from 'node:child_process';
      const [command, args] = ${tree};
      spawn(command, args, { stdio: 'inherit', detached: true });
      spawn(command, ['-e', 'setInterval(() => {}, 1000)']);
      for (;;);`,
    );
    cli.write(
      'loops.attention.json',
      JSON.stringify({
        ...{ head: 'kq', x: [[1]], weights: { W_K: [[1]], W_Q: [[1]] } },
        implementation: { module: './loops.mjs', timeout: 600 },
      }),
    );
    const child = spawn(
      process.execPath,
      ['.program/dist/cli.mjs', 'check', 'loops.attention.json', '--mine'],
      {
        ...{ cwd: cli.path(''), env: planted.env, stdio: 'ignore' as const },
      },
    );
    await planted.grown();
    child.kill(signal);
    expect(await planted.survivors()).toEqual([]);
    removeFolder(planted.folder);
    counts.add(`ended with the command line by ${signal}`);
  }
  tell('modules that loop', counts.all);
});
