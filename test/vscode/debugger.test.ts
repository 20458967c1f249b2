// As a person whose program is paused: a variable is picked, or pointed at, and held against a node.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { FrameLocator, Locator } from 'playwright-core';
import { describe, expect, test } from 'vitest';
import { root } from '../../scripts/lib/setup.mjs';
import type { Tensor } from '../../src/engine/tensor.ts';
import { exampleRun } from '../support/setups.ts';
import { notification as noticeOf } from './harness/actions.ts';
import { workbenchPerTest } from './harness/suite.ts';
import type { Workbench } from './harness/workbench.ts';

const example = 'exercise';
const debugpy = fileURLToPath(new URL('fixtures/debugpy', import.meta.url));

const nested = ({ shape: [rows, cols], data }: Tensor): number[][] =>
  Array.from({ length: rows }, (_, row) => [...data.subarray(row * cols, (row + 1) * cols)]);

describe('a paused program', () => {
  const open = workbenchPerTest();
  let workbench: Workbench;

  /** Opens the setup's panel, debugs `program` and waits until it is paused. */
  async function debug(
    file: string,
    program: (
      values: ReadonlyMap<string, Tensor>,
      gradients: ReadonlyMap<string, Tensor>,
    ) => string,
    launch: { readonly type: string; readonly program: string; readonly console: string },
  ): Promise<FrameLocator> {
    workbench = await open({
      folder: join(root, 'examples'),
      moreExtensions: launch.type === 'debugpy' ? [debugpy] : [],
      viewport: { width: 1400, height: 1000 },
      settings: { 'debug.internalConsoleOptions': 'neverOpen' },
    });
    const { page, folder } = workbench;
    const { values, gradients } = await exampleRun(example);
    writeFileSync(join(folder, file), program(values, gradients));
    mkdirSync(join(folder, '.vscode'));
    const configuration = { name: file, request: 'launch', cwd: folder, ...launch };
    writeFileSync(
      join(folder, '.vscode', 'launch.json'),
      JSON.stringify({ version: '0.2.0', configurations: [configuration] }),
    );
    const view = await workbench.walk(`${example}.attention.json`);
    await workbench.runCommand('Debug: Start Debugging');
    await page.locator('.debug-toolbar').waitFor();
    // A view that is shown while the program is still on its way to its breakpoint stays empty.
    await expect
      .poll(
        async () => {
          await workbench.runCommand('Focus on Variables View');
          return variable('P')
            .waitFor({ timeout: 5000 })
            .then(
              () => true,
              () => false,
            );
        },
        { timeout: 240_000 },
      )
      .toBe(true);
    return view;
  }

  /** A row of the Variables view. */
  const variable = (name: string): Locator =>
    workbench.page.getByRole('treeitem', { name: new RegExp(`^${name}\\b`) }).first();
  async function compareFromMenu(name: string): Promise<void> {
    await variable(name).click({ button: 'right' });
    const entry = workbench.page.locator('.context-view .action-label', {
      hasText: 'Compare My Variable',
    });
    await entry.waitFor();
    // A menu does not take a click that comes too soon after it.
    await expect
      .poll(async () => {
        await entry.click({ timeout: 1000 }).catch(() => undefined);
        return entry.isVisible();
      })
      .toBe(false);
  }
  const notification = (text: string): Promise<Locator> => noticeOf(workbench.page, text);
  const offers = (): Locator =>
    workbench.page.locator('.quick-input-widget:visible .quick-input-list .monaco-list-row');
  const comparison = (view: FrameLocator): Locator =>
    view.getByRole('region', { name: 'Comparison with your tensors' });

  test.skipIf(process.env['ATTENTION_SKIP_TORCH'] === '1')(
    'of Python: from the list, from its menu, a gradient; reading can be cancelled and blocks no step',
    { timeout: 480_000 },
    async () => {
      const view = await debug(
        'train.py',
        (values, gradients) => `
import numpy as np
import torch
P = np.array(${JSON.stringify(nested(values.get('P')!))})
K = torch.tensor(${JSON.stringify(nested(values.get('K')!))}, dtype=torch.float64, requires_grad=True)
(K * torch.tensor(${JSON.stringify(nested(gradients.get('K')!))}, dtype=torch.float64) * 2).sum().backward()
steps = 3
big = np.zeros((8192, 8192))
breakpoint()
after = 4
print('done')
`,
        { type: 'debugpy', program: '${workspaceFolder}/train.py', console: 'internalConsole' },
      );
      await workbench.runCommand('Compare My Variable...');
      await expect
        .poll(() => offers().allInnerTexts())
        .toEqual([
          expect.stringMatching(/K\s*\(4, 2\) float64/),
          expect.stringMatching(/K\.grad\s*\(4, 2\) float64/),
          expect.stringMatching(/P\s*\(4, 3\) float64/),
          expect.stringMatching(/big\s*\(8192, 8192\) float64/),
        ]);
      await offers().filter({ hasText: '(4, 3)' }).click();
      await offers().first().filter({ hasText: 'by its name' }).click();
      await expect
        .poll(() => comparison(view).innerText())
        .toMatch(/1 variable of train\.py[^]*is right/);
      await expect.poll(() => view.locator('.caption').innerText()).toMatch(/forward\s+P/);
      await expect.poll(() => view.locator('.side-by-side').innerText()).toMatch(/is rounding/);

      await compareFromMenu('K');
      await offers().filter({ hasText: 'K.grad' }).click();
      await offers().first().filter({ hasText: 'dK' }).click();
      await expect
        .poll(() => comparison(view).innerText())
        .toMatch(/2 variables[^]*First wrong:\s*dK/);
      await expect.poll(() => view.locator('[data-node="P"] .verdict.match').count()).toBe(1);
      await expect.poll(() => view.locator('[data-node="K"] .verdict.diverges').count()).toBe(1);
      // It is told at the line where the program is paused.
      await workbench.runCommand('Problems: Focus on Problems View');
      const problem = workbench.page.locator('.markers-panel .monaco-list-row', {
        hasText: 'dK is wrong',
      });
      await problem.waitFor();
      await expect.poll(() => problem.innerText()).toMatch(/Ln (9|10)\b/);
      await workbench.runCommand('Focus on Variables View');

      await compareFromMenu('big');
      await offers().first().click();
      const reading = await notification('Reading big');
      await reading.getByRole('button', { name: 'Cancel' }).click();
      await reading.waitFor({ state: 'detached' });
      await expect.poll(() => comparison(view).innerText()).toMatch(/2 variables/);
      await compareFromMenu('big');
      await offers().first().click();
      await notification('Reading big');
      await workbench.page.locator('.debug-toolbar .codicon-debug-step-over').click();
      await notification('The program went on');
      await variable('after').waitFor();
    },
  );

  test('of JavaScript: typed and nested arrays; when it has ended, that is said', async () => {
    const view = await debug(
      'train.mjs',
      (values) => `
function attention() {
  const P = ${JSON.stringify(nested(values.get('P')!))};
  const mine = { S: { shape: [4, 3], data: Float32Array.from(${JSON.stringify([...values.get('S')!.data])}) } };
  debugger;
  return [P, mine];
}
attention();
`,
      { type: 'node', program: '${workspaceFolder}/train.mjs', console: 'internalConsole' },
    );
    await workbench.runCommand('Compare My Variable...');
    await offers().filter({ hasText: 'mine.S' }).click();
    await offers().first().filter({ hasText: 'by its name' }).click();
    await expect
      .poll(() => comparison(view).innerText())
      .toMatch(/1 variable of train\.mjs[^]*float32/);
    await compareFromMenu('P');
    await offers().first().filter({ hasText: 'by its name' }).click();
    await expect.poll(() => comparison(view).innerText()).toMatch(/2 variables[^]*are right/);

    await workbench.runCommand('Debug: Stop');
    await workbench.page.locator('.debug-toolbar').waitFor({ state: 'hidden' });
    await workbench.runCommand('Compare My Variable...');
    await notification('No program is paused.');
  });

  // The desktop VS Code of the tests is started without the question of trust.
  test.skipIf(process.env['ATTENTION_VSCODE'] === 'electron')(
    'is not read in a workspace that is not trusted',
    async () => {
      workbench = await open({
        folder: join(root, 'examples'),
        settings: {
          'security.workspace.trust.enabled': true,
          'security.workspace.trust.startupPrompt': 'never',
          'security.workspace.trust.banner': 'never',
        },
      });
      await workbench.runCommand('Compare My Variable...');
      const message = await notification('takes a trusted workspace');
      await message.getByRole('button', { name: 'Manage Workspace Trust' }).click();
      await workbench.page.getByText('You are in Restricted Mode').waitFor();
    },
  );
});
