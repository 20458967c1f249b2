// Every example of the repository walked with the keyboard alone, from its start to its result, in the ordinary split.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type Bundle, bundlePanel, launch, openPanel, settled, step } from './page.ts';

const folder = join(import.meta.dirname, '../../examples');
const setups = readdirSync(folder).filter((name) => name.endsWith('.attention.json'));

let browser: Browser;
let bundle: Bundle;
beforeAll(async () => {
  [browser, bundle] = [await launch(), await bundlePanel()];
});
afterAll(() => browser.close());

const words = (page: Page, selector: string): Promise<string> => page.locator(selector).innerText();

/** What a reader of the step sees amiss. */
const faults = (page: Page): Promise<string[]> =>
  page.evaluate(() => {
    const found: string[] = [];
    const { scrollWidth, clientWidth } = document.documentElement;
    if (scrollWidth > clientWidth) found.push(`${scrollWidth} px wide in ${clientWidth}`);
    const text = document.querySelector('#root')?.textContent ?? '';
    for (const [word] of text.matchAll(/\bundefined\b|\[object |\bNaN\b/g)) found.push(word);
    for (const part of document.querySelectorAll('.caption, .formula')) {
      const { top, bottom } = part.getBoundingClientRect();
      if (bottom > innerHeight || top < 0) found.push(`${part.className} out of sight`);
    }
    return found;
  });

it.each(setups)('%s', { timeout: 120_000 }, async (name) => {
  const page = await openPanel(browser, bundle, { width: 670, height: 800 });
  const errors: string[] = [];
  page.on('pageerror', ({ message }) => errors.push(message));
  await page.evaluate(
    (text) => window.fakeHost.openText(text),
    readFileSync(join(folder, name), 'utf8'),
  );
  await settled(page);
  const captions: string[] = [];
  for (let isEnd = false; !isEnd; isEnd = (await words(page, '.next')).includes('the end')) {
    if (captions.length > 0) await step(page, 'ArrowRight');
    captions.push(await words(page, '.caption'));
    expect(await faults(page), captions.at(-1)).toEqual([]);
  }
  expect(new Set(captions).size).toBe(captions.length);
  await step(page, 'ArrowLeft');
  const outer = await words(page, '.caption');
  await step(page, 'ArrowDown');
  expect(await words(page, '.caption')).not.toBe(outer);
  await step(page, 'ArrowUp');
  expect(await words(page, '.caption')).toBe(outer);
  expect(errors).toEqual([]);
  await page.close();
});
