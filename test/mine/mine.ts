// Runs the text of a module as "run mine" does, with the runner as it is bundled, in a folder of its own.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { afterAll, beforeAll, expect } from 'vitest';
import type { NamedTensor } from '../../src/formats/namedTensor.ts';
import { openSetup } from '../../src/formats/openSetup.ts';
import { MineError, type MineOptions, runMine } from '../../src/mine/runMine.ts';

const source = fileURLToPath(new URL('../../src/mine/runner.ts', import.meta.url));

export const SETUP = {
  head: 'qkv',
  x: [
    [1, 2],
    [3, 4],
    [5, 6],
  ],
  weights: { W_K: [[1], [2]], W_Q: [[3], [4]], W_V: [[0.5], [-1]] },
  mask: 'causal',
};

type Options = Partial<MineOptions> & { readonly setup?: object; readonly ending?: string };

export interface Mine {
  readonly folder: string;
  /** What modules have printed. */
  readonly printed: string[];
  /** Writes a file into the folder and gives its path. */
  write(name: string, text: string): string;
  /** Runs a module of this text on SETUP with changes. */
  run(code: string, options?: Options): Promise<NamedTensor[]>;
  /** What a module of this text fails with, the module being called "mine". */
  failure(code: string, options?: Options): Promise<string>;
}

/** Call at the top of a test file; the folder is gone when its tests are done. */
export function useMine(): Mine {
  const folder = mkdtempSync(join(tmpdir(), 'attention-mine-'));
  const runner = join(folder, 'runMine.mjs');
  const printed: string[] = [];
  let count = 0;
  beforeAll(async () => {
    const entry = { entryPoints: [source], outfile: runner, bundle: true };
    await build({ ...entry, platform: 'node', format: 'esm', target: 'node20', logLevel: 'error' });
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  const write = (name: string, text: string): string => {
    const file = join(folder, name);
    writeFileSync(file, text);
    return file;
  };
  const run = async (
    code: string,
    { setup = {}, ending = 'mjs', ...more }: Options = {},
  ): Promise<NamedTensor[]> => {
    const text = JSON.stringify({ ...SETUP, ...setup });
    const { config, graph, problems } = await openSetup(text, () => Promise.reject(new Error()));
    expect(problems).toEqual([]);
    return runMine({
      ...{ runner, timeout: 60, config: config!, graph: graph!, names: {} },
      module: write(`mine${count++}.${ending}`, code),
      onOutput: (line) => printed.push(line),
      ...more,
    });
  };
  const failure = async (code: string, options?: Options): Promise<string> => {
    const error: unknown = await run(code, options).then(
      () => expect.fail('it did not fail'),
      (each: unknown) => each,
    );
    expect(error).toBeInstanceOf(MineError);
    return (error as Error).message.replaceAll(/mine\d+\./g, 'mine.');
  };
  return { folder, printed, write, run, failure };
}
