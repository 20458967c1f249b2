// The examples named after models against PyTorch programs written from the models' public descriptions.
//   node test/conformance/models.mjs
import { spawnSync } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { loadEngine, runSetup } from './bundle.mjs';
import { findPython, relativeError } from './python.mjs';

const TOLERANCE = 1e-10;
const here = (file) => new URL(file, import.meta.url);
const plain = ({ shape, data }) => ({ shape, data: [...data] });

const python = findPython();
function models(args, input = '') {
  const program = fileURLToPath(here('models.py'));
  const { status, stdout } = spawnSync(python, [program, ...args], {
    ...{ input, encoding: 'utf8', maxBuffer: 2 ** 28 },
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  if (status !== 0) throw new Error(`models.py ended with ${status}`);
  return JSON.parse(stdout);
}

const engine = await loadEngine();
const runs = new Map();
for (const name of models(['--names'])) {
  const text = await readFile(here(`../../examples/${name}.attention.json`), 'utf8');
  runs.set(name, await runSetup(engine, JSON.parse(text)));
}
const given = [...runs].map(([name, { graph, values, gradients }]) => {
  const inputs = graph.nodes.filter(({ kind }) => kind === 'input');
  const tensors = Object.fromEntries(inputs.map(({ id }) => [id, plain(values.get(id))]));
  return [name, { tensors, upstream: plain(gradients.get('y')) }];
});
const expected = models([], JSON.stringify(Object.fromEntries(given)));
let [passed, failed] = [0, 0];
for (const [name, { values, gradients }] of runs) {
  const wrong = Object.entries(expected[name])
    .map(([key, tensor]) => {
      const found = key === 'y' ? values.get('y') : gradients.get(key.slice(1));
      return [key, relativeError(found, tensor)];
    })
    .filter(([, error]) => !(error <= TOLERANCE));
  if (wrong.length === 0) passed++;
  else {
    failed++;
    const told = wrong.map(([key, error]) => `${key} off by ${error.toExponential(1)}`);
    console.log(`FAIL ${name}: ${told.join(', ')}`);
  }
}
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed === 0 && passed > 0 ? 0 : 1);
