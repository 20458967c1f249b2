// Whether right programs, and small variations of them (other seeds, float32, one sequence, more tokens), are inferred
// as their given setups say, and called right.
//   node test/lines/infer/vary.mjs FOLDER... [--every N] [--from N] [--only TEXT] [--plain] [--verbose]
// FOLDER has cases.json and a folder for each case. An entry is wrong where the setup says another; a wrong entry that
// is called sure is counted apart, as is a right program in which something is called wrong.
import { spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { build } from 'esbuild';

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    every: { type: 'string', default: '1' },
    from: { type: 'string', default: '0' },
    only: { type: 'string', default: '' },
    plain: { type: 'boolean', default: false },
    verbose: { type: 'boolean', default: false },
  },
});
const here = fileURLToPath(new URL('.', import.meta.url));
const python = process.env.ATTENTION_PYTHON ?? '/usr/bin/python3';
const recorder = join(here, '../../../python/attention_lines');
const work = mkdtempSync(join(tmpdir(), 'vary-'));

async function loadEngine() {
  const outfile = join(work, 'engine.mjs');
  await build({
    ...{ entryPoints: [join(here, 'engine.ts')], outfile, bundle: true, format: 'esm' },
    ...{ platform: 'node', mainFields: ['module', 'main'], logLevel: 'error' },
  });
  return import(pathToFileURL(outfile));
}

/** @type {[string, (source: string) => string][]} */
const VARIATIONS = [
  ['plain', (source) => source],
  [
    'seed',
    (source) =>
      source.replaceAll(
        /((?:default_rng|manual_seed|RandomState|\bseed|PRNGKey)\(|\bseed\s*=\s*)(\d+)/g,
        (_, before, seed) => `${before}${Number(seed) + 41}`,
      ),
  ],
  [
    'float32',
    (source) =>
      source
        .replaceAll('float64', 'float32')
        .replaceAll('torch.double', 'torch.float')
        .replaceAll('.double()', '.float()'),
  ],
  ['batch', (source) => sized(source, /^(?:B|b|BS|bs|bsz|batch|batch_size|n_batch|nb)$/, () => 1)],
  [
    'tokens',
    (source) =>
      sized(
        source,
        /^(?:T|t|N|n|S|L|seq|seqlen|seq_len|tokens|length|n_tokens|n_query|Tq|Tk|n_key)$/,
        (size) => size + 2,
      ),
  ],
];

/** The program with whole numbers that are assigned to such names changed. */
function sized(source, name, change) {
  const assigned = /^(\s*)((?:\w+\s*,\s*)*\w+)(\s*=\s*)((?:\d+\s*,\s*)*\d+)(\s*(?:#.*)?)$/gm;
  const made = source.replaceAll(assigned, (whole, indent, names, equals, numbers, rest) => {
    const own = names.split(',').map((each) => each.trim());
    const all = numbers.split(',').map((each) => each.trim());
    if (own.length !== all.length) return whole;
    const next = all.map((each, n) => (name.test(own[n]) ? change(Number(each)) : each));
    return `${indent}${names}${equals}${next.join(', ')}${rest}`;
  });
  return made.replaceAll(/\b(\w+)=(\d+)(?=[,)])/g, (whole, own, size) =>
    name.test(own) ? `${own}=${change(Number(size))}` : whole,
  );
}

function record(folder, { name, file, args = [] }, vary) {
  const own = join(work, 'case');
  rmSync(own, { recursive: true, force: true });
  cpSync(join(folder, name), own, { recursive: true });
  const path = join(own, file);
  const source = readFileSync(path, 'utf8');
  const varied = vary(source);
  writeFileSync(path, varied);
  const out = join(work, 'recording');
  rmSync(out, { force: true });
  const { status } = spawnSync(python, ['-B', recorder, '--record', out, file, '--', ...args], {
    ...{ cwd: own, encoding: 'utf8', timeout: 120_000 },
  });
  return { isSame: varied === source, bytes: status === 0 ? readFileSync(out) : null };
}

/** What no number of the program's decides. */
function choicesOf({ config }) {
  const { head, heads, kvHeads, grouping, mask, window, scale, softcap, rope, alibi } = config;
  const { dropout, loss, weights, past, start, qkNorm, softmax, zeroKey, block } = config;
  const round = (value) => (typeof value === 'number' ? Number(value.toPrecision(4)) : value);
  return {
    ...{ heads, kvHeads, grouping: grouping ?? 'blocks', softmax: softmax ?? 'usual' },
    // Several masks of one meaning are one tensor in another setup.
    // With earlier tokens the two causal masks are one.
    mask: typeof mask !== 'string' || config.masks ? 'given' : past ? mask.slice(0, 6) : mask,
    window: window ?? 'none',
    scale: head === 'kq' || scale !== undefined ? round(scale ?? 1) : '1/sqrt(d)',
    softcap: round(softcap ?? 'none'),
    rope: rope ? `${round(rope.base)} ${rope.pairing} ${rope.features ?? ''}` : 'none',
    alibi: alibi !== undefined,
    dropout: dropout ? round(dropout.p) : 'none',
    loss: loss.kind,
    weights: Object.keys(weights).sort().join(' '),
    past: past !== undefined,
    start: Object.keys(start ?? {})
      .sort()
      .join(' '),
    qkNorm: qkNorm ? `${qkNorm.kind} ${qkNorm.over}` : 'none',
    zeroKey: zeroKey ?? false,
    block: Object.keys(block ?? {})
      .sort()
      .join(' '),
  };
}

/** Ways to say the same. */
const SAME = {
  scale: (given, found, width) =>
    [given, found].map((each) => (each === '1/sqrt(d)' ? width ** -0.5 : each)),
};

const counts = { programs: 0, called: 0, none: 0, entries: 0, wrong: 0, sure: 0, asked: 0 };

async function judge(engine, folder, each, [variation, vary]) {
  const { isSame, bytes } = record(folder, each, vary);
  if (!bytes || (isSame && variation !== 'plain')) return;
  counts.programs++;
  const label = `${each.name} ${variation}`;
  const recording = engine.parseRecording(bytes);
  const found = engine.infer(recording);
  if (!found) {
    counts.none++;
    return console.log(`none     ${label}`);
  }
  const asked = found.questions.map(({ entry }) => entry);
  if (asked.length > 0) counts.asked++;
  const { localised } = engine.judge(recording, found.config, engine.buildGraph(found.config));
  if (localised.verdict === 'diverges') {
    counts.called++;
    console.log(`ACCUSED  ${label} [${asked.join(', ')}]`);
  } else if (options.verbose) console.log(`${localised.verdict.padEnd(8)} ${label}`);
  const setup = await readFile(join(folder, each.name, each.setup), 'utf8');
  const given = await engine.openSetup(setup, (path) => readFile(join(folder, each.name, path)));
  const graph = engine.buildGraph(found.config);
  const [own, wanted] = [choicesOf(found), choicesOf(given)];
  for (const entry of Object.keys(wanted)) {
    counts.entries++;
    const [a, b] = SAME[entry]?.(wanted[entry], own[entry], graph.extents.a) ?? [
      wanted[entry],
      own[entry],
    ];
    const isEqual = typeof a === 'number' ? Math.abs(a / b - 1) < 1e-3 : a === b;
    if (isEqual) continue;
    counts.wrong++;
    const isAsked = asked.some((other) => other.split('.')[0] === entry || other === 'scores');
    if (!isAsked) counts.sure++;
    console.log(
      `${isAsked ? 'asked   ' : 'OTHER   '} ${label} ${entry}: given ${a}, inferred ${b}`,
    );
  }
}

const engine = await loadEngine();
for (const folder of positionals) {
  const cases = JSON.parse(readFileSync(join(folder, 'cases.json'), 'utf8'));
  const right = cases.filter(({ truth, name }) => truth === 'match' && name.includes(options.only));
  for (const [n, each] of right.entries()) {
    if (n % Number(options.every) !== Number(options.from)) continue;
    for (const variation of options.plain ? VARIATIONS.slice(0, 1) : VARIATIONS) {
      try {
        await judge(engine, folder, each, variation);
      } catch (error) {
        console.log(`failed   ${each.name} ${variation[0]} ${error.message.split('\n')[0]}`);
      }
    }
  }
}
rmSync(work, { recursive: true });
const { programs, called, none, entries, wrong, sure, asked } = counts;
console.log(
  `${programs} right programs: ${called} accused, ${none} without attention, ${asked} asked about; ` +
    `of ${entries} entries ${wrong} other than given, ${sure} of them called sure`,
);
