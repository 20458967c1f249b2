// Each formula printed as NumPy and as PyTorch, run by Python, against the engine; and the examples of the mistakes
// that have a name against their formulas.
//   node test/conformance/printed.mjs [--cases 40] [--seed 1]
import { spawnSync } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { loadEngine, numberOptions, runSetup } from './bundle.mjs';
import { drawSetup, generator } from './draw.mjs';

const { cases, seed } = numberOptions({ cases: 40, seed: 1 });
const python = process.env.PYTHON ?? '/usr/bin/python3';
const folder = await mkdtemp(join(tmpdir(), 'attention-printed-'));
const random = generator(seed);
const [passed, failed] = [[], []];
/** Lines, and formulas that array code has no short way to say: few. */
let [said, unsaid] = [0, 0];

const listed = ({ shape, data }) => ({ shape, data: Array.from(data, String) });

/** A run's tensors and the printed formula of each node's value and contribution. */
function programOf({ printedIfShort }, run) {
  const tensors = {};
  const lines = [];
  for (const { id, kind, operation, inputs } of run.graph.nodes) {
    if (kind !== 'operation') continue;
    const { forward, backward, given } = operation.formula({ output: id, inputs });
    for (const [name, { tensor }] of Object.entries(given ?? {})) tensors[name] = listed(tensor);
    const parts = inputs.map((_, slot) =>
      run.contributions.find((each) => each.from === id && each.slot === slot),
    );
    [forward, ...backward].forEach((formula, n) => {
      const expected = n === 0 ? run.values.get(id) : parts[n - 1].value;
      const made = printedIfShort(formula, run.graph.extents);
      if (!made) {
        unsaid += 1;
        return;
      }
      said += 1;
      const { text, numpy, pytorch } = made;
      lines.push({ text, numpy, pytorch, target: formula.left.name, expected: listed(expected) });
    });
  }
  for (const { id } of run.graph.nodes) {
    tensors[id] = listed(run.values.get(id));
    tensors[`d${id}`] = listed(run.gradients.get(id));
  }
  return { tensors, lines };
}

/** The right tensors beside each mistake that has a name, and its example in NumPy. */
function exampleOf({ row, state, made }) {
  const tensors = {};
  for (const { id } of state.program.graph.nodes) {
    tensors[id] = listed(state.value(id));
    tensors[`d${id}`] = listed(state.gradient(id));
  }
  const { example, id, shown } = row;
  const line = { text: id, numpy: example, target: shown.tensor, expected: listed(made) };
  return { tensors, lines: [line] };
}

try {
  const engine = await loadEngine();
  const programs = [];
  for (let n = 0; n < cases; n++) {
    const run = await runSetup(engine, drawSetup(random).setup);
    programs.push(programOf(engine, run));
  }
  programs.push(...engine.allPlaced().map(exampleOf));
  const file = join(folder, 'programs.json');
  await writeFile(file, JSON.stringify(programs));
  const script = fileURLToPath(new URL('printed.py', import.meta.url));
  const { status, stdout, stderr } = spawnSync(python, ['-W', 'ignore', script, file], {
    encoding: 'utf8',
    maxBuffer: 2 ** 28,
  });
  if (status !== 0) throw new Error(`printed.py ended with ${status}:\n${stderr}`);
  for (const line of stdout.trim().split('\n'))
    (line.startsWith('ok') ? passed : failed).push(line);
} finally {
  await rm(folder, { recursive: true, force: true });
}
if (unsaid > said / 50) failed.push(`${unsaid} of ${said + unsaid} formulas are no lines`);
for (const line of failed.slice(0, 40)) console.log(line);
console.log(`${passed.length} passed, ${failed.length} failed`);
process.exit(failed.length === 0 && passed.length > 0 ? 0 : 1);
