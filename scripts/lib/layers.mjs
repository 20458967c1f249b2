// Runs the layers of the tests: a command that counts as one, or a program or vitest project with its own counts.
import { spawn, spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { nodeBinary, root } from './setup.mjs';

/**
 * `failures`: which tests failed, and the first lines of why.
 * @typedef {{ passed: number, failed: number, skipped: number, note?: string, failures?: string[] }} Counts
 */

/**
 * @typedef {{ status: string, fullName: string, failureMessages: string[] }} TestReport
 * @typedef {{ status: string, name: string, message: string, assertionResults: TestReport[] }} FileReport
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
  const { node, file, env } = invocation(name);
  return spawnSync(node, [file, ...args], { cwd: root, stdio: 'inherit', env }).status === 0;
}

/** @param {string} name */
function invocation(name) {
  const file = name.endsWith('.mjs') ? join(root, name) : toolFile(name);
  const node = nodeBinary() ?? process.execPath;
  const bin = join(root, 'node_modules', '.bin');
  const path = [dirname(node), bin, process.env.PATH].join(
    process.platform === 'win32' ? ';' : ':',
  );
  return { node, file, env: { ...process.env, PATH: path } };
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
 * Runs a script of the repository whose last line says "N passed, N failed[, N skipped]". One that ends
 * without that line has failed, and so has one that says that none failed and ends with another code than 0.
 * @param {string} name
 * @param {string[]} args
 * @returns {Promise<Counts>}
 */
export async function programLayer(name, ...args) {
  const { node, file, env } = invocation(name);
  const child = spawn(node, [file, ...args], {
    cwd: root,
    env,
    stdio: ['inherit', 'pipe', 'inherit'],
  });
  let printed = '';
  child.stdout.setEncoding('utf8').on('data', (text) => {
    process.stdout.write(text);
    printed = (printed + text).slice(-10_000);
  });
  const code = await new Promise((resolve) => {
    child.on('error', () => resolve(null));
    child.on('close', resolve);
  });
  return countsOf(printed, code);
}

/**
 * @param {string} printed
 * @param {number | null} code
 * @returns {Counts}
 */
export function countsOf(printed, code) {
  const last = printed.trimEnd().split('\n').at(-1) ?? '';
  const counts = /^(\d+) passed, (\d+) failed(?:, (\d+) skipped)?$/.exec(last.trim());
  if (!counts) return { ...oneFailed, note: `it ended with code ${code} and no counts` };
  const [passed, failed, skipped] = counts.slice(1).map((count) => Number(count ?? 0));
  if (code !== 0 && failed === 0)
    return { passed, failed: 1, skipped, note: `it ended with code ${code}` };
  if (passed + failed + skipped === 0) return { ...oneFailed, note: 'nothing ran' };
  return { passed, failed, skipped };
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
  return {
    passed,
    failed,
    skipped: report.numPendingTests + report.numTodoTests,
    failures: report.testResults.flatMap(failuresOf),
  };
}

/**
 * @param {FileReport} file
 * @returns {string[]}
 */
function failuresOf({ status, name, message, assertionResults }) {
  const file = relative(root, name);
  const failed = assertionResults.filter((each) => each.status === 'failed');
  if (failed.length === 0) return status === 'failed' ? [`${file}: ${beginning(message)}`] : [];
  return failed.map(
    ({ fullName, failureMessages }) =>
      `${file} > ${fullName}: ${beginning(failureMessages[0] ?? '')}`,
  );
}

/** @param {string} message */
function beginning(message) {
  return message.split('\n').slice(0, 6).join('\n').slice(0, 800);
}
