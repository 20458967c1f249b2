// What finds a mistake, on the same wrong programs: node test/lines/repairTable.mjs FOLDER [--every N] [--only NAME,...].
// `lines --fix` (a proven fix after which the program prints what the right one does), `check` (the first wrong node, and a
// cause, from the tensors that were recorded), and plain gradcheck. FOLDER as for repairScore.mjs. Needs Node 24 or newer.
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { openSetupFile } from '../../src/cli/support.ts';
import { check } from '../../src/compare/check.ts';
import { resolveName } from '../../src/formats/nodeNames.ts';
import { answer } from '../../src/lineRun/answer.ts';
import { tensorsOf } from '../../src/lineRun/details.ts';
import { judge } from '../../src/lines/judge.ts';
import { parseRecording } from '../../src/lines/recording.ts';
import { record } from '../../src/recorder/record.ts';
import { openBench } from '../../src/recorder/repairBench.ts';
import { gradcheck } from './gradcheck.mjs';

const here = dirname(fileURLToPath(import.meta.url));
const recorder = join(here, '../../python/attention_lines');
const python = process.env.ATTENTION_PYTHON ?? '/usr/bin/python3';
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { every: { type: 'string', default: '1' }, only: { type: 'string' } },
});
const root = resolve(positionals[0] ?? '');
/** @typedef {{ name: string, program?: string, file: string, setup: string, args?: string[], mistakes?: { nodes: string[] }[] }} Case */
/** @type {Case[]} */
const cases = JSON.parse(readFileSync(join(root, 'cases.json'), 'utf8'));
const only = values.only?.split(',');
const wrong = cases
  .filter(({ mistakes }) => Array.isArray(mistakes) && mistakes.length > 0)
  .filter(({ name }, n) => (only ? only.includes(name) : n % Number(values.every) === 0));

/** @param {string} folder @param {Case} program */
async function recorded(folder, { file, args = [] }) {
  const path = join(folder, file);
  const { bytes } = await record({ recorder, python, file: path, args, cwd: folder });
  return parseRecording(bytes, file);
}

/** Whether `lines --fix` mends it, as repairScore.mjs judges. @param {Case} program */
function isMended({ name }) {
  const score = join(here, 'repairScore.mjs');
  const { stdout } = spawnSync(process.execPath, [score, root, '--only', name], {
    encoding: 'utf8',
  });
  return /^1 passed, 0 failed/m.test(stdout);
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

const count = { programs: 0, mended: 0, place: 0, cause: 0, seen: 0, unseen: 0, notRun: 0 };
for (const program of wrong) {
  const { place, cause, gradcheck: seen } = await others(program);
  const mended = isMended(program);
  count.programs++;
  if (mended) count.mended++;
  if (place) count.place++;
  if (cause) count.cause++;
  count[seen === null ? 'notRun' : seen ? 'seen' : 'unseen']++;
  const gradients = seen === null ? 'cannot be run' : seen ? 'sees it' : 'does not see it';
  console.log(
    `${program.name.padEnd(44)} ${mended ? 'mended' : '-     '}  check: ${place ? 'node' : '-   '} ${cause ? 'cause' : '-    '}  gradcheck: ${gradients}`,
  );
}
const { programs, mended, place, cause, seen, unseen, notRun } = count;
console.table({
  'lines --fix: a proven fix': { of: programs, right: mended },
  'check: the first wrong node': { of: programs, right: place },
  'check: a cause at that node': { of: programs, right: cause },
  'gradcheck: sees that it is wrong': { of: programs, right: seen },
});
console.log(`gradcheck: ${seen} seen, ${unseen} not seen, ${notRun} could not be run`);
