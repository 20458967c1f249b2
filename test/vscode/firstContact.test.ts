// As a stranger: what the palette offers, what the settings do, and how a trace becomes a setup.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { tensor } from '../../src/engine/tensor.ts';
import { writeSafetensors } from '../../src/formats/safetensors.ts';
import { root } from '../../scripts/lib/setup.mjs';
import { chooseInExplorer } from './harness/actions.ts';
import { workbenchPerTest } from './harness/suite.ts';
import type { Workbench } from './harness/workbench.ts';

const exercise = 'exercise.attention.json';

describe('first contact', () => {
  const open = workbenchPerTest();
  let workbench: Workbench;

  /** The labels that the palette offers for these words. */
  async function offers(words: string): Promise<string[]> {
    const { page } = workbench;
    const widget = page.locator('.quick-input-widget:visible');
    await page.keyboard.press('F1');
    await widget.locator('input.input').fill(`>${words}`);
    const rows = widget.locator('.quick-input-list .monaco-list-row .label-name');
    await rows.first().waitFor();
    await page.waitForTimeout(1000);
    const found = await rows.allTextContents();
    await page.keyboard.press('Escape');
    return found;
  }

  test('the palette finds the main command first, and what needs a panel only with one', async () => {
    workbench = await open({ folder: join(root, 'examples') });
    await workbench.openFile(exercise);
    for (const word of ['attention', 'gradient', 'backprop']) {
      await expect
        .poll(() => offers(word))
        .toSatisfy((all: string[]) => all[0] === 'Attention Gradient: Step Attention Backprop');
    }
    expect(await offers('Attention: Step Over')).not.toContain('Attention: Step Over');
    await workbench.walk(exercise);
    await expect.poll(() => offers('Attention: Step Over')).toContain('Attention: Step Over');
  });

  test('settings: where the panel opens, and how many digits there are', async () => {
    workbench = await open({
      folder: join(root, 'examples'),
      settings: { 'attention.panelLocation': 'active', 'attention.digits': 8 },
    });
    const view = await workbench.walk(exercise);
    await expect.poll(() => workbench.page.locator('.editor-group-container').count()).toBe(1);
    await view.getByRole('button', { name: 'Compute the first node' }).click();
    const cells = view.getByRole('grid', { name: 'value of K' }).locator('[data-value]');
    await cells.first().waitFor();
    const longest = (texts: readonly string[]): number =>
      Math.max(...texts.map((text) => text.replace(/^.*[.]/s, '').length));
    expect(longest(await cells.allInnerTexts())).toBeGreaterThanOrEqual(6);
  });

  test('a trace from the explorer becomes a setup that computes', async () => {
    workbench = await open();
    const { page, folder } = workbench;
    const random = (...shape: number[]): ReturnType<typeof tensor> =>
      tensor(
        shape,
        Float64Array.from({ length: shape[0] * shape[1] }, (_, at) => Math.sin(7 * at + 1)),
      );
    const tensors = { x: random(4, 3), W_K: random(3, 2), W_Q: random(3, 2), W_V: random(3, 2) };
    writeFileSync(join(folder, 'own.safetensors'), writeSafetensors(Object.entries(tensors)));
    await chooseInExplorer(page, 'own.saf', 'New Setup');
    await page.locator('.tab.active', { hasText: 'own.attention.json' }).waitFor();
    await page.locator('.editor-actions').getByRole('button', { name: 'Step Attention' }).click();
    const view = workbench.webview();
    await view.locator('.caption').waitFor();
    await expect.poll(() => view.locator('[data-node="V"]').count()).toBeGreaterThan(0);
    // Coloured as JSON, by the grammar of the language of its own.
    const colours = await page
      .locator('.view-line span span')
      .evaluateAll((all) => new Set(all.map((each) => getComputedStyle(each).color)).size);
    expect(colours).toBeGreaterThan(1);
  });
});
