// Entry of the tests that run inside an extension host: mocha over the *.host.cjs files beside it.
import { appendFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import Mocha from 'mocha';
import type { HostTestResult } from './result.ts';

/** VS Code calls this; a rejection makes it exit with 1. */
export async function run(): Promise<void> {
  const file = process.env.ATTENTION_HOST_RESULTS;
  if (!file) throw new Error('ATTENTION_HOST_RESULTS must name the file for the results');
  const report = (result: HostTestResult): void => {
    appendFileSync(file, `${JSON.stringify(result)}\n`);
  };
  const mocha = new Mocha({ ui: 'bdd', timeout: 240_000, reporter: 'min' });
  for (const name of readdirSync(__dirname).filter((entry) => entry.endsWith('.host.cjs'))) {
    mocha.addFile(join(__dirname, name));
  }
  const failures = await new Promise<number>((resolve) => {
    const runner = mocha.run(resolve);
    runner.on('pass', (test) => {
      report({ title: test.fullTitle(), state: 'passed', duration: test.duration });
    });
    runner.on('fail', (test, error: Error) => {
      report({ title: test.fullTitle(), state: 'failed', error: error.stack ?? error.message });
    });
    runner.on('pending', (test) => report({ title: test.fullTitle(), state: 'skipped' }));
  });
  report({ title: '', state: 'end' });
  if (failures > 0) throw new Error(`${failures} tests failed in the extension host`);
}
