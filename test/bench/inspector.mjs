// node test/bench/inspector.mjs: how long a frame takes while a picture of 4096 x 4096 is panned and zoomed.
import { bundleInspector, drawn, openInspector } from '../webview/inspector/page.ts';
import { launch } from '../webview/page.ts';

/**
 * Moves the picture in every frame for three seconds.
 * @param {import('playwright-core').Page} page
 * @param {'pan' | 'zoom'} what
 * @returns in ms: between frames the middle one and the one that 95 of 100 are not longer than; `work`, what the
 *   page itself did in a frame
 */
function measure(page, what) {
  return page.evaluate(async (how) => {
    const picture = document.querySelector('.picture');
    picture.setPointerCapture = () => undefined;
    const bounds = picture.getBoundingClientRect();
    const [x, y] = [bounds.left + bounds.width / 2, bounds.top + bounds.height / 2];
    const point = (type, clientX, clientY) =>
      picture.dispatchEvent(new PointerEvent(type, { bubbles: true, clientX, clientY, button: 0 }));
    const original = window.requestAnimationFrame.bind(window);
    const next = (callback) => original(callback);
    const [times, work] = [[], []];
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
    const at = (list, share) => [...list].sort((a, b) => a - b)[Math.floor(list.length * share)];
    return {
      median: at(times, 0.5),
      p95: at(times, 0.95),
      perSecond: 180_000 / total,
      work: at(work, 0.5),
    };
  }, what);
}

const browser = await launch();
const page = await openInspector(browser, await bundleInspector(), {
  ...{ what: 'stored:4096x4096', width: 1100, height: 900, place: 'editor' },
});
await page.locator('.scale').waitFor({ timeout: 60_000 });
await drawn(page);
for (const what of /** @type {const} */ (['zoom', 'pan', 'pan'])) {
  const { median, p95, perSecond, work } = await measure(page, what);
  const renderer = await page.locator('.cells').getAttribute('data-renderer');
  console.log(
    `${what}, ${renderer}: ${perSecond.toFixed(1)} frames a second (median ${median.toFixed(1)} ms, 95 % ${p95.toFixed(1)} ms), work ${work.toFixed(1)} ms a frame`,
  );
  for (let n = 0; n < 3; n++) await page.locator('.picture').press('+');
}
await browser.close();
