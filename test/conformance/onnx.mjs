// The ONNX Attention operator's own test cases, forward, through the setup file's `start`.
//   node test/conformance/onnx.mjs FOLDER
// FOLDER holds a JSON file per case: { case, attrs, inputs: { Q: { dtype, shape, data }, ... }, outputs }.
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { loadEngine, runSetup } from './bundle.mjs';

const TOLERANCE = { float16: 1e-3, bfloat16: 1e-2, float32: 1e-6, float64: 1e-12 };

const toNumber = (entry) =>
  typeof entry === 'string' ? Number(entry.replace(/inf(inity)?/i, 'Infinity')) : Number(entry);
const toEntry = (value) =>
  Number.isFinite(value) ? value : Number.isNaN(value) ? 'nan' : value > 0 ? 'inf' : '-inf';

/** Row-major data under a shape, read by index. */
function reader({ shape, data }) {
  return (...index) => toNumber(data[index.reduce((at, i, axis) => at * shape[axis] + i, 0)]);
}

function nested(shape, entry, index = []) {
  if (index.length === shape.length) return toEntry(entry(...index));
  return Array.from({ length: shape[index.length] }, (_, i) => nested(shape, entry, [...index, i]));
}

/** (B, heads, T, width) as (B, T, heads * width); three axes are that already. */
function merged(tensor) {
  const at = reader(tensor);
  if (tensor.shape.length === 3) return nested(tensor.shape, at);
  const [batch, heads, tokens, width] = tensor.shape;
  return nested([batch, tokens, heads * width], (b, t, c) =>
    at(b, Math.floor(c / width), t, c % width),
  );
}

/** Everything that hides keys, as one additive mask (B, H, m, n): the operator may combine several. */
function combinedMask(
  { attn_mask: given, nonpad_kv_seqlen: lengths },
  { causal, batch, heads, m, n, past },
) {
  const at = given && reader(given);
  const shape = given?.shape ?? [];
  const isBoolean = given?.dtype === 'bool';
  const own = (...index) => {
    if (!given) return 0;
    // A mask shorter than the keys hides the rest.
    if (index[3] >= shape.at(-1) && shape.at(-1) !== 1) return -Infinity;
    const value = at(
      ...index.slice(4 - shape.length).map((i, axis) => (shape[axis] === 1 ? 0 : i)),
    );
    return isBoolean ? (value ? 0 : -Infinity) : value;
  };
  return nested([batch, heads, m, n], (b, h, j, i) => {
    const length = lengths ? toNumber(lengths.data[b]) : n;
    const first = past > 0 || !lengths ? past : length - m;
    return i >= length || (causal && i > first + j) ? -Infinity : own(b, h, j, i);
  });
}

/** A case as a setup, and the expected tensors by node with the heads' layout of the case. */
function setupOf({ attrs, inputs }) {
  const { Q, K, V, past_key: pastK, past_value: pastV } = inputs;
  const four = Q.shape.length === 4;
  const heads = four ? Q.shape[1] : attrs.q_num_heads;
  const kvHeads = four ? K.shape[1] : attrs.kv_num_heads;
  const past = pastK?.shape[2] ?? 0;
  const [m, fresh] = [Q.shape.at(-2), K.shape.at(-2)];
  const setup = {
    head: 'multihead',
    heads,
    kvHeads,
    axes: 'query-first',
    start: { Q: merged(Q), K: merged(K), V: merged(V) },
  };
  if (attrs.scale !== undefined) setup.scale = attrs.scale;
  if (attrs.softcap) setup.softcap = attrs.softcap;
  if (past > 0)
    setup.past = { K: nested(pastK.shape, reader(pastK)), V: nested(pastV.shape, reader(pastV)) };
  const causal = Boolean(attrs.is_causal);
  if (inputs.attn_mask || inputs.nonpad_kv_seqlen) {
    setup.mask = combinedMask(inputs, {
      causal,
      batch: Q.shape[0],
      heads,
      m,
      n: fresh + past,
      past,
    });
    setup.maskMeaning = 'add';
  } else if (causal) setup.mask = 'causal';
  return setup;
}

/** What an output of the operator is among the nodes; `qk_matmul_output` says by its mode. */
function nodeOf(output, attrs, run) {
  if (output === 'Y') return run.values.get('y');
  if (output === 'present_key') return run.values.get('Kh');
  if (output === 'present_value') return run.values.get('Vh');
  if (output !== 'qk_matmul_output') return undefined;
  const mode = attrs.qk_matmul_output_mode ?? 0;
  return run.values.get(mode === 3 ? 'P' : mode === 2 && run.values.has('M') ? 'M' : 'Z');
}

/** Largest difference, in units of the largest entry where that is above 1. */
function difference(found, expected, output) {
  if (!found) return Infinity;
  const { shape } = expected;
  const at = { shape: found.shape, data: found.data };
  // y is (B, T, heads * width); four axes of the case are (B, heads, T, width).
  const read = reader(at);
  const own =
    output === 'Y' && shape.length === 4
      ? (b, h, t, c) => read(b, t, h * shape[3] + c)
      : (...index) => read(...index);
  const size = shape.reduce((a, b) => a * b, 1);
  if (found.data.length !== size) return Infinity;
  let [worst, largest] = [0, 1];
  for (let offset = 0; offset < size; offset++) {
    const index = [];
    for (let axis = shape.length - 1, rest = offset; axis >= 0; axis--) {
      index.unshift(rest % shape[axis]);
      rest = Math.floor(rest / shape[axis]);
    }
    const [value, wanted] = [own(...index), toNumber(expected.data[offset])];
    if (Object.is(value, wanted)) continue;
    const error = Math.abs(value - wanted);
    if (!Number.isFinite(error)) return Infinity;
    worst = Math.max(worst, error);
    largest = Math.max(largest, Math.abs(wanted));
  }
  return worst / largest;
}

const [folder] = process.argv.slice(2);
if (!folder) {
  console.error('expected: node test/conformance/onnx.mjs FOLDER');
  process.exit(2);
}
const files = (await readdir(folder).catch(() => []))
  .filter((name) => name.endsWith('.json'))
  .sort();
if (files.length === 0) {
  console.error(`${folder}: found no JSON files, expected the ONNX Attention cases, one file each`);
  process.exit(2);
}
const engine = await loadEngine();
let [passed, failed] = [0, 0];
for (const file of files) {
  let verdict;
  try {
    const theCase = JSON.parse(await readFile(join(folder, file), 'utf8'));
    const run = await runSetup(engine, setupOf(theCase));
    const tolerance = TOLERANCE[theCase.inputs.Q.dtype] ?? 1e-6;
    const errors = Object.entries(theCase.outputs).map(([output, expected]) => [
      output,
      difference(nodeOf(output, theCase.attrs, run), expected, output),
    ]);
    const wrong = errors.filter(([, error]) => !(error <= tolerance));
    const text = (list) =>
      list.map(([output, error]) => `${output} ${error.toExponential(1)}`).join(', ');
    verdict =
      wrong.length === 0
        ? `ok    ${file}: ${text(errors)}`
        : `FAIL  ${file}: ${text(wrong)} (allowed ${tolerance})`;
  } catch (error) {
    verdict = `FAIL  ${file}: ${error.message}`;
  }
  if (verdict.startsWith('ok')) passed++;
  else failed++;
  console.log(verdict);
}
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed === 0 ? 0 : 1);
