// How often `lines` names the right line of mistakes that nobody mended it for: of the right programs of a folder of cases,
// mistakes as people make them are planted at random (mutants/plant.py) and kept where outputs or gradients then differ.
//   node test/lines/mutants.mjs FOLDER [--seed N] [--count N] [--setup given|inferred] [--only TEXT] [--keep FOLDER]
// FOLDER has cases.json; needs dist/cli.js. Any line where the edit was made counts. The last line is the counts in all.
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const CLI = fileURLToPath(new URL('../../dist/cli.js', import.meta.url));
const PLANT = fileURLToPath(new URL('mutants/plant.py', import.meta.url));
const python = process.env.ATTENTION_PYTHON ?? '/usr/bin/python3';

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    seed: { type: 'string', default: '1' },
    count: { type: 'string', default: '40' },
    setup: { type: 'string', default: 'given' },
    only: { type: 'string', default: '' },
    keep: { type: 'string' },
  },
});
const [folder] = positionals;
if (!folder) throw new Error('expected a folder with cases.json');
const out = options.keep ?? mkdtempSync(join(tmpdir(), 'mutants-'));
mkdirSync(out, { recursive: true });

const run = (words, cwd) =>
  spawnSync(process.execPath, [CLI, ...words], { encoding: 'utf8', cwd, maxBuffer: 2 ** 28 });

/** Mistakes in one program, each in a folder of its own. */
function planted({ name, file, setup, args = [] }, count) {
  const own = join(folder, name);
  const reference = join(out, `${name}.safetensors`);
  run(['run', join(own, setup), '--out', reference], own);
  const words = [PLANT, own, file, reference, join(out, name), options.seed, String(count)];
  const { stdout, stderr } = spawnSync(python, [...words, ...args], {
    encoding: 'utf8',
    env: { ...process.env, PYTHONDONTWRITEBYTECODE: '1' },
  });
  const rows = stdout
    .trim()
    .split('\n')
    .filter(Boolean)
    .map((row) => JSON.parse(row));
  if (rows.length > 0 && !rows[0].failed) return rows;
  console.log(`left out: ${name}: ${rows[0]?.failed ?? stderr.trim().split('\n').at(-1)}`);
  return [];
}

/** What `lines` says of one: [outcome, where]. */
function judged({ file, setup, args = [] }, { folder: own, file: at, lines }) {
  const given = options.setup === 'given' ? ['--setup', join(own, setup)] : [];
  const words = ['lines', join(own, file), ...given, '--json', '--', ...args];
  const { stdout, stderr, status } = run(words, own);
  let found;
  try {
    found = JSON.parse(stdout);
  } catch {
    const isNone = status === 2 && /found no attention|aligned|part of/.test(stderr);
    return [isNone ? 'none' : 'failed', stderr.trim().split('\n').at(-1)];
  }
  const { verdict, first, notes } = found;
  if (verdict === 'match') return [status === 0 ? 'match' : 'none', notes?.join(' ') ?? ''];
  if (!first) return ['none', `${verdict} ${notes?.[0] ?? ''}`];
  const isRight =
    first.file === at && lines.some((line) => line >= first.line && line <= first.endLine);
  return [isRight ? 'right' : 'wrong', `${first.file}:${first.line} ${first.kind} ${first.node}`];
}

const cases = JSON.parse(readFileSync(join(folder, 'cases.json'), 'utf8')).filter(
  ({ truth, name, file }) =>
    truth === 'match' && file.endsWith('.py') && name.includes(options.only),
);
const counts = { right: 0, wrong: 0, none: 0, match: 0, failed: 0 };
cases.forEach((each, n) => {
  const share = Math.floor((Number(options.count) * (n + 1)) / cases.length);
  const before = Math.floor((Number(options.count) * n) / cases.length);
  if (share === before) return;
  for (const row of planted(each, share - before)) {
    const [outcome, where] = judged(each, row);
    counts[outcome]++;
    const place = `${row.file}:${row.lines.join(',')}`;
    console.log(
      `${outcome.padEnd(6)} ${row.folder.slice(out.length + 1)} ${row.kind} ${place}  ${where}`,
    );
    if (outcome !== 'right') console.log(`         - ${row.before}\n         + ${row.after}`);
  }
});
if (!options.keep) rmSync(out, { recursive: true, force: true });
const total = Object.values(counts).reduce((sum, each) => sum + each, 0);
const { right, wrong, none, match, failed } = counts;
console.log(
  `${total} mistakes: ${right} right line, ${wrong} wrong line, ${none} no line, ${match} false match, ${failed} failed`,
);
