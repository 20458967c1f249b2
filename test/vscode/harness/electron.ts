// Downloads the desktop VS Code once and starts it under playwright's Electron driver.
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import {
  downloadAndUnzipVSCode,
  resolveCliArgsFromVSCodeExecutablePath,
} from '@vscode/test-electron';
import { _electron } from 'playwright-core';
import { root, windows } from '../../../scripts/lib/setup.mjs';
import { openDisplay } from './display.ts';
import type { Launched, LaunchOptions } from './workbench.ts';

/** ATTENTION_VSCODE_VERSION names a version (1.100.0, insiders); without it the newest stable one. */
export async function desktopVSCode(): Promise<string> {
  return downloadAndUnzipVSCode({
    version: process.env.ATTENTION_VSCODE_VERSION ?? 'stable',
    cachePath: join(root, '.vscode-test'),
  });
}

/** Command line flags of a desktop VS Code that is quiet and keeps everything below `dataFolder`. */
export function desktopFlags(dataFolder: string): string[] {
  return [
    ...['--no-sandbox', '--disable-gpu-sandbox', '--disable-gpu'],
    ...['--disable-updates', '--disable-telemetry', '--disable-crash-reporter'],
    ...['--skip-welcome', '--skip-release-notes', '--disable-workspace-trust'],
    ...['--use-inmemory-secretstorage', '--password-store=basic', '--force-device-scale-factor=1'],
    `--user-data-dir=${dataFolder}`,
    `--extensions-dir=${join(dataFolder, 'extensions')}`,
  ];
}

/** The environment without what a VS Code around us put in it, with the display in it. */
export function desktopEnvironment(display: string | undefined): Record<string, string> {
  const kept: Record<string, string> = {};
  for (const [name, value] of Object.entries(process.env)) {
    if (value !== undefined && !/^(VSCODE_|ELECTRON_)/.test(name)) kept[name] = value;
  }
  if (display) kept.DISPLAY = display;
  return kept;
}

function installVsix(executablePath: string, vsix: string, dataFolder: string): void {
  const [cli, ...args] = resolveCliArgsFromVSCodeExecutablePath(executablePath, {
    reuseMachineInstall: true,
  });
  if (!cli) throw new Error('The downloaded VS Code has no command line.');
  const flags = [...args, '--install-extension', vsix, ...desktopFlags(dataFolder)];
  // On Windows it is a .cmd file, which takes a shell and its quotes.
  const quoted = windows ? [cli, ...flags].map((part) => `"${part}"`) : [cli, ...flags];
  const { status, stderr } = spawnSync(quoted[0] ?? cli, quoted.slice(1), {
    shell: windows,
    encoding: 'utf8',
    env: desktopEnvironment(undefined),
  });
  if (status !== 0) throw new Error(`${vsix} could not be installed:\n${stderr}`);
}

export async function launchElectron(options: LaunchOptions): Promise<Launched> {
  const { folder, dataFolder, vsix, developmentPaths, viewport } = options;
  const executablePath = await desktopVSCode();
  if (vsix) installVsix(executablePath, vsix, dataFolder);
  const display = await openDisplay();
  const lines: string[] = [];
  try {
    const app = await _electron.launch({
      executablePath,
      args: [
        ...desktopFlags(dataFolder),
        ...developmentPaths.map((path) => `--extensionDevelopmentPath=${path}`),
        folder,
      ],
      env: desktopEnvironment(display.name),
      timeout: 180_000,
    });
    for (const stream of [app.process().stdout, app.process().stderr]) {
      stream?.on('data', (data) => lines.push(String(data)));
    }
    const page = await app.firstWindow({ timeout: 180_000 });
    page.setDefaultTimeout(120_000);
    const window = await app.browserWindow(page);
    await window.evaluate((win: { setContentSize(w: number, h: number): void }, size) => {
      win.setContentSize(size.width, size.height);
    }, viewport);
    return {
      page,
      log: () => lines.join(''),
      close: async () => {
        await app.close();
        display.close();
      },
    };
  } catch (error) {
    display.close();
    throw error;
  }
}
