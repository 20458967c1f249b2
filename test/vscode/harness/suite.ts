// One workbench for each test of a suite.
import { afterEach } from 'vitest';
import { saveEvidenceOfFailures } from './evidence.ts';
import { openWorkbench, type Workbench, type WorkbenchOptions } from './workbench.ts';

/** Call once in a suite: what it gives opens a test's workbench, which is closed after the test. */
export function workbenchPerTest(): (options?: WorkbenchOptions) => Promise<Workbench> {
  let workbench: Workbench | undefined;
  afterEach(async () => {
    await workbench?.dispose();
    workbench = undefined;
  });
  // Hooks run last first: the evidence is saved before the workbench goes.
  saveEvidenceOfFailures(() => workbench);
  return async (options) => {
    workbench = await openWorkbench(options);
    return workbench;
  };
}
