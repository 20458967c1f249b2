// The thread in which a person's programs are run and judged: VS Code must go on meanwhile.
import { basename, dirname, resolve } from 'node:path';
import { parentPort } from 'node:worker_threads';
import { diskSource } from '../../disk/regularFile.ts';
import { readSetupText } from '../../disk/setupText.ts';
import { type ComputableSetup, openSetup } from '../../formats/openSetup.ts';
import {
  type Answer,
  answer,
  lacksModule,
  notAligned,
  nothingFound,
  syntaxError,
} from '../../lineRun/answer.ts';
import { choicesOf, withAnswers } from '../../lineRun/answers.ts';
import { causeOf, findFixes } from '../../lineRun/fixes.ts';
import { detailsOf, tensorsOf } from '../../lineRun/details.ts';
import { attentionsOf } from '../../lines/infer/infer.ts';
import { savedSetup } from '../../lines/infer/save.ts';
import { parseRecording, type Recording } from '../../lines/recorded/recording.ts';
import { WarmRecorder } from '../../recorder/warm.ts';
import type { RecordOptions } from '../../recorder/options.ts';
import type { FromThread, Outcome, RunRequest, ToThread, Verdict } from './messages.ts';

/** Characters that a program may print; the rest is dropped. */
const MOST_OUTPUT = 200_000;

const port = parentPort!;
const warm = new WarmRecorder();
const running = new Map<number, AbortController>();

const tell = (message: FromThread): void => port.postMessage(message);

function recordOptions({ function: name, root, pytest, ...request }: RunRequest): RecordOptions {
  const { recorder, python, file, args, timeout } = request;
  return {
    ...{ recorder, python, file, args, timeout, cwd: dirname(file), mostOutput: MOST_OUTPUT },
    ...(name !== undefined && { function: name }),
    ...(root !== undefined && { root }),
    ...(pytest && { pytest }),
    onStdout: (text) => tell({ type: 'output', stream: 'stdout', text }),
    onStderr: (text) => tell({ type: 'output', stream: 'stderr', text }),
  };
}

async function openGiven(file: string): Promise<ComputableSetup> {
  const text = await readSetupText(file).catch((error: Error) => {
    throw new Error(`${basename(file)}: ${error.message}`);
  });
  const { setup, graph, config, problems } = await openSetup(text, (path) =>
    diskSource(resolve(dirname(file), path)),
  );
  if (!setup || !graph || !config) {
    const [error] = problems.filter(({ severity }) => severity === 'error');
    throw new Error(`${basename(file)}: ${error?.message ?? 'it cannot be computed'}`);
  }
  return { setup, graph, config };
}

/** Of a setup that was inferred, what is saved and shown of it. */
const npzName = (file: string): string => `${basename(file).replace(/\.\w+$/, '')}.npz`;

function verdictOf(recording: Recording, answered: Answer, { file, setup }: RunRequest): Verdict {
  const { result, config, source, inferred, questions } = answered;
  const { verdict, first, causes, known, notes, notShown } = result;
  return {
    ...{ verdict, first, causes, known, notes, notShown, inferred },
    details: detailsOf(recording, answered),
    fixes: [],
    questions: questions.flatMap((question) => {
      const alternatives = choicesOf(config, question);
      return alternatives.length > 0 ? [{ ...question, alternatives }] : [];
    }),
    function: source.function,
    setup: setup === undefined ? savedSetup(config, source, npzName(file)) : null,
    tensors: tensorsOf(recording, answered),
  };
}

/** Seconds for which one run may last while edits are tried. */
const RUN_SECONDS = 30;

/** Proven fixes, and what they say of the mistake. */
async function fixesOf(
  recording: Recording,
  { config, graph, judged }: Answer,
  { python, recorder, file, args, root, pytest, function: name, layer }: RunRequest,
  signal: AbortSignal,
): Promise<Pick<Verdict, 'fixes'> & Partial<Verdict> & Pick<Outcome, 'tried'>> {
  const bench = {
    ...{ python, recorder, file, args, signal, cwd: dirname(file), timeout: RUN_SECONDS },
    ...(root !== undefined && { root }),
    ...(pytest && { pytest }),
  };
  const asked = {
    ...(name !== undefined && { function: name }),
    ...(layer !== undefined && { layer }),
  };
  const { fixes, tried } = await findFixes({ recording, judged, config, graph, bench, asked });
  if (fixes.length === 0) return { fixes, tried };
  const cause = causeOf(fixes[0], judged);
  return { fixes, tried, causes: cause ? [cause] : [] };
}

const COMPILED = /^(jit|compiled|triton)$/;

const blindOf = ({ notes, files }: Recording): Outcome['blind'] =>
  notes
    .filter(({ kind }) => COMPILED.test(kind))
    .map(({ file, line, message }) => ({ file: files[file].path, line, message }));

const ended = (name: string, { timeout }: RunRequest): string =>
  `${name}: it was ended after ${timeout / 1000} s, and no attention was found in what it computed until then`;

const whyNone = (recording: Recording, name: string, answered: Answer | null): string =>
  answered ? notAligned(recording, name, answered) : nothingFound(recording, name);

async function run(request: RunRequest, fix: boolean, signal: AbortSignal): Promise<Outcome> {
  const began = performance.now();
  const [recorded, setup] = await Promise.all([
    warm.record(recordOptions(request), signal),
    request.setup === undefined ? undefined : openGiven(request.setup),
  ]);
  const { timedOut, outputCut } = recorded.exit;
  const name = basename(request.file);
  const recording = parseRecording(recorded.bytes, name);
  const { file, args, function: chosen, layer, answers } = request;
  const judging = performance.now();
  const answered = answer(recording, {
    ...{ file, args },
    ...(chosen !== undefined && { function: chosen }),
    ...(layer !== undefined && { layer }),
    ...(setup && { setup }),
    answered: (config) => withAnswers(config, answers),
  });
  const isAligned = answered && answered.result.verdict !== 'unaligned';
  const own = isAligned ? verdictOf(recording, answered, request) : null;
  const judged = performance.now();
  const found =
    fix && own?.verdict === 'diverges' && answered
      ? await fixesOf(recording, answered, request, signal)
      : null;
  const { tried, ...better } = found ?? {};
  const verdict = own && { ...own, ...better };
  return {
    verdict,
    ...(tried && { tried }),
    ...(request.list && { attentions: attentionsOf(recording) }),
    problem: verdict ? '' : timedOut ? ended(name, request) : whyNone(recording, name, answered),
    files: recording.files,
    cells: recording.cells ?? [],
    exception: recording.exit.exception ?? null,
    blind: blindOf(recording),
    isBroken: syntaxError(recording) !== null,
    lacksModule: lacksModule(recording),
    ...{ timedOut, outputCut },
    took: { recording: judging - began, judging: judged - judging },
  };
}

async function serve(id: number, request: RunRequest, fix: boolean): Promise<void> {
  const controller = new AbortController();
  running.set(id, controller);
  try {
    tell({ type: 'done', id, outcome: await run(request, fix, controller.signal) });
  } catch (error) {
    tell({ type: 'failed', id, message: (error as Error).message });
  } finally {
    running.delete(id);
  }
}

port.on('message', (message: ToThread) => {
  switch (message.type) {
    case 'run':
      void serve(message.id, message.request, message.fix);
      return;
    case 'warm':
      void warm.warm(recordOptions(message.request)).catch(() => undefined);
      return;
    case 'cancel':
      running.get(message.id)?.abort();
      return;
    case 'stop':
      warm.dispose();
      tell({ type: 'stopped' });
  }
});
