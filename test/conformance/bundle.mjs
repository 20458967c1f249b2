// Bundles the engine for the conformance programs, so that they run under any Node that can run the command line.
import { build } from 'esbuild';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

/** The exports of engine.ts. */
export async function loadEngine() {
  const folder = await mkdtemp(join(tmpdir(), 'attention-engine-'));
  const outfile = join(folder, 'engine.mjs');
  await build({
    entryPoints: [fileURLToPath(new URL('engine.ts', import.meta.url))],
    outfile,
    bundle: true,
    format: 'esm',
    platform: 'node',
    // jsonc-parser's main entry is UMD, which does not bundle.
    mainFields: ['module', 'main'],
    sourcemap: 'inline',
    logLevel: 'error',
  });
  try {
    return await import(pathToFileURL(outfile));
  } finally {
    await rm(folder, { recursive: true });
  }
}

/** A run of a setup given as an object; throws with all problems where it cannot be computed. */
export async function runSetup(engine, setup) {
  const parsed = engine.parseSetup(JSON.stringify(setup));
  const errors = (problems) =>
    problems.filter(({ severity }) => severity === 'error').map(({ message }) => message);
  if (!parsed.setup) throw new Error(errors(parsed.problems).join('; '));
  const loaded = await engine.loadSetup(parsed.setup, () =>
    Promise.reject(new Error('inline tensors only')),
  );
  if (!loaded.config) throw new Error(errors(loaded.problems).join('; '));
  return engine.run(engine.buildGraph(loaded.config));
}

/** "--cases 200 --seed 1" as numbers, with defaults. */
export function numberOptions(defaults) {
  const options = { ...defaults };
  const words = process.argv.slice(2);
  for (let at = 0; at < words.length; at += 2) {
    const name = words[at].replace(/^--/, '');
    const value = Number(words[at + 1]);
    if (!(name in defaults) || !Number.isSafeInteger(value) || value < 0) {
      const usage = Object.entries(defaults).map(([key, number]) => `[--${key} ${number}]`);
      console.error(`found ${words[at]} ${words[at + 1] ?? ''}, expected ${usage.join(' ')}`);
      process.exit(2);
    }
    options[name] = value;
  }
  return options;
}
