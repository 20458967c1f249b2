// Opens a real VS Code from outside, the desktop one or code-server, behind one interface.
import { cpSync, mkdtempSync, mkdirSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { FrameLocator, Page } from 'playwright-core';
import { root } from '../../../scripts/lib/setup.mjs';
import { vscodeFlavour } from '../../../scripts/lib/vscode-flavour.mjs';
import { writeSettings } from '../../../scripts/lib/vscode-server.mjs';
import { extensionWebview, openFile, runCommand, walk } from './actions.ts';
import { launchElectron } from './electron.ts';
import { saveEvidence } from './evidence.ts';
import { launchServer } from './server.ts';

/** Which copy of the extension runs: this repository as it was built, or a package as a user gets it. */
export type ExtensionUnderTest = 'development' | { readonly vsix: string };

export interface WorkbenchOptions {
  /** Copied to a temporary folder and opened there, so that no test changes it. Default: an empty one. */
  readonly folder?: string;
  /** Default: 'development'. */
  readonly extension?: ExtensionUnderTest;
  /** Folders of further extensions to run in development mode (fixtures). */
  readonly moreExtensions?: readonly string[];
  readonly settings?: Readonly<Record<string, unknown>>;
  /** In CSS pixels. Default: 1280 x 800. */
  readonly viewport?: { readonly width: number; readonly height: number };
  /** Id of a colour theme, such as 'Default Light Modern' or 'Default High Contrast'. */
  readonly theme?: string;
}

export interface Workbench {
  readonly page: Page;
  /** The folder that is open: the temporary copy, absolute. */
  readonly folder: string;
  /** Runs a command by its title (without category) from the command palette, as a person would. */
  runCommand(title: string): Promise<void>;
  /** Opens a file of the folder in an editor and waits for its tab. */
  openFile(relativePath: string): Promise<void>;
  /** Opens a setup of the folder, clicks its "Step Attention Backprop" and waits until its panel is drawn. */
  walk(setup: string): Promise<FrameLocator>;
  /** The document inside the extension's visible webview. */
  webview(): FrameLocator;
  /** Keeps a screenshot and all logs in .vscode-test/logs/<name>. */
  saveEvidence(name: string): Promise<void>;
  dispose(): Promise<void>;
}

/** What the launcher of one kind of VS Code is told. */
export interface LaunchOptions {
  readonly folder: string;
  /** User data, installed extensions and logs of this one VS Code. */
  readonly dataFolder: string;
  readonly vsix: string | undefined;
  readonly developmentPaths: readonly string[];
  readonly viewport: { readonly width: number; readonly height: number };
}

/** What the launcher of one kind of VS Code hands back. */
export interface Launched {
  readonly page: Page;
  /** What the processes printed so far. */
  log(): string;
  close(): Promise<void>;
}

const workbenchReady = 180_000;

/** A short path: the sockets of VS Code lie below it, and a socket's path has a small limit. */
export function temporaryFolder(): string {
  return realpathSync(mkdtempSync(join(tmpdir(), 'agd-')));
}

export async function openWorkbench(options: WorkbenchOptions = {}): Promise<Workbench> {
  const { extension = 'development', moreExtensions = [], settings = {}, theme } = options;
  const home = temporaryFolder();
  const folder = join(home, 'workspace');
  const dataFolder = join(home, 'data');
  const remove = (): void => rmSync(home, { recursive: true, force: true, maxRetries: 5 });
  if (options.folder) cpSync(options.folder, folder, { recursive: true });
  else mkdirSync(folder);
  writeSettings(dataFolder, { ...settings, ...(theme && { 'workbench.colorTheme': theme }) });

  const launch = (await vscodeFlavour()) === 'electron' ? launchElectron : launchServer;
  const launched = await launch({
    folder,
    dataFolder,
    vsix: extension === 'development' ? undefined : extension.vsix,
    developmentPaths: [...(extension === 'development' ? [root] : []), ...moreExtensions],
    viewport: options.viewport ?? { width: 1280, height: 800 },
  }).catch((error: unknown) => {
    remove();
    throw error;
  });
  const { page } = launched;

  const consoleLines: string[] = [];
  page.on('console', (message) => consoleLines.push(`[${message.type()}] ${message.text()}`));
  page.on('pageerror', (error) => consoleLines.push(`[pageerror] ${error.stack}`));

  const workbench: Workbench = {
    page,
    folder,
    runCommand: (title) => runCommand(page, title),
    openFile: (relativePath) => openFile(page, join(folder, relativePath)),
    walk: (setup) => walk(page, join(folder, setup)),
    webview: () => extensionWebview(page),
    saveEvidence: (name) =>
      saveEvidence(name, {
        page,
        dataFolder,
        texts: { 'process.log': launched.log(), 'console.log': consoleLines.join('\n') },
      }),
    dispose: async () => {
      await launched.close();
      remove();
    },
  };
  try {
    await page.locator('.monaco-workbench .statusbar').waitFor({ timeout: workbenchReady });
  } catch (error) {
    await workbench.saveEvidence('workbench did not open');
    await workbench.dispose();
    throw error;
  }
  return workbench;
}
