// What attention_trace.py computes of random setups, alone and over several gloo processes, against the engine.
//   node test/conformance/reference.mjs [--cases 60] [--seed 1]
import { spawnSync } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { loadEngine, numberOptions, runSetup } from './bundle.mjs';
import { drawSetup, generator } from './draw.mjs';
import { findPython, largestOf, relativeError } from './python.mjs';

const TOLERANCE = 1e-10;
/** With four, heads and tokens are both shared out. */
const PROCESSES = [2, 1, 2, 4];
const { cases, seed } = numberOptions({ cases: 60, seed: 1 });
const python = findPython();
const folder = await mkdtemp(join(tmpdir(), 'attention-reference-'));
const trace = fileURLToPath(new URL('../../python/attention_trace.py', import.meta.url));
const all = fileURLToPath(new URL('reference_all.py', import.meta.url));
const random = generator(seed);
const engine = await loadEngine();
let [passed, failed] = [0, 0];

/** Under Python 3.11 PyTorch 1.13's torchrun cannot read its own default of these; there is no tenth process. */
const OUTPUT = ['--redirects', '9:1', '--tee', '9:1'];

function launch(processes, ...words) {
  const torchrun = ['-m', 'torch.distributed.run', '--standalone', ...OUTPUT];
  const launcher = processes > 1 ? [...torchrun, `--nproc_per_node=${processes}`] : [];
  const options = {
    encoding: 'utf8',
    timeout: 300_000,
    env: { ...process.env, OMP_NUM_THREADS: '1' },
  };
  const { status, stderr } = spawnSync(python, [...launcher, ...words], options);
  if (status !== 0 || /found/.test(stderr)) console.log(stderr);
}

function shapeOf(nested) {
  return Array.isArray(nested) ? [nested.length, ...shapeOf(nested[0])] : [];
}

const EXPRESSIONS = [
  'sum(cbrt(y.^2 + 1)) - sum(sech(y))/-2^-2 + tau',
  'sum(log(y .^ 2 + 1, 10)) + mean(pow(abs(y), 1.5))',
  'norm(y) * dot(w, atan(y)) ./ 3e0 - 2 ^ 3 ^ .5 * log2(s + e)',
  'sqrt(sum(square(y)) + 1) + sum(acosh(y.^2 + 1.5) + asinh(y) + atanh(sin(y) / 2) + cube(y))',
  // Slopes at 0, where queries see nothing.
  'sum(sqrt(y .^ 2)) + norm(y .* w) - exp(-mean(abs(y))) * +pi',
  '(sum(tan(y / 9) - log10(cosh(y))) - mean(sinh(y / 3))) / s + sum(3)',
];

/** What draw.mjs does not draw: other expressions, earlier tokens that all batch entries share. */
function withMore({ setup, options }) {
  if (options.past && options.batch && random() < 0.5)
    setup.past = { K: setup.past.K[0], V: setup.past.V[0] };
  if (options.loss === 'expression' && random() < 0.7) {
    const expression = EXPRESSIONS[Math.floor(random() * EXPRESSIONS.length)];
    setup.loss = { expression, constants: { w: 0.7, s: 2 } };
  }
  return withRandom(keptOtherwise(setup));
}

const transposed = (matrix) => matrix[0].map((_, column) => matrix.map((row) => row[column]));

/** A matrix (in, out) with its heads apart: (in, heads, width). */
const headsApart = (matrix, heads) =>
  matrix.map((row) => {
    const width = row.length / heads;
    return Array.from({ length: heads }, (_, head) => row.slice(head * width, (head + 1) * width));
  });

/** W_Q, W_K and W_V, or their biases, in one: of each group its part of each, side by side. */
function fused({ q, k, v }, groups) {
  const joined = (rows) =>
    Array.from({ length: groups }, (_, group) =>
      rows.flatMap((row) => {
        const length = row.length / groups;
        return row.slice(group * length, (group + 1) * length);
      }),
    ).flat();
  if (!Array.isArray(q[0])) return joined([q, k, v]);
  return q.map((_, n) => joined([q[n], k[n], v[n]]));
}

/** The same weights, kept in some of the ways in which models keep them. */
function keptOtherwise(setup) {
  const { W_Q, W_K, W_V, b_Q, b_K, b_V, ...rest } = setup.weights;
  const [heads, kvHeads] = [setup.heads ?? 1, setup.kvHeads ?? setup.heads ?? 1];
  const widths = [W_Q?.[0].length / heads, ...[W_K, W_V].map((own) => own?.[0].length / kvHeads)];
  const biases = [b_Q, b_K, b_V].filter(Boolean);
  const fits = W_Q && W_Q.length === W_K?.length && W_K.length === W_V?.length;
  if (
    fits &&
    !setup.xPrime &&
    !setup.xValue &&
    new Set(widths).size === 1 &&
    biases.length % 3 === 0
  ) {
    if (random() < 0.5) {
      const isPerHead = random() < 0.5;
      const groups = isPerHead ? kvHeads : 1;
      const weights = { ...rest, W_QKV: fused({ q: W_Q, k: W_K, v: W_V }, groups) };
      if (b_Q) weights.b_QKV = fused({ q: b_Q, k: b_K, v: b_V }, groups);
      return { ...setup, weights, fused: isPerHead ? 'per-head' : 'blocks' };
    }
  }
  const change = (how) =>
    Object.fromEntries(
      Object.entries(setup.weights).map(([id, own]) => [
        id,
        id.startsWith('W_') ? how(id, own) : own,
      ]),
    );
  if (random() < 0.4)
    return { ...setup, weightLayout: 'out-in', weights: change((_, own) => transposed(own)) };
  if (random() < 0.5 || setup.head !== 'multihead') return setup;
  const pairs = setup.differential ? 2 : 1;
  const counts = { W_Q: pairs * heads, W_K: pairs * kvHeads, W_V: kvHeads };
  const apart = (id, own) => (id in counts ? headsApart(own, counts[id]) : own);
  return { ...setup, weightLayout: 'in-out', weights: change(apart) };
}

/** Some of the inputs come from the documented generator. */
function withRandom(setup) {
  if (random() < 0.5) return setup;
  const from = (nested, n) => {
    const shape = shapeOf(nested);
    return n % 2
      ? { random: 'normal', shape, seed: 7 * n, mean: 0.25, std: 0.5 }
      : { random: 'uniform', shape, seed: 2 ** 32 - 1 - n, low: -1 };
  };
  const drawn = { ...setup };
  for (const [n, key] of ['x', 'xPrime'].entries())
    if (setup[key]) drawn[key] = from(setup[key], n);
  const weights = Object.entries(setup.weights).map(([id, own], n) => [id, from(own, n + 3)]);
  return { ...drawn, weights: Object.fromEntries(weights) };
}

/** As the extension opens it: the header, and of a tensor its own bytes. */
async function opensByRanges(bytes, file, found) {
  let most = 0;
  const source = {
    size: bytes.length,
    read: async (from, to) => {
      most = Math.max(most, to - from);
      return bytes.subarray(from, to);
    },
  };
  const { tensors } = await engine.listTensors(source, file);
  const last = await tensors[tensors.length - 1].open({ breathe: () => undefined });
  const names = tensors.map(({ name }) => name).join();
  return names === found.map(({ name }) => name).join() && last.size === 8 && most < bytes.length;
}

/** What is off, or ''. */
async function compare(setup, file) {
  const run = await runSetup(engine, setup);
  const bytes = await readFile(file);
  const found = engine.readSafetensors(bytes, file);
  const tensors = new Map(found.map(({ name, tensor }) => [name, tensor]));
  const expected = [...run.values.keys()].flatMap((id) => [
    [id, run.values.get(id)],
    [`d${id}`, run.gradients.get(id)],
  ]);
  const odd = found.map(({ name }) => name).filter((name) => !expected.some(([id]) => id === name));
  const wrong = expected.flatMap(([name, tensor]) => {
    // db_K is 0 where shifting all scores changes nothing: rounding is judged by what was summed.
    const summed = name.startsWith('db_') ? run.gradients.get(name.slice(3)) : undefined;
    const error = relativeError(tensors.get(name), tensor, summed && largestOf(summed));
    return error <= TOLERANCE ? [] : [`${name} off by ${error.toExponential(1)}`];
  });
  if (!(await opensByRanges(bytes, file, found))) wrong.push('it does not open by ranges');
  return [...wrong, ...odd.map((name) => `no such node: ${name}`)].join(', ');
}

try {
  const drawn = Array.from({ length: cases }, (_, n) => {
    const drawing = drawSetup(random);
    const processes = PROCESSES[n % PROCESSES.length];
    const place = join(folder, String(processes), String(n).padStart(5, '0'));
    return { ...drawing, setup: withMore(drawing), processes, place };
  });
  for (const processes of new Set(PROCESSES)) {
    await mkdir(join(folder, String(processes)));
    const own = drawn.filter((each) => each.processes === processes);
    for (const { setup, place } of own)
      await writeFile(`${place}.attention.json`, JSON.stringify(setup));
    if (own.length > 0) launch(processes, all, join(folder, String(processes)));
  }
  // The command as people launch it.
  const [first] = drawn;
  const byCommand = { ...first, place: join(folder, 'command') };
  launch(
    2,
    trace,
    'reference',
    `${first.place}.attention.json`,
    '--out',
    `${byCommand.place}.safetensors`,
  );
  for (const { setup, options, processes, place } of [...drawn, byCommand]) {
    const report = await compare(setup, `${place}.safetensors`).catch(({ message }) => message);
    if (report) {
      failed++;
      console.log(
        `FAIL ${place} of ${processes} processes: ${report}\n     ${JSON.stringify(options)}`,
      );
    } else passed++;
  }
} finally {
  await rm(folder, { recursive: true });
}
console.log(`${cases} setups from seed ${seed}, relative tolerance ${TOLERANCE}`);
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed === 0 && passed > 0 ? 0 : 1);
