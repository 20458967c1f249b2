// npm run scoreboard: the corpus of mistakes and random correct programs, through the checker.
//   node test/compare/scoreboard.mjs [--only TEXT] [--every 4] [--correct 200] [--verbose] [--freeze]
// Each answer is held against the frozen one (golden.mjs); --freeze writes them anew.
import { spawnSync } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { build } from 'esbuild';
import { correctPrograms } from './correct.mjs';
import { Golden } from './golden.mjs';

const { values: options } = parseArgs({
  options: {
    only: { type: 'string', default: '' },
    correct: { type: 'string', default: '200' },
    verbose: { type: 'boolean', default: false },
    folder: { type: 'string' },
    every: { type: 'string', default: '1' },
    freeze: { type: 'boolean', default: false },
  },
});
const here = fileURLToPath(new URL('.', import.meta.url));
const python = process.env.ATTENTION_PYTHON ?? '/usr/bin/python3';

async function loadChecker(folder) {
  const outfile = join(folder, 'checker.mjs');
  await build({
    ...{
      entryPoints: [join(here, 'engine.ts')],
      outfile,
      bundle: true,
      format: 'esm',
      platform: 'node',
    },
    ...{ mainFields: ['module', 'main'], sourcemap: 'inline', logLevel: 'error' },
  });
  return import(pathToFileURL(outfile));
}

function generate(script, ...args) {
  const env = { ...process.env, PYTHONDONTWRITEBYTECODE: '1' };
  const { status, stderr } = spawnSync(
    python,
    ['-W', 'ignore', join(here, 'corpus', script), ...args],
    { env, encoding: 'utf8' },
  );
  if (status !== 0) throw new Error(`${script} ended with ${status}:\n${stderr}`);
}

async function inputOf(checker, folder, stem) {
  const text = await readFile(join(folder, `${stem}.attention.json`), 'utf8');
  const { setup, graph, config, problems } = await checker.openSetup(text, (path) =>
    readFile(join(folder, path)),
  );
  if (!graph) throw new Error(`${stem}: ${problems.map(({ message }) => message).join('; ')}`);
  const file = join(folder, `${stem}.npz`);
  const trace = checker.readTensorFile(file, await readFile(file));
  return { config, graph, trace, names: setup.names, resolve: checker.resolveName };
}

async function checkFiles(checker, folder, stem) {
  const input = await inputOf(checker, folder, stem);
  const began = performance.now();
  const report = checker.check(input);
  return { report, graph: input.graph, ms: performance.now() - began };
}

/** By the names of the causes, or by their formulas, which must hold of the other numbers in again/ too. */
async function judge(checker, folder, entry, { report, graph }) {
  const other = await inputOf(checker, join(folder, 'again'), entry.stem).catch(() => null);
  const isFormula = (cause) => other !== null && checker.holdsElsewhere(cause, report.first, other);
  return checker.judgeCase(entry, report, graph, isFormula);
}

const folder = options.folder ?? (await mkdtemp(join(tmpdir(), 'attention-corpus-')));
const rows = new Map();
const golden = new Golden();
let [passed, failed, slowest] = [0, 0, 0];
try {
  const checker = await loadChecker(folder);
  if (!options.folder) generate('generate.py', folder, options.only);
  const manifest = JSON.parse(await readFile(join(folder, 'manifest.json'), 'utf8'));
  for (const [n, entry] of manifest.entries()) {
    if (n % Number(options.every) !== 0) continue;
    if (options.only && !JSON.stringify(entry).includes(options.only)) continue;
    const row = rows.get(entry.row) ?? { cases: 0, node: 0, named: 0, lines: [] };
    rows.set(entry.row, row);
    let result;
    let own;
    try {
      own = await checkFiles(checker, folder, entry.stem);
      result = await judge(checker, folder, entry, own);
    } catch (error) {
      result = {
        node: false,
        named: false,
        expected: '',
        found: error.stack.split('\n').slice(0, 3).join(' '),
        ids: [],
      };
    }
    golden.add(entry.stem, result);
    slowest = Math.max(slowest, own?.ms ?? 0);
    row.cases++;
    row.node += Number(result.node);
    row.named += Number(result.named);
    if (result.node && result.named) passed++;
    else failed++;
    if (!result.node || !result.named || options.verbose) {
      const what = `${entry.stem} ${entry.slips.join('+')} ${entry.library} ${entry.dtype} ${entry.subset} ${JSON.stringify(entry.options)}`;
      row.lines.push(
        `      ${what}: first ${result.found} (${result.expected}), causes ${result.ids.join(', ') || 'unknown'} (${entry.expect.join(' + ')}) ${Math.round(own?.ms ?? 0)} ms`,
      );
    }
  }
  console.log('row     cases  first node  cause first');
  for (const [name, { cases, node, named, lines }] of rows) {
    console.log(
      `${String(name).padEnd(8)}${String(cases).padStart(4)}${`${node}/${cases}`.padStart(12)}${`${named}/${cases}`.padStart(13)}`,
    );
    for (const line of lines) console.log(line);
  }
  const sum = (of) => [...rows.values()].reduce((total, row) => total + of(row), 0);
  const cases = sum((row) => row.cases);
  const share = (count) =>
    `${count} of ${cases} (${((100 * count) / Math.max(1, cases)).toFixed(1)} %)`;
  console.log(
    `\nfirst node right: ${share(sum((row) => row.node))}; cause named first: ${share(sum((row) => row.named))}; slowest ${Math.round(slowest)} ms`,
  );

  if (options.freeze) golden.write();
  const { worse, other } = golden.compare();
  for (const line of other) console.log(`other: ${line}`);
  for (const line of worse) console.log(`WORSE: ${line}`);
  console.log(`${worse.length} answers worse than the frozen ones, ${other.length} others`);
  failed += worse.length;

  const count = Number(options.correct);
  if (count > 0) {
    const alarms = await correctPrograms({ checker, folder, count, generate, checkFiles });
    for (const { dtype, runs, lines } of alarms) {
      console.log(
        `correct programs in ${dtype}: ${runs - lines.length} of ${runs} without an alarm`,
      );
      for (const line of lines) console.log(`      ${line}`);
      passed += runs - lines.length;
      failed += lines.length;
    }
  }
} finally {
  if (!options.folder) await rm(folder, { recursive: true, force: true });
}
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed === 0 ? 0 : 1);
