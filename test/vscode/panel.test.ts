// As a person in a real VS Code: the command, the walk to the end and back, editing a setup, hiding and reloading.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { FrameLocator, Locator } from 'playwright-core';
import { describe, expect, test } from 'vitest';
import { runOf } from '../support/setups.ts';
import { root } from '../../scripts/lib/setup.mjs';
import { vsixFile } from '../../scripts/lib/vsix.mjs';
import { chooseInExplorer } from './harness/actions.ts';
import { workbenchPerTest } from './harness/suite.ts';
import type { Workbench } from './harness/workbench.ts';

const examples = join(root, 'examples');
const exercise = 'exercise.attention.json';

const textOf = (name: string): string => readFileSync(join(examples, name), 'utf8');

const caption = (view: FrameLocator): Locator => view.locator('.caption');
const place = (view: FrameLocator): Locator => view.getByRole('slider');

/** The part of a node's card that goes to the node; its heatmap cells select an entry instead. */
const node = (view: FrameLocator, id: string): Locator =>
  view.locator(`.card-button[data-node="${id}"], [data-node="${id}"] .card-button`).first();

/** The numbers of a matrix of the step panel, as they are in the page. */
async function numbers(view: FrameLocator, label: string): Promise<number[]> {
  const cells = view.getByRole('grid', { name: label }).locator('[data-value]');
  await cells.first().waitFor();
  const values = await cells.evaluateAll((all) => all.map((each) => Number(each.dataset['value'])));
  return values;
}

async function tickIs(view: FrameLocator, tick: number): Promise<void> {
  await expect.poll(() => place(view).inputValue()).toBe(String(tick));
}

/** Steps by the right arrow key, waiting for each step to be shown; ends at the last one. */
async function stepToEnd({ page }: Workbench, view: FrameLocator): Promise<void> {
  const last = Number(await place(view).getAttribute('max'));
  for (;;) {
    const before = Number(await place(view).inputValue());
    if (before === last) return;
    await page.keyboard.press('ArrowRight');
    await expect.poll(async () => Number(await place(view).inputValue())).toBeGreaterThan(before);
  }
}

describe('the panel', () => {
  const open = workbenchPerTest();
  let workbench: Workbench;

  test('walks the exercise from its package, with no file open, to the end and back', async () => {
    workbench = await open({ extension: { vsix: vsixFile() } });
    await workbench.runCommand('Step Attention Backprop');
    const view = workbench.webview();
    await tickIs(view, 0);
    const expected = await runOf(textOf(exercise));
    await workbench.page.keyboard.press('ArrowRight');
    await tickIs(view, 1);
    await expect
      .poll(() => numbers(view, 'value of K'))
      .toEqual([...expected.values.get('K')!.data]);
    await stepToEnd(workbench, view);
    await expect.poll(() => caption(view).innerText()).toMatch(/result/);
    await workbench.page.keyboard.press('ArrowLeft');
    await tickIs(view, 12);
    await expect
      .poll(() => numbers(view, 'dW_K'))
      .toEqual([...expected.gradients.get('W_K')!.data]);
    await workbench.page.keyboard.press('ArrowUp');
    for (let steps = 0; steps < 40 && (await place(view).inputValue()) !== '0'; steps++) {
      const before = await place(view).inputValue();
      await workbench.page.keyboard.press('ArrowLeft');
      await expect.poll(() => place(view).inputValue()).not.toBe(before);
    }
    await tickIs(view, 0);
    // F10 is VS Code's own step-over key: it must move the walk, and by one step only.
    await workbench.page.keyboard.press('F10');
    await tickIs(view, 1);
    await workbench.page.waitForTimeout(500);
    await tickIs(view, 1);
    // There is no breakpoint to run to: it says so, and stays.
    await workbench.page.keyboard.press('F5');
    await view.locator('.remark').waitFor();
    await expect.poll(() => view.locator('.remark').innerText()).toMatch(/no breakpoint/);
    await tickIs(view, 1);
  });

  test('opens every setup in the group where a panel is', async () => {
    workbench = await open({ folder: examples });
    for (const setup of ['exercise', 'causal-qkv', 'rope'])
      await workbench.walk(`${setup}.attention.json`);
    const groups = workbench.page.locator('.editor-group-container:not(.empty)');
    await expect.poll(() => groups.count()).toBe(2);
    const panels = groups.nth(1).locator('.tab', { hasText: 'Attention: ' });
    await expect.poll(() => panels.count()).toBe(3);
  });

  test('shows the accumulator before, the contribution and after where paths meet', async () => {
    workbench = await open({ folder: examples });
    await workbench.openFile('self-attention.attention.json');
    await workbench.page
      .locator('.editor-actions [aria-label*="Step Attention Backprop"]')
      .first()
      .click();
    const view = workbench.webview();
    await tickIs(view, 0);
    const expected = await runOf(textOf('self-attention.attention.json'));
    const intoX = expected.contributions.filter(({ to }) => to === 'x');
    expect(intoX.map(({ path }) => path).sort()).toEqual(['key', 'query', 'value']);
    await node(view, 'x').click();
    const last = intoX.at(-1)!;
    // The node's last step also reaches its weight: choose the contribution into x.
    await view.getByRole('tab').filter({ hasText: 'x' }).first().click();
    await expect.poll(() => numbers(view, 'dx contribution')).toEqual([...last.value.data]);
    await expect
      .poll(() => numbers(view, 'dx after'))
      .toEqual([...expected.gradients.get('x')!.data]);
    const before = await numbers(view, 'dx before');
    const summed = before.map((value, at) => value + last.value.data[at]);
    expect(summed).toEqual([...expected.gradients.get('x')!.data]);
  });

  test('follows the setup while it is typed, and keeps the last good picture when it is wrong', async () => {
    workbench = await open({ folder: examples });
    await workbench.openFile(exercise);
    await workbench.runCommand('Step Attention Backprop');
    const view = workbench.webview();
    await tickIs(view, 0);
    await node(view, 'P').click();
    await expect.poll(() => caption(view).innerText()).toMatch(/forward\s+P/);
    const old = await numbers(view, 'value of P');

    const file = join(workbench.folder, exercise);
    const original = readFileSync(file, 'utf8');
    const changed = original.replace('[1.0, 0.5, -0.5]', '[3.0, 0.5, -0.5]');
    writeFileSync(file, changed);
    const expected = (await runOf(changed)).values.get('P')!;
    await expect.poll(() => numbers(view, 'value of P')).toEqual([...expected.data]);
    expect([...expected.data]).not.toEqual(old);
    await expect.poll(() => caption(view).innerText()).toMatch(/forward\s+P/);

    writeFileSync(file, changed.replace('[3.0, 0.5, -0.5]', '[3.0, 0.5]'));
    await view.getByRole('alert').waitFor();
    await expect.poll(() => view.getByRole('alert').innerText()).toMatch(/x/);
    await expect.poll(() => numbers(view, 'value of P')).toEqual([...expected.data]);
    writeFileSync(file, original);
    await expect.poll(() => numbers(view, 'value of P')).toEqual(old);
    await expect.poll(() => view.getByRole('alert').count()).toBe(0);
  });

  test('is there again, at its step, after hiding, moving and reloading', async () => {
    workbench = await open({ folder: examples });
    const { page } = workbench;
    await workbench.openFile('causal-qkv.attention.json');
    await workbench.runCommand('Step Attention Backprop');
    let view = workbench.webview();
    await node(view, 'S').click();
    await expect.poll(() => caption(view).innerText()).toMatch(/forward\s+S/);
    await page.waitForTimeout(1000);

    await workbench.runCommand('View: Move Editor into First Group');
    await expect.poll(() => caption(view).innerText()).toMatch(/forward\s+S/);
    await workbench.openFile(exercise);
    await page.locator('.tab', { hasText: 'Attention: causal-qkv' }).click();
    await expect.poll(() => caption(view).innerText()).toMatch(/forward\s+S/);

    await page.reload();
    await page.locator('.monaco-workbench').waitFor();
    // Which tab was in front is stored late by the workbench; that the panel is there is what counts.
    await page.locator('.tab', { hasText: 'Attention: causal-qkv' }).click();
    view = workbench.webview();
    await expect.poll(() => caption(view).innerText()).toMatch(/forward\s+S/);
  });

  test('opens from the explorer, and says what is wrong with a setup that cannot be computed', async () => {
    workbench = await open({ folder: examples });
    const { page } = workbench;
    writeFileSync(
      join(workbench.folder, 'broken.attention.json'),
      '{ "head": "kq", "x": [[1, 2]] }',
    );
    await chooseInExplorer(page, 'broken', 'Step Attention Backprop');
    const view = workbench.webview();
    await expect.poll(() => view.locator('#root').innerText()).toMatch(/W_K/);
    await view.getByRole('button', { name: /exercise/i }).click();
    await expect.poll(() => workbench.webview().getByRole('slider').count()).toBe(1);
  });

  test('computes a large setup in threads that share memory, and walks it to its end', async () => {
    workbench = await open({ folder: examples, extension: { vsix: vsixFile() } });
    const random = (rows: number, columns: number, seed: number) => ({
      ...{ random: 'normal', shape: [rows, columns], seed },
    });
    const text = JSON.stringify({
      ...{ head: 'multihead', heads: 4, mask: 'causal', x: random(640, 32, 1) },
      weights: {
        ...{ W_K: random(32, 32, 2), W_Q: random(32, 32, 3) },
        ...{ W_V: random(32, 32, 4), W_O: random(32, 32, 5) },
      },
    });
    writeFileSync(join(workbench.folder, 'wide.attention.json'), text);
    await chooseInExplorer(workbench.page, 'wide', 'Step Attention Backprop');
    const view = workbench.webview();
    await tickIs(view, 0);
    await node(view, 'f').click();
    const { values } = await runOf(text);
    await expect.poll(() => numbers(view, 'value of f')).toEqual([...values.get('f')!.data]);
    await stepToEnd(workbench, view);
  });
});
