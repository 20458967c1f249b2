// What the commands and the agents' tools ask of a person's program: it is run, judged, and mended where that is asked for.
import { plainJson } from '../formats/jsonText.ts';
import { dirname, isAbsolute, join, normalize, resolve } from 'node:path';
import { type Answer, answer, notAligned, nothingFound, syntaxError } from '../lineRun/answer.ts';
import { causeOf, findFixes, type Fixes, stoppedAfter } from '../lineRun/fixes.ts';
import { explain } from '../lines/tell/name.ts';
import type { Fix } from '../lines/repair/fix.ts';
import type { Recording } from '../lines/recorded/recording.ts';
import type { ComputableSetup } from '../formats/openSetup.ts';
import { type LinesResult, notesOf } from '../lines/tell/result.ts';
import { setupDocument } from '../lines/tell/setupDocument.ts';
import { type BenchOptions, type OpenBench, openBench } from '../recorder/repairBench.ts';
import {
  interpreters,
  isPytest,
  type ProgramOptions,
  type Ran,
  recorder,
  runProgram,
} from './program.ts';
import { Progress } from './progress.ts';
import { InputError, openSetupFile } from './support.ts';
import { writeFileSafely } from './writeFile.ts';

export interface LinesRunOptions extends Omit<ProgramOptions, 'args'> {
  readonly setup?: string;
  /** Left out, those that the setup says it was saved from, if it is of this program; else none. */
  readonly args?: readonly string[];
  /** Whether proven fixes are looked for. */
  readonly fix: boolean;
}

export interface LinesRun extends Ran {
  readonly args: readonly string[];
  readonly recording: Recording;
  readonly result: LinesResult;
  /** Null where no attention was found. */
  readonly answered: Answer | null;
  readonly fixes: readonly Fix[];
  /** Where nothing can be said: why, in one line. */
  readonly why: string | null;
}

/** Seconds that one run of the program may take while edits are tried. */
const RUN_SECONDS = 30;

/** A program with its arguments, and what it is held against. */
interface Asked extends ProgramOptions {
  readonly fix: boolean;
  readonly given?: ComputableSetup & { readonly text: string };
}

/** Throws InputError. */
async function askedOf({ setup: path, args, ...own }: LinesRunOptions): Promise<Asked> {
  if (path === undefined) return { ...own, args: args ?? [] };
  const opened = await openSetupFile(path);
  const { source } = opened.setup;
  const isOfIt = source && resolve(dirname(path), source.file) === resolve(own.file);
  return {
    ...(isOfIt && source.function !== '' && { function: source.function }),
    ...own,
    args: args ?? (isOfIt ? (source.args ?? []) : []),
    given: opened,
  };
}

/** Throws InputError where the program is no Python, or cannot be run, or the setup is none. */
export async function runLines(
  given: LinesRunOptions,
  progress = new Progress(),
): Promise<LinesRun> {
  const options = await askedOf(given);
  const early = options.fix ? await openEarly(options) : null;
  try {
    return await runWith(options, early, progress);
  } finally {
    progress.clear();
    await early?.bench.close();
  }
}

/** A bench that is opened while the program is run for the first time. */
interface Early {
  readonly python: string;
  readonly bench: OpenBench;
}

async function openEarly({ file, args }: Asked): Promise<Early> {
  const [python] = interpreters();
  const path = resolve(file);
  const bench = await openBench(benchOptions(file, args, python, await isPytest(path)));
  bench.warm();
  return { python, bench };
}

const benchOptions = (
  file: string,
  args: readonly string[],
  python: string,
  pytest: boolean,
): BenchOptions => ({
  ...{ python, recorder: recorder(), file: resolve(file), args, cwd: process.cwd() },
  timeout: RUN_SECONDS,
  ...(pytest && { pytest }),
});

async function runWith(options: Asked, early: Early | null, progress: Progress): Promise<LinesRun> {
  progress.stage(`running ${options.file}`);
  const ran = await runProgram(options);
  const { recording } = ran;
  const broken = syntaxError(recording);
  if (broken) {
    const [message] = broken.message.split('\n');
    throw new InputError(
      `${broken.file || options.file}:${broken.line}: ${broken.type}: ${message}`,
    );
  }
  const { given: setup, fix: isAsked, ...asked } = options;
  progress.stage(`comparing ${recording.events.length} tensors with the reference`, true);
  const answered = answer(recording, { ...asked, withoutCauses: isAsked, ...(setup && { setup }) });
  if (!answered) {
    const why = nothingFound(recording, options.file);
    const empty: LinesResult = {
      ...{ verdict: 'unaligned', setup: {}, inferred: [], lines: [], first: null },
      ...{ causes: [], known: '', fixes: [], notes: [why, ...notesOf(recording)], notShown: [] },
    };
    return { ...ran, args: options.args, result: empty, answered, fixes: [], why };
  }
  progress.clear();
  // What the program says is not what is asked of us.
  process.stderr.write(ran.recorded.stderr + ran.recorded.stdout);
  const document =
    setup === undefined ? setupDocument(answered.config, answered.source) : plainJson(setup.text);
  const { verdict, ...found } = answered.result;
  if (isAsked && verdict === 'diverges')
    progress.stage('trying edits, and running the program with them');
  const searched =
    isAsked && verdict === 'diverges' ? await fixesOf(options, ran, answered, early) : null;
  const fixes = (searched?.fixes ?? []).map((fix) => fromHere(fix, options.file));
  const { judged } = answered;
  const proven = fixes.length > 0 ? causeOf(fixes[0], judged) : null;
  const { causes, known } =
    isAsked && fixes.length === 0 ? explain(recording, judged.catalogue, judged.localised) : found;
  const result: LinesResult = {
    ...{ verdict, setup: document },
    inferred: answered.inferred,
    ...found,
    // What would be found in words may be another thing.
    causes: proven ? [proven] : fixes.length > 0 ? [] : causes,
    known: fixes.length > 0 ? '' : known,
    notes: [...found.notes, ...stoppedNote(searched)],
    fixes: fixes.map(({ source: _source, slips: _slips, cells: _cells, ...fix }) => fix),
  };
  const why = verdict === 'unaligned' ? notAligned(recording, options.file, answered) : null;
  return { ...ran, args: options.args, result, answered, fixes, why };
}

async function fixesOf(
  { file, args, function: name, layer }: Asked,
  { python, recording, pytest }: Ran,
  { judged, config, graph }: Answer,
  early: Early | null,
): Promise<Fixes> {
  const bench = benchOptions(file, args, python, pytest);
  const asked = {
    ...(name !== undefined && { function: name }),
    ...(layer !== undefined && { layer }),
  };
  const opened = early?.python === python ? early.bench : null;
  return findFixes({
    ...{ recording, judged, config, graph, bench, asked },
    ...(opened && { opened }),
  });
}

/** Of a program that is named by a path below this folder the diff applies here. */
function fromHere(fix: Fix, file: string): Fix {
  const folder = isAbsolute(file) ? '.' : dirname(normalize(file));
  if (folder === '.' || folder.startsWith('..')) return fix;
  const at = folder.replaceAll('\\', '/');
  const diff = fix.diff.replaceAll(
    /^--- a\/(.*)\n\+\+\+ b\/\1$/gm,
    (_, path: string) => `--- a/${at}/${path}\n+++ b/${at}/${path}`,
  );
  return { ...fix, diff };
}

const stoppedNote = (searched: Fixes | null): string[] =>
  searched?.tried.isStopped ? [stoppedAfter(searched.tried)] : [];

/** The shortest fix, in the person's file. */
export async function writeFix(file: string, [fix]: readonly Fix[]): Promise<void> {
  if (!fix) return;
  await writeFileSafely(join(dirname(resolve(file)), fix.file), Buffer.from(fix.source));
}
