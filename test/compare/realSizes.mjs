// The commonest mistakes at real sizes, in three number types: needs Python with PyTorch (ATTENTION_PYTHON).
//   node test/compare/realSizes.mjs [--tokens 96,160,256,512,1024] [--types float64,float32,bfloat16] [--only SLIP]
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const { values: options } = parseArgs({
  options: {
    tokens: { type: 'string', default: '96,160,256,512,1024' },
    types: { type: 'string', default: 'float64,float32,bfloat16' },
    only: { type: 'string', default: '' },
  },
});
const here = fileURLToPath(new URL('.', import.meta.url));
const cli = join(here, '..', '..', 'dist', 'cli.js');
const python = process.env.ATTENTION_PYTHON ?? '/usr/bin/python3';

let [passed, failed] = [0, 0];

/** The answer of the command line, and whether it is the right one. */
function answer(folder, { stem, slip, first, cause }) {
  const began = performance.now();
  const { stdout, stderr } = spawnSync(
    process.execPath,
    [
      ...[cli, 'check', join(folder, `${stem}.attention.json`)],
      ...['--against', join(folder, `${stem}.npz`), '--json'],
    ],
    { encoding: 'utf8', maxBuffer: 2 ** 28 },
  );
  const seconds = (performance.now() - began) / 1000;
  if (stdout === '') return { isRight: false, seconds, words: stderr.trim() };
  const report = JSON.parse(stdout);
  const node = report.first
    ? `${report.first.kind === 'gradient' ? 'd' : ''}${report.first.node}`
    : '';
  const [id] = report.causes.map((each) => each.id);
  // Of a partial log another node is the first that is seen to be wrong.
  const isFirst = stem.endsWith('mid') || new RegExp(`^(${first})$`).test(node);
  const isRight = slip === '' ? report.verdict === 'match' : isFirst && new RegExp(cause).test(id);
  return { isRight, seconds, words: `${node} ${id ?? 'unknown'}` };
}

for (const type of options.types.split(',')) {
  for (const tokens of options.tokens.split(',')) {
    const folder = mkdtempSync(join(tmpdir(), 'attention-sizes-'));
    try {
      const made = spawnSync(
        python,
        ['-W', 'ignore', join(here, 'corpus', 'sizes.py'), folder, type, tokens],
        { env: { ...process.env, PYTHONDONTWRITEBYTECODE: '1' }, encoding: 'utf8' },
      );
      if (made.status !== 0) throw new Error(made.stderr);
      const manifest = JSON.parse(readFileSync(join(folder, 'manifest.json'), 'utf8'));
      const cases = manifest.filter(({ slip }) => slip.includes(options.only));
      let [right, slowest] = [0, 0];
      const lines = [];
      for (const each of cases) {
        const { isRight, seconds, words } = answer(folder, each);
        slowest = Math.max(slowest, seconds);
        if (isRight) right++;
        else
          lines.push(
            `      ${each.slip || 'right'} ${each.subset}: ${words} (${each.first} ${each.cause}) ${seconds.toFixed(1)} s`,
          );
      }
      passed += right;
      failed += cases.length - right;
      console.log(
        `${type.padEnd(9)} T = ${tokens.padEnd(5)} ${right} of ${cases.length}, slowest ${slowest.toFixed(1)} s`,
      );
      for (const line of lines) console.log(line);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  }
}
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed === 0 ? 0 : 1);
