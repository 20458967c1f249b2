// How well setups are inferred: every program of a folder of cases is recorded and inferred, and what the engine
// computes of the inferred setup is held against what it computes of the given one.
//   node test/lines/infer/score.mjs FOLDER [--only TEXT] [--half dev|heldout] [--recordings FOLDER] [--verbose]
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { build } from 'esbuild';

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    only: { type: 'string', default: '' },
    half: { type: 'string' },
    recordings: { type: 'string' },
    verbose: { type: 'boolean', default: false },
  },
});
const here = fileURLToPath(new URL('.', import.meta.url));
const python = process.env.ATTENTION_PYTHON ?? '/usr/bin/python3';
const recorder = process.env.ATTENTION_LINES ?? join(here, '../../../python/attention_lines');

async function loadEngine() {
  const outfile = join(await mkdtemp(join(tmpdir(), 'infer-')), 'engine.mjs');
  await build({
    ...{ entryPoints: [join(here, 'engine.ts')], outfile, bundle: true, format: 'esm' },
    ...{ platform: 'node', mainFields: ['module', 'main'], logLevel: 'error', sourcemap: 'inline' },
  });
  return import(pathToFileURL(outfile));
}

/** The recording of a case, made unless it is there. */
async function recordingOf(folder, { name, file, args }) {
  const recordings = options.recordings ?? join(tmpdir(), 'recordings');
  await mkdir(recordings, { recursive: true });
  const out = join(recordings, `${name}.rec`);
  if (!existsSync(out)) {
    spawnSync(python, [recorder, '--record', out, file, '--', ...args], {
      ...{ cwd: join(folder, name), encoding: 'utf8', timeout: 120_000 },
      env: { ...process.env, PYTHONDONTWRITEBYTECODE: '1' },
    });
  }
  return readFile(out);
}

const results = (engine, config) => {
  const { values, gradients } = engine.run(engine.buildGraph(config));
  const found = new Map([['y', values.get('y')]]);
  for (const [id, gradient] of gradients) {
    const isInput = /^(?:x|xPrime|[Wb]_[QKVO])$/.test(id);
    if (isInput || (config.start?.[id] && /^[QKV]$/.test(id))) found.set(`d${id}`, gradient);
  }
  return found;
};

/** What differs between two runs, each tensor's entries in any order. */
function differences(given, inferred) {
  const found = [];
  for (const key of new Set([...given.keys(), ...inferred.keys()])) {
    const [a, b] = [given.get(key), inferred.get(key)];
    if (!a || !b) {
      found.push(`${key} only ${a ? 'given' : 'inferred'}`);
      continue;
    }
    const [left, right] = [a.data.toSorted(), b.data.toSorted()];
    const size = Math.max(1e-6, ...left.map(Math.abs));
    const isSame =
      left.length === right.length &&
      left.every((value, n) => Math.abs(value - right[n]) <= 1e-3 * size);
    if (!isSame) found.push(key);
  }
  return found;
}

async function judge(engine, folder, each) {
  const bytes = await recordingOf(folder, each);
  const setup = await readFile(join(folder, each.name, each.setup), 'utf8');
  const given = await engine.openSetup(setup, (path) => readFile(join(folder, each.name, path)));
  const began = performance.now();
  const found = engine.infer(engine.parseRecording(bytes));
  const ms = Math.round(performance.now() - began);
  if (!found) return { state: 'none', ms, wrong: [], found };
  const wrong = differences(results(engine, given.config), results(engine, found.config));
  const sure = found.questions.length === 0 && found.inferred.every((entry) => entry.sure);
  const state =
    wrong.length === 0 ? (sure ? 'right' : 'right, asked') : sure ? 'WRONG' : 'wrong, asked';
  return { state, ms, wrong, found };
}

const engine = await loadEngine();
const [folder] = positionals;
const cases = JSON.parse(await readFile(join(folder, 'cases.json'), 'utf8'));
const counts = new Map();
for (const each of cases) {
  if (!each.name.includes(options.only)) continue;
  if (options.half && each.half !== options.half) continue;
  let result;
  try {
    result = await judge(engine, folder, each);
  } catch (error) {
    result = { state: 'failed', ms: 0, wrong: [options.verbose ? error.stack : error.message] };
  }
  const { state, ms, wrong, found } = result;
  const state2 = each.setupNeeded ? `${state} (setup needed)` : state;
  counts.set(state2, (counts.get(state2) ?? 0) + 1);
  if (state !== 'right' || options.verbose) {
    const why = found?.questions.map((q) => `${q.entry}: ${q.why}`).join('; ');
    console.log(
      `${state2.padEnd(14)} ${each.name} ${ms} ms ${wrong.join(', ')}${why ? ` [${why}]` : ''}`,
    );
  }
  if (options.verbose && found) {
    for (const { entry, from, sure, note } of found.inferred)
      console.log(`    ${sure ? ' ' : '?'} ${entry}  ${from.file}:${from.line}  ${note}`);
  }
}
console.log(Object.fromEntries(counts));
