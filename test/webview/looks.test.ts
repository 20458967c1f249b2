// How the panel looks, as far as a machine can tell: accessible in every theme, nothing beyond the page's edge.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import type axe from 'axe-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Browser, Page } from 'playwright-core';
import {
  answered,
  type Bundle,
  bundlePanel,
  launch,
  openPanel,
  settled,
  step,
  themes,
} from './page.ts';

let browser: Browser;
let bundle: Bundle;
const axeSource = readFileSync(
  createRequire(import.meta.url).resolve('axe-core/axe.min.js'),
  'utf8',
);

beforeAll(async () => {
  [bundle, browser] = await Promise.all([bundlePanel(), launch()]);
});
afterAll(() => browser.close());

async function violations(page: Page, rule?: string): Promise<string[]> {
  const results = await page.evaluate(async (only) => {
    const { axe: tool } = window as unknown as { axe: typeof axe };
    const options = only ? { runOnly: [only] } : {};
    return (await tool.run(document, { ...options, resultTypes: ['violations'] })).violations;
  }, rule);
  return results.map(
    ({ id, nodes }) =>
      `${id}: ${nodes.map(({ html, failureSummary }) => `${html} ${failureSummary}`).join('\n')}`,
  );
}

/** The places of a walk that differ most in what is on the screen. */
const places: readonly (readonly string[])[] = [
  [],
  ['ArrowRight', 'ArrowRight', 'ArrowRight', 'ArrowDown'],
  ['End', 'ArrowLeft', 'ArrowRight', 'ArrowLeft', 'ArrowDown', 'ArrowDown'],
  ['End'],
];

/** Compares a program whose dS is twice what it should be; goes there. */
async function compareWithWrongScores(page: Page): Promise<void> {
  await page.evaluate(() => window.fakeHost.compare(2));
  await answered(page, () => page.getByRole('button', { name: 'go there' }).click());
  await page.locator('.side-by-side').waitFor();
}

describe('accessibility', () => {
  it.each(['self', 'multihead', 'broken', 'none'])(
    '%s keeps to the rules of axe',
    { timeout: 120_000 },
    async (example) => {
      const page = await openPanel(browser, bundle, { example });
      await page.evaluate(axeSource);
      for (const keys of example === 'none' ? [[]] : places) {
        for (const key of keys) await step(page, key);
        for (const width of [1400, 420]) {
          await page.setViewportSize({ width, height: 900 });
          // What scrolls at the new width takes part in the tab order a frame later.
          const there = expect.poll(() => violations(page), {
            message: `${keys.join(' ')} at ${width}`,
          });
          await there.toEqual([]);
        }
      }
      if (example !== 'none') {
        await page.getByRole('button', { name: 'Keyboard shortcuts' }).click();
        const listed = expect.poll(() => violations(page), { message: 'with the list of keys' });
        await listed.toEqual([]);
        await page.keyboard.press('Escape');
      }
      if (example === 'self' || example === 'multihead') {
        await compareWithWrongScores(page);
        const comparing = expect.poll(() => violations(page), { message: 'comparing' });
        await comparing.toEqual([]);
      }
      await page.close();
    },
  );

  it.each(themes)('all text can be read in %s', { timeout: 120_000 }, async (theme) => {
    for (const example of ['self', 'broken', 'none']) {
      const page = await openPanel(browser, bundle, { example, theme });
      await page.evaluate(axeSource);
      for (const keys of example === 'none' ? [[]] : places) {
        for (const key of keys) await step(page, key);
        // What is drawn twice, once for the eye and once for the ear, has to be seen as well.
        await page.evaluate(() => {
          for (const each of document.querySelectorAll('[aria-hidden]')) {
            each.removeAttribute('aria-hidden');
          }
        });
        expect(await violations(page, 'color-contrast'), keys.join(' ')).toEqual([]);
      }
      if (example === 'self') {
        await compareWithWrongScores(page);
        await page.locator('.cause summary').click();
        expect(await violations(page, 'color-contrast'), 'comparing').toEqual([]);
      }
      await page.close();
    }
  });
});

describe('room', () => {
  it.each([
    ...['cross', 'self', 'forces', 'scaled', 'causal'],
    ...['multihead', 'crossHeads', 'large', 'broken', 'none'],
  ])('%s fits the page at every width', async (example) => {
    const page = await openPanel(browser, bundle, { example });
    const comparing = example === 'broken' ? [] : [['compare']];
    for (const keys of example === 'none' ? [[]] : [...places, ...comparing]) {
      if (keys[0] === 'compare') await compareWithWrongScores(page);
      else for (const key of keys) await step(page, key);
      for (const width of [1400, 1000, 900, 800, 420, 320]) {
        await page.setViewportSize({ width, height: 900 });
        const overflow = (): Promise<unknown[]> =>
          page.evaluate(() => {
            const { scrollWidth, clientWidth } = document.documentElement;
            const panes = [...document.querySelectorAll('.picture, .step')];
            const wide = panes.filter((pane) => pane.scrollWidth > pane.clientWidth);
            return [scrollWidth - clientWidth, ...wide.map(({ className }) => className)];
          });
        // The graph is laid out anew after the page has its width.
        await expect.poll(overflow, { message: `${width} ${keys.join(' ')}` }).toEqual([0]);
      }
    }
    await page.close();
  });

  it.each([
    [670, 800],
    [1400, 900],
    [526, 760],
  ])(
    'at %i x %i graph, formula, sum and the selected term are on screen together',
    async (width, height) => {
      for (const example of ['exercise', 'self', 'causal', 'multihead', 'gpt2']) {
        const page = await openPanel(browser, bundle, { example, width, height });
        await step(page, 'End');
        for (let n = 0; n < 2; n++) {
          await step(page, 'ArrowLeft');
          for (const key of n === 0 ? ['ArrowRight', 'ArrowDown', 'ArrowDown', 'ArrowDown'] : [])
            await step(page, key);
          await settled(page);
          const hidden = await page.evaluate(() => {
            const seen = (element: Element): boolean => {
              const { left, top, right, bottom } = element.getBoundingClientRect();
              const inside = (x: number, y: number): boolean => {
                const at = document.elementFromPoint(x, y);
                return at !== null && (element.contains(at) || at.contains(element));
              };
              return inside(left + 6, top + 6) && inside(right - 6, bottom - 6);
            };
            const wanted = [
              '.card.current',
              '.formula',
              '.step .matrix, .matrix-large',
              '.entry-line',
              'tr.current',
            ];
            return wanted.filter((selector) => {
              const all = [...document.querySelectorAll(selector)];
              return all.length > 0 && !all.some(seen);
            });
          });
          expect(hidden, `${example} ${n}`).toEqual([]);
          const fits = await page.evaluate(
            () => document.documentElement.scrollHeight <= innerHeight,
          );
          expect(fits, example).toBe(true);
        }
        await page.close();
      }
    },
  );

  it('names and shapes do not collide', async () => {
    for (const [example, width] of [
      ['multihead', 1400],
      ['gpt2', 1400],
      ['layer', 670],
      ['multihead', 526],
    ] as const) {
      const page = await openPanel(browser, bundle, { example, width });
      await step(page, 'End');
      await settled(page);
      const collisions = await page.evaluate(() =>
        [...document.querySelectorAll('.card')].flatMap((card) => {
          const parts = [
            ...card.querySelectorAll('.name, .card-shape, .counter, .heat, .scalar'),
          ].map((part) => ({
            part,
            box: part.getBoundingClientRect(),
          }));
          return parts.flatMap(({ part, box }, n) =>
            parts.slice(n + 1).flatMap((other) => {
              if (part.contains(other.part) || other.part.contains(part)) return [];
              const [a, b] = [box, other.box];
              const touch =
                Math.min(a.right, b.right) - Math.max(a.left, b.left) > 1 &&
                Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top) > 3;
              return touch
                ? [
                    `${card.getAttribute('data-node')}: ${part.textContent} on ${other.part.textContent}`,
                  ]
                : [];
            }),
          );
        }),
      );
      expect(collisions, `${example} ${width}`).toEqual([]);
      await page.close();
    }
  });

  it('no number runs out of its cell, no text out of its card', async () => {
    for (const [example, width] of [
      ['self', 1400],
      ['multihead', 1400],
      ['cross', 420],
    ] as const) {
      const page = await openPanel(browser, bundle, { example, width });
      await step(page, 'End');
      await settled(page);
      const cut = await page.evaluate(() => {
        const all = document.querySelectorAll<HTMLElement>(
          '.cell, .card-title, .card-foot, .tabs button, .icon-button',
        );
        return [...all]
          .filter((each) => each.scrollWidth > each.clientWidth + 1)
          .map((each) => each.outerHTML);
      });
      expect(cut, example).toEqual([]);
      await page.close();
    }
  });

  it('no name of a card runs into its pictures, none of a term is broken', async () => {
    const page = await openPanel(browser, bundle, { example: 'latent', width: 670, height: 800 });
    await step(page, 'End');
    await settled(page);
    const covered = await page.evaluate(() =>
      [...document.querySelectorAll<HTMLElement>('.card.chip')]
        .filter((card) => {
          const name = card.querySelector('.name')!.getBoundingClientRect();
          return name.right > card.querySelector('.heats')!.getBoundingClientRect().left;
        })
        .map(({ dataset }) => dataset['node']),
    );
    expect(covered).toEqual([]);
    await step(page, 'Home');
    const steps = Number((await page.locator('.count').innerText()).split('/')[1]);
    expect(steps).toBeGreaterThan(20);
    for (let n = 0; n < steps; n++) {
      await step(page, 'ArrowRight');
      await settled(page);
      const broken = await page.evaluate(() =>
        [...document.querySelectorAll<HTMLElement>('.terms tbody th')]
          .filter((each) => each.getBoundingClientRect().height > 30)
          .map(({ textContent }) => textContent),
      );
      expect(broken).toEqual([]);
      // An arrow stays on the line of its axis.
      for (const hint of await page.locator('.hint').allTextContents())
        expect(hint).not.toMatch(/ [↓→]/);
    }
    await page.close();
  });

  it('where there is little room, the current card is in sight and a step begins at its top', async () => {
    const page = await openPanel(browser, bundle, { example: 'gpt2', width: 460, height: 780 });
    await page.evaluate(() => window.fakeHost.compare(2));
    await answered(page, () => page.getByRole('button', { name: 'go there' }).click());
    await page.locator('.side-by-side').waitFor();
    await settled(page);
    const inSight = await page.evaluate(() => {
      const area = document.querySelector('.graph-scroll')!.getBoundingClientRect();
      const card = document.querySelector('.card.current')!.getBoundingClientRect();
      return card.top < area.bottom && card.bottom > area.top;
    });
    expect(inSight).toBe(true);
    const top = (): Promise<number> =>
      page.evaluate(() => document.querySelector('.step')!.scrollTop);
    for (const key of ['Home', ...Array.from({ length: 11 }, () => 'ArrowRight')]) {
      await step(page, key);
      await settled(page);
      expect(await top()).toBe(0);
      await page.evaluate(() => document.querySelector('.step')!.scrollBy(0, 60));
    }
    await page.close();
  });

  it('a formula stands whole, its definitions on lines of their own where they must', async () => {
    const page = await openPanel(browser, bundle, { example: 'multihead', width: 1000 });
    const formula = page.locator('.step .formula');
    let words = '';
    for (let n = 0; n < 6; n++) {
      await step(page, 'ArrowRight');
      await settled(page);
      const [is, room] = await formula.evaluate((each) => [each.scrollWidth, each.clientWidth]);
      expect(is, await formula.innerText()).toBeLessThanOrEqual(room);
      words += await formula.textContent();
    }
    expect(words).toMatch(/,where/);
    expect(words).toContain('·10000');
    await page.close();
  });

  it('nothing in the graph moves on a step', async () => {
    const page = await openPanel(browser, bundle, { example: 'self' });
    const positions = (): Promise<string[]> =>
      page.evaluate(() =>
        [...document.querySelectorAll<HTMLElement>('.card, .heat, .legend, .equations math')].map(
          (each) => {
            const { left, top, width, height } = each.getBoundingClientRect();
            const name = each.dataset['node'] ?? each.className.replace(' missing', '');
            return [name, left, top, width, height].join(' ');
          },
        ),
      );
    // The step into the backward pass makes the first gradients, and with them the legend's second range.
    const fixed = (all: string[]): string[] => all.filter((each) => !each.startsWith('legend'));
    const first = fixed(await positions());
    for (let n = 0; n < 12; n++) {
      await step(page, 'ArrowRight');
      await settled(page);
      expect(fixed(await positions())).toEqual(first);
    }
    await page.close();
  });
});
