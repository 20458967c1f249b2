// 600 random events in the panel's page, and words that would be markup: nothing fails, and nothing of it is run.
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { findBrowser } from '../../scripts/lib/find.mjs';
import { answered, type Bundle, bundlePanel, launch, openPanel, settled } from '../webview/page.ts';
import { amount, Counts, tell } from './amount.ts';
import { Mutations } from './mutate.ts';

const KEYS = [
  ...['ArrowRight', 'ArrowLeft', 'ArrowDown', 'ArrowUp', 'Home', 'End', 'Enter', 'Escape', 'Tab'],
  ...['Shift+Tab', 'F5', 'F10', 'F11', 'Shift+F10', 'b', '?', 'a', '0', 'Space', 'PageDown'],
];

describe.skipIf(!findBrowser())('the page', () => {
  let browser: Browser;
  let bundle: Bundle;
  beforeAll(async () => {
    [bundle, browser] = await Promise.all([bundlePanel(), launch()]);
  });
  afterAll(() => browser.close());

  const failed = (page: Page): Promise<unknown[]> =>
    page.evaluate(() => window.fakeHost.received.filter(({ type }) => type === 'failed'));

  test('random events', async () => {
    const counts = new Counts();
    const mutations = new Mutations(16);
    const page = await openPanel(browser, bundle, { example: 'causal' });
    const size = { width: 1400, height: 900 };
    const place = (): [number, number] => [
      mutations.below(page.viewportSize()!.width),
      mutations.below(page.viewportSize()!.height),
    ];
    const events: Readonly<Record<string, () => Promise<unknown>>> = {
      keys: () => page.keyboard.press(mutations.pick(KEYS)),
      clicks: () => page.mouse.click(...place()),
      moves: () => page.mouse.move(...place()),
      wheels: () => page.mouse.wheel(mutations.below(400) - 200, mutations.below(400) - 200),
      drags: async () => {
        await page.mouse.move(...place());
        await page.mouse.down();
        await page.mouse.move(...place());
        await page.mouse.up();
      },
      sizes: () =>
        page.setViewportSize({
          ...{
            width: 200 + mutations.below(size.width),
            height: 150 + mutations.below(size.height),
          },
        }),
      runs: () =>
        page.evaluate(
          (name) => window.fakeHost.open(name),
          mutations.pick(['cross', 'causal', 'broken']),
        ),
      comparisons: () =>
        page.evaluate((factor) => window.fakeHost.compare(factor), mutations.pick([1, 2, NaN])),
      messages: () =>
        page.evaluate(
          (data) => window.postMessage(data, '*'),
          mutations.pick([null, 1, [], {}, { type: 'x' }]),
        ),
    };
    const frequent = ['keys', 'keys', 'keys', 'clicks', 'clicks', 'moves', 'wheels', 'drags'];
    const total = amount(600, 40);
    for (let n = 0; n < total; n++) {
      const kind = mutations.pick([...frequent, ...Object.keys(events)]);
      // A comparison is with the example that the page began with.
      if (kind === 'comparisons') await page.evaluate(() => window.fakeHost.open('causal'));
      await events[kind]();
      counts.add(kind);
    }
    tell('random events in the page', counts.all);
    await page.setViewportSize(size);
    await page.evaluate(() => window.fakeHost.open('cross'));
    await page.keyboard.press('Escape');
    expect(await failed(page)).toEqual([]);
    await page.locator('.page').click({ position: { x: 2, y: 2 } });
    await answered(page, () => page.keyboard.press('End'));
    await page.close();
  });

  test('markup', async () => {
    const page = await openPanel(browser, bundle, { example: 'causal' });
    await page.evaluate(() => window.fakeHost.compare(2));
    await page.locator('.comparison').waitFor();
    await page.evaluate(() => {
      const tags = ['<img src=x onerror="window.ran=1">', '<script>window.ran=1</script>'];
      const words = `${tags.join('')}<svg onload=window.ran=1>"'\`\${window.ran=1}javascript:window.ran=1`;
      const { session } = window.fakeHost;
      window.fakeHost.send({
        type: 'run',
        run: { ...session!.runView(), title: words, description: words },
        step: { ...session!.stepView(), caption: words, next: words },
        settings: { allHeads: true, colorScale: 'perTensor', digits: 4 },
      });
      window.fakeHost.send({ type: 'problems', problems: [words] });
      window.fakeHost.send({
        type: 'comparison',
        comparison: { trace: words, report: null, problem: words },
      });
      window.fakeHost.send({ type: 'empty', message: words, canOpenExample: true });
    });
    await page.getByText('<img src=x').first().waitFor();
    await settled(page);
    const run = await page.evaluate(() => {
      const found = document.querySelectorAll(
        'img, #root script, [onload], [onerror], [href^=javascript]',
      );
      return { ran: 'ran' in window, found: found.length, text: document.body.textContent };
    });
    expect(run).toMatchObject({ ran: false, found: 0 });
    expect(run.text).toContain('<img src=x');
    expect(await failed(page)).toEqual([]);
    await page.close();
  });
});
