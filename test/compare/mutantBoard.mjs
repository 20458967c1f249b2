// A held-out board: random slips in random formulas of random setups, as a rate. Never mended case by case.
//   node test/compare/mutantBoard.mjs [--cases 60] [--seed 1] [--slips 1] [--verbose]
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { build } from 'esbuild';
import { drawSetup, generator } from '../conformance/draw.mjs';

const { values: options } = parseArgs({
  options: {
    cases: { type: 'string', default: '60' },
    seed: { type: 'string', default: '1' },
    slips: { type: 'string', default: '1' },
    verbose: { type: 'boolean', default: false },
  },
});
const here = fileURLToPath(new URL('.', import.meta.url));
const folder = await mkdtemp(join(tmpdir(), 'attention-mutants-'));
try {
  const outfile = join(folder, 'board.mjs');
  await build({
    ...{ entryPoints: [join(here, 'board.ts')], outfile, bundle: true, format: 'esm' },
    ...{ platform: 'node', mainFields: ['module', 'main'], logLevel: 'error' },
  });
  const { boardCase } = await import(pathToFileURL(outfile));
  const random = generator(Number(options.seed));
  const count = { formula: 0, known: 0, wrong: 0, unknown: 0, elsewhere: 0 };
  const times = [];
  for (let n = 0; n < Number(options.cases);) {
    const result = await boardCase(random, drawSetup(random).setup, Number(options.slips));
    if (!result) continue;
    n++;
    count[result.answer]++;
    times.push(result.ms);
    if (options.verbose || result.answer !== 'formula')
      console.log(
        `${result.answer.padEnd(10)}${Math.round(result.ms)} ms  ${result.what}\n          ${result.told}`,
      );
  }
  const told = count.formula + count.known;
  const all = Number(options.cases);
  times.sort((a, b) => a - b);
  console.log(JSON.stringify(count));
  console.log(
    `${told} of ${all} told (${((100 * told) / all).toFixed(1)} %), ${count.wrong} wrong; median ${Math.round(times[all >> 1])} ms, longest ${Math.round(times[all - 1])} ms`,
  );
} finally {
  await rm(folder, { recursive: true, force: true });
}
