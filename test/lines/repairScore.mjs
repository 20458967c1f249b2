// How many wrong programs are mended: node test/lines/repairScore.mjs FOLDER [--setup given|inferred] [--half dev|heldout]
// [--only NAME,...]. FOLDER holds programs and cases.json. A fix counts if the fixed program prints and computes what the
// right program does; one that does not is a failure, as is any fix of a right program, and each wrong program without a
// fix; with --least 0.6 only if fewer of them than that are mended. Ends with "N passed, N failed".
import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const cli = fileURLToPath(new URL('../../dist/cli.js', import.meta.url));
const python = process.env.ATTENTION_PYTHON ?? '/usr/bin/python3';
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    setup: { type: 'string', default: 'given' },
    half: { type: 'string' },
    only: { type: 'string' },
    every: { type: 'string', default: '1' },
    least: { type: 'string', default: '1' },
  },
});
const root = resolve(positionals[0] ?? '');
if (!existsSync(join(root, 'cases.json'))) {
  console.error(`${root}: found no cases.json, expected a folder of programs`);
  console.log('0 passed, 1 failed');
  process.exit(1);
}
const cases = JSON.parse(readFileSync(join(root, 'cases.json'), 'utf8'));
const only = values.only?.split(',');

/** @param {string} folder @param {{ file: string, args?: string[] }} program */
function printed(folder, { file, args = [] }) {
  const { stdout } = spawnSync(python, ['-W', 'ignore', file, ...args], {
    cwd: folder,
    encoding: 'utf8',
    timeout: 60_000,
  });
  return stdout ?? '';
}

const NUMBER = /-?(?:\d+\.\d*(?:e[-+]?\d+)?|\d+e[-+]?\d+)/g;
/** @param {string} line */
const numbersIn = (line) => (line.match(NUMBER) ?? []).map(Number);

/** Of the largest number that is printed: smaller ones are what rounding leaves of 0. */
const NOTHING = 1e-12;

/** Whether the same is printed but for the last digits, which another order of sums changes. @param {string} one @param {string} other */
function isSame(one, other) {
  const [a, b] = [one, other].map((text) => text.split('\n'));
  if (
    a.length !== b.length ||
    one.replaceAll(NUMBER, '#').replaceAll(/\s/g, '') !==
      other.replaceAll(NUMBER, '#').replaceAll(/\s/g, '')
  )
    return false;
  const least = NOTHING * Math.max(...numbersIn(other).map(Math.abs));
  return a.every((line, n) => {
    const [found, meant] = [numbersIn(line), numbersIn(b[n])];
    const size = Math.max(0, ...meant.map(Math.abs));
    return found.every(
      (value, k) => Math.abs(value - meant[k]) <= 1e-3 * Math.abs(meant[k]) + 1e-5 * size + least,
    );
  });
}

/** @param {string} folder @param {any} program @param {boolean} fix */
function lines(folder, { file, setup, args = [] }, fix) {
  const flags = [
    ...(values.setup === 'given' ? ['--setup', setup] : []),
    ...(fix ? ['--fix'] : []),
  ];
  const { stdout } = spawnSync(
    process.execPath,
    [cli, 'lines', file, ...flags, '--json', '--', ...args],
    {
      cwd: folder,
      encoding: 'utf8',
      timeout: 300_000,
      maxBuffer: 2 ** 28,
      env: { ...process.env, ATTENTION_PYTHON: python },
    },
  );
  try {
    return JSON.parse(stdout);
  } catch {
    return null;
  }
}

/** The folder of the right program that a wrong one was made of. @param {any} program */
function rightOf({ program, file }) {
  const right = cases.find(
    (/** @type {any} */ each) => each.file === file && !each.mistakes?.length,
  );
  return join(root, program ?? right?.name ?? file.replace(/\.\w+$/, ''));
}

/** @param {any} program @param {any} answer @param {string} scratch */
function judged(program, answer, scratch) {
  const fixes = answer?.fixes ?? [];
  if (fixes.length === 0) return 'none';
  for (const [n, fix] of fixes.entries()) {
    const folder = join(scratch, `${program.name}-${n}`);
    cpSync(join(root, program.name), folder, { recursive: true });
    writeFileSync(join(folder, 'fix.patch'), fix.diff);
    execFileSync('git', ['apply', 'fix.patch'], { cwd: folder });
    const same = isSame(printed(folder, program), printed(rightOf(program), program));
    if (!same || lines(folder, program, false)?.verdict !== 'match')
      return `wrong patch: ${fix.after}`;
  }
  return 'mended';
}

const scratch = mkdtempSync(join(tmpdir(), 'attention-repair-score-'));
/** @type {Record<string, Record<string, number>>} */
const table = {};
/** @type {number[]} */
const seconds = [];
let failed = 0;
let passed = 0;
/** Wrong programs that have no fix. */
let unmended = 0;
let at = 0;
for (const program of cases) {
  if (values.half && program.half !== values.half) continue;
  if (only && !only.includes(program.name)) continue;
  const mistakes = Array.isArray(program.mistakes) ? program.mistakes.length : 0;
  if (values.setup === 'inferred' && program.setupNeeded) continue;
  if (at++ % Number(values.every) !== 0) continue;
  const began = performance.now();
  const answer = lines(join(root, program.name), program, true);
  const took = (performance.now() - began) / 1000;
  const kind = mistakes === 0 ? 'right' : mistakes === 1 ? 'one mistake' : 'two mistakes';
  const outcome = judged(program, answer, scratch);
  const word = outcome.startsWith('wrong') ? 'wrong patch' : outcome;
  const good = mistakes === 0 ? outcome === 'none' : outcome === 'mended';
  if (mistakes > 0) seconds.push(took);
  if (good) passed++;
  else if (outcome === 'none') unmended++;
  else failed++;
  table[kind] = { ...table[kind], [word]: (table[kind]?.[word] ?? 0) + 1 };
  const [first] = answer?.fixes ?? [];
  const shown = first ? `${JSON.stringify(first.after)} ${JSON.stringify(first.verified)}` : '';
  const time = took.toFixed(1).padStart(5);
  console.log(
    `${good ? 'ok  ' : outcome === 'none' ? 'none' : 'FAIL'} ${program.name.padEnd(44)} ${time} s  ${outcome}  ${shown}`,
  );
}
rmSync(scratch, { recursive: true, force: true });
seconds.sort((a, b) => a - b);
console.table(table);
console.log(
  `median ${seconds[Math.floor(seconds.length / 2)]?.toFixed(1)} s, slowest ${seconds.at(-1)?.toFixed(1)} s`,
);
const share = 1 - unmended / Math.max(1, seconds.length);
if (share < Number(values.least)) failed += unmended;
console.log(`${(100 * share).toFixed(0)} % of the wrong programs have a fix`);
console.log(`${passed} passed, ${failed} failed`);
