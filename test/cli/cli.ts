// Runs the bundled command line in a folder of its own: what dist/cli.js holds, or a fresh bundle if that is older.
import { execFile } from 'node:child_process';
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { afterAll, beforeAll } from 'vitest';

const root = fileURLToPath(new URL('../..', import.meta.url));

export interface Outcome {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Cli {
  /** The bundle, for node to run. */
  readonly program: string;
  /** `node dist/cli.js ...words` in the folder. */
  run(...words: string[]): Promise<Outcome>;
  /** A line for sh in the folder, in which `$CLI` is `node dist/cli.js`. */
  shell(line: string): Promise<Outcome>;
  /** Writes a file into the folder and returns its name. */
  write(name: string, content: string | Uint8Array): string;
  /** A path in the folder. */
  path(name: string): string;
  /** All names in the folder. */
  names(): string[];
}

function newestSource(): number {
  const sources = readdirSync(join(root, 'src'), { recursive: true, withFileTypes: true });
  return Math.max(...sources.map((each) => statSync(join(each.parentPath, each.name)).mtimeMs));
}

/** A bundle as it was built, or the same one built anew: others may be building dist at this moment. */
async function bundle(
  source: string,
  name: string,
  outfile: string,
  alias: Record<string, string> = {},
): Promise<void> {
  const built = join(root, 'dist', name);
  const age = statSync(built, { throwIfNoEntry: false })?.mtimeMs ?? 0;
  if (age > newestSource()) {
    copyFileSync(built, outfile);
    // What it shares with other bundles, and what it reads when it is wanted, lies beside it.
    for (const shared of readdirSync(join(root, 'dist')).filter((each) =>
      /-[A-Z0-9]{8}\.js$/.test(each),
    ))
      copyFileSync(join(root, 'dist', shared), join(dirname(outfile), shared));
    return;
  }
  await build({
    ...{ entryPoints: [join(root, source)], outfile, bundle: true, logLevel: 'error', alias },
    ...{ platform: 'node', format: 'esm', target: 'node20', mainFields: ['module', 'main'] },
    banner: {
      js: "import { createRequire as requireFrom } from 'node:module'; const require = requireFrom(import.meta.url);",
    },
  });
}

/** Call at the top of a test file; the folder is gone when its tests are done. */
export function useCli(): Cli {
  const folder = mkdtempSync(join(tmpdir(), 'attention-cli-'));
  const dist = join(folder, '.program', 'dist');
  const program = join(dist, 'cli.mjs');
  beforeAll(async () => {
    mkdirSync(dist, { recursive: true });
    symlinkSync(join(root, 'python'), join(folder, '.program', 'python'));
    await bundle('src/cli.ts', 'cli.js', program);
    await bundle('src/mine/runner.ts', 'runMine.mjs', join(dist, 'runMine.mjs'));
    const noSchemas = join(root, 'src', 'mcp', 'noSchemas.ts');
    const alias = { ajv: noSchemas, 'ajv-formats': noSchemas };
    await bundle('src/mcp/server.ts', 'mcp.js', join(dist, 'mcp.js'), alias);
    // Of the same kind as in dist, where the package says so.
    writeFileSync(join(dist, 'package.json'), '{"type":"module"}');
  }, 120_000);
  afterAll(() => rmSync(folder, { recursive: true }));
  const execute = (
    command: string,
    words: readonly string[],
    env = process.env,
  ): Promise<Outcome> =>
    new Promise((resolve, reject) => {
      execFile(command, words, { cwd: folder, env }, (error, stdout, stderr) => {
        const code = error ? error.code : 0;
        if (typeof code === 'number') resolve({ code, stdout, stderr });
        else reject(error ?? new Error('no exit code'));
      });
    });
  return {
    program,
    run: (...words) => execute(process.execPath, [program, ...words]),
    shell: (line) =>
      execute('sh', ['-c', line], { ...process.env, CLI: `${process.execPath} ${program}` }),
    write(name, content) {
      writeFileSync(join(folder, name), content);
      return name;
    },
    path: (name) => join(folder, name),
    names: () =>
      readdirSync(folder)
        .filter((name) => name !== '.program')
        .sort(),
  };
}

/** The one line of standard error; fails if there is another. */
export function onlyLine({ stderr }: Outcome): string {
  const lines = stderr.split('\n');
  if (lines.length !== 2 || lines[1] !== '') throw new Error(`expected one line, found\n${stderr}`);
  return lines[0];
}
