// Starts code-server's VS Code and a headless Chromium on it.
import { join } from 'node:path';
import { chromium } from 'playwright-core';
import { browserFlags, findBrowser } from '../../../scripts/lib/find.mjs';
import { installServer, installVsix, startServer } from '../../../scripts/lib/vscode-server.mjs';
import { packFolder } from './pack.ts';
import type { Launched, LaunchOptions } from './workbench.ts';

export interface ServerLaunchOptions extends LaunchOptions {
  readonly env?: NodeJS.ProcessEnv;
  readonly extensionTestsPath?: string;
  /** Functions that the workbench finds on its `window`. */
  readonly exposed?: Readonly<Record<string, (...args: never[]) => unknown>>;
}

export async function launchServer(options: ServerLaunchOptions): Promise<Launched> {
  const { folder, dataFolder, vsix, developmentPaths, extensionTestsPath, viewport } = options;
  const executablePath = findBrowser();
  if (!executablePath) throw new Error('No Chrome or Chromium was found; set CHROME_PATH to one.');
  installServer();
  if (vsix) await installVsix(vsix, dataFolder);
  const [developed, ...fixtures] = developmentPaths;
  for (const [n, fixture] of fixtures.entries()) {
    const packed = join(dataFolder, `fixture-${n}.vsix`);
    packFolder(fixture, packed);
    await installVsix(packed, dataFolder);
  }
  const server = await startServer({ dataFolder, env: options.env });
  try {
    const browser = await chromium.launch({ executablePath, args: browserFlags });
    const page = await browser.newPage({ viewport });
    page.setDefaultTimeout(120_000);
    for (const [name, callback] of Object.entries(options.exposed ?? {})) {
      await page.exposeFunction(name, callback);
    }
    await page.goto(
      server.address({
        folder,
        extensionDevelopmentPath: developed === undefined ? [] : [developed],
        extensionTestsPath,
      }),
    );
    return {
      page,
      log: () => server.log(),
      close: async () => {
        await browser.close();
        await server.stop();
      },
    };
  } catch (error) {
    await server.stop();
    throw error;
  }
}
