// Right programs, none of which may be accused: setups x number types x habits of logging, from a seed.
//   node test/compare/rightPrograms.mjs [--setups 40] [--seed 1] [--types float64,float32,bfloat16] [--verbose]
// PyTorch computes them (ATTENTION_PYTHON).
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { build } from 'esbuild';
import { drawSetup, generator } from '../conformance/draw.mjs';

const { values: options } = parseArgs({
  options: {
    setups: { type: 'string', default: '40' },
    seed: { type: 'string', default: '1' },
    types: { type: 'string', default: 'float64,float32,bfloat16' },
    verbose: { type: 'boolean', default: false },
  },
});
const here = fileURLToPath(new URL('.', import.meta.url));
const python = process.env.ATTENTION_PYTHON ?? '/usr/bin/python3';
const folder = mkdtempSync(join(tmpdir(), 'attention-right-'));

function compute(type) {
  const made = spawnSync(
    python,
    ['-W', 'ignore', join(here, 'corpus', 'correct.py'), folder, type],
    { env: { ...process.env, PYTHONDONTWRITEBYTECODE: '1' }, encoding: 'utf8' },
  );
  if (made.status !== 0) throw new Error(made.stderr);
}

/** What is said against a right trace; '' for nothing. */
function accusation({ verdict, nodes, causes }) {
  if (verdict === 'match') return '';
  const wrong = nodes.filter(({ status }) => status === 'diverges');
  const told = wrong.map(
    ({ node, kind, maxAbs, tolerance, note }) =>
      `${kind === 'value' ? '' : 'd'}${node} ${maxAbs?.toExponential(1)} > ${tolerance?.toExponential(1)} ${note.slice(0, 80)}`,
  );
  return `${verdict} ${told.slice(0, 3).join(', ')}: ${causes.map(({ title }) => title).join('; ')}`;
}

const byHabit = new Map();
let [right, accused, worst] = [0, 0, 0];
try {
  const outfile = join(folder, 'checker.mjs');
  await build({
    ...{ entryPoints: [join(here, 'engine.ts')], outfile, bundle: true, format: 'esm' },
    ...{ platform: 'node', mainFields: ['module', 'main'], logLevel: 'error' },
  });
  const checker = await import(pathToFileURL(outfile));
  const random = generator(Number(options.seed));
  const stems = Array.from({ length: Number(options.setups) }, (_, n) => {
    const stem = `correct-${String(n).padStart(3, '0')}`;
    writeFileSync(join(folder, `${stem}.attention.json`), JSON.stringify(drawSetup(random).setup));
    return stem;
  });
  for (const type of options.types.split(',')) {
    compute(type);
    for (const [n, stem] of stems.entries()) {
      const { setup, graph, config } = await checker.openSetup(
        readFileSync(join(folder, `${stem}.attention.json`), 'utf8'),
        () => Promise.reject(new Error('no files')),
      );
      const file = join(folder, `${stem}.npz`);
      const all = checker.readTensorFile(file, readFileSync(file));
      for (const [name, habit] of Object.entries(checker.HABITS)) {
        const trace = habit(all, graph, n);
        if (!trace) continue;
        const began = performance.now();
        const report = checker.check({
          ...{ config, graph, trace, names: setup.names },
          resolve: checker.resolveName,
        });
        worst = Math.max(worst, performance.now() - began);
        const said = accusation(report);
        const row = byHabit.get(name) ?? { right: 0, accused: 0 };
        byHabit.set(name, row);
        if (said === '') {
          right++;
          row.right++;
          continue;
        }
        accused++;
        row.accused++;
        console.log(`${stem} ${type} ${name}: ${said.slice(0, 400)}`);
      }
    }
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}
for (const [name, row] of byHabit)
  console.log(`${name.padEnd(52)}${row.right} right, ${row.accused} accused`);
console.log(
  `${right + accused} right programs, ${accused} accused; slowest ${(worst / 1000).toFixed(1)} s`,
);
process.exit(accused === 0 ? 0 : 1);
