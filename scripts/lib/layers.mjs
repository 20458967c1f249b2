// Runs the layers of the tests: a command that counts as one, or a vitest project with its own counts.
import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { nodeBinary, root } from './setup.mjs';

/** @typedef {{ passed: number, failed: number, skipped: number, note?: string }} Counts */

/**
 * @typedef {{ status: string, assertionResults: { status: string }[] }} FileReport
 * @typedef {{
 *   testResults: FileReport[],
 *   numPassedTests: number,
 *   numFailedTests: number,
 *   numPendingTests: number,
 *   numTodoTests: number,
 * }} VitestReport
 */

/** @type {Counts} */
const onePassed = { passed: 1, failed: 0, skipped: 0 };
/** @type {Counts} */
const oneFailed = { passed: 0, failed: 1, skipped: 0 };

/**
 * @param {string} tool the name of a command that a package of node_modules brings
 * @returns {string} its JavaScript file, which `node` runs on every system alike
 */
function toolFile(tool) {
  /** @type {Record<string, string>} */
  const packages = { tsc: 'typescript', vsce: '@vscode/vsce' };
  const folder = join(root, 'node_modules', packages[tool] ?? tool);
  const { bin } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
  return join(folder, typeof bin === 'string' ? bin : bin[tool]);
}

/**
 * Runs a tool of node_modules, or a script of the repository (`name` ends in .mjs), under Node 24.
 * @param {string} name
 * @param {string[]} args
 */
export function runTool(name, ...args) {
  const file = name.endsWith('.mjs') ? join(root, name) : toolFile(name);
  const node = nodeBinary() ?? process.execPath;
  const bin = join(root, 'node_modules', '.bin');
  const path = [dirname(node), bin, process.env.PATH].join(
    process.platform === 'win32' ? ';' : ':',
  );
  const env = { ...process.env, PATH: path };
  return spawnSync(node, [file, ...args], { cwd: root, stdio: 'inherit', env }).status === 0;
}

/**
 * @param {string} name
 * @param {string[]} args
 * @returns {Counts}
 */
export function commandLayer(name, ...args) {
  return runTool(name, ...args) ? onePassed : oneFailed;
}

/**
 * @param {string} why
 * @returns {Counts}
 */
export function skippedLayer(why) {
  return { passed: 0, failed: 0, skipped: 1, note: `skipped: ${why}` };
}

/**
 * Runs one vitest project and counts its tests. A file that cannot be loaded counts as one failure,
 * and so does a project in which no test ran.
 * @param {string} project
 * @returns {Counts}
 */
export function vitestLayer(project) {
  const output = join(root, '.vscode-test', 'results', `${project}.json`);
  mkdirSync(dirname(output), { recursive: true });
  rmSync(output, { force: true });
  const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${output}`];
  const succeeded = runTool('vitest', 'run', '--project', project, ...reporters);
  /** @type {VitestReport} */
  let report;
  try {
    report = JSON.parse(readFileSync(output, 'utf8'));
  } catch {
    return { ...oneFailed, note: 'vitest wrote no report' };
  }
  const broken = report.testResults.filter(
    (file) => file.status === 'failed' && !file.assertionResults.some((t) => t.status === 'failed'),
  );
  const passed = report.numPassedTests;
  let failed = report.numFailedTests + broken.length;
  // Errors outside any test (an unhandled rejection) fail the run without a failed test.
  if (!succeeded && failed === 0) failed = 1;
  if (passed + failed === 0) return { ...oneFailed, note: 'no test ran' };
  return { passed, failed, skipped: report.numPendingTests + report.numTodoTests };
}
