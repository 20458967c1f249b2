// The panel in Chromium: walking by keyboard and pointer, and the numbers it shows against those of the run.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Browser, Page } from 'playwright-core';
import { equals, product, symbol } from '../../src/engine/formula.ts';
import { buildGraph } from '../../src/engine/heads/build.ts';
import { operationNodes } from '../../src/engine/graph.ts';
import { run, type Run } from '../../src/engine/run.ts';
import { examples } from './examples.ts';
import { answered, type Bundle, bundlePanel, launch, openPanel, settled, step } from './page.ts';

let browser: Browser;
let bundle: Bundle;

beforeAll(async () => {
  [bundle, browser] = await Promise.all([bundlePanel(), launch()]);
});
afterAll(() => browser.close());

const runOf = (example: string): Run => run(buildGraph(examples[example]().config));

/** Numbers of the matrices on the right, in their order. */
function matrices(page: Page): Promise<number[][]> {
  return page.evaluate(() =>
    [...document.querySelectorAll('.step .matrix')].map((matrix) =>
      [...matrix.querySelectorAll<HTMLElement>('[data-value]')].map((cell) =>
        Number(cell.dataset['value']),
      ),
    ),
  );
}

/** Node and Chromium may differ in the last place of an exponential. */
function expectClose(found: number[][], expected: ArrayLike<number>[], what = ''): void {
  const rounded = (all: ArrayLike<number>[]): string[][] =>
    all.map((each) =>
      Array.from(each, (value) => (Math.abs(value) < 1e-14 ? '0' : value.toPrecision(12))),
    );
  expect(rounded(found), what).toEqual(rounded(expected));
}

const caption = (page: Page): Promise<string> => page.locator('.caption').innerText();
const shownEntry = async (page: Page, which: string): Promise<number> =>
  Number(await page.locator(`[data-entry=${which}]`).getAttribute('data-value'));
const count = (page: Page): Promise<string> => page.locator('.count').innerText();

describe('comparing', () => {
  it('shows yours, the reference and the difference at the wrong node, and the largest difference', async () => {
    const { gradients } = runOf('causal');
    const right = gradients.get('S')!;
    const page = await openPanel(browser, bundle, { example: 'causal' });
    await page.evaluate(() => window.fakeHost.compare(2));
    await answered(page, () => page.getByRole('button', { name: 'go there' }).click());
    const own = page.locator('.side-by-side');
    await own.waitFor();
    const doubled = right.data.map((value) => 2 * value);
    expectClose((await matrices(page)).slice(0, 3), [doubled, right.data, right.data]);
    expect(await own.locator('.verdict').innerText()).toBe('wrong');
    const worst = [...right.data.keys()].reduce((a, b) =>
      Math.abs(right.data[b]) > Math.abs(right.data[a]) ? b : a,
    );
    await answered(page, () => own.getByRole('button', { name: 'largest difference' }).click());
    expect(await shownEntry(page, 'reference')).toBeCloseTo(right.data[worst], 12);
    expect(await shownEntry(page, 'yours')).toBeCloseTo(2 * right.data[worst], 12);
    await page.close();
  });

  it('marks right, wrong and consequence in the graph, and rounding is not painted', async () => {
    const page = await openPanel(browser, bundle, { example: 'causal' });
    const verdicts = (node: string): Promise<string[]> =>
      page
        .locator(`[data-node="${node}"] .verdict`)
        .evaluateAll((all) => all.map(({ className }) => className.replace('verdict ', '')));
    await page.evaluate(() => window.fakeHost.compare(2));
    await page.locator('.comparison').waitFor();
    await expect.poll(() => verdicts('P')).toEqual(['match', 'match']);
    await expect.poll(() => verdicts('S')).toEqual(['match', 'diverges']);
    await expect.poll(() => verdicts('W_K')).toEqual(['match', 'consequence']);
    await step(page, 'ArrowRight');
    expect(await page.locator('.side-by-side').innerText()).toMatch(/is rounding/);
    const cells = page.getByRole('grid', { name: 'K difference' }).locator('.cell');
    expect(
      await cells.evaluateAll((all) => all.every((each) => each.classList.contains('zero'))),
    ).toBe(true);
    await page.close();
  });

  it('opens the cause that is asked for', async () => {
    const page = await openPanel(browser, bundle, { example: 'causal' });
    await page.evaluate(() => {
      window.fakeHost.compare(Math.sqrt(3));
      window.fakeHost.send({ type: 'explain', cause: '0' });
    });
    const cause = page.locator('.cause[open]');
    await cause.waitFor();
    expect(await cause.innerText()).toMatch(/scale/);
    await page.close();
  });

  it('writes a mistake that is a formula beside the right one, and marks where they differ', async () => {
    const page = await openPanel(browser, bundle, { example: 'causal' });
    await page.evaluate(() => window.fakeHost.compare(Math.sqrt(3)));
    await page.locator('.cause').waitFor();
    const dS = symbol('dS', [['i'], ['j']]);
    const dZ = symbol('dZ', [['i'], ['j']]);
    const formulas = {
      wrong: equals(dS, dZ),
      right: equals(dS, product(dZ, symbol('scale'))),
    };
    const cause = {
      ...{ id: 'formula', title: 'dS lacks a factor', node: 'S', kind: 'gradient', why: 'why' },
      ...{ wrong: 'dS = dZ', right: 'dS = dZ * scale', numpy: 'n', pytorch: 'p', residual: 0 },
      ...{ fix: '', runnerUp: null, formulas },
    };
    await page.evaluate((shown) => {
      const report = { verdict: 'diverges', first: null, nodes: [], causes: [shown] };
      window.fakeHost.send({
        type: 'comparison',
        comparison: {
          ...{ trace: 'own', problem: null },
          report: { ...report, unaligned: [], precision: null, given: 1, compared: 1 } as never,
        },
      });
      window.fakeHost.send({ type: 'explain', cause: '0' });
    }, cause);
    const shown = page.locator('.cause[open]', { hasText: 'dS lacks a factor' });
    await shown.waitFor();
    expect(await shown.locator('math').count()).toBe(2);
    expect(await shown.locator('.marked').allTextContents()).toEqual(['scale']);
    expect(await shown.locator('.yours .marked').count()).toBe(0);
    await page.close();
  });

  it('takes a file that is dropped on it', async () => {
    const page = await openPanel(browser, bundle, {});
    await page.evaluate(() => {
      const drop = (dataTransfer: DataTransfer): void => {
        const options = { dataTransfer, bubbles: true, cancelable: true };
        document.body.dispatchEvent(new DragEvent('drop', options));
      };
      const explorer = new DataTransfer();
      explorer.setData('text/uri-list', '# a comment\r\nfile:///home/ada/mine.npz\r\n');
      drop(explorer);
      const desktop = new DataTransfer();
      desktop.items.add(new File(['abc'], 'mine.json'));
      drop(desktop);
      const text = new DataTransfer();
      text.setData('text/plain', 'nothing to compare');
      drop(text);
    });
    await page.waitForFunction(() =>
      window.fakeHost.received.some(({ type }) => type === 'dropFile'),
    );
    const dropped = await page.evaluate(() =>
      window.fakeHost.received.flatMap((each) =>
        each.type === 'drop'
          ? [each.uri]
          : each.type === 'dropFile'
            ? [`${each.name} ${each.data.byteLength}`]
            : [],
      ),
    );
    expect(dropped).toEqual(['file:///home/ada/mine.npz', 'mine.json 3']);
    await page.close();
  });
});

describe('walking', () => {
  it.each(['cross', 'self'])(
    '%s: every step forward and back shows the run’s numbers',
    async (example) => {
      const { graph, values, contributions } = runOf(example);
      const page = await openPanel(browser, bundle, { example });
      const operations = graph.nodes.filter(({ kind }) => kind === 'operation').map(({ id }) => id);
      for (const id of operations) {
        await step(page, 'ArrowRight');
        expect(await caption(page)).toContain(id);
        expectClose(await matrices(page), [values.get(id)!.data], id);
        expect(await page.locator(`[data-node="${id}"]`).getAttribute('class')).toContain(
          'current',
        );
      }
      const received = new Map<string, number[]>();
      const sum = (a: number[] | undefined, b: Float64Array): number[] =>
        [...b].map((value, n) => (a?.[n] ?? 0) + value);
      for (const id of [...operations].reverse()) {
        await step(page, 'ArrowRight');
        const own = contributions.filter(({ from }) => from === id);
        const last = own[own.length - 1];
        for (const each of own.slice(0, -1))
          received.set(each.to, sum(received.get(each.to), each.value.data));
        const before = received.get(last.to);
        received.set(last.to, sum(before, last.value.data));
        // A first contribution is shown once, not as zeros + it = it.
        const expected = before
          ? [before, last.value.data, received.get(last.to)!]
          : [last.value.data];
        expectClose(await matrices(page), expected, id);
      }
      await step(page, 'ArrowRight');
      expect(await caption(page)).toContain('result');
      expect(await page.locator('.next').innerText()).toContain('the end');
      for (let n = 0; n <= 2 * operations.length; n++) await step(page, 'ArrowLeft');
      expect(await caption(page)).toContain('start');
      expect(await count(page)).toMatch(/^0 /);
      await page.close();
    },
  );

  it('enters contributions and terms, and leaves them', async () => {
    const page = await openPanel(browser, bundle, { example: 'cross' });
    const { contributions } = runOf('cross');
    for (let n = 0; n < 8; n++) await step(page, 'ArrowRight');
    expect(await caption(page)).toContain('y → x, P');
    await step(page, 'ArrowDown');
    expect(await caption(page)).toMatch(/y → x\s+contribution 1 of 2/);
    expect(await page.locator('[role=tab][aria-selected=true]').innerText()).toMatch(/^y → x/);
    expect(await count(page)).toMatch(/^8 /);
    await step(page, 'ArrowDown');
    expect(await caption(page)).toContain('term 1 of 9');
    expect(await page.locator('.next').innerText()).toContain('term 2 of 9');
    await step(page, 'ArrowDown');
    expect(await caption(page)).toContain('term 2 of 9');
    expect(await count(page)).toMatch(/^8 /);
    expect(await page.locator('tr.current').count()).toBe(1);
    await answered(page, () => page.locator('.terms tbody tr').nth(2).click());
    expect(await caption(page)).toContain('term 3 of 9');
    const sums = await page
      .locator('[data-sum]')
      .evaluateAll((cells) => cells.map((cell) => Number(cell.getAttribute('data-sum'))));
    const entry = contributions.find(({ from, to }) => from === 'y' && to === 'x')!.value.data[0];
    expect(sums.at(-1)).toBeCloseTo(entry, 12);
    expect(await shownEntry(page, 'contribution')).toBeCloseTo(entry, 12);
    await step(page, 'ArrowUp');
    await step(page, 'ArrowUp');
    expect(await caption(page)).toContain('y → x, P');
    await step(page, 'ArrowUp');
    expect(await caption(page)).toContain('y → x, P');
    await answered(page, () => page.getByRole('tab', { name: 'y → x' }).click());
    expect(await caption(page)).toContain('y → x');
    await page.close();
  });

  it('goes to a node that is clicked, and by the slider', async () => {
    const page = await openPanel(browser, bundle);
    await answered(page, () =>
      page.getByRole('button', { name: /^P, key i 4/ }).click({ position: { x: 20, y: 8 } }),
    );
    expect(await caption(page)).toMatch(/forward\s+P/);
    await answered(page, () => page.getByRole('slider').fill('9'));
    expect(await count(page)).toMatch(/^9 /);
    await page.getByRole('slider').focus();
    await step(page, 'Home');
    expect(await count(page)).toMatch(/^0 /);
    await step(page, 'End');
    expect(await count(page)).toMatch(/^13 /);
    await page.close();
  });

  it('follows a slider that is dragged fast without losing the last place', async () => {
    const page = await openPanel(browser, bundle);
    await page.evaluate(() => {
      const slider = document.querySelector<HTMLInputElement>('input[type=range]')!;
      for (let at = 1; at <= 12; at++) {
        slider.value = String(at);
        slider.dispatchEvent(new Event('input', { bubbles: true }));
      }
    });
    await page.waitForFunction(() =>
      document.querySelector('.count')?.textContent?.startsWith('12'),
    );
    await page.waitForFunction(() => window.fakeHost.session?.position.step === 12);
    const asked = await page.evaluate(
      () => window.fakeHost.received.filter(({ type }) => type === 'goToTick').length,
    );
    expect(asked).toBeLessThan(12);
    await page.close();
  });

  it('measures how long a step takes', async () => {
    const page = await openPanel(browser, bundle);
    await step(page, 'ArrowRight');
    const durations = await page.evaluate(() =>
      performance.getEntriesByName('step').map(({ duration }) => duration),
    );
    expect(durations).toHaveLength(1);
    expect(durations[0]).toBeGreaterThan(0);
    await page.close();
  });
});

describe('entries', () => {
  it('are selected in a matrix by pointer and arrow keys, and shown in all three', async () => {
    const page = await openPanel(browser, bundle);
    const { contributions } = runOf('cross');
    const intoX = contributions.filter(({ to }) => to === 'x').map(({ value }) => value.data);
    for (let n = 0; n < 12; n++) await step(page, 'ArrowRight');
    await step(page, 'ArrowDown');
    await answered(page, () =>
      page.locator('.matrix').nth(1).locator('[role=gridcell]').nth(4).click(),
    );
    expect(await page.locator('.matrix .selected').count()).toBe(3);
    expect(await shownEntry(page, 'contribution')).toBeCloseTo(intoX[1][4], 12);
    await page.locator('.matrix').nth(2).focus();
    await step(page, 'ArrowDown');
    await step(page, 'ArrowRight');
    expect(await shownEntry(page, 'after')).toBeCloseTo(intoX[0][8] + intoX[1][8], 12);
    expect(await page.locator('.terms').innerText()).toContain('∂x[2, 2]');
    await page.close();
  });

  it('are selected in the graph', async () => {
    const page = await openPanel(browser, bundle);
    for (let n = 0; n < 4; n++) await step(page, 'ArrowRight');
    const picture = page.locator('[data-node=P] .value canvas');
    const box = (await picture.boundingBox())!;
    await answered(page, () =>
      picture.click({ position: { x: box.width - 6, y: box.height - 6 } }),
    );
    const selection = await page.evaluate(() => window.fakeHost.session?.selection);
    expect(selection).toEqual({ i: 3, j: 2 });
    await page.close();
  });

  it('of another head are shown when it is chosen', async () => {
    const { values } = runOf('multihead');
    const page = await openPanel(browser, bundle, { example: 'multihead' });
    await answered(page, () =>
      page.locator('[data-node=P] .card-button').click({ position: { x: 8, y: 8 } }),
    );
    const P = values.get('P')!.data;
    expectClose(await matrices(page), [P.slice(0, 36)]);
    await answered(page, () => page.getByRole('button', { name: 'head 5' }).click());
    expectClose(await matrices(page), [P.slice(5 * 36, 6 * 36)]);
    expect(await page.locator('.step .badge').first().innerText()).toBe('head 5');
    expect(await page.getByRole('button', { name: 'head 5' }).getAttribute('aria-pressed')).toBe(
      'true',
    );
    await page.getByRole('button', { name: 'all heads' }).click();
    await page.waitForFunction(() => window.fakeHost.session?.allHeads);
    await page.close();
  });

  it('of a large tensor are reached too', async () => {
    const page = await openPanel(browser, bundle, { example: 'large' });
    await answered(page, () =>
      page.locator('[data-node=P] .card-button').click({ position: { x: 8, y: 8 } }),
    );
    await page.locator('.matrix-large').focus();
    await step(page, 'ArrowDown');
    expect(await page.evaluate(() => window.fakeHost.session?.selection)).toMatchObject({
      j: 2,
      i: 0,
    });
    expect(await page.locator('.matrix-large [role=gridcell]').innerText()).toMatch(
      /largest of \[2–3, 0–1\]/,
    );
    await page.close();
  });
});

describe('breakpoints', () => {
  it('are set by the dot and by B, and continue stops at them', async () => {
    const page = await openPanel(browser, bundle);
    expect(await page.locator('.icon-button.continue').count()).toBe(0);
    await page.locator('[data-node=S]').hover();
    await page.locator('[data-node=S] .breakpoint').click();
    await page.locator('[data-node=S].stops').waitFor();
    await page.locator('[data-node=P] .card-button').focus();
    await page.keyboard.press('b');
    await page.locator('[data-node=P].stops').waitFor();
    await answered(page, () => page.locator('.icon-button.continue').click());
    expect(await caption(page)).toMatch(/forward\s+S/);
    await answered(page, () => page.locator('.icon-button.continue').click());
    expect(await caption(page)).toMatch(/forward\s+P/);
    await answered(page, () => page.locator('.icon-button.reverse').click());
    expect(await caption(page)).toMatch(/forward\s+S/);
    await page.locator('[data-node=P] .card-button').focus();
    await page.keyboard.press('b');
    await page.locator('[data-node=P]:not(.stops)').waitFor();
    await page.close();
  });
});

describe('keys', () => {
  it('show the next step without waiting for the host, which has said what it is', async () => {
    const page = await openPanel(browser, bundle);
    await step(page, 'ArrowRight');
    const isTold = (): boolean => window.fakeHost.sent.at(-1)?.type === 'ahead';
    await page.waitForFunction(isTold);
    await page.evaluate(() => {
      window.fakeHost.isDeaf = true;
    });
    const before = await caption(page);
    await page.keyboard.press('ArrowRight');
    await expect.poll(() => caption(page)).not.toBe(before);
    const shown = await caption(page);
    // A second key is asked for as ever: what lies behind the next step is not known.
    await page.keyboard.press('ArrowRight');
    expect(await caption(page)).toBe(shown);
    await page.evaluate(() => {
      window.fakeHost.isDeaf = false;
      window.fakeHost.hearAll();
    });
    await expect.poll(() => caption(page)).not.toBe(shown);
    expect(await page.evaluate(() => window.fakeHost.session!.position.step)).toBe(3);
    await page.close();
  });
  it('of a debugger are left to VS Code, which knows whether a program is being debugged', async () => {
    const page = await openPanel(browser, bundle);
    await page.evaluate(() => {
      window.addEventListener('keydown', ({ key }) => {
        document.body.dataset['seen'] = `${document.body.dataset['seen'] ?? ''} ${key}`;
      });
    });
    for (const key of ['F10', 'F11', 'Shift+F11', 'Shift+F10', 'ArrowRight'])
      await page.keyboard.press(key);
    await page.waitForFunction(() => window.fakeHost.received.length > 1);
    const moves = await page.evaluate(() => window.fakeHost.received.map(({ type }) => type));
    expect(moves).toEqual(['ready', 'move']);
    expect(await page.evaluate(() => document.body.dataset['seen'])).toContain('F10 F11');
    await page.close();
  });

  it('say that there is no breakpoint instead of running to the end', async () => {
    const page = await openPanel(browser, bundle);
    await step(page, 'ArrowRight');
    await page.evaluate(() => window.fakeHost.send({ type: 'noBreakpoint', id: null }));
    await page.locator('.remark').waitFor();
    expect(await page.locator('.now').innerText()).toContain('There is no breakpoint');
    await step(page, 'ArrowRight');
    expect(await page.locator('.remark').count()).toBe(0);
    await page.close();
  });

  it('move the borders between the parts', async () => {
    for (const [width, side] of [
      [1400, 'width'],
      [670, 'height'],
    ] as const) {
      const page = await openPanel(browser, bundle, { width, height: 800, example: 'gpt2' });
      const size = async (selector: string): Promise<number> =>
        (await page.locator(selector).boundingBox())![side === 'width' ? 'width' : 'height'];
      const border = page.getByRole('separator', { name: 'Room for the graph' });
      await border.focus();
      const before = await size('.step');
      for (let n = 0; n < 3; n++)
        await page.keyboard.press(side === 'width' ? 'ArrowRight' : 'ArrowUp');
      await expect.poll(() => size('.step')).not.toBe(before);
      expect(await count(page)).toMatch(/^0 /);
      await page.close();
    }
    const page = await openPanel(browser, bundle, { width: 1400, height: 900 });
    const equations = page.locator('.equations');
    const height = async (): Promise<number> => (await equations.boundingBox())!.height;
    const before = await height();
    await page.getByRole('separator', { name: 'Room for the equations' }).focus();
    for (let n = 0; n < 3; n++) await page.keyboard.press('ArrowUp');
    await expect.poll(height).toBeGreaterThan(before + 40);
    await page.getByRole('button', { name: 'Equations' }).click();
    await expect.poll(height).toBeLessThan(50);
    await page.close();
  });
});

describe('the result', () => {
  it('is the gradient of a token as its parts, each number lighting its edge and leading to its step', async () => {
    const page = await openPanel(browser, bundle, { example: 'exercise' });
    const { gradients } = runOf('exercise');
    await step(page, 'End');
    await answered(page, () =>
      page.getByRole('button', { name: '2', exact: true }).first().click(),
    );
    const total = page.locator('[data-total]');
    const numbers = async (): Promise<number[]> =>
      (await total.getAttribute('data-total'))!.split(' ').map(Number);
    const expected = [...gradients.get('x')!.data.slice(6, 9)];
    for (const [n, found] of (await numbers()).entries())
      expect(found).toBeCloseTo(expected[n], 10);
    await page.getByRole('button', { name: 'dx′' }).click();
    await expect.poll(numbers).not.toEqual(expected);
    expect(await page.locator('.edge.lit').count()).toBe(0);
    await page.locator('.factor').nth(1).focus();
    await expect.poll(() => page.locator('.edge.lit').count()).toBe(2);
    await page.locator('.factor').nth(1).press('Enter');
    await expect.poll(() => caption(page)).toMatch(/backward\s+y → P/);
    await page.close();
  });

  it('shows the softmax collapse line by line', async () => {
    const page = await openPanel(browser, bundle, { example: 'exercise' });
    await step(page, 'End');
    const lines = page.locator('.collapse li');
    expect(await lines.count()).toBe(3);
    await page.getByRole('button', { name: 'line by line' }).click();
    await expect.poll(() => lines.count()).toBe(1);
    await page.getByRole('button', { name: 'next line' }).click();
    await expect.poll(() => lines.count()).toBe(2);
    await page.close();
  });
});

describe('computing', () => {
  it('says what and how far, can be cancelled, and begins again', async () => {
    const page = await openPanel(browser, bundle, { example: 'none' });
    await page.evaluate(() =>
      window.fakeHost.send({
        ...{ type: 'computing', what: 'mha, 12 × 512 × 512' },
        ...{ part: { phase: 'forward', node: 'S' }, share: 0.25 },
      }),
    );
    await page.getByRole('progressbar').waitFor();
    expect(await page.getByRole('status').innerText()).toMatch(
      /12 × 512 × 512[^]*25 %, forward: S/,
    );
    await page.getByRole('button', { name: 'Cancel' }).click();
    await page.evaluate(() =>
      window.fakeHost.send({
        ...{ type: 'empty', message: 'Its computation was cancelled.' },
        ...{ canOpenExample: true, canCompute: true },
      }),
    );
    await page.getByRole('button', { name: 'Compute it' }).click();
    const types = (): Promise<string[]> =>
      page.evaluate(() => window.fakeHost.received.map(({ type }) => type));
    await expect.poll(types).toEqual(['ready', 'cancel', 'compute']);
    await page.close();
  });
});

describe('a large setup while it is computed', () => {
  it('has its graph at once, fills as it is computed, and says what a node is', async () => {
    const page = await openPanel(browser, bundle, { example: 'none' });
    const { graph } = runOf('multihead');
    await page.evaluate(() => window.fakeHost.compute('multihead', -1));
    await page.locator('[data-node=S].waiting').waitFor();
    expect(await page.locator('[data-node]').count()).toBe(graph.nodes.length);
    expect(await page.locator('.heat:not(.missing)').count()).toBe(0);
    await page.locator('[data-node=S] .card-button').click();
    const about = page.getByRole('region', { name: 'This node' });
    expect(await about.innerText()).toMatch(/S 8×6×6[^]*head .*: 8 × query j: 6/);
    expect(await about.locator('math').count()).toBe(1);
    const parts = operationNodes(graph).length;
    await page.evaluate((done) => window.fakeHost.compute('multihead', done), parts);
    await page.locator('[data-node=f].current').waitFor();
    await expect.poll(() => page.locator('.heat.value.missing').count()).toBe(0);
    const own = page.locator('[data-node=f] .heat.gradient:not(.missing)');
    await expect.poll(() => own.count()).toBe(1);
    expect(await page.locator('.card .breakpoint').count()).toBe(0);
    await page.evaluate(() => window.fakeHost.open('multihead'));
    await page.locator('.caption').waitFor();
    expect(await page.getByRole('progressbar').count()).toBe(0);
    await page.close();
  });
});

describe('a graph that is cut', () => {
  it('is shown whole when that is asked for, before and after it is computed', async () => {
    const page = await openPanel(browser, bundle, { example: 'none', width: 400, height: 800 });
    await page.evaluate(() => window.fakeHost.compute('gpt2', 8));
    const button = page.getByRole('button', { name: 'Whole graph' });
    const isCut = (): Promise<boolean> =>
      page
        .locator('.graph-scroll')
        .evaluate(({ scrollWidth, clientWidth }) => scrollWidth > clientWidth);
    await expect.poll(isCut).toBe(true);
    await button.press('Enter');
    await expect.poll(isCut).toBe(false);
    await page.evaluate(() => window.fakeHost.open('gpt2'));
    await page.locator('.caption').waitFor();
    await expect.poll(isCut).toBe(false);
    await button.press('Enter');
    await expect.poll(isCut).toBe(true);
    await page.setViewportSize({ width: 1400, height: 900 });
    await button.waitFor({ state: 'detached' });
    await page.close();
  });
});

describe('what is not a run', () => {
  it('says why there is nothing and offers what to do', async () => {
    const page = await openPanel(browser, bundle, { example: 'none' });
    expect(await page.locator('.empty').innerText()).toContain(
      'The active editor shows no attention setup.',
    );
    await page.getByRole('button', { name: 'Open the exercise' }).click();
    await page.getByRole('button', { name: 'Open the setup' }).click();
    const types = (): Promise<string[]> =>
      page.evaluate(() => window.fakeHost.received.map(({ type }) => type));
    await expect.poll(types).toEqual(['ready', 'openExample', 'openSetup']);
    await page.close();
  });

  it('keeps the last picture while the setup has problems', async () => {
    const page = await openPanel(browser, bundle);
    await page.evaluate(() =>
      window.fakeHost.send({ type: 'problems', problems: ['weights.W_K: found shape (3, 2)'] }),
    );
    expect(await page.getByRole('alert').innerText()).toContain('weights.W_K: found shape (3, 2)');
    expect(await page.locator('.card').count()).toBe(10);
    await page.evaluate(() => window.fakeHost.send({ type: 'problems', problems: [] }));
    await page.getByRole('alert').waitFor({ state: 'detached' });
    await page.close();
  });

  it('tells what was noticed and explains NaN and −∞', async () => {
    const page = await openPanel(browser, bundle, { example: 'broken' });
    expect(await page.locator('.notice').innerText()).toContain('no key is left for one query');
    expect(await page.locator('.legend').innerText()).toContain('NaN');
    await page.close();
  });

  it('reports what fails', async () => {
    const page = await openPanel(browser, bundle);
    await page.evaluate(() => void Promise.reject(new Error('lost')));
    await page.evaluate(() =>
      setTimeout(() => {
        throw new Error('broken');
      }, 0),
    );
    await page.waitForFunction(
      () => window.fakeHost.received.filter(({ type }) => type === 'failed').length === 2,
    );
    await page.close();
  });

  it('takes no message that is none, and no resize, for a failure', async () => {
    const page = await openPanel(browser, bundle);
    await page.evaluate(() => {
      for (const data of [null, undefined, 1, 'run', [], {}]) window.postMessage(data, '*');
      window.dispatchEvent(
        new ErrorEvent('error', {
          message: 'ResizeObserver loop completed with undelivered notifications.',
        }),
      );
    });
    await step(page, 'ArrowRight');
    const failed = await page.evaluate(() =>
      window.fakeHost.received.filter(({ type }) => type === 'failed'),
    );
    expect(failed).toEqual([]);
    await page.close();
  });

  it('cuts words of 20,000 characters, and nothing is pushed out of sight', async () => {
    const page = await openPanel(browser, bundle, { example: 'causal' });
    await page.evaluate(() => window.fakeHost.compare(2));
    await page.locator('.comparison').waitFor();
    await page.evaluate(() => {
      const long = 'n'.repeat(20_000);
      const { session } = window.fakeHost;
      const report = {
        ...{ verdict: 'unaligned' as const, first: null, nodes: [], causes: [], dtype: long },
        unaligned: [{ name: long, reason: long }],
      };
      window.fakeHost.send({
        type: 'comparison',
        comparison: { trace: long, report: report as never, problem: long },
      });
      window.fakeHost.send({ type: 'problems', problems: [long] });
      const { runView, stepView, allHeads } = {
        ...{ runView: session!.runView(), stepView: session!.stepView() },
        allHeads: session!.allHeads,
      };
      window.fakeHost.send({
        type: 'run',
        run: { ...runView, title: long, description: long },
        step: stepView,
        settings: { allHeads, colorScale: 'perTensor', digits: 4 },
      });
    });
    await page.locator('.run-title', { hasText: /^n{900}/ }).waitFor();
    await settled(page);
    const shown = await page.evaluate(() => {
      const boxes = [...document.querySelectorAll('.page *')].map((each) => each.textContent ?? '');
      return {
        sideways: document.documentElement.scrollWidth - window.innerWidth,
        longest: Math.max(...boxes.map((text) => /n*$/.exec(text.replace('…', ''))![0].length)),
      };
    });
    expect(shown).toEqual({ sideways: 0, longest: 1000 });
    // What is left of the page still works.
    await step(page, 'ArrowRight');
    await page.close();
  });
});
