// From outside, as a user: the extension is there, as built here and as installed from its package.
import { describe, expect, test } from 'vitest';
import { vsixFile } from '../../scripts/lib/vsix.mjs';
import { workbenchPerTest } from './harness/suite.ts';
import type { ExtensionUnderTest, Workbench } from './harness/workbench.ts';

const copies: [string, ExtensionUnderTest][] = [
  ['from this repository', 'development'],
  ['installed from its package', { vsix: vsixFile() }],
];

describe('the workbench', () => {
  const open = workbenchPerTest();
  let workbench: Workbench;

  test.each(copies)('runs the extension %s', async (_, extension) => {
    workbench = await open({ extension });
    await workbench.runCommand('Step Attention Backprop');
    await workbench.webview().locator('.caption').waitFor();
    await workbench.runCommand('Notifications: Show Notifications');
    const problem = workbench.page.locator('.notification-list-item-message');
    expect(await problem.allTextContents()).toEqual([]);
  });
});
