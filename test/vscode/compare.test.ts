// As a person whose dS is wrong: from the trace file's menu to the first wrong node, its cause, and the mended file.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { strToU8, zipSync } from 'fflate';
import { describe, expect, test } from 'vitest';
import { map, type Tensor } from '../../src/engine/tensor.ts';
import { writeNpy } from '../../src/formats/npy.ts';
import { writeSafetensors } from '../../src/formats/safetensors.ts';
import { exampleRun } from '../support/setups.ts';
import { root } from '../../scripts/lib/setup.mjs';
import { chooseInExplorer } from './harness/actions.ts';
import { workbenchPerTest } from './harness/suite.ts';
import type { Workbench } from './harness/workbench.ts';

const example = 'causal-qkv';
const setup = `${example}.attention.json`;

type Named = readonly [name: string, tensor: Tensor];

/** Every value and gradient of the setup as a person's trace; dS, and what follows from it, times `factor`. */
async function tensorsOf(factor: number): Promise<Named[]> {
  const { values, gradients } = await exampleRun(example);
  const follows = new Set(['S', 'K', 'Q', 'W_K', 'W_Q']);
  const tensors = ['K', 'Q', 'V', 'S', 'P', 'y'].map((id) => [id, values.get(id)!] as const);
  const own = ['y', 'P', 'M', 'S', 'K', 'Q', 'V', 'W_K', 'W_Q', 'W_V'].map((id) => {
    const gradient = gradients.get(id)!;
    const scaled = follows.has(id) ? map(gradient, (value) => factor * value) : gradient;
    return [`d${id}`, scaled] as const;
  });
  return [...tensors, ...own];
}

const traceOf = async (factor: number): Promise<Uint8Array> =>
  writeSafetensors(await tensorsOf(factor));

/** As attention_trace.py writes it: with the lines that logged the tensors. */
async function npzOf(factor: number, lines: object): Promise<Uint8Array> {
  const arrays = (await tensorsOf(factor)).map(([name, tensor]) => [
    `${name}.npy`,
    writeNpy(tensor),
  ]);
  const meta = strToU8(JSON.stringify({ lines }));
  return zipSync({ ...Object.fromEntries(arrays), '__meta__.json': meta });
}

describe('comparing', () => {
  const open = workbenchPerTest();
  let workbench: Workbench;

  test('asks for the setup of a trace that is of none, and says what does not fit', async () => {
    workbench = await open({ folder: join(root, 'examples') });
    const { page, folder } = workbench;
    const P = (await exampleRun(example)).values.get('P')!;
    const odd = { shape: [7, P.shape[1]], data: new Float64Array(7 * P.shape[1]) };
    const tensors = (await tensorsOf(1)).map(([name, tensor]): Named => [
      name,
      name === 'dW_K' ? odd : tensor,
    ]);
    writeFileSync(join(folder, 'mine.safetensors'), writeSafetensors(tensors));
    await chooseInExplorer(page, 'mine.saf', 'Compare My Tensors');
    const offer = page
      .locator('.quick-input-widget:visible .monaco-list-row')
      .filter({ has: page.locator('.label-name', { hasText: setup }) });
    await offer.first().click();
    const view = workbench.webview();
    const comparison = view.getByRole('region', { name: 'Comparison with your tensors' });
    await expect
      .poll(() => comparison.innerText())
      .toMatch(/First wrong:\s*dW_?K[^]*15 of 16 tensors[^]*1 tensor not compared[^]*\(7, \d\)/);
    await expect.poll(() => view.locator('[data-node="W_K"] .verdict.diverges').count()).toBe(1);

    const fitting = tensors.filter(([name]) => ['dW_K'].includes(name));
    writeFileSync(join(folder, 'mine.safetensors'), writeSafetensors(fitting));
    await expect.poll(() => comparison.innerText()).toMatch(/This is another setup/);
    await workbench.runCommand('Problems: Focus on Problems View');
    await expect.poll(() => page.locator('.markers-panel .monaco-list-row').count()).toBe(0);
  });

  test('names the first wrong node and the cause, and follows the file', async () => {
    workbench = await open({ folder: join(root, 'examples') });
    const { page, folder } = workbench;
    // Of the same folder's setups the one of its name is meant, not the one that is open.
    const trace = join(folder, 'causal-qkv.safetensors');
    // The width of the keys is 3: without the scale in the backward pass, dS is sqrt(3) times too large.
    writeFileSync(trace, await traceOf(Math.sqrt(3)));
    await workbench.walk('exercise.attention.json');
    const view = workbench.webview();
    await chooseInExplorer(page, 'causal-qkv.safetensors', 'Compare My Tensors');
    const comparison = view.getByRole('region', { name: 'Comparison with your tensors' });
    await expect.poll(() => comparison.innerText()).toMatch(/First wrong:\s*dS/);
    await expect
      .poll(() => comparison.locator('.cause summary').first().innerText())
      .toMatch(/scale/i);
    // It has gone there.
    await expect.poll(() => view.locator('.caption').innerText()).toMatch(/Z → S/);
    await expect.poll(() => view.locator('[data-node="S"] .verdict.diverges').count()).toBe(1);
    await expect.poll(() => view.locator('[data-node="W_K"] .verdict.consequence').count()).toBe(1);
    const numbers = (label: string): Promise<number[]> =>
      view
        .getByRole('grid', { name: `dS ${label}` })
        .getByRole('gridcell')
        .evaluateAll((cells) =>
          cells.map((cell) => Number((cell as HTMLElement).dataset['value'])),
        );
    const right = [...(await exampleRun(example)).gradients.get('S')!.data];
    // Three matrices side by side are numbers where there is room for them.
    await workbench.runCommand('View: Toggle Maximize Editor Group');
    await expect.poll(() => numbers('reference')).toEqual(right);
    await expect.poll(() => numbers('yours')).toEqual(right.map((value) => Math.sqrt(3) * value));
    await expect
      .poll(() => numbers('difference'))
      .toEqual(right.map((value) => Math.sqrt(3) * value - value));

    writeFileSync(trace, await traceOf(1));
    await expect.poll(() => comparison.innerText()).toMatch(/are right/);
    await expect.poll(() => view.locator('.side-by-side').innerText()).toMatch(/is rounding/);
  });

  test('tells the cause at the line that logged the tensor, and opens it from there', async () => {
    workbench = await open({ folder: join(root, 'examples') });
    const { page, folder } = workbench;
    const code = join(folder, 'train.py');
    writeFileSync(code, 'with trace("mine.npz") as t:\n    t.dS = dS\n');
    const trace = join(folder, 'mine.npz');
    writeFileSync(trace, await npzOf(Math.sqrt(3), { dS: [code, 2] }));
    const view = await workbench.walk(setup);
    // As a drop from the explorer arrives in the page.
    await view.locator('body').evaluate((body, uri) => {
      const dataTransfer = new DataTransfer();
      dataTransfer.setData('text/uri-list', uri);
      body.dispatchEvent(new DragEvent('drop', { dataTransfer, bubbles: true, cancelable: true }));
    }, pathToFileURL(trace).toString());
    const comparison = view.getByRole('region', { name: 'Comparison with your tensors' });
    await expect.poll(() => comparison.innerText()).toMatch(/First wrong:\s*dS/);

    await workbench.runCommand('Problems: Focus on Problems View');
    const problem = page.locator('.markers-panel .monaco-list-row', { hasText: 'dS: ' });
    await problem.waitFor();
    await expect.poll(() => problem.innerText()).toMatch(/scale/i);
    await problem.dblclick();
    await page.locator('.tab.active', { hasText: 'train.py' }).waitFor();
    await page.keyboard.press('Control+.');
    await page
      .locator('.context-view, .action-widget')
      .getByText('Show the cause in the attention panel')
      .click();
    const cause = view.locator('.cause[open]');
    await expect.poll(() => cause.innerText()).toMatch(/NumPy[^]*PyTorch[^]*evidence/);
    await expect.poll(() => view.locator('.caption').innerText()).toMatch(/Z → S/);

    await page.reload();
    await page.locator('.tab', { hasText: 'Attention: causal-qkv' }).click();
    await expect.poll(() => comparison.innerText()).toMatch(/First wrong:\s*dS/);
    // Which views were open is not always written before a reload.
    await workbench.runCommand('Problems: Focus on Problems View');
    await problem.waitFor();
    await comparison.getByRole('button', { name: 'Close' }).click();
    await problem.waitFor({ state: 'detached' });
  });
});
