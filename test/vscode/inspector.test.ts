// The tensor inspector and the editor of tensor files in a real VS Code, with files that NumPy wrote.
import { execFileSync } from 'node:child_process';
import {
  closeSync,
  existsSync,
  ftruncateSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Frame } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readNpy } from '../../src/formats/npy.ts';
import { saveEvidenceOfFailures } from './harness/evidence.ts';
import { openWorkbench, type Workbench } from './harness/workbench.ts';

/** On a busy machine things take their time. */
const PATIENCE = { timeout: 120_000 };
const eventually = <T>(get: () => T, options = PATIENCE) => expect.poll(get, options);

const python = process.env['ATTENTION_PYTHON'] ?? '/usr/bin/python3';

const WRITE = `
import numpy as np, json, sys, os
os.chdir(sys.argv[1])
r = np.random.default_rng(0)
a = r.normal(size=(6, 8)).astype('>f4')
np.save('big_endian_fortran.npy', np.asfortranarray(a))
x = r.normal(size=(5, 8))
mask = np.tril(np.ones((5, 5), bool))
q = r.integers(-9, 9, size=(2, 3, 4)).astype('i8')
half = r.normal(size=(4, 4)).astype('f2'); half[1, 2] = np.nan; half[3, 0] = -np.inf
np.savez_compressed('trace.npz', x=x, mask=mask, q=q, half=half, odd=np.array([{}], dtype=object))
np.save('scalar.npy', np.float64(2.5)); np.save('empty.npy', np.zeros((3, 0)))
print(json.dumps({'a': a.tolist(), 'x': x.tolist(), 'q': q.tolist()}))
`;

/** A safetensors file by its layout alone: 8 bytes of length, JSON, bytes. `size` is that of the file, sparse. */
function writeSafetensors(file: string, header: object, bytes: Uint8Array, size?: number): void {
  const text = new TextEncoder().encode(JSON.stringify(header));
  const length = new Uint8Array(8);
  new DataView(length.buffer).setBigUint64(0, BigInt(text.length), true);
  const handle = openSync(file, 'w');
  writeSync(handle, length);
  writeSync(handle, text);
  writeSync(handle, bytes);
  if (size !== undefined) ftruncateSync(handle, 8 + text.length + size);
  closeSync(handle);
}

const GIGABYTE = 2 ** 30;

interface Written {
  readonly a: number[][];
  readonly x: number[][];
  readonly q: number[][][];
}

describe('the tensor inspector', () => {
  let workbench: Workbench;
  let folder: string;
  let written: Written;

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'tensors-'));
    written = JSON.parse(
      execFileSync(python, ['-c', WRITE, folder], { encoding: 'utf8' }),
    ) as Written;
    const bf16 = Uint8Array.from([0x80, 0x3f, 0x00, 0x40, 0x40, 0xc0, 0x80, 0x7f]);
    writeSafetensors(
      join(folder, 'weights.safetensors'),
      {
        __metadata__: { format: 'pt' },
        'layer.0.w': { dtype: 'BF16', shape: [2, 2], data_offsets: [0, 8] },
      },
      bf16,
    );
    writeFileSync(
      join(folder, 'cut.npy'),
      readFileSync(join(folder, 'big_endian_fortran.npy')).subarray(0, 200),
    );
    workbench = await openWorkbench({
      folder,
      viewport: { width: 1400, height: 900 },
      // A dialog of the desktop cannot be seen from the page.
      settings: { 'files.simpleDialog.enable': true },
    });
    // Until the extension is known, its files open as text.
    await workbench.page
      .locator('.activitybar a[aria-label^="Attention"]')
      .waitFor({ timeout: 120_000 });
    // Written into the copy: copying would fill the holes.
    const parts = Object.fromEntries(
      Array.from({ length: 10 }, (_, n) => [
        `block.${n}`,
        { dtype: 'F32', shape: [16_384, 16_384], data_offsets: [n * GIGABYTE, (n + 1) * GIGABYTE] },
      ]),
    );
    const small = {
      dtype: 'F32',
      shape: [2, 2],
      data_offsets: [10 * GIGABYTE, 10 * GIGABYTE + 16],
    };
    writeSafetensors(
      join(workbench.folder, 'huge.safetensors'),
      { ...parts, small },
      new Uint8Array(),
      10 * GIGABYTE + 16,
    );
  });
  afterAll(async () => {
    await workbench?.dispose();
    rmSync(folder, { recursive: true, force: true });
  });
  saveEvidenceOfFailures(() => workbench);

  /** The document of an inspector page; of the editors, the one that is seen. */
  const inspector = async (place: 'view' | 'editor', file = ''): Promise<Frame> => {
    let found: Frame | undefined;
    await eventually(async () => {
      for (const frame of workbench.page.frames()) {
        const isIt = await frame
          .evaluate(
            ([wanted, name]) =>
              document.body.dataset['place'] === wanted &&
              document.visibilityState === 'visible' &&
              document.body.clientWidth > 0 &&
              (name === '' || document.body.textContent.includes(name)),
            [place, file],
          )
          .catch(() => false);
        if (isIt) found = frame;
      }
      return found !== undefined;
    }, PATIENCE).toBe(true);
    return found!;
  };
  const see = async (frame: Frame, selector: string, text: string | RegExp): Promise<void> => {
    await eventually(() => frame.locator(selector).first().textContent(), PATIENCE).toMatch(text);
  };
  const numbers = async (frame: Frame): Promise<number[]> => {
    await frame.getByText('Numbers', { exact: true }).click();
    await eventually(
      () => frame.locator('.number').first().getAttribute('title'),
      PATIENCE,
    ).not.toBe('');
    const titles = await frame
      .locator('.number')
      .evaluateAll((cells) => cells.map((cell) => cell.getAttribute('title')));
    return titles.map(Number);
  };

  test('a big-endian array in Fortran order has the numbers that NumPy wrote', async () => {
    await workbench.openFile('big_endian_fortran.npy');
    const frame = await inspector('editor', 'big_endian_fortran');
    await see(frame, '.tensor h1', 'big_endian_fortran');
    await see(frame, '.about', 'float32, big-endian, Fortran order');
    await eventually(() => numbers(frame)).toEqual(written.a.flat());
  });

  test('a compressed npz: every array but the pickled one, which is refused in one line', async () => {
    await workbench.openFile('trace.npz');
    const frame = await inspector('editor', 'half');
    await eventually(() => frame.locator('.entry-name').allTextContents()).toEqual([
      'x',
      'mask',
      'q',
      'half',
    ]);
    await see(
      frame,
      '.problems',
      /odd: found dtype '\|O', Python objects \(a pickle, which is not run\)/,
    );
    await eventually(() => numbers(frame)).toEqual(written.x.flat());
    await frame.locator('.entry', { hasText: 'half' }).click();
    await see(frame, '.statistics', /NaN1.*infinite1/);
    await frame.locator('.entry', { hasText: 'int64' }).click();
    await see(frame, '.tensor h1', /^q$/);
    await frame.getByLabel('Index on axis 0, as a number').fill('1');
    await frame.getByLabel('Index on axis 0, as a number').press('Enter');
    await eventually(() => numbers(frame)).toEqual(written.q[1].flat());
  });

  test('copies a tensor as text, and saves it where the person says', async () => {
    const { page } = workbench;
    await page.context().grantPermissions(['clipboard-read', 'clipboard-write']);
    await workbench.openFile('trace.npz');
    const frame = await inspector('editor', 'half');
    await frame.locator('.entry', { hasText: 'float64' }).click();
    await see(frame, '.tensor h1', /^x$/);
    const choose = async (menu: string, item: string): Promise<void> => {
      await frame.getByRole('button', { name: menu }).click();
      await frame.getByRole('menuitem', { name: item }).click();
    };
    await choose('Copy', 'as JSON');
    await eventually(() => page.evaluate(() => navigator.clipboard.readText())).toMatch(/^\[\[/);
    const copied = await page.evaluate(() => navigator.clipboard.readText());
    expect(JSON.parse(copied)).toEqual(written.x);

    for (const [item, name] of [
      ['as .npy', 'saved.npy'],
      ['picture as PNG', 'saved.png'],
      ['picture as SVG', 'saved.svg'],
    ]) {
      await frame.getByText('Heatmap', { exact: true }).click();
      await choose('Save', item);
      const input = page.locator('.quick-input-widget:visible input.input');
      // The dialog writes its own proposal first.
      await eventually(() => input.inputValue()).toMatch(/x\.\w+$/);
      await input.fill(join(workbench.folder, name));
      await input.press('Enter');
      await eventually(() => existsSync(join(workbench.folder, name))).toBe(true);
      await eventually(() => readFileSync(join(workbench.folder, name)).length).toBeGreaterThan(
        100,
      );
    }
    const saved = readFileSync(join(workbench.folder, 'saved.npy'));
    const { tensor } = readNpy(saved, 'saved.npy', 'saved');
    expect([...tensor.data]).toEqual(written.x.flat());
    expect(readFileSync(join(workbench.folder, 'saved.png')).subarray(1, 4).toString()).toBe('PNG');
    expect(readFileSync(join(workbench.folder, 'saved.svg'), 'utf8')).toMatch(/^<svg[^]*<\/svg>/);
  });

  test('bfloat16 of a safetensors file; its tensor becomes the input of a setup that is not saved', async () => {
    await workbench.openFile('weights.safetensors');
    const frame = await inspector('editor', 'layer.0.w');
    await eventually(() => numbers(frame)).toEqual([1, 2, -3, Infinity]);
    await frame.getByRole('button', { name: "Open as the Setup's Input" }).click();
    const tab = workbench.page.locator(
      '.tab.active.dirty[data-resource-name="layer_0_w.attention.json"]',
    );
    await tab.waitFor();
    await eventually(() =>
      workbench.page.locator('.editor-instance .view-lines').last().textContent(),
    ).toMatch(/"file":.*weights\.safetensors.*"key":.*layer\.0\.w/);
  });

  test.each([
    ['cut.npy', /found \d+ bytes of entries, expected 192/],
    ['empty.npy', /no entries/],
    ['scalar.npy', /scalar/],
  ])('%s is told in one line', async (name, line) => {
    await workbench.openFile(name);
    const frame = await inspector('editor', name.replace('.npy', ''));
    await see(frame, 'main', line);
  });

  test('ten gigabytes open at once, and one tensor of them is read alone', async () => {
    const began = Date.now();
    await workbench.openFile('huge.safetensors');
    const frame = await inspector('editor', 'block.9');
    await eventually(() => frame.locator('.entry').count()).toBe(11);
    console.log(`10 GB listed ${Date.now() - began} ms after the person asked for it`);
    await frame.locator('.entry', { hasText: 'small' }).click();
    await see(frame, '.statistics', /zeros4 \(100 %\)/);
  });

  test('the view follows the walk, and a click in it selects in the panel', async () => {
    await workbench.runCommand('Step Attention Backprop');
    await workbench.runCommand('Show the Tensor Inspector');
    const frame = await inspector('view');
    await see(frame, '.walk select', 'Follow the walk (x)');
    await workbench.runCommand('Step Over');
    await see(frame, '.tensor h1', /^K$/);
    await frame.getByText('Numbers', { exact: true }).click();
    await frame.locator('#entry-1-1').click();
    const walk = async (): Promise<boolean> => {
      for (const each of workbench.page.frames()) {
        const isSelected = await each
          .evaluate(
            () => document.querySelector('.page .cell.selected')?.id.endsWith('-1-1') ?? false,
          )
          .catch(() => false);
        if (isSelected) return true;
      }
      return false;
    };
    await eventually(walk, PATIENCE).toBe(true);

    // It goes where the person wants it, and shows there what it showed.
    await workbench.runCommand('View: Move View');
    const choice = (label: string) =>
      workbench.page.locator('.quick-input-list .monaco-list-row', { hasText: label }).first();
    await choice('Inspector').click();
    await choice('New Panel Entry').click();
    await workbench.page
      .locator('.part.panel .pane-body, .part.panel .composite')
      .first()
      .waitFor();
    await see(await inspector('view'), '.tensor h1', /^K$/);
  });
});
