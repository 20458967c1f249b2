// As a person whose dS is wrong: from the trace file's menu to the first wrong node, its cause, and the mended file.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { map } from '../../src/engine/tensor.ts';
import { run } from '../../src/engine/run.ts';
import { openSetup } from '../../src/formats/openSetup.ts';
import { writeSafetensors } from '../../src/formats/safetensors.ts';
import { root } from '../../scripts/lib/setup.mjs';
import { saveEvidenceOfFailures } from './harness/evidence.ts';
import { openWorkbench, type Workbench } from './harness/workbench.ts';

const setup = 'causal-qkv.attention.json';

/** Every value and gradient of the setup as a person's trace; dS, and what follows from it, times `factor`. */
async function traceOf(text: string, factor: number): Promise<Uint8Array> {
  const { graph } = await openSetup(text, () => Promise.reject(new Error('no files here')));
  const { values, gradients } = run(graph!);
  const follows = new Set(['S', 'K', 'Q', 'W_K', 'W_Q']);
  const tensors = ['K', 'Q', 'V', 'S', 'P', 'y'].map((id) => [id, values.get(id)!] as const);
  const own = ['y', 'P', 'M', 'S', 'K', 'Q', 'V', 'W_K', 'W_Q', 'W_V'].map((id) => {
    const gradient = gradients.get(id)!;
    const scaled = follows.has(id) ? map(gradient, (value) => factor * value) : gradient;
    return [`d${id}`, scaled] as const;
  });
  return writeSafetensors([...tensors, ...own]);
}

describe('comparing', () => {
  let workbench: Workbench | undefined;

  afterEach(async () => {
    await workbench?.dispose();
    workbench = undefined;
  });
  saveEvidenceOfFailures(() => workbench);

  test('names the first wrong node and the cause, and follows the file', async () => {
    workbench = await openWorkbench({ folder: join(root, 'examples') });
    const { page, folder } = workbench;
    const text = readFileSync(join(folder, setup), 'utf8');
    const trace = join(folder, 'mine.safetensors');
    // The width of the keys is 3: without the scale in the backward pass, dS is sqrt(3) times too large.
    writeFileSync(trace, await traceOf(text, Math.sqrt(3)));
    await workbench.openFile(setup);
    await workbench.runCommand('Step Attention Backprop');
    const view = workbench.webview();
    await view.locator('.caption').waitFor();
    const file = page.locator('.explorer-folders-view .monaco-list-row', { hasText: 'mine' });
    await file.click({ button: 'right' });
    await page
      .locator('.context-view .action-label', { hasText: 'Compare with My Tensors' })
      .click();
    const comparison = view.getByRole('region', { name: 'Comparison with your tensors' });
    await expect
      .poll(() => comparison.innerText(), { timeout: 20_000 })
      .toMatch(/First wrong:\s*dS/);
    await expect
      .poll(() => comparison.locator('.cause summary').first().innerText())
      .toMatch(/scale/i);
    await comparison.getByRole('button', { name: 'go there' }).click();
    await expect.poll(() => view.locator('.caption').innerText()).toMatch(/Z → S/);
    expect(await view.locator('[data-node="S"] .verdict.diverges').count()).toBe(1);
    expect(await view.locator('[data-node="W_K"] .verdict.consequence').count()).toBe(1);

    writeFileSync(trace, await traceOf(text, 1));
    await expect.poll(() => comparison.innerText(), { timeout: 20_000 }).toMatch(/are right/);
  });
});
