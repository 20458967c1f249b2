// As a person whose own module is wrong: run it, see the cause, mend it, break it; and never in a workspace without trust.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Locator } from 'playwright-core';
import { describe, expect, test } from 'vitest';
import { root } from '../../scripts/lib/setup.mjs';
import { workbenchPerTest } from './harness/suite.ts';
import type { Workbench } from './harness/workbench.ts';

const setup = 'own-implementation.attention.json';
const command = 'Compare My Module';

describe('running mine', () => {
  const open = workbenchPerTest();
  let workbench: Workbench;

  const comparison = (): Locator =>
    workbench.webview().getByRole('region', { name: 'Comparison with your tensors' });
  const says = (words: RegExp): Promise<unknown> =>
    expect.poll(() => comparison().innerText()).toMatch(words);

  test('names the mistake of the example, and follows the module', async () => {
    workbench = await open({ folder: join(root, 'examples') });
    const module = join(workbench.folder, 'own-implementation.mjs');
    const code = readFileSync(module, 'utf8');
    await workbench.openFile(setup);
    await workbench.runCommand(command);
    await says(/First wrong:\s*dS/);
    await says(/scale/i);

    const right = code.replace('p * (dP[j][i]', 'scale * p * (dP[j][i]');
    expect(right).not.toBe(code);
    writeFileSync(module, right);
    await says(/are right/);

    writeFileSync(module, code.replace('const dV =', 'dP.nothing.at();\n  const dV ='));
    const line = code.split('\n').findIndex((each) => each.includes('const dV =')) + 1;
    await says(new RegExp(`own-implementation\\.mjs:${line}: ReferenceError`));

    writeFileSync(module, code.replace('const dV =', 'console.log("here");\n  const dV ='));
    await says(/First wrong:\s*dS/);
  });

  // The desktop VS Code of the tests is started without the question of trust.
  test.skipIf(process.env.ATTENTION_VSCODE === 'electron')('takes trust', async () => {
    workbench = await open({
      folder: join(root, 'examples'),
      settings: {
        'security.workspace.trust.enabled': true,
        'security.workspace.trust.startupPrompt': 'never',
      },
    });
    const { page, folder } = workbench;
    const module = join(folder, 'own-implementation.mjs');
    const trace = join(folder, 'was-run');
    const writes = `import { writeFileSync } from 'node:fs';\nwriteFileSync(${JSON.stringify(trace)}, '');\n`;
    writeFileSync(module, writes + readFileSync(module, 'utf8'));
    await workbench.openFile(setup);
    await workbench.runCommand(command);
    // It may have been seen and gone already; the centre keeps it.
    await workbench.runCommand('Show Notifications');
    const notices = page.locator('.notifications-center');
    await expect.poll(() => notices.innerText()).toMatch(/takes a trusted workspace/);
    expect(() => readFileSync(trace)).toThrow(/ENOENT/);
  });
});
