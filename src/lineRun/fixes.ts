// Proven fixes of a person's program: the search, driven by their own Python.
import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Cause } from '../compare/report.ts';
import type { HeadConfig } from '../engine/config.ts';
import type { Graph } from '../engine/graph.ts';
import { sameShape } from '../engine/tensor.ts';
import type { InferOptions } from '../lines/infer/types.ts';
import { type Judged, judging } from '../lines/judge.ts';
import { cellNumber } from '../lines/recorded/place.ts';
import type { Recording } from '../lines/recorded/recording.ts';
import { type Fix, fixOf } from '../lines/repair/fix.ts';
import { notebookFix } from '../lines/repair/notebook.ts';
import { newKnown, prove } from '../lines/repair/prove.ts';
import { LIMITS, type Limits, type Repaired, repair, type Tried } from '../lines/repair/repair.ts';
import type { Bench, Sources } from '../lines/repair/bench.ts';
import { compareStandings, standingOf } from '../lines/repair/progress.ts';
import { isAsTelling, recordingFirst, tellingCalls } from '../lines/repair/repeated.ts';
import { takesResidual, withResidual } from './residual.ts';
import { type BenchOptions, type OpenBench, openBench } from '../recorder/repairBench.ts';

export interface FixOptions {
  readonly recording: Recording;
  readonly judged: Judged;
  readonly config: HeadConfig;
  readonly graph: Graph;
  readonly bench: BenchOptions;
  /** One of these options that has been opened already; it is closed here. */
  readonly opened?: OpenBench;
  /** Which of several attentions it is. */
  readonly asked?: InferOptions;
  readonly limits?: Partial<Limits>;
  /** As soon as each is proven. */
  readonly onFix?: (fix: Fix) => void;
}

export interface Fixes {
  /** The shortest edit first; empty where none was proven. */
  readonly fixes: readonly Fix[];
  readonly tried: Tried;
}

/** So many are offered at most. */
const MOST_FIXES = 3;
/** After the search has ended, for the last proof, in seconds of the processor. */
const LAST_SECONDS = 10;
/** On a loaded machine so much longer is waited than the search takes alone: then Python ends. */
const PATIENCE = 4;

/** How long this process and that of the bench were at work, in seconds: how many others are on the machine changes nothing. */
function clockOf(bench: OpenBench): () => number {
  const [before, began] = [bench.spent, process.cpuUsage()];
  return () => {
    const { user, system } = process.cpuUsage(began);
    return bench.spent - before + (user + system) / 1e6;
  };
}

/** Ends early when `bench.signal` is aborted; what was proven until then is given. */
export async function findFixes(options: FixOptions): Promise<Fixes> {
  const { config, graph, bench: benchOptions, limits, onFix } = options;
  const fixes: { readonly fix: Fix; readonly cost: number; readonly left: string }[] = [];
  const known = newKnown();
  const plain = judging(config, graph);
  // That the input is added to the output may be seen only where the output is right.
  const judge = (recording: Recording): Judged => {
    const judged = plain(recording);
    return withResidual(recording, { config, graph }, judged)?.judged ?? judged;
  };
  const within = { ...LIMITS, ...limits };
  const until = within.seconds + LAST_SECONDS;
  const bench = options.opened ?? (await openBench(benchOptions));
  const now = clockOf(bench);
  const limit = setTimeout(() => void bench.close(), 1000 * PATIENCE * until);
  try {
    const begun = await beginning(options, bench, judge);
    if (!begun) return { fixes: [], tried: { candidates: 0, runs: 0, isStopped: false } };
    const { recording, judged, notebook, tried: trial } = begun;
    const mayAdd = takesResidual(config);
    const found = async (repaired: Repaired): Promise<'proven' | 'disproved' | 'enough'> => {
      if (mayAdd && losesTerm(recording, judged, repaired)) return 'disproved';
      const verified = await prove(repaired, recording, trial.bench, now, {
        ...{ known, until },
        asked: options.asked,
      });
      if (!verified || !(await trial.holds(repaired.sources))) return 'disproved';
      // Another edit is offered beside the first where all that it leaves is the same.
      const left = leftBy(repaired);
      if (fixes.length > 0 && left !== fixes[0].left) return 'disproved';
      const fix = notebook
        ? asNotebookFix(recording, notebook, repaired, verified)
        : await asFix(recording, repaired, verified, dirname(benchOptions.file));
      if (fix && !fixes.some((one) => one.fix.after === fix.after && one.fix.line === fix.line)) {
        fixes.push({ fix, cost: repaired.cost, left });
        onFix?.(fix);
      }
      return fixes.length < MOST_FIXES ? 'proven' : 'enough';
    };
    const tried = await repair(recording, judged, {
      bench: trial.bench,
      judge,
      limits: within,
      now,
      found,
    });
    fixes.sort((a, b) => a.cost - b.cost || a.fix.after.length - b.fix.after.length);
    return { fixes: fixes.map(({ fix }) => fix), tried };
  } finally {
    clearTimeout(limit);
    await bench.close();
  }
}

interface Notebook {
  readonly json: string;
  readonly cells: NonNullable<Recording['cells']>;
}

interface Beginning extends Pick<FixOptions, 'recording' | 'judged'> {
  readonly notebook: Notebook | null;
  readonly tried: {
    readonly bench: Bench;
    /** Whether a fix holds in a run that is recorded as a whole. */
    readonly holds: (sources: Sources) => Promise<boolean>;
  };
}

/** The run that edits begin from: of a notebook its cells as one program; and without calls that tell nothing new. */
async function beginning(
  { recording, judged, bench: { file } }: FixOptions,
  bench: Bench,
  judge: (recording: Recording) => Judged,
): Promise<Beginning | null> {
  const { cells } = recording;
  const joined = cells ? await bench.record({}) : recording;
  if (!joined) return null;
  const json = cells ? await readFile(file, 'utf8') : null;
  const whole = { recording: joined, judged: cells ? judge(joined) : judged };
  const notebook = cells && json !== null ? { json, cells } : null;
  const standing = standingOf(whole.recording, whole.judged);
  const plain = { bench, holds: () => Promise.resolve(true) };
  const calls = tellingCalls(whole.recording, whole.judged);
  if (Object.keys(calls).length === 0) return { ...whole, notebook, tried: plain };
  const first = await bench.record({}, undefined, calls);
  const shorter = first && standingOf(first, judge(first));
  if (!shorter || !isAsTelling(standing, shorter)) return { ...whole, notebook, tried: plain };
  const holds = async (sources: Sources): Promise<boolean> => {
    const run = await bench.record(sources);
    return run !== null && compareStandings(standing, standingOf(run, judge(run))) === 'right';
  };
  const tried = { bench: recordingFirst(bench, calls), holds };
  return { recording: shorter.recording, judged: shorter.judged, notebook, tried };
}

function asNotebookFix(
  { files: [{ path, source: before }] }: Recording,
  { json, cells }: Notebook,
  { sources, slips }: Repaired,
  verified: Fix['verified'],
): Fix | null {
  const after = sources[path];
  const isAlone = Object.keys(sources).length === 1;
  if (after === undefined || !isAlone) return null;
  return notebookFix(path, json, cells, before, after, slips, verified);
}

/**
 * Whether an edit takes away what a wrong output is a sum with: the setup is of the attention alone, and it may have been
 * the input that was to be added.
 */
function losesTerm(
  recording: Recording,
  { localised: { wrong }, catalogue: { type } }: Judged,
  { standing }: Repaired,
): boolean {
  const [first] = wrong;
  const isOutput = first?.node === 'y' && first.kind === 'value';
  if (!isOutput || standing.judged.catalogue.config.block) return false;
  const { shape } = recording.events[first.event];
  const was = recording.tensor(first.event);
  const { entries } = standing.judged.catalogue;
  const is = entries.find(({ key, role }) => key === 'v:y' && role === 'node');
  if (!was || is?.data.length !== was.data.length) return false;
  const term = was.data.map((value, at) => value - is.data[at]);
  const size = was.data.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  const near = Math.max(1e-9, 16 * type.epsilon) * size;
  return recording.events.some((event) => {
    if (event.id === first.event || !sameShape(event.shape, shape)) return false;
    return recording
      .tensor(event.id)
      ?.data.every((value, at) => Math.abs(value - term[at]) <= near);
  });
}

/** The shapes of what each name of the program holds at the end. */
function leftBy({ standing: { recording } }: Repaired): string {
  const shapes = new Map<string, string>();
  for (const { name, how, shape } of recording.events) shapes.set(`${how} ${name}`, shape.join());
  return JSON.stringify([...shapes].sort(([a], [b]) => (a < b ? -1 : 1)));
}

async function asFix(
  { files }: Recording,
  { sources, slips }: Repaired,
  verified: Fix['verified'],
  folder: string,
): Promise<Fix | null> {
  const changed: Fix[] = [];
  for (const [file, after] of Object.entries(sources)) {
    const before = files.find(({ path }) => path === file)?.source;
    if (before === undefined || before === after) continue;
    const written = await readFile(join(folder, file), 'utf8').catch(() => before);
    changed.push(fixOf(file, before, after, slips, verified, written));
  }
  const [first] = changed;
  return first ? { ...first, diff: changed.map(({ diff }) => diff).join('') } : null;
}

/** That there would have been more to try. */
export const stoppedAfter = ({ candidates, runs }: Tried): string =>
  `the search for a fix was ended after ${candidates} edits and ${runs} runs: its time was over, and nothing was proven`;

/** What the proven fix says of the mistake: in words no other is then named. */
export function causeOf(
  { before, after, slips, verified, line, cell }: Fix,
  judged: Judged,
): Cause | null {
  const [wrong] = judged.localised.wrong;
  if (!wrong || wrong.node === null || wrong.kind === 'other') return null;
  const { tensors, seeds, sizes } = verified;
  const [was, is] = [before.trim(), after.trim()];
  const place = cell === undefined ? `line ${line}` : `cell ${cellNumber(cell)}, line ${line}`;
  return {
    id: `proven-${slips[0].replaceAll(/[^a-z]+/g, '-')}`,
    title:
      was === ''
        ? `${place}: a statement is missing`
        : `${place}: ${NAMES[slips[0]] ?? 'the statement is another one'}`,
    node: wrong.node,
    kind: wrong.kind,
    why: `With this edit the whole program was run again: ${tensors} tensors are right, with ${seeds} seeds and ${sizes} sizes.`,
    wrong: was,
    right: is,
    ...{ fix: is, numpy: is, pytorch: is },
    residual: 0,
    runnerUp: null,
  };
}

/** Of the slips of python/attention_lines/mutate. */
const NAMES: Readonly<Record<string, string>> = {
  operand: 'another tensor or number belongs here',
  number: 'the number is another one',
  flag: 'the flag is the other one',
  operator: 'the operator is another one',
  order: 'the order is another one',
  drop: 'something is too much',
  parentheses: 'the parentheses stand elsewhere',
  sign: 'the sign is the other one',
  complement: 'the complement belongs here',
  comparison: 'the comparison is another one',
  bound: 'the bound is another one',
  transpose: 'a transpose is missing or too much',
  factor: 'a factor is missing',
  power: 'a power is missing',
  term: 'a term is missing',
  'row term': 'the row term of the softmax is missing',
  index: 'the index is another one',
  'new axis': 'an axis is missing',
  sum: 'a sum is missing',
  mask: 'the mask is missing or another one',
  function: 'the function is another one',
  axis: 'the axis is another one',
  keepdims: 'the summed axis has to stay',
  argument: 'an argument is too much',
  letters: 'the letters are other ones',
  layout: 'the axes are in another order',
  copy: 'a copy is missing',
  detach: 'the graph is cut, or is to be cut',
  dtype: 'the number type is another one',
  assignment: 'it is assigned otherwise',
  target: 'it belongs into another tensor',
  moved: 'it stands in another place',
  superfluous: 'it is too much',
  missing: 'a statement is missing',
  path: 'a path of the gradient is missing',
  'not zeroed': 'the accumulator is not zeroed',
  alike: 'it belongs computed as the one beside it',
  everywhere: 'another one belongs in all these places',
};
