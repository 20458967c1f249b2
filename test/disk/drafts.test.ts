// What a recording is written to is gone when its run ends, also by a signal, and what a killed one left by the next.
import { spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { afterAll, beforeAll, expect, test } from 'vitest';

const source = fileURLToPath(new URL('../../src/recorder/recorded.ts', import.meta.url));
const home = mkdtempSync(join(tmpdir(), 'attention-drafts-'));
const folder = mkdtempSync(join(home, 'tmp-'));
const program = join(home, 'program.mjs');

beforeAll(async () => {
  const entry = join(home, 'entry.mjs');
  const code = `import { writeFileSync } from 'node:fs';
    import { withFile } from ${JSON.stringify(source)};
    await withFile(async (path) => {
      writeFileSync(path, 'half');
      process.stdout.write('writing');
      if (process.argv[2]) await new Promise((resolve) => setTimeout(resolve, 60_000));
    });`;
  writeFileSync(entry, code);
  const how = { bundle: true, platform: 'node', format: 'esm', logLevel: 'error' } as const;
  await build({ entryPoints: [entry], outfile: program, ...how });
}, 120_000);
afterAll(() => rmSync(home, { recursive: true }));

/** Runs it, up to the signal if there is one; gives the names that it has left, those of others included. */
async function left(signal?: NodeJS.Signals): Promise<string[]> {
  const words = [program, ...(signal ? ['wait'] : [])];
  const child = spawn(process.execPath, words, { env: { ...process.env, TMPDIR: folder } });
  const end = new Promise((resolve) => {
    child.once('close', resolve);
  });
  if (signal) child.stdout.once('data', () => child.kill(signal));
  await end;
  expect(child.signalCode).toBe(signal ?? null);
  return readdirSync(folder);
}

test.runIf(process.platform === 'linux')(
  'drafts of recordings',
  async () => {
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
      expect(await left(signal)).toEqual([]);
    expect(await left('SIGKILL')).toHaveLength(1);
    expect(await left('SIGKILL')).toHaveLength(1);
    expect(await left()).toEqual([]);
  },
  120_000,
);
