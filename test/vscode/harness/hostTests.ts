// Runs the mocha tests of test/vscode/host inside an extension host and hands their results to vitest.
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { runTests } from '@vscode/test-electron';
import { build } from 'esbuild';
import { root } from '../../../scripts/lib/setup.mjs';
import { vscodeFlavour } from '../../../scripts/lib/vscode-flavour.mjs';
import { writeSettings } from '../../../scripts/lib/vscode-server.mjs';
import type { HostTestResult } from '../host/result.ts';
import { openDisplay } from './display.ts';
import { desktopEnvironment, desktopFlags, desktopVSCode } from './electron.ts';
import { saveEvidence } from './evidence.ts';
import { launchServer } from './server.ts';
import { temporaryFolder } from './workbench.ts';

export interface HostTestOptions {
  /** Copied to a temporary folder and opened there. Default: an empty one. */
  readonly folder?: string;
  /** Folders of further extensions to run in development mode (fixtures). */
  readonly moreExtensions?: readonly string[];
  readonly settings?: Readonly<Record<string, unknown>>;
  /** For all tests together, in ms. Default: fifteen minutes. */
  readonly timeout?: number;
}

interface HostRun {
  readonly folder: string;
  readonly dataFolder: string;
  readonly developmentPaths: readonly string[];
  readonly extensionTestsPath: string;
  readonly env: Record<string, string>;
  readonly timeout: number;
}

/** Bundles host/index.ts and each host/*.host.ts into .vscode-test/host; gives the path of the index. */
async function bundleHostTests(): Promise<string> {
  const sources = join(root, 'test', 'vscode', 'host');
  const outdir = join(root, '.vscode-test', 'host');
  const files = readdirSync(sources).filter((file) => file.endsWith('.host.ts'));
  rmSync(outdir, { recursive: true, force: true });
  await build({
    entryPoints: ['index.ts', ...files].map((file) => join(sources, file)),
    outdir,
    outExtension: { '.js': '.cjs' },
    bundle: true,
    platform: 'node',
    format: 'cjs',
    target: 'node20',
    // mocha must be one instance for the index and all tests; .vscode-test lies beside node_modules.
    external: ['vscode', 'mocha'],
    // As the extension's own bundle: the UMD of jsonc-parser cannot be bundled.
    mainFields: ['module', 'main'],
    sourcemap: 'inline',
    logLevel: 'warning',
  });
  return join(outdir, 'index.cjs');
}

async function runInServer(run: HostRun): Promise<void> {
  let onExit: () => void = () => undefined;
  const exit = new Promise<void>((resolve) => {
    onExit = resolve;
  });
  const output: string[] = [];
  const launched = await launchServer({
    ...run,
    vsix: undefined,
    viewport: { width: 1280, height: 800 },
    exposed: {
      codeAutomationLog: (type: string, args: unknown[]) => {
        output.push(`[${type}] ${args.map(String).join(' ')}`);
      },
      codeAutomationExit: () => onExit(),
    },
  });
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    const error = new Error(`The tests in the extension host did not end in ${run.timeout} ms.`);
    timer = setTimeout(() => reject(error), run.timeout);
  });
  try {
    await Promise.race([exit, late]);
  } catch (error) {
    await saveEvidence('host tests', {
      page: launched.page,
      dataFolder: run.dataFolder,
      texts: { 'process.log': launched.log(), 'console.log': output.join('\n') },
    });
    throw error;
  } finally {
    clearTimeout(timer);
    await launched.close();
  }
}

async function runInElectron(run: HostRun): Promise<void> {
  const vscodeExecutablePath = await desktopVSCode();
  const display = await openDisplay();
  try {
    await runTests({
      vscodeExecutablePath,
      extensionDevelopmentPath: [...run.developmentPaths],
      extensionTestsPath: run.extensionTestsPath,
      extensionTestsEnv: { ...desktopEnvironment(display.name), ...run.env },
      launchArgs: [...desktopFlags(run.dataFolder), run.folder],
      timeout: run.timeout,
    });
  } finally {
    display.close();
  }
}

/**
 * @returns one result for each mocha test that ran
 * @throws when the extension host gave no result at all
 */
export async function runHostTests(options: HostTestOptions = {}): Promise<HostTestResult[]> {
  const home = temporaryFolder();
  const folder = join(home, 'workspace');
  const dataFolder = join(home, 'data');
  const results = join(home, 'results.jsonl');
  if (options.folder) cpSync(options.folder, folder, { recursive: true });
  else mkdirSync(folder);
  writeSettings(dataFolder, options.settings);
  const run: HostRun = {
    folder,
    dataFolder,
    developmentPaths: [root, ...(options.moreExtensions ?? [])],
    extensionTestsPath: await bundleHostTests(),
    env: { ATTENTION_HOST_RESULTS: results },
    timeout: options.timeout ?? 900_000,
  };
  let broken: unknown;
  try {
    await ((await vscodeFlavour()) === 'electron' ? runInElectron(run) : runInServer(run));
  } catch (error) {
    // A failed mocha test also ends here, for VS Code then exits with 1; its result tells more.
    broken = error;
  }
  const lines = existsSync(results) ? readFileSync(results, 'utf8').trim().split('\n') : [];
  rmSync(home, { recursive: true, force: true, maxRetries: 5 });
  const all = lines.filter(Boolean).map((line) => JSON.parse(line) as HostTestResult);
  if (all.at(-1)?.state === 'end') return all.slice(0, -1);
  throw new Error(
    `The extension host ended before its tests did; it had run: ` +
      (all.map((result) => result.title).join(', ') || 'none'),
    { cause: broken },
  );
}
