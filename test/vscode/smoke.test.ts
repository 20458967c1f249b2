// From outside, as a user: the extension is there, as built here and as installed from its package.
import { afterEach, describe, expect, test } from 'vitest';
import { vsixFile } from '../../scripts/lib/vsix.mjs';
import { saveEvidenceOfFailures } from './harness/evidence.ts';
import { type ExtensionUnderTest, openWorkbench, type Workbench } from './harness/workbench.ts';

const copies: [string, ExtensionUnderTest][] = [
  ['from this repository', 'development'],
  ['installed from its package', { vsix: vsixFile() }],
];

describe('the workbench', () => {
  let workbench: Workbench | undefined;

  afterEach(async () => {
    await workbench?.dispose();
    workbench = undefined;
  });
  // Hooks run last first: the evidence is saved before the workbench goes.
  saveEvidenceOfFailures(() => workbench);

  test.each(copies)('runs the extension %s', async (_, extension) => {
    workbench = await openWorkbench({ extension });
    await workbench.runCommand('Step Attention Backprop');
    const problem = workbench.page.locator('.notification-list-item-message');
    await workbench.page.waitForTimeout(1000);
    expect(await problem.allTextContents()).toEqual([]);
  });
});
