// npm run lines: every program of the corpus, right and wrong, with its setup given and inferred, and then mended. Hours on
// a small machine; `-- --only score,inferred,repair` runs some. Ends with "N passed, N failed".
import { spawnSync } from 'node:child_process';
import { rmSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const here = fileURLToPath(new URL('.', import.meta.url));
const folder = fileURLToPath(new URL('../../.vscode-test/corpus', import.meta.url));
const python = process.env.ATTENTION_PYTHON ?? '/usr/bin/python3';
const { values } = parseArgs({ options: { only: { type: 'string' } } });

const boards = {
  score: ['score.mjs'],
  inferred: ['score.mjs', '--setup', 'inferred'],
  repair: ['repairScore.mjs'],
};

rmSync(folder, { recursive: true, force: true });
const made = spawnSync(python, [`${here}corpus/tools/materialise.py`, folder], {
  stdio: 'inherit',
});
if (made.status !== 0) {
  console.log('0 passed, 1 failed');
  process.exit(1);
}
let [passed, failed] = [0, 0];
for (const [name, [file, ...flags]] of Object.entries(boards)) {
  if (values.only && !values.only.split(',').includes(name)) continue;
  console.log(`\n== ${name}`);
  const { stdout } = spawnSync(process.execPath, [here + file, folder, ...flags], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
    maxBuffer: 2 ** 28,
    env: { ...process.env, ATTENTION_PYTHON: python },
  });
  process.stdout.write(stdout);
  const counts = /^(\d+) passed, (\d+) failed/m.exec(stdout.trimEnd().split('\n').at(-1) ?? '');
  passed += Number(counts?.[1] ?? 0);
  failed += Number(counts?.[2] ?? 1);
}
console.log(`\n${passed} passed, ${failed} failed`);
process.exit(failed > 0 ? 1 : 0);
