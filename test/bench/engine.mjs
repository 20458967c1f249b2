// npm run bench: how long attention takes, forward and backward with every intermediate, beside what else there is.
//   node test/bench/engine.mjs [--short] [--write] [--rounds N] [--sizes 64,8192,12x1024,32768]
// Every program computes the same numbers (held against each other), one run each in turn, so that a drift of the
// machine's speed falls on all. --write puts the outcome into docs/benchmarks.md and its ratios into the README.
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { cpus, loadavg, totalmem } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { npm, root } from '../../scripts/lib/setup.mjs';
import { Peer } from './lib/peers.mjs';
import { digits, markdown, ratio, spread } from './lib/table.mjs';

const flags = process.argv.slice(2);
const isShort = flags.includes('--short');
const optionOf = (name) => (flags.includes(name) ? flags[flags.indexOf(name) + 1] : undefined);
const rounds = Number(optionOf('--rounds')) || (isShort ? 3 : 7);
/** Of each size no more rounds are begun after that, but these. */
const LONGEST = 40_000; // ms
const FEWEST = 3;
/** A program that takes longer than this is not asked for more. */
const PATIENCE = 8000; // ms
const python = process.env.ATTENTION_PYTHON ?? '/usr/bin/python3';
/** What is measured beside and is no dependency: installed here on the first run. */
const others = join(root, '.vscode-test', 'bench');
const OTHERS = [
  '@jax-js/jax@0.1.25',
  '@tensorflow/tfjs-core@4.22.0',
  '@tensorflow/tfjs-backend-wasm@4.22.0',
];

const file = (name) => fileURLToPath(new URL(`peers/${name}`, import.meta.url));
const node = (name, ...more) => ({ command: process.execPath, args: [file(name)], more });
const torch = (dtype) => ({
  command: python,
  args: [file('torch_peer.py')],
  more: [dtype],
  env: { OMP_NUM_THREADS: '1', OPENBLAS_NUM_THREADS: '1' },
});
/** The first is what all are compared with. `most`: tokens beyond which it is not asked; `heads`: whether it has any. */
const PROGRAMS = [
  { name: 'this engine', ...node('ours.mjs', '1'), heads: true },
  { name: 'this engine, 2 threads', ...node('ours.mjs', '2'), heads: true },
  { name: 'PyTorch float64', ...torch('float64'), heads: true },
  { name: 'PyTorch float32', ...torch('float32'), heads: true },
  { name: 'plain loops', ...node('plain.mjs'), heads: true, most: 2048 },
  { name: 'mathjs', ...node('mathjs.mjs'), most: 512 },
  { name: 'tfjs', ...node('tfjs.mjs', others), most: 2048 },
  { name: 'jax-js float64', ...node('jaxjs.mjs', others, 'float64'), most: 2048 },
  { name: 'jax-js float32', ...node('jaxjs.mjs', others, 'float32'), most: 2048 },
];
const oneHead = (...sizes) => sizes.map((n) => ({ n, heads: 1 }));
/** By the work: what is too slow for one is not asked for those behind it. */
const SIZES = [
  ...oneHead(64, 128, 256, 512, 1024, 2048),
  { n: 1024, heads: 12 },
  ...oneHead(4096, 8192),
];
/** From here on two programs at a time would not fit the memory: one after the other, not in turn. */
const ALONE = 8192;
/** Beyond memory: in tiles, once. */
const TILES = 32_768;
const SHORT = ['64', '256', '1024'];

function install() {
  if (existsSync(join(others, 'node_modules', '@jax-js'))) return;
  mkdirSync(others, { recursive: true });
  writeFileSync(join(others, 'package.json'), '{"private":true}\n');
  npm(['install', '--ignore-scripts', '--no-audit', '--no-fund', ...OTHERS], others);
}

const nameOf = ({ n, heads }) => (heads > 1 ? `${heads} × ${n}` : String(n));
const asked = isShort ? SHORT : optionOf('--sizes')?.split(',');
const isAsked = (name) => !asked || asked.includes(name.replace(' × ', 'x'));

/** Float32 and approximate exponentials within their own accuracy, the others to the last digits. */
function holdTogether(name, own, first) {
  const allowed = /float32|tfjs/.test(name) ? 1e-4 : /jax/.test(name) ? 1e-7 : 1e-11;
  const off = Math.max(
    Math.abs(own.dx - first.dx) / first.dx,
    Math.abs(own.f - first.f) / first.dx,
  );
  if (!(off <= allowed)) throw new Error(`computes something else (relative distance ${off})`);
}

async function measure(size, tooSlow) {
  const { n, heads } = size;
  const running = [];
  const ended = [];
  let first;
  /** One round of what runs; what breaks off is told and left out. */
  const round = async () => {
    for (const each of [...running]) {
      try {
        await each.peer.run(true);
      } catch (error) {
        running.splice(running.indexOf(each), 1);
        each.peer.stop();
        tooSlow.add(each.name);
        console.error(`${each.name} at ${nameOf(size)}: ${error.message}`);
      }
    }
  };
  const allRounds = async () => {
    const began = performance.now();
    const most = n >= ALONE ? Math.min(FEWEST, rounds) : rounds;
    for (let k = 0; k < most; k++) {
      if (k >= FEWEST && performance.now() - began > LONGEST) break;
      await round();
    }
    for (const { peer } of running) await peer.end();
    ended.push(...running.splice(0));
  };
  for (const { name, command, args, more, env, most = Infinity, heads: many } of PROGRAMS) {
    if (n > most || (heads > 1 && !many) || tooSlow.has(name)) continue;
    const peer = new Peer(command, [...args, String(n), String(heads), ...more], env);
    try {
      await peer.ready();
      // Compilers need some runs.
      let warm;
      for (let k = 0; k < (n <= 512 ? 12 : n < ALONE ? 2 : 1); k++) warm = await peer.run(false);
      first ??= warm;
      holdTogether(name, warm, first);
      if (warm.ms * 4 > PATIENCE && heads === 1) tooSlow.add(name);
      running.push({ name, peer });
      if (n >= ALONE) await allRounds();
    } catch (error) {
      peer.stop();
      tooSlow.add(name);
      console.error(`${name} at ${nameOf(size)}: ${error.message}`);
    }
  }
  if (n < ALONE) await allRounds();
  return ended;
}

/** One head beyond memory, as a row of the table. */
async function tiles() {
  const peer = new Peer(process.execPath, [file('tiles.mjs'), String(TILES), '1']);
  try {
    await peer.ready();
    await peer.run(true);
    await peer.end();
  } catch (error) {
    peer.stop();
    console.error(`in tiles: ${error.message}`);
    return [];
  }
  return [[String(TILES), peer.version, spread(peer.times), '', digits(peer.megabytes)]];
}

function machine() {
  const [{ model }] = cpus();
  const git = (/** @type {string[]} */ ...args) =>
    execFileSync('git', args, { cwd: root, encoding: 'utf8' }).trim();
  const load = loadavg()[0].toFixed(1);
  return (
    `${cpus().length} × ${model}, ${(totalmem() / 2 ** 30).toFixed(0)} GB, ` +
    `Node ${process.versions.node}, load ${load} before; ` +
    `commit ${git('rev-parse', '--short', 'HEAD')}, ${new Date().toISOString().slice(0, 10)}`
  );
}

const about = machine();
install();
const rows = [];
/** @type {Map<string, Map<string, number>>} */
const ratios = new Map();
const tooSlow = new Set();
const versions = new Map();
for (const size of SIZES.filter((each) => isAsked(nameOf(each)))) {
  console.error(`n = ${nameOf(size)} ...`);
  const measured = await measure(size, tooSlow);
  const [first] = measured;
  for (const { name, peer } of measured) {
    versions.set(name, peer.version);
    const times = ratio(peer.times, first.peer.times.slice(0, peer.times.length));
    if (!ratios.has(name)) ratios.set(name, new Map());
    ratios.get(name)?.set(nameOf(size), times);
    rows.push([nameOf(size), name, spread(peer.times), digits(times), digits(peer.megabytes)]);
  }
}

if (isAsked(String(TILES))) {
  console.error(`n = ${TILES}, in tiles ...`);
  rows.push(...(await tiles()));
}

const table = markdown(['n', 'program', 'ms, median (min–max)', '÷ ours', 'MB'], rows);
const page = `# Benchmarks

\`npm run bench\`, ${rounds} rounds; what \`npm run bench -- --write\` last wrote.

${about}.

Causal attention, forward and backward, every intermediate and its gradient kept: one head of width 64 with n queries
and keys (x, W_K, W_Q, W_V given), or 12 heads with W_O. Each program runs in a process of its own, one run each in
turn; all compute the same numbers, held against each other. "÷ ours" is the median of the ratios within a turn: above 1
the program is slower than this engine on one thread. MB is the peak memory beyond that before the first run. Absolute
times differ fivefold between machines and drift on one: only ratios of one run say anything. From n = ${ALONE} on the
programs run one after the other, for the memory of two; at n = ${TILES} no matrix (n, n) is kept, of which the last
64 x 64 weights and their gradient are looked at as tiles.

${table}

Programs: ${[...versions]
  .filter(([, version]) => /\d\./.test(version))
  .map(([name, version]) => `${name} is ${version}`)
  .join('; ')}. PyTorch
runs on one thread; without OpenBLAS (\`libopenblas0-pthread\`) it is ten times slower and no peer. tfjs and jax-js have
no way to keep intermediates that their compilers fuse.
`;
console.log(`${about}\n\n${table}`);

/** The ratios that matter, as one line per program. */
function summary() {
  const at = ['256', '1024', '12 × 1024'];
  const shown = PROGRAMS.map(({ name }) => name).filter((name) => ratios.has(name));
  const cell = (name, size) => {
    const value = ratios.get(name)?.get(size);
    return value === undefined ? '' : digits(value);
  };
  return markdown(
    ['time ÷ this engine’s', ...at.map((size) => `n = ${size}`)],
    shown.slice(1).map((name) => [name, ...at.map((size) => cell(name, size))]),
  );
}

if (flags.includes('--write')) {
  writeFileSync(join(root, 'docs', 'benchmarks.md'), page);
  const readme = join(root, 'README.md');
  const text = readFileSync(readme, 'utf8');
  const [begin, end] = ['<!-- bench -->', '<!-- /bench -->'];
  const [from, to] = [text.indexOf(begin), text.indexOf(end)];
  if (from >= 0 && to > from)
    writeFileSync(
      readme,
      `${text.slice(0, from + begin.length)}\n\n${summary()}\n\n${text.slice(to)}`,
    );
} else if (!isShort) console.log(`\n${summary()}`);
// The fastest and the slowest of a program differ this much: what the machine did beside.
const loudest = Math.max(
  ...rows.map(([, , text]) => {
    const [, low, high] = /\((.*)–(.*)\)/.exec(text) ?? [];
    return Number(high) / Number(low);
  }),
);
if (loudest > 2)
  console.error(`The machine was busy: times differ up to ${digits(loudest)} times.`);
