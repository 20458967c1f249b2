// Measures the panel in a real VS Code: node test/bench/panel.mjs   (after npm run build; quiet machine)
//   activation time · from the command to the first picture · from a key press to the painted step
import { statSync } from 'node:fs';
import { openWorkbench } from '../vscode/harness/workbench.ts';
import { vsixFile } from '../../scripts/lib/vsix.mjs';

const STEPS = 200;

/** The value below which `share` of the values lie. */
const quantile = (values, share) =>
  values.toSorted((a, b) => a - b)[Math.min(values.length - 1, Math.floor(share * values.length))];

const milliseconds = (value) => `${value.toFixed(1)} ms`;

const workbench = await openWorkbench();
try {
  const { page } = workbench;
  const offer = page
    .locator('.quick-input-list .monaco-list-row', { hasText: 'Step Attention' })
    .first();
  // A workbench that has just opened loses keys, and learns the extension's commands a little later.
  while (!(await offer.isVisible())) {
    await page.keyboard.press('Escape');
    await page.keyboard.press('F1');
    const input = page.locator('.quick-input-widget:visible input.input');
    await input.fill('>Step Attention Backprop', { timeout: 3000 }).catch(() => undefined);
    await page.waitForTimeout(1000);
  }
  const began = performance.now();
  await page.keyboard.press('Enter');
  const view = workbench.webview();
  await view.locator('.caption').waitFor();
  console.log(`from the command to the first picture  ${milliseconds(performance.now() - began)}`);

  await view.locator('.caption').click();
  for (let step = 0; step < STEPS; step++) {
    const before = await view.locator('body').getAttribute('data-painted-id');
    // There and back again: forward and backward steps of the whole exercise.
    await page.keyboard.press(Math.floor(step / 16) % 2 === 0 ? 'ArrowRight' : 'ArrowLeft');
    for (let tries = 0; tries < 200; tries++) {
      if ((await view.locator('body').getAttribute('data-painted-id')) !== before) break;
    }
  }
  const durations = await view
    .locator('body')
    .evaluate(() => performance.getEntriesByName('step').map(({ duration }) => duration));
  const [median, late] = [quantile(durations, 0.5), quantile(durations, 0.95)];
  console.log(
    `from a key press to the painted step   ${milliseconds(median)} median, ${milliseconds(late)} 95th percentile, ${durations.length} steps`,
  );

  await workbench.runCommand('Developer: Show Running Extensions');
  const row = page.locator('.runtime-extensions-editor .monaco-list-row', {
    hasText: 'attention-gradient',
  });
  await row.first().waitFor();
  const activation = (await row.first().innerText()).match(/Activation:?\s*\D*(\d+)\s*ms/i);
  console.log(
    `activation of the extension            ${activation ? `${activation[1]} ms` : 'not shown'}`,
  );
} finally {
  await workbench.dispose();
}
try {
  console.log(
    `package                                ${(statSync(vsixFile()).size / 1024).toFixed(0)} KB`,
  );
} catch {
  console.log('package                                not built: npm run package');
}
