// 4096 x 4096 pans and zooms: the page's work in a frame leaves room for 60 of them a second.
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { launch } from '../page.ts';
import { bundleInspector, drawn, openInspector } from './page.ts';

let browser: Browser;

beforeAll(async () => {
  browser = await launch();
});
afterAll(() => browser.close());

interface Frames {
  /** Between frames, in ms: the middle one, and the one that 95 of 100 are not longer than. */
  readonly median: number;
  readonly p95: number;
  readonly perSecond: number;
  /** What the page itself did in a frame, in ms. */
  readonly work: number;
}

/** Moves the picture in every frame for three seconds. */
function measure(page: Page, what: 'pan' | 'zoom'): Promise<Frames> {
  return page.evaluate(async (how) => {
    const picture = document.querySelector<HTMLElement>('.picture')!;
    picture.setPointerCapture = () => undefined;
    const bounds = picture.getBoundingClientRect();
    const [x, y] = [bounds.left + bounds.width / 2, bounds.top + bounds.height / 2];
    const point = (type: string, clientX: number, clientY: number): boolean =>
      picture.dispatchEvent(new PointerEvent(type, { bubbles: true, clientX, clientY, button: 0 }));
    const original = window.requestAnimationFrame.bind(window);
    const next = (callback: FrameRequestCallback): number => original(callback);
    const [times, work]: [number[], number[]] = [[], []];
    window.requestAnimationFrame = (callback) =>
      next((time) => {
        const began = performance.now();
        callback(time);
        work.push(performance.now() - began);
      });
    if (how === 'pan') point('pointerdown', x, y);
    let last = performance.now();
    for (let n = 0; n < 180; n++) {
      await new Promise(next);
      times.push(performance.now() - last);
      last = performance.now();
      const turn = n / 20;
      if (how === 'pan') point('pointermove', x + Math.sin(turn) * 300, y + Math.cos(turn) * 200);
      else {
        const deltaY = n < 90 ? -25 : 25;
        picture.dispatchEvent(
          new WheelEvent('wheel', { cancelable: true, clientX: x, clientY: y, deltaY }),
        );
      }
    }
    if (how === 'pan') point('pointerup', x, y);
    window.requestAnimationFrame = original;
    const total = times.reduce((sum, each) => sum + each, 0);
    const at = (list: number[], share: number): number =>
      [...list].sort((a, b) => a - b)[Math.floor(list.length * share)];
    return {
      median: at(times, 0.5),
      p95: at(times, 0.95),
      perSecond: 180_000 / total,
      work: at(work, 0.5),
    };
  }, what);
}

test('4096 x 4096', async () => {
  const page = await openInspector(browser, await bundleInspector(), {
    ...{ what: 'stored:4096x4096', width: 1100, height: 900, place: 'editor' },
  });
  await page.locator('.scale').waitFor({ timeout: 60_000 });
  await drawn(page);
  for (const what of ['zoom', 'pan', 'pan'] as const) {
    const { median, p95, perSecond, work } = await measure(page, what);
    const renderer = await page.locator('.cells').getAttribute('data-renderer');
    console.log(
      `${what}, ${renderer}: ${perSecond.toFixed(1)} frames a second (median ${median.toFixed(1)} ms, 95 % ${p95.toFixed(1)} ms), work ${work.toFixed(1)} ms a frame`,
    );
    // Frames wait for other programs on a busy machine; the page's own work does not.
    expect(work).toBeLessThan(8);
    for (let n = 0; n < 3; n++) await page.locator('.picture').press('+');
  }
  await page.close();
}, 120_000);
