// How often `lines` names the right line: node test/lines/score.mjs FOLDER [--setup given|inferred] [--half dev|heldout] [NAME...]
// FOLDER has cases.json and a folder for each case; needs dist/cli.js. The last line is "N passed, N failed".
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const CLI = fileURLToPath(new URL('../../dist/cli.js', import.meta.url));

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    setup: { type: 'string', default: 'given' },
    half: { type: 'string' },
  },
});
const [folder, ...names] = positionals;
if (!folder) throw new Error('expected a folder with cases.json');

/**
 * @typedef {{ file: string, line: number, endLine: number, alsoLines?: number[] }} Mistake
 * @typedef {{ name: string, file: string, setup: string, args?: string[], truth: string, half?: string, setupNeeded?: boolean, mistakes?: Mistake[] }} Case
 */

/** @type {Case[]} */
const cases = JSON.parse(readFileSync(join(folder, 'cases.json'), 'utf8'));

/** @param {Case} each */
function run({ name, file, setup, args = [] }) {
  const own = values.setup === 'given' ? ['--setup', join(folder, name, setup)] : [];
  const words = [CLI, 'lines', join(folder, name, file), ...own, '--json', '--', ...args];
  const began = performance.now();
  const { stdout, stderr, status } = spawnSync(process.execPath, words, {
    encoding: 'utf8',
    cwd: join(folder, name),
  });
  const seconds = (performance.now() - began) / 1000;
  try {
    return { found: JSON.parse(stdout), seconds, status };
  } catch {
    const said = stderr.trim().split('\n').at(-1);
    return { found: { verdict: `failed: ${said}`, first: null }, seconds, status };
  }
}

/**
 * @param {{ file: string, line: number }} first
 * @param {Mistake} mistake
 */
const isAt = (first, { file, line, endLine, alsoLines = [] }) =>
  first.file === file &&
  ((first.line >= line && first.line <= endLine) || alsoLines.includes(first.line));

let [passed, failed, accused, total] = [0, 0, 0, 0];
for (const each of cases) {
  if (names.length > 0 && !names.includes(each.name)) continue;
  if (values.half !== undefined && each.half !== values.half) continue;
  // Without the setup it is a valid attention of another kind.
  if (values.setup !== 'given' && each.setupNeeded) continue;
  const { found, seconds, status } = run(each);
  const { verdict, first } = found;
  const isRight = each.truth === 'match';
  const isGood = isRight
    ? verdict === 'match' && status === 0
    : verdict === 'diverges' &&
      status === 1 &&
      (each.mistakes ?? []).some((mistake) => isAt(first, mistake));
  if (isGood) passed++;
  else failed++;
  if (isRight && verdict === 'diverges') accused++;
  total += seconds;
  const place = first ? `${first.file}:${first.line} ${first.kind} ${first.node}` : '';
  const wanted = (each.mistakes ?? []).map(({ file, line }) => `${file}:${line}`).join(', ');
  const expected = isGood ? '' : `  expected ${isRight ? 'match' : wanted}`;
  console.log(
    `${isGood ? 'ok  ' : 'FAIL'} ${each.name.padEnd(36)} ${seconds.toFixed(2).padStart(6)} s  ${verdict} ${place}${expected}`,
  );
}
console.log(`${accused} right programs accused; ${total.toFixed(1)} s in all`);
console.log(`${passed} passed, ${failed} failed`);
