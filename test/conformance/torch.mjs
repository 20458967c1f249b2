// Values and gradients of random setups against PyTorch's autograd in float64.
//   node test/conformance/torch.mjs [--cases 200] [--seed 1]
import { spawnSync } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { loadEngine, numberOptions, runSetup } from './bundle.mjs';
import { drawSetup, generator } from './draw.mjs';
import { findPython, largestOf, relativeError } from './python.mjs';

const TOLERANCE = 1e-10;
const { cases, seed } = numberOptions({ cases: 200, seed: 1 });
const python = findPython();
const folder = await mkdtemp(join(tmpdir(), 'attention-torch-'));
const random = generator(seed);
const drawn = Array.from({ length: cases }, () => drawSetup(random));
const pathOf = (n, kind) => join(folder, `${String(n).padStart(5, '0')}.${kind}.json`);
/**
 * What was summed, where rounding is judged by that: db_K is 0 where shifting all scores changes nothing, and terms of λ's
 * gradient cancel. Undefined for the others.
 */
function summedIn(name, expected) {
  if (name.startsWith('db_')) return largestOf(expected[`d${name.slice(3)}`]);
  if (!name.startsWith('dlambda_')) return undefined;
  // Of each query, the terms of one λ, of which its vectors' gradients are multiples.
  const multiple = largestOf(expected[name]) / largestOf(expected.dlambda_full ?? expected[name]);
  return Math.max(1e-3, multiple * largestOf(expected.dPdiff));
}

let [passed, failed] = [0, 0];
try {
  await Promise.all(
    drawn.map(({ setup }, n) => writeFile(pathOf(n, 'attention'), JSON.stringify(setup))),
  );
  const script = fileURLToPath(new URL('torch_reference.py', import.meta.url));
  const reference = spawnSync(python, [script, folder], {
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  if (reference.status !== 0) throw new Error(`torch_reference.py ended with ${reference.status}`);
  const engine = await loadEngine();
  for (const [n, { setup, options }] of drawn.entries()) {
    const expected = JSON.parse(await readFile(pathOf(n, 'expected'), 'utf8'));
    let report = '';
    try {
      const run = await runSetup(engine, setup);
      const names = [...run.values.keys()].flatMap((id) => [id, `d${id}`]);
      const unexpected = names.filter((name) => !(name in expected));
      if (unexpected.length > 0)
        report = `nodes that PyTorch's graph lacks: ${unexpected.join(' ')}`;
      const errors = Object.entries(expected).map(([name, tensor]) => {
        const found =
          expected[name.slice(1)] && name.startsWith('d')
            ? run.gradients.get(name.slice(1))
            : run.values.get(name);
        return [name, relativeError(found, tensor, summedIn(name, expected))];
      });
      const wrong = errors.filter(([, error]) => !(error <= TOLERANCE));
      if (wrong.length > 0)
        report ||= wrong
          .map(([name, error]) => `${name} off by ${error.toExponential(1)}`)
          .join(', ');
    } catch (error) {
      report = error.message;
    }
    if (report) {
      failed++;
      console.log(`FAIL case ${n}: ${report}\n     ${JSON.stringify(options)}`);
    } else passed++;
  }
} finally {
  await rm(folder, { recursive: true });
}

const values = drawn.map(({ options }) =>
  Object.entries(options).map(([name, value]) => `${name}=${value}`),
);
const pairs = new Set(
  values.flatMap((all) => all.flatMap((a, n) => all.slice(n + 1).map((b) => `${a} ${b}`))),
);
console.log(
  `${cases} setups from seed ${seed}, ${pairs.size} pairs of options, relative tolerance ${TOLERANCE}`,
);
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed === 0 && passed > 0 ? 0 : 1);
