// What the pictures show: a real VS Code, brought to where a person would be.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import { root } from '../../scripts/lib/setup.mjs';
import { map, type Tensor } from '../../src/engine/tensor.ts';
import { writeSafetensors } from '../../src/formats/safetensors.ts';
import { exampleRun } from '../support/setups.ts';
import { chooseInExplorer } from '../vscode/harness/actions.ts';
import type { Workbench } from '../vscode/harness/workbench.ts';

export interface Scene {
  /** The folder that is open, below the repository's. */
  readonly folder: string;
  readonly show: (workbench: Workbench) => Promise<void>;
}

/** The side bar gives its width to the editors. */
export const hideSideBar = (workbench: Workbench): Promise<void> =>
  workbench.runCommand('View: Toggle Primary Side Bar Visibility');
const settle = (workbench: Workbench): Promise<void> => workbench.page.waitForTimeout(1500);

async function press(workbench: Workbench, key: string, times: number): Promise<void> {
  await workbench.webview().locator('.caption').click();
  for (let k = 0; k < times; k += 1) {
    await workbench.page.keyboard.press(key);
    await workbench.page.waitForTimeout(150);
  }
}

/** A setup's panel after `moves`: keys and how often each is pressed. */
const walked = (
  example: string,
  moves: readonly (readonly [key: string, times: number])[],
): Scene => ({
  folder: 'examples',
  show: async (workbench) => {
    await workbench.walk(`${example}.attention.json`);
    for (const [key, times] of moves) await press(workbench, key, times);
    await settle(workbench);
  },
});

/** Every value and gradient of the example; dS, and what follows from it, without the scale of the scores. */
async function withoutScale(example: string, factor: number): Promise<Uint8Array> {
  const { values, gradients } = await exampleRun(example);
  const follows = /^(S|Kh?|Qh?|[Wb]_[KQ])$/;
  const tensors: (readonly [string, Tensor])[] = [];
  for (const [id, value] of values) if (id !== 'f') tensors.push([id, value]);
  for (const [id, gradient] of gradients) {
    if (id === 'f' || id === 'x') continue;
    tensors.push([
      `d${id}`,
      follows.test(id) ? map(gradient, (value) => value * factor) : gradient,
    ]);
  }
  return writeSafetensors(tensors);
}

const compared: Scene = {
  folder: 'examples',
  show: async (workbench) => {
    const trace = join(workbench.folder, 'gpt2-heads.safetensors');
    writeFileSync(trace, await withoutScale('gpt2-heads', 8));
    await workbench.openFile('gpt2-heads.attention.json');
    await chooseInExplorer(workbench.page, 'gpt2-heads.safetensors', 'Compare My Tensors');
    const view = workbench.webview();
    const comparison = view.getByRole('region', { name: 'Comparison with your tensors' });
    await expect.poll(() => comparison.innerText()).toMatch(/First wrong:\s*dS/);
    await expect.poll(() => view.locator('.caption').innerText()).toMatch(/Z → S/);
    await settle(workbench);
  },
};

const lines: Scene = {
  folder: join('test', 'vscode', 'fixtures', 'lines'),
  show: async (workbench) => {
    const { page } = workbench;
    const text = readFileSync(join(root, lines.folder, 'single_head.py'), 'utf8');
    const wrong = text.split('\n').findIndex((line) => line.includes('sum(axis=0')) + 1;
    await workbench.openFile('single_head.py');
    await hideSideBar(workbench);
    await page
      .locator('.codelens-decoration a', { hasText: 'Check this attention' })
      .first()
      .click();
    const status = page.locator('.statusbar-item', { hasText: `dZ is wrong: line ${wrong}` });
    await status.waitFor();
    await page.locator('.squiggly-error').first().waitFor();
    await settle(workbench);
    const line = await page.locator('.view-line', { hasText: 'dscores = weights' }).boundingBox();
    await page.mouse.move(line!.x + 120, line!.y + line!.height / 2, { steps: 5 });
    await page.locator('.monaco-hover:visible img').first().waitFor();
    await settle(workbench);
  },
};

export const SCENES = {
  start: walked('exercise', []),
  middle: walked('exercise', [['ArrowRight', 10]]),
  end: walked('exercise', [['End', 1]]),
  terms: walked('self-attention', [
    ['ArrowRight', 12],
    ['ArrowDown', 2],
  ]),
  heads: walked('gpt2-heads', [['ArrowRight', 20]]),
  compared,
  lines,
} as const satisfies Readonly<Record<string, Scene>>;
