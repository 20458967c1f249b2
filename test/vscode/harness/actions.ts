// What a person does in a workbench: run a command, open a file, look into the extension's webview.
import { basename } from 'node:path';
import { errors, type FrameLocator, type Locator, type Page } from 'playwright-core';
import { expect } from 'vitest';
import manifest from '../../../package.json' with { type: 'json' };

const patience = 120_000;
/** For try `n` from 0; while a workbench opens, it takes the focus back now and then. Longer each time: it may be slow. */
const aTry = (n: number): { readonly timeout: number } => ({ timeout: 6000 * 1.5 ** n });

const escaped = (text: string): string => text.replaceAll(/[$()*+.?[\\\]^{|}]/g, '\\$&');

/**
 * Opens the quick input by `key`, writes `text` in it and picks the offer whose label matches. Tries
 * again until it is there: keys are lost before the workbench has its key bindings, and the commands
 * of an extension come when it was scanned.
 * @throws an error that lists what was offered instead
 */
async function pick(page: Page, key: string, text: string, label: RegExp): Promise<void> {
  const widget = page.locator('.quick-input-widget:visible');
  const rows = widget.locator('.quick-input-list .monaco-list-row');
  const wanted = rows.filter({ has: page.locator('.label-name', { hasText: label }) }).first();
  const deadline = Date.now() + patience;
  let offers: string[] = [];
  for (let n = 0; ; n++) {
    try {
      await page.keyboard.press(key);
      await widget.locator('input.input').fill(text, aTry(n));
      await wanted.click(aTry(n));
      return;
    } catch (error) {
      if (!(error instanceof errors.TimeoutError)) throw error;
      offers = await rows.locator('.label-name').allTextContents();
      await page.keyboard.press('Escape');
    }
    if (Date.now() > deadline) {
      throw new Error(
        `The workbench offers no "${text}", only: ${offers.join(' | ') || 'nothing'}`,
      );
    }
  }
}

export async function runCommand(page: Page, title: string): Promise<void> {
  await pick(page, 'F1', `>${title}`, new RegExp(`^(.*: )?${escaped(title)}$`));
}

export async function openFile(page: Page, absolutePath: string): Promise<void> {
  const name = basename(absolutePath);
  await pick(page, 'ControlOrMeta+P', absolutePath, new RegExp(`^${escaped(name)}$`));
  await page.locator(`.tab.active[data-resource-name="${name}"]`).waitFor({ timeout: patience });
}

/**
 * Opens it again while it is shown as text: before VS Code has its own extension for notebooks. From the explorer, since
 * the list of files that were open gives it back as what it was.
 */
export async function openNotebook(page: Page, absolutePath: string): Promise<void> {
  const cell = page.locator('.notebook-editor .view-line');
  const text = page.locator('.editor-instance > .monaco-editor .view-line');
  const row = page.locator('.explorer-folders-view .monaco-list-row', {
    hasText: basename(absolutePath),
  });
  for (;;) {
    await row.dblclick();
    await cell.or(text).first().waitFor({ timeout: patience });
    if (await cell.first().isVisible()) return;
    await runCommand(page, 'Close Editor');
  }
}

export function extensionWebview(page: Page): FrameLocator {
  const id = `${manifest.publisher}.${manifest.name}`;
  return page
    .frameLocator(`iframe.webview.ready[src*="extensionId=${id}"]:visible`)
    .frameLocator('#active-frame');
}

/** By the button in the editor's title, which says which setup is meant. */
export async function walk(page: Page, setup: string): Promise<FrameLocator> {
  await openFile(page, setup);
  const title = page.locator('.editor-actions');
  await title.getByRole('button', { name: 'Step Attention Backprop' }).click();
  const view = extensionWebview(page);
  await view.locator('.caption').waitFor();
  return view;
}

/** Chooses from a file's menu in the explorer; opens it again until the extension's entries are in it. */
export async function chooseInExplorer(page: Page, file: string, entry: string): Promise<void> {
  const row = page.locator('.explorer-folders-view .monaco-list-row', { hasText: file });
  const item = page.locator('.context-view .action-label', { hasText: entry });
  const deadline = Date.now() + patience;
  for (let n = 0; ; n++) {
    await row.click({ button: 'right' });
    try {
      await item.waitFor(aTry(n));
      await clickUntilHidden(page, item);
      return;
    } catch (error) {
      if (!(error instanceof errors.TimeoutError) || Date.now() > deadline) throw error;
      await page.keyboard.press('Escape');
    }
  }
}

/** A menu's entry listens to the mouse only some time after it is shown; until then it swallows the click and stays. */
async function clickUntilHidden(page: Page, entry: Locator): Promise<void> {
  for (let clicks = 0; clicks < 10 && (await entry.isVisible()); clicks += 1) {
    await page.waitForTimeout(300);
    await entry.click(aTry(clicks)).catch(async (error: unknown) => {
      if (await entry.isVisible()) throw error;
    });
    await page.waitForTimeout(300);
  }
  await entry.waitFor({ state: 'hidden', timeout: patience });
}

/** In the list behind the bell, which closes when it is empty: under a driver VS Code shows no toasts. */
export async function notification(page: Page, text: string, timeout = patience): Promise<Locator> {
  const center = page.locator('.notifications-center.visible');
  const item = center.locator('.notification-list-item', { hasText: text });
  const look = async (): Promise<boolean> => {
    if (!(await center.isVisible())) {
      await page.locator('.statusbar [id="status.notifications"]').click();
      // Its hover would cover the list.
      await page.mouse.move(0, 0);
    }
    return item.isVisible();
  };
  await expect.poll(look, { timeout }).toBe(true);
  return item;
}
