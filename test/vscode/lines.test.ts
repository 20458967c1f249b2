// As a person whose own Python file is wrong: check it, read it at the lines, walk it, mend it.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Locator } from 'playwright-core';
import { describe, expect, test } from 'vitest';
import { root } from '../../scripts/lib/setup.mjs';
import { workbenchPerTest } from './harness/suite.ts';
import type { Workbench, WorkbenchOptions } from './harness/workbench.ts';

const command = 'Check This Python File (Backprop, Gradients)';
const fixtures = join(root, 'test', 'vscode', 'fixtures', 'lines');
const python = process.env.ATTENTION_PYTHON ?? 'python3';

describe('your own lines', () => {
  const open = workbenchPerTest();
  let workbench: Workbench;

  const start = async (options: WorkbenchOptions = {}): Promise<void> => {
    workbench = await open({
      folder: fixtures,
      viewport: { width: 1600, height: 900 },
      ...options,
      settings: { 'attention.python': python, ...options.settings },
    });
  };
  /** The marks of the visible lines, line by line of the editor, as they stand behind the text. */
  const marks = (): Promise<string[]> =>
    workbench.page.evaluate(() => {
      const found: string[] = [];
      for (const span of document.querySelectorAll('.view-line span')) {
        const { content } = getComputedStyle(span, '::after');
        if (content !== 'none' && content !== 'normal' && content !== '""')
          found.push(content.slice(1, -1));
      }
      return found;
    });
  const status = (): Locator => workbench.page.locator('.statusbar-item', { hasText: 'Attention' });

  test('a NumPy file: lens, marks, Problems, hover', async () => {
    await start();
    const { page } = workbench;
    await workbench.openFile('single_head.py');
    const lens = page.locator('.codelens-decoration a', { hasText: 'Check this attention' });
    await lens.first().waitFor();
    await lens.first().click();
    await expect.poll(() => status().innerText()).toMatch(/dZ is wrong: line 27/);
    await expect.poll(marks).toContain('dZ ✗');
    await workbench.saveEvidence('first');
  });
});
