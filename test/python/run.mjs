// Runs the tests of python/ and ends with "N passed, N failed".
// ATTENTION_PYTHON names the interpreter; it needs PyTorch and NumPy.
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const python = process.env.ATTENTION_PYTHON ?? '/usr/bin/python3';
const root = fileURLToPath(new URL('../..', import.meta.url));

if (spawnSync(python, ['-c', 'import numpy, torch']).status !== 0) {
  console.error(
    `${python} has no PyTorch and NumPy. On Debian: apt-get install python3-torch python3-numpy; ` +
      'elsewhere: pip install torch numpy, and ATTENTION_PYTHON=/path/to/python.',
  );
  console.log('0 passed, 1 failed');
  process.exit(1);
}

const { stdout, stderr, status } = spawnSync(
  python,
  ['-W', 'ignore', '-m', 'unittest', 'discover', '-v', '-b', '-s', 'test/python'],
  { cwd: root, encoding: 'utf8', timeout: 600_000 },
);
const total = Number(/^Ran (\d+) tests? in /m.exec(stderr)?.[1] ?? 0);
const [, outcome = ''] = /^(?:OK|FAILED) ?(?:\((.*)\))?$/m.exec(stderr) ?? [];
const count = (kind) => Number(new RegExp(`\\b${kind}=(\\d+)`).exec(outcome)?.[1] ?? 0);
const skipped = count('skipped');
const failed = count('failures') + count('errors') + count('unexpected successes');
const ended = status === 0 ? total > 0 : failed > 0;
if (status !== 0 || !ended) console.log(`${stdout}${stderr}`);
// A run that ended before its summary, or ran nothing, has failed whatever it counted.
const allFailed = failed + (ended ? 0 : 1);
const rest = skipped > 0 ? `, ${skipped} skipped` : '';
console.log(`${Math.max(total - failed - skipped, 0)} passed, ${allFailed} failed${rest}`);
process.exit(allFailed > 0 ? 1 : 0);
