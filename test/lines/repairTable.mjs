// What finds a mistake, on the same wrong programs: node test/lines/repairTable.mjs FOLDER [--every N] [--only NAME,...]
// [--write]. --write puts the table into docs/fixes.md.
// `lines --fix` (a proven fix after which the program prints what the right one does), `check` (the first wrong node, and a
// cause, from the tensors that were recorded), and plain gradcheck. FOLDER as for repairScore.mjs. Needs Node 24 or newer.
import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { cpus, loadavg } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { openSetupFile } from '../../src/cli/support.ts';
import { check } from '../../src/compare/check.ts';
import { resolveName } from '../../src/formats/nodeNames.ts';
import { answer } from '../../src/lineRun/answer.ts';
import { tensorsOf } from '../../src/lineRun/details.ts';
import { judge } from '../../src/lines/judge.ts';
import { parseRecording } from '../../src/lines/recorded/recording.ts';
import { record } from '../../src/recorder/record.ts';
import { openBench } from '../../src/recorder/repairBench.ts';
import { gradcheck } from './gradcheck.mjs';

const here = dirname(fileURLToPath(import.meta.url));
const recorder = join(here, '../../python/attention_lines');
const python = process.env.ATTENTION_PYTHON ?? '/usr/bin/python3';
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    every: { type: 'string', default: '1' },
    only: { type: 'string' },
    write: { type: 'boolean', default: false },
  },
});
const root = resolve(positionals[0] ?? '');
/** @typedef {{ name: string, program?: string, file: string, setup: string, args?: string[], mistakes?: { nodes: string[] }[] }} Case */
/** @type {Case[]} */
const cases = JSON.parse(readFileSync(join(root, 'cases.json'), 'utf8'));
const only = values.only?.split(',');
/** @param {Case[]} some */
const chosen = (some) =>
  some.filter(({ name }, n) => (only ? only.includes(name) : n % Number(values.every) === 0));
/** @param {Case} program */
const isWrong = ({ mistakes }) => Array.isArray(mistakes) && mistakes.length > 0;
const wrong = chosen(cases.filter(isWrong));
const rightPrograms = chosen(cases.filter((program) => !isWrong(program)));

/** @param {string} folder @param {Case} program */
async function recorded(folder, { file, args = [] }) {
  const path = join(folder, file);
  const { bytes } = await record({ recorder, python, file: path, args, cwd: folder });
  return parseRecording(bytes, file);
}

/** What `lines --fix` makes of it, as repairScore.mjs judges. @param {Case} program */
function fixed({ name }) {
  const score = join(here, 'repairScore.mjs');
  const { stdout } = spawnSync(process.execPath, [score, root, '--only', name], {
    encoding: 'utf8',
  });
  const [, seconds, outcome] = /(\d+\.\d) s {2}(mended|none|wrong patch)/.exec(stdout) ?? [];
  return { outcome: outcome ?? 'none', seconds: Number(seconds) };
}

/** @param {Case} program */
async function others({ mistakes = [], ...program }) {
  const folder = join(root, program.name);
  const setup = await openSetupFile(join(folder, program.setup));
  const recording = await recorded(folder, program);
  const { args = [], file } = program;
  const found = answer(recording, { file, args, setup });
  if (!found) return { place: false, cause: false, gradcheck: null };
  const { config, graph } = found;
  const trace = tensorsOf(recording, found);
  const report = check({ config, graph, trace, names: {}, resolve: resolveName });
  const meant = new Set(mistakes.flatMap(({ nodes }) => nodes));
  /** @param {{ node: string | null, kind: string } | null | undefined} at */
  const isMeant = (at) =>
    Boolean(at?.node && meant.has((at.kind === 'gradient' ? 'd' : '') + at.node));
  const same = cases.find((each) => each.file === file && !each.mistakes?.length);
  const home = join(root, program.program ?? same?.name ?? file.replace(/\.\w+$/, ''));
  const right = await recorded(home, program);
  const options = { python, recorder, file: join(folder, file), args, cwd: folder, timeout: 60 };
  const bench = await openBench(options);
  try {
    const judged = judge(right, config, graph);
    return {
      place: isMeant(report.first),
      cause: isMeant(report.causes[0]),
      gradcheck: await gradcheck({
        right: { recording: right, judged },
        wrong: recording,
        graph,
        bench,
      }),
    };
  } finally {
    await bench.close();
  }
}

/** @param {number[]} some */
const median = (some) => some.toSorted((a, b) => a - b)[Math.floor(some.length / 2)];
const NOTHING = {
  programs: 0,
  mended: 0,
  spoilt: 0,
  place: 0,
  cause: 0,
  seen: 0,
  unseen: 0,
  notRun: 0,
};
/** By the number of mistakes. @type {Map<string, typeof NOTHING & { seconds: number[] }>} */
const counts = new Map();
for (const program of wrong) {
  const kind = program.mistakes?.length === 1 ? 'one mistake' : 'two mistakes';
  const count = counts.get(kind) ?? { ...NOTHING, seconds: [] };
  counts.set(kind, count);
  const { place, cause, gradcheck: seen } = await others(program);
  const { outcome, seconds } = fixed(program);
  count.programs++;
  count.seconds.push(seconds);
  if (outcome === 'mended') count.mended++;
  if (outcome === 'wrong patch') count.spoilt++;
  if (place) count.place++;
  if (cause) count.cause++;
  count[seen === null ? 'notRun' : seen ? 'seen' : 'unseen']++;
  const gradients = seen === null ? 'cannot be run' : seen ? 'sees it' : 'does not see it';
  console.log(
    `${program.name.padEnd(44)} ${outcome.padEnd(11)}  check: ${place ? 'node' : '-   '} ${cause ? 'cause' : '-    '}  gradcheck: ${gradients}`,
  );
}
const needless = rightPrograms.filter((program) => fixed(program).outcome !== 'none').length;

/** @param {(count: typeof NOTHING & { seconds: number[] }) => string | number} cell */
const row = (cell) => [...counts.values()].map(cell).join(' | ');
const kinds = [...counts.keys()];
const table = `| | ${kinds.join(' | ')} |
| --- | ${kinds.map(() => '---').join(' | ')} |
| programs | ${row(({ programs }) => programs)} |
| \`lines --fix\`: a proven fix, after which the program prints what the right one does | ${row(({ mended }) => mended)} |
| \`lines --fix\`: a fix that leaves it wrong | ${row(({ spoilt }) => spoilt)} |
| \`lines --fix\`: seconds, median | ${row(({ seconds }) => median(seconds).toFixed(1))} |
| \`check\` on the logged tensors: the first wrong node | ${row(({ place }) => place)} |
| \`check\` on the logged tensors: a cause at that node | ${row(({ cause }) => cause)} |
| gradcheck: sees that something is wrong | ${row(({ seen }) => seen)} |
| gradcheck: sees nothing | ${row(({ unseen }) => unseen)} |
| gradcheck: cannot be run | ${row(({ notRun }) => notRun)} |`;
console.log(`\n${table}\n\n${needless} of ${rightPrograms.length} right programs got a fix.`);
if (values.write) {
  const [cpu] = cpus();
  const page = `# Proven fixes

\`node test/lines/repairTable.mjs FOLDER --write\` last wrote this: ${wrong.length} wrong programs in NumPy and
PyTorch, scripts, classes and notebooks. A fix counts if the fixed program prints what the right program prints. \`check\` is given every tensor that the program computes and a setup; plain
gradcheck compares the gradients that the program gives with differences of its own outputs, which sees no mistake of the
forward pass, and needs a function that can be called. ${needless} of ${rightPrograms.length} right programs got a fix.

${table}

${cpus().length} × ${cpu.model.trim()}, Node ${process.versions.node}, load ${loadavg()[0].toFixed(1)}: times are longer under load.
`;
  writeFileSync(join(here, '../../docs/fixes.md'), page);
}
