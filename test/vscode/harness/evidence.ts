// Keeps what tells why a test in a real VS Code failed: a screenshot, the console, the logs.
import { cpSync, existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Page } from 'playwright-core';
import { afterEach } from 'vitest';
import { root } from '../../../scripts/lib/setup.mjs';
import type { Workbench } from './workbench.ts';

interface Evidence {
  readonly page: Page;
  readonly dataFolder: string;
  /** File name to contents. */
  readonly texts: Readonly<Record<string, string>>;
}

export async function saveEvidence(
  name: string,
  { page, dataFolder, texts }: Evidence,
): Promise<void> {
  const folder = join(root, '.vscode-test', 'logs', name.replaceAll(/[^\w.-]+/g, '-'));
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  for (const [file, text] of Object.entries(texts)) writeFileSync(join(folder, file), text);
  // Where the logs are written depends on the kind of VS Code; the extension host's is among them.
  for (const logs of [join(dataFolder, 'logs'), join(dataFolder, 'server', 'logs')]) {
    if (existsSync(logs)) cpSync(logs, join(folder, 'logs'), { recursive: true });
  }
  // A page that has crashed gives no screenshot; the logs are worth keeping all the same.
  await page.screenshot({ path: join(folder, 'screenshot.png'), timeout: 10_000 }).catch(() => {});
  console.log(`Evidence of the failure: ${folder}`);
}

/** Call once in a test file: after each failed test, saves what the workbench shows and logs. */
export function saveEvidenceOfFailures(current: () => Workbench | undefined): void {
  afterEach(async ({ task }) => {
    if (task.result?.state === 'fail') await current()?.saveEvidence(task.name);
  });
}
