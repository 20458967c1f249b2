// The inspector page in Chromium: what it shows of a walk, of numbers and of files, by mouse, keys and screen reader.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { zipSync } from 'fflate';
import type { Browser, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { tensor } from '../../../src/engine/tensor.ts';
import { writeNpy } from '../../../src/formats/npy.ts';
import { fixture } from '../../formats/fixtures.ts';
import { launch, settled, themes } from '../page.ts';
import {
  bundleInspector,
  control,
  drawn,
  type InspectorBundle,
  type InspectorOpening,
  openInspector,
} from './page.ts';

/** On a busy machine things take their time. */
const PATIENCE = { timeout: 60_000 };
const eventually = <T>(get: () => T, options = PATIENCE) => expect.poll(get, options);

let browser: Browser;
let bundle: InspectorBundle;
let page: Page;

beforeAll(async () => {
  bundle = await bundleInspector();
  browser = await launch();
});
afterAll(() => browser.close());
afterEach(async () => {
  const failures = await page.evaluate(() =>
    window.inspectorHost.received.filter(({ type }) => type === 'failed'),
  );
  await page.close();
  expect(failures).toEqual([]);
});

const open = async (opening: InspectorOpening | string): Promise<Page> => {
  page = await openInspector(
    browser,
    bundle,
    typeof opening === 'string' ? { what: opening } : opening,
  );
  return page;
};
const over = async (times: number): Promise<void> => {
  for (let n = 0; n < times; n++) await control(page, { control: 'move', move: 'over' });
};
const title = () => page.locator('.tensor h1');
const stat = (name: string) =>
  page
    .locator('.statistics dl > div', { has: page.getByText(name, { exact: true }) })
    .locator('dd');
const heatmap = () => page.getByRole('application');
const grid = () => page.getByRole('grid');
/** What the page has asked of its host: that of the person, and the numbers it shows. */
const sent = (): Promise<string[]> =>
  page.evaluate(() => window.inspectorHost.received.map(({ type }) => type));
const see = async (
  locator: { textContent(): Promise<string | null> },
  text: string | RegExp,
): Promise<void> => {
  await eventually(() => locator.textContent(), PATIENCE).toMatch(text);
};

/** Places over the page in pixels, as the person's pointer goes. */
async function cellPoint(
  row: number,
  col: number,
  rows: number,
  cols: number,
): Promise<{ x: number; y: number }> {
  await drawn(page);
  const box = (await page.locator('.picture').boundingBox())!;
  const [left, top] = [Math.ceil(String(rows - 1).length * 6.5) + 10, 18];
  const across = Math.min((box.width - left - 1) / cols, 58);
  const down = Math.min((box.height - top - 1) / rows, 24);
  return { x: box.x + left + (col + 0.5) * across, y: box.y + top + (row + 0.5) * down };
}

describe('the walk', () => {
  test('follows the step; value, gradient and contribution can be chosen', async () => {
    await open('cross');
    await over(1);
    await see(title(), /^K$/);
    await see(page.locator('.axes'), 'key i: 4 × feature a: 2');
    await over(5);
    await see(title(), /^f$/);
    await over(2);
    await see(title(), /^d/);
    await page.getByText('Contribution').click();
    await see(title(), /←/);
    await page.getByText('Value').click();
    await see(title(), /^[A-Za-z]+$/);
  });

  test('a node can be held; the gradient so far grows by contributions', async () => {
    await open('cross');
    await page.getByLabel('Node').selectOption('x');
    await see(title(), /^x$/);
    await over(8);
    await see(title(), /^dx$/);
    await see(page.locator('.about'), 'gradient so far: 1 of 2 contributions');
    await over(4);
    await see(page.locator('.about'), /gradient\s*key/);
    await page.getByLabel('Node').selectOption('');
    await see(page.getByLabel('Node'), 'Follow the walk');
  });

  test('a click selects the entry everywhere, and hovering tells index and value', async () => {
    await open('cross');
    await over(1);
    const point = await cellPoint(2, 1, 4, 2);
    await page.mouse.move(point.x, point.y);
    await see(page.locator('.hover'), /^K\[2, 1\] = −?\d/);
    await page.mouse.click(point.x, point.y);
    await see(heatmap().locator('[aria-live]'), /^K\[2, 1\] = /);
    const selected = await page.evaluate(() =>
      window.inspectorHost.received.filter(({ type }) => type === 'select'),
    );
    expect(selected).toEqual([{ type: 'select', tensor: 'value K', index: [2, 1] }]);
    // The next node's selected entry has the same key.
    await over(2);
    await see(title(), /^S$/);
    await see(heatmap().locator('[aria-live]'), /^S\[2, 0\]/);
  });

  test('pins stay while stepping and flash when they change', async () => {
    await open('cross');
    await page.getByLabel('Node').selectOption('x');
    await over(8);
    await see(title(), /^dx$/);
    await page.getByRole('button', { name: 'Pin', exact: true }).click();
    await page.getByLabel('Node').selectOption('');
    const pin = page.locator('.pin');
    await see(pin, /dx.*norm/);
    const before = await pin.getAttribute('data-version');
    // The class is gone after a second, which a busy machine may take to be asked for it.
    await pin.evaluate((element) => {
      element.addEventListener('animationstart', (event) => {
        (element as HTMLElement).dataset['began'] = (event as AnimationEvent).animationName;
      });
    });
    await over(4);
    await eventually(() => pin.getAttribute('data-version')).not.toBe(before);
    await eventually(() => pin.getAttribute('data-began')).toBe('flash');
    await eventually(() => pin.getAttribute('class')).toBe('pin');
    await pin.getByRole('button', { name: 'Unpin dx' }).click();
    await eventually(() => pin.count()).toBe(0);
  });

  test('the sums of P say that it is a distribution, and those of dS that it changes none', async () => {
    await open('cross');
    await page.getByLabel('Node').selectOption('P');
    await over(4);
    await page.getByLabel('row and column sums').check();
    await see(page.locator('.sums-box'), 'columns: all 1');
    await page.getByLabel('Node').selectOption('S');
    await over(6);
    await see(title(), /^dS$/);
    await see(page.locator('.sums-box'), 'columns: all 0');
  });

  test('the difference to another tensor of the same shape', async () => {
    await open('cross');
    await page.getByLabel('Node').selectOption('P');
    await over(4);
    await see(title(), /^P$/);
    await page.getByLabel('Subtract another tensor of this shape').selectOption({ label: '− S' });
    await see(title(), /^P − S$/);
    await page.getByLabel('Subtract another tensor of this shape').selectOption('');
    await see(title(), /^P$/);
  });

  test('nothing to show says what to do', async () => {
    await open('none');
    await see(page.locator('.nothing'), 'Step Attention Backprop');
    await page.getByRole('button', { name: 'Open the exercise' }).click();
    await eventually(sent).toContain('openExample');
  });
});

describe('slicing', () => {
  test('all heads at once, one head, other axes', async () => {
    await open('multihead');
    await page.getByLabel('Node').selectOption('P');
    await over(20);
    await see(page.locator('.axes'), 'head');
    await drawn(page);
    await eventually(() => page.getByRole('checkbox', { name: 'all' }).isChecked()).toBe(true);
    await eventually(() => heatmap().getAttribute('aria-label')).toMatch(/matrices of 6 rows/);
    await page.getByRole('checkbox', { name: 'all' }).uncheck();
    await page.getByLabel(/Index on head .*, as a number/).fill('1');
    await page.getByLabel(/Index on head .*, as a number/).press('Enter');
    await page.getByText('Numbers').click();
    const cells = (): Promise<string[]> => grid().getByRole('gridcell').allTextContents();
    const numbers = Array.from({ length: 36 }, () => expect.stringMatching(/\d/) as string);
    await eventually(cells).toEqual(numbers);
    const one = await cells();
    await page.getByTitle('Swap rows and columns').click();
    await eventually(async () => (await cells())[1]).toBe(one[6]);
    await page.getByLabel('rows').selectOption({ index: 0 });
    await eventually(() => grid().getAttribute('aria-rowcount')).not.toBe('7');
  });
});

describe('numbers', () => {
  const specials = 'numbers:[[1, nan, 2],[inf, -3, 0],[0.5, -inf, 1e-8]]';

  test('statistics, and the way to the first NaN and infinity', async () => {
    await open(specials);
    await see(stat('entries'), '9');
    await see(stat('min'), '−3');
    await see(stat('max'), '2');
    await see(stat('zeros'), '1 (11.1 %)');
    await see(stat('NaN'), /^1 /);
    await page.getByRole('button', { name: 'NaN: go to first' }).click();
    await see(heatmap().locator('[aria-live]'), 't[0, 1] = NaN');
    await page.getByRole('button', { name: 'infinite: go to first' }).click();
    await see(heatmap().locator('[aria-live]'), 't[1, 0] = ∞');
  });

  test('the grid has the numbers, and the keys move over them', async () => {
    await open(specials);
    await page.getByText('Numbers').click();
    await eventually(() => grid().getByRole('gridcell').allTextContents()).toEqual([
      '1.000',
      'NaN',
      '2.000',
      '∞',
      '−3.000',
      '0',
      '0.500',
      '−∞',
      '1.0e−8',
    ]);
    await grid().press('ArrowDown');
    await grid().press('End');
    await eventually(() => grid().locator('[aria-selected=true]').getAttribute('id')).toBe(
      'entry-1-2',
    );
    await eventually(() => grid().getAttribute('aria-activedescendant')).toBe('entry-1-2');
  });

  test('the legend says which scale it is, and changes it', async () => {
    await open('numbers:[[-1, 0.5, 100]]');
    const words = page.locator('.words');
    await see(words, 'diverging, symmetric, linear');
    await page.getByText('Colours').click();
    await page.getByLabel('logarithmic').check();
    await page.getByLabel('symmetric around 0').uncheck();
    await page.getByLabel('Clip').selectOption('1');
    await see(words, 'diverging, own ends, logarithmic, 1 % clipped');
    await page.getByLabel('Scale').selectOption('sequential');
    await see(words, 'sequential, logarithmic, 1 % clipped');
  });

  test('copying and saving', async () => {
    await open(specials);
    await drawn(page);
    await page.getByRole('button', { name: 'Copy' }).click();
    await page.keyboard.press('ArrowDown');
    await page.keyboard.press('Enter');
    await page.getByRole('button', { name: 'Save' }).click();
    await page.getByRole('menuitem', { name: 'picture as SVG' }).click();
    await page.getByRole('button', { name: 'Save' }).click();
    await page.getByRole('menuitem', { name: 'picture as PNG' }).click();
    const written = () =>
      page.evaluate(() =>
        window.inspectorHost.received.flatMap((each) =>
          each.type === 'copy'
            ? [each.format]
            : each.type === 'savePicture'
              ? [[each.format, new TextDecoder('latin1').decode(each.data).slice(0, 4)]]
              : [],
        ),
      );
    await eventually(written).toEqual(['numpy', ['svg', '<svg'], ['png', '\u2030PNG']]);
  });
});

describe('pictures', () => {
  /** The colour in the middle of a cell, as it is on the screen. */
  const colourAt = async (
    row: number,
    col: number,
    rows: number,
    cols: number,
  ): Promise<number[]> => {
    const { x, y } = await cellPoint(row, col, rows, cols);
    const shot = await page.screenshot({ clip: { x: x - 24, y: y - 8, width: 1, height: 1 } });
    return page.evaluate(
      async (png) => {
        const bitmap = await createImageBitmap(new Blob([Uint8Array.from(png)]));
        const canvas = new OffscreenCanvas(1, 1);
        canvas.getContext('2d')!.drawImage(bitmap, 0, 0);
        return [...canvas.getContext('2d')!.getImageData(0, 0, 1, 1).data.slice(0, 3)];
      },
      [...shot],
    );
  };
  const far = (a: number[], b: number[]): number =>
    Math.max(...a.map((channel, n) => Math.abs(channel - b[n])));

  test('WebGL2 and canvas 2D draw the same colours', async () => {
    const seen: Record<string, number[][]> = {};
    for (const renderer of ['webgl2', 'canvas'] as const) {
      await open({ what: 'numbers:[[-2, -0.5, 0],[0.01, 1, nan]]', renderer });
      await drawn(page);
      expect(await page.locator('.cells').getAttribute('data-renderer')).toBe(renderer);
      seen[renderer] = [];
      for (const row of [0, 1])
        for (const col of [0, 1, 2]) seen[renderer].push(await colourAt(row, col, 2, 3));
      if (renderer === 'webgl2') await page.close();
    }
    seen['webgl2'].forEach((colour, n) =>
      expect(far(colour, seen['canvas'][n]), `cell ${n}`).toBeLessThanOrEqual(2),
    );
    expect(far(seen['canvas'][0], seen['canvas'][4])).toBeGreaterThan(60);
  });

  test('large ones are reduced as they say, and near they are exact', async () => {
    await open({ what: 'formula:2048x2048', width: 1000, place: 'editor' });
    await eventually(() => page.locator('.scale').count(), PATIENCE).toBe(1);
    await drawn(page);
    await eventually(() => page.locator('.cells').getAttribute('data-level')).toBe('2');
    const box = (await page.locator('.picture').boundingBox())!;
    await page.mouse.move(box.x + 200, box.y + 200);
    await see(page.locator('.hover'), /^mean of big\[\d+–\d+, \d+–\d+\] = −?\d/);
    await page.getByText('Colours').click();
    await page.getByLabel('Blocks show').selectOption('extreme');
    await page.mouse.move(box.x + 201, box.y + 205);
    await see(page.locator('.hover'), /^extreme of/);
    for (let n = 0; n < 14; n++) await heatmap().press('+');
    await eventually(() => page.locator('.cells').getAttribute('data-level')).toBe('0');
    await drawn(page);
    await page.mouse.move(box.x + 210, box.y + 205);
    await see(page.locator('.hover'), /^big\[\d+, \d+\] = −?\d\.\d{6,}/);
    await heatmap().press('0');
    await eventually(() => page.locator('.cells').getAttribute('data-level')).toBe('2');
  });

  test('from 1 x 1 to 16384 x 16384', async () => {
    await open('numbers:[[7]]');
    await drawn(page);
    await page.close();
    await open({ what: 'formula:16384x16384', width: 1000, place: 'editor' });
    // The numbers near by are there long before the whole has been read.
    await page.getByText('Numbers').click();
    await see(grid().getByRole('gridcell').first(), /\d/);
    await grid().press('End');
    await see(grid().locator('[aria-selected=true]'), /\d/);
    expect(await grid().getAttribute('aria-colcount')).toBe('16385');
  });
});

describe('files', () => {
  test('lists the tensors and shows the chosen one', async () => {
    await open({
      what: 'file:samples.npz',
      bytes: fixture('samples.npz'),
      place: 'editor',
      width: 1000,
    });
    const entries = page.locator('.entry');
    await eventually(() => entries.count()).toBeGreaterThan(3);
    await see(entries.first(), /\(.*\) · \d/);
    await entries.nth(2).click();
    await eventually(
      async () =>
        (await title().textContent()) ===
        (await entries.nth(2).locator('.entry-name').textContent()),
    ).toBe(true);
    await page.getByRole('button', { name: "Open as the Setup's Input" }).click();
    await eventually(sent).toContain('useAsInput');
    await page.getByRole('button', { name: 'Compare My Tensors' }).click();
    await eventually(sent).toContain('compareFile');
  });

  test.each([
    ['object.npy', 'a pickle, which is not run'],
    ['cut.npz', 'no directory at the end'],
  ])('%s gives one line', async (name, line) => {
    const bytes = name === 'cut.npz' ? fixture('samples.npz').subarray(0, 900) : fixture(name);
    await open({ what: `file:${name}`, bytes, place: 'editor', width: 1000 });
    await see(page.locator('.nothing p').first(), line);
  });
});

describe('accessibility', () => {
  const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
  const problems = async (): Promise<string[]> => {
    await page.evaluate(axe);
    return page.evaluate(async () => {
      const { violations } = await (
        window as unknown as {
          axe: { run(): Promise<{ violations: { id: string; nodes: { html: string }[] }[] }> };
        }
      ).axe.run();
      return violations.map(
        ({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html.slice(0, 160)).join(' | ')}`,
      );
    });
  };

  test.each(themes)(
    '%s: no violations, as heatmap, as numbers and of a file',
    async (theme) => {
      await open({ what: 'multihead', theme });
      await page.getByLabel('Node').selectOption('P');
      await over(20);
      await drawn(page);
      await page.getByRole('button', { name: 'Pin', exact: true }).click();
      await page.getByLabel('row and column sums').check();
      await eventually(problems).toEqual([]);
      await page.getByText('Numbers').click();
      await grid().getByRole('gridcell').first().waitFor();
      await page.getByRole('button', { name: 'Copy' }).click();
      await eventually(problems).toEqual([]);
      await page.close();
      await open({
        what: 'file:samples.npz',
        bytes: fixture('samples.npz'),
        place: 'editor',
        width: 1000,
        theme,
      });
      await page.locator('.scale').waitFor();
      await eventually(problems).toEqual([]);
      await page.close();
      await open({ what: 'none', theme });
      await eventually(problems).toEqual([]);
    },
    240_000,
  );
});

test('cuts a name of 20,000 characters, and nothing is pushed out of sight', async () => {
  const name = 'n'.repeat(20_000);
  const array = writeNpy(tensor([2], [1, 2]));
  const bytes = zipSync({ [`${name}.npy`]: array, 'P.npy': array });
  await open({ what: 'file:a.npz', place: 'editor', width: 900, bytes });
  await page
    .getByText(/n{900}/)
    .first()
    .waitFor();
  await settled(page);
  const shown = await page.evaluate(() => ({
    sideways: document.documentElement.scrollWidth - window.innerWidth,
    longest: Math.max(
      ...[...document.querySelectorAll('#root *')].map(
        (each) => /n*$/.exec((each.textContent ?? '').replaceAll('…', ''))![0].length,
      ),
    ),
  }));
  expect(shown.sideways).toBe(0);
  expect(shown.longest).toBeLessThan(2100);
});
