// npm test: sets up, builds, then runs every layer of checks and tests; `-- --only unit,lint` runs some.
import { existsSync, mkdirSync, statSync } from 'node:fs';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { findBrowser, findPython } from './lib/find.mjs';
import { commandLayer, programLayer, runTool, skippedLayer, vitestLayer } from './lib/layers.mjs';
import { ensurePrerequisites } from './lib/prerequisites.mjs';
import { continueUnderNode24, installPackages, root } from './lib/setup.mjs';
import { vscodeFlavour } from './lib/vscode-flavour.mjs';
import { vsixFile } from './lib/vsix.mjs';

installPackages();
await continueUnderNode24(fileURLToPath(import.meta.url));

// Numbers that other implementations computed; not part of the project.
const vectors = process.env.ATTENTION_VECTORS ?? join(root, '..', 'shared', 'vectors');

const onnxCases = join(vectors, 'onnx-attention');
const linesCases = process.env.ATTENTION_LINES_CASES ?? join(root, '..', 'shared', 'lines-cases');

/**
 * A program that holds the project against something outside of it, and counts.
 * @typedef {object} Program
 * @property {string} file
 * @property {string[]} [args]
 * @property {boolean} [torch] it needs Python with PyTorch
 * @property {string} [folder] it needs this folder
 */

/** @type {Program[]} */
const conformance = [
  { file: 'test/conformance/torch.mjs', args: ['--cases', '200', '--seed', '1'], torch: true },
  { file: 'test/conformance/reference.mjs', args: ['--cases', '80', '--seed', '1'], torch: true },
  { file: 'test/conformance/printed.mjs', args: ['--cases', '40'], torch: true },
  { file: 'test/conformance/models.mjs', args: [], torch: true },
  { file: 'test/conformance/onnx.mjs', args: [onnxCases], folder: onnxCases },
  { file: 'test/python/run.mjs', torch: true },
];

/** A person's programs: whether the right line is named, and of every fourth whether its fix is right; most have one. */
const lines = { file: 'test/lines/score.mjs', args: [linesCases], torch: true, folder: linesCases };
const repair = {
  file: 'test/lines/repairScore.mjs',
  args: [linesCases, '--every', '4', '--least', '0.6'],
  torch: true,
  folder: linesCases,
};

/** Mistakes that are planted, and programs without one: what the checker says of them. */
const scoreboard = { file: 'test/compare/scoreboard.mjs', torch: true };

const largestPackage = 1024 * 1024;

function packaging() {
  const counts = commandLayer('vsce', 'package', '--no-dependencies', '--out', vsixFile());
  if (counts.failed > 0) return counts;
  const { size } = statSync(vsixFile());
  if (size <= largestPackage) return counts;
  return { passed: 0, failed: 1, skipped: 0, note: `${size} bytes is over ${largestPackage}` };
}

/**
 * @param {Program} program
 * @param {string} [name]
 * @returns {Layer}
 */
function counting({ file, args = [], torch, folder }, name = basename(file, '.mjs')) {
  if (torch && process.env.ATTENTION_SKIP_TORCH === '1') {
    return [name, () => skippedLayer('ATTENTION_SKIP_TORCH=1')];
  }
  if (folder && !existsSync(folder)) {
    return [
      name,
      () =>
        skippedLayer(
          `${folder} is not there; ${folder === linesCases ? 'ATTENTION_LINES_CASES' : 'ATTENTION_VECTORS'} names another`,
        ),
    ];
  }
  return [name, () => programLayer(file, ...args)];
}

/**
 * @typedef {import('./lib/layers.mjs').Counts} Counts
 * @typedef {[name: string, run: () => Counts | Promise<Counts>]} Layer
 */

/** @type {Layer[]} */
const layers = [
  ['typecheck', () => commandLayer('scripts/typecheck.mjs')],
  ['lint', () => commandLayer('oxlint', '--type-aware')],
  ['format', () => commandLayer('prettier', '--check', '--log-level', 'warn', '.')],
  ['knip', () => commandLayer('knip', '--no-progress')],
  ['unit', () => vitestLayer('unit')],
  ['hostile', () => vitestLayer('hostile')],
  ['webview', () => vitestLayer('webview')],
  ...conformance.map((each) => counting(each, `conformance:${basename(each.file, '.mjs')}`)),
  counting(scoreboard),
  counting(lines, 'lines'),
  counting(repair, 'repair'),
  ['package', packaging],
  ['vscode', () => vitestLayer('vscode')],
];

const { only, error } = parseOnly(process.argv.slice(2));
if (error) {
  console.error(`${error}. Layers: ${layers.map(([name]) => name).join(', ')}`);
  process.exit(2);
}

// The choices made here hold for everything that is started below.
const flavour = await vscodeFlavour();
process.env.ATTENTION_VSCODE = flavour;
const machineNeeded = layers.some(
  ([name]) =>
    wanted(name) && /^(unit|hostile|webview|conformance|scoreboard|lines|repair|vscode)/.test(name),
);
const missing = machineNeeded ? ensurePrerequisites(flavour) : [];
for (const line of missing) console.error(line);
const browser = findBrowser();
if (browser) process.env.CHROME_PATH = browser;
const python = findPython(['torch', 'numpy']);
if (python) process.env.ATTENTION_PYTHON = python;

// All of the attacks take minutes: in the ordinary run they are tried a little.
process.env.ATTENTION_HOSTILE = only.includes('hostile') ? 'full' : 'smoke';

const total = { passed: 0, failed: missing.length, skipped: 0 };
/** @type {string[]} */
const summary = missing.map((line) => `  FAIL  ${line}`);
/** @type {string[]} */
const failures = [];
mkdirSync(join(root, '.vscode-test'), { recursive: true });

if (runTool('esbuild.mjs')) {
  for (const [name, run] of layers) {
    if (!wanted(name)) continue;
    console.log(`\n== ${name}`);
    const began = Date.now();
    const counts = await run();
    total.passed += counts.passed;
    total.failed += counts.failed;
    total.skipped += counts.skipped;
    failures.push(...(counts.failures ?? []));
    const line = describeLayer(name, counts, (Date.now() - began) / 1000);
    summary.push(line);
    console.log(line);
  }
} else {
  total.failed += 1;
  summary.push('  FAIL  build');
}

const version = flavour === 'electron' ? 'desktop VS Code' : 'code-server';
console.log(`\nAll layers (real VS Code: ${version}):\n${summary.join('\n')}\n`);
// Last, since a long log is read from its end.
if (failures.length > 0) console.log(`Failed:\n\n${failures.join('\n\n')}\n`);
const rest = total.skipped > 0 ? `, ${total.skipped} skipped` : '';
console.log(`${total.passed} passed, ${total.failed} failed${rest}`);
process.exit(total.failed > 0 ? 1 : 0);

/** @param {string} name */
function wanted(name) {
  const named = (/** @type {string} */ part) => name === part || name.startsWith(`${part}:`);
  // The real VS Code installs the package.
  return only.length === 0 || only.some(named) || (name === 'package' && only.includes('vscode'));
}

/**
 * @param {string} name
 * @param {import('./lib/layers.mjs').Counts} counts
 * @param {number} seconds
 */
function describeLayer(name, { passed, failed, skipped, note }, seconds) {
  const state = failed > 0 ? 'FAIL' : passed > 0 ? 'ok  ' : 'skip';
  const numbers = [`${passed} passed`];
  if (failed > 0) numbers.push(`${failed} failed`);
  if (skipped > 0) numbers.push(`${skipped} skipped`);
  const why = note ? ` (${note})` : '';
  return `  ${state}  ${name.padEnd(24)} ${numbers.join(', ')}, ${seconds.toFixed(1)} s${why}`;
}

/**
 * @param {string[]} args
 * @returns {{ only: string[], error?: string }}
 */
function parseOnly(args) {
  if (args.length === 0) return { only: [] };
  const [flag, list, ...others] = args;
  if (flag !== '--only' || !list || others.length > 0)
    return { only: [], error: 'Usage: --only a,b' };
  const parts = list.split(',');
  const known = layers.map(([name]) => name);
  const unknown = parts.find(
    (part) => !known.some((name) => name === part || name.startsWith(`${part}:`)),
  );
  return unknown ? { only: [], error: `There is no layer "${unknown}"` } : { only: parts };
}
