// Measures the panel in a real VS Code: node test/bench/panel.mjs   (after npm run build; quiet machine)
//   from the command to the first picture, beside an empty webview · from a key press to the painted step, beside an
//   empty change of the page · activation time
import { statSync } from 'node:fs';
import { loadavg } from 'node:os';
import { fileURLToPath } from 'node:url';
import { openWorkbench } from '../vscode/harness/workbench.ts';
import { vsixFile } from '../../scripts/lib/vsix.mjs';

/** Each in a workbench of its own: the first webview of a window pays for what all share. */
const OPENINGS = 3;
const STEPS = 200;
const fixture = fileURLToPath(new URL('../vscode/fixtures/emptyWebview', import.meta.url));

const ours = { command: 'Step Attention Backprop', extension: 'attention-gradient-debugger' };
const empty = { command: 'Open an Empty Webview', extension: 'empty-webview-fixture' };

/** The value below which `share` of the values lie. */
const quantile = (values, share) =>
  values.toSorted((a, b) => a - b)[Math.min(values.length - 1, Math.floor(share * values.length))];

const milliseconds = (value) => `${value.toFixed(1)} ms`;
const say = (what, ...values) => console.log(`${what.padEnd(39)}${values.join(', ')}`);
const spread = (values) => [
  `${milliseconds(quantile(values, 0.5))} median`,
  `${milliseconds(quantile(values, 0.95))} 95th percentile`,
];

/** Milliseconds from the command to what it shows; the document inside the webview. */
async function opened({ page }, { command, extension }) {
  const offer = page.locator('.quick-input-list .monaco-list-row', { hasText: command }).first();
  // A workbench that has just opened loses keys, and learns the extension's commands a little later.
  while (!(await offer.isVisible())) {
    await page.keyboard.press('Escape');
    await page.keyboard.press('F1');
    const input = page.locator('.quick-input-widget:visible input.input');
    await input.fill(`>${command}`, { timeout: 3000 }).catch(() => undefined);
    await page.waitForTimeout(1000);
  }
  const view = page
    .frameLocator(`iframe.webview.ready[src*="${extension}"]:visible`)
    .frameLocator('#active-frame');
  const began = performance.now();
  await page.keyboard.press('Enter');
  await view.locator('.caption').waitFor();
  return { took: performance.now() - began, view };
}

/** There and back again: forward and backward steps of the whole exercise. */
async function walked(page, view) {
  await view.locator('.caption').click();
  for (let step = 0; step < STEPS; step++) {
    const before = await view.locator('body').getAttribute('data-painted-id');
    await page.keyboard.press(Math.floor(step / 16) % 2 === 0 ? 'ArrowRight' : 'ArrowLeft');
    for (let tries = 0; tries < 200; tries++) {
      if ((await view.locator('body').getAttribute('data-painted-id')) !== before) break;
    }
  }
  return view
    .locator('body')
    .evaluate(() => performance.getEntriesByName('step').map(({ duration }) => duration));
}

/** As a step is measured, of a change that asks for nothing: what the frames themselves cost. */
const emptyChanges = (view) =>
  view.locator('body').evaluate(async (body, count) => {
    const durations = [];
    for (let n = 0; n < count; n++) {
      await new Promise((resolve) => setTimeout(resolve, 20 + ((n * 7) % 40)));
      const began = performance.now();
      body.dataset.empty = String(n);
      await new Promise((resolve) => {
        requestAnimationFrame(() => {
          const { port1, port2 } = new MessageChannel();
          port1.addEventListener('message', resolve, { once: true });
          port1.start();
          port2.postMessage(null);
        });
      });
      durations.push(performance.now() - began);
    }
    return durations;
  }, STEPS);

/** Milliseconds, as VS Code has measured it. Its list has the slowest first, and only what is in sight can be read. */
async function activation({ page, runCommand }) {
  await page.setViewportSize({ width: 1400, height: 3000 });
  await runCommand('Developer: Show Running Extensions');
  const row = page.locator('.runtime-extensions-editor .monaco-list-row', {
    hasText: 'attention-gradient',
  });
  await row.first().waitFor();
  return Number((await row.first().innerText()).match(/Activation:?\s*\D*(\d+)\s*ms/i)?.[1]);
}

say('load of this machine', loadavg()[0].toFixed(1));
const firsts = { ours: [], empty: [] };
const activations = [];
for (let n = 0; n < OPENINGS; n++) {
  for (const [name, what] of Object.entries({ empty, ours })) {
    const workbench = await openWorkbench({ moreExtensions: [fixture] });
    try {
      const { took, view } = await opened(workbench, what);
      firsts[name].push(took);
      if (what !== ours) continue;
      if (n === OPENINGS - 1) {
        say('from a key press to the painted step', ...spread(await walked(workbench.page, view)));
        say('an empty change, painted', ...spread(await emptyChanges(view)));
      }
      activations.push(await activation(workbench));
    } finally {
      await workbench.dispose();
    }
  }
}
const medianOf = (all) =>
  `${milliseconds(quantile(all, 0.5))} (${all.map(milliseconds).join(' ')})`;
say('from the command to the first picture', medianOf(firsts.ours));
say('from the command to the empty webview', medianOf(firsts.empty));
say('activation of the extension', medianOf(activations));
try {
  say('package', `${(statSync(vsixFile()).size / 1024).toFixed(0)} KB`);
} catch {
  say('package', 'not built: npm run package');
}
