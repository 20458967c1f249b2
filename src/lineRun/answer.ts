// From what was recorded of a program to what there is to say of it: for the command line and for the editor.
import { basename } from 'node:path';
import { ConfigError, type HeadConfig } from '../engine/config.ts';
import type { Graph } from '../engine/graph.ts';
import { buildGraph } from '../engine/heads/build.ts';
import type { ComputableSetup } from '../formats/openSetup.ts';
import { UNKNOWN } from '../lines/infer/infer.ts';
import { NO_LOSS } from '../lines/infer/entries/inferLoss.ts';
import { FIRST_READ } from '../lines/infer/output/loss.ts';
import { meant } from '../lines/infer/meant.ts';
import { ownMistakes } from '../lines/infer/ownMistakes.ts';
import { Work } from '../lines/infer/values/work.ts';
import { isWhole } from '../lines/align/align.ts';
import { whyNone } from '../lines/infer/seen.ts';
import type { Inferred, Question } from '../lines/infer/types.ts';
import { explained, shareBefore } from '../lines/infer/explained.ts';
import { notShown } from '../lines/tell/blindSpots.ts';
import { askedFor, goalsOf, isNothing } from '../lines/localise/goals.ts';
import { judge, type Judged } from '../lines/judge.ts';
import { brokenOff } from '../lines/tell/brokenOff.ts';
import { explain } from '../lines/tell/name.ts';
import { notNumbers } from '../lines/tell/notNumbers.ts';
import { unjudgedSums } from '../lines/tell/laterSums.ts';
import { unseenGoals } from '../lines/tell/unseen.ts';
import { unjudgedOf } from '../lines/tell/unjudged.ts';
import { cone } from '../lines/recorded/flow.ts';
import { placeText } from '../lines/recorded/place.ts';
import type { Recording } from '../lines/recorded/recording.ts';
import { firstOf, linesOf, type LinesResult, notesOf } from '../lines/tell/result.ts';
import type { Source } from '../lines/tell/setupDocument.ts';
import { withResidual } from './residual.ts';

export interface AnswerOptions {
  /** The program: a path whose name stands in the setup. */
  readonly file: string;
  readonly args: readonly string[];
  /** Only what this function records counts: "MHA.forward". */
  readonly function?: string;
  /** Which of several attentions is asked, from 1; the first if left out. */
  readonly layer?: number;
  /** Without one it is inferred. */
  readonly setup?: ComputableSetup;
  /** How much is looked through while a setup is inferred, in numbers that are multiplied or compared. */
  readonly work?: number;
  /** Leaves the causes out: a proven fix says more. */
  readonly withoutCauses?: boolean;
  /** Puts in what the person has answered. */
  readonly answered?: (config: HeadConfig) => HeadConfig;
}

export interface Answer {
  readonly config: HeadConfig;
  readonly graph: Graph;
  readonly source: Source;
  /** Empty where the setup was given. */
  readonly inferred: readonly Inferred[];
  readonly questions: readonly Question[];
  /** Nodes whose gradient in the program is not that of the attention alone. */
  readonly shared: readonly string[];
  /** Whether the attention's output goes on into something that the setup does not describe. */
  readonly isInner: boolean;
  readonly judged: Judged;
  /** What is told of it, where that is not all as it was judged: the node at which the cause is. */
  readonly told?: Judged['localised'];
  readonly result: Omit<LinesResult, 'setup' | 'inferred'>;
}

interface Reference extends Pick<
  Answer,
  'config' | 'graph' | 'source' | 'inferred' | 'questions' | 'shared' | 'isInner'
> {
  /** Where it is known already. */
  readonly judged?: Judged;
  /** Whether others were left that may explain more. */
  readonly isCut?: boolean;
}

/** Why nothing is said of gradients. */
const GRADIENTS_LEFT = 'the gradients are not compared: nothing tells of which loss they are';

/** Null where no attention is found. */
function referenceOf(recording: Recording, options: AnswerOptions): Reference | null {
  const { setup, function: name, layer, args, answered } = options;
  const file = basename(options.file);
  if (setup) {
    const { config, graph } = setup;
    const source = { file, function: setup.setup.source?.function ?? name ?? '', args };
    return { config, graph, source, inferred: [], questions: [], shared: [], isInner: false };
  }
  const work = new Work(options.work);
  const chosen = meant(recording, {
    work,
    ...(name !== undefined && { function: name }),
    ...(layer !== undefined && { layer }),
  });
  if (!chosen) return null;
  const { found, judged } = chosen;
  const { inferred, questions, shared, isInner } = found;
  const source = { file, function: found.function, args };
  const isCut = work.isDone && !chosen.isConvincing;
  const known = { source, inferred, questions, shared, isInner, isCut };
  if (!answered) return { ...known, config: found.config, graph: judged.catalogue.graph, judged };
  const config = answered(found.config);
  try {
    return { ...known, config, graph: buildGraph(config) };
  } catch (error) {
    // A part of an attention, such as of a program that broke off.
    if (error instanceof ConfigError) return null;
    throw error;
  }
}

/** Null where no attention is found in what was recorded. */
export function answer(recording: Recording, options: AnswerOptions): Answer | null {
  const found = referenceOf(recording, options);
  if (!found) return null;
  const plain = found.judged ?? judge(recording, found.config, found.graph);
  const around = options.setup ? withResidual(recording, found, plain) : null;
  const reference = { ...found, ...around };
  const judged = around?.judged ?? plain;
  const { catalogue } = judged;
  const { wrong } = judged.localised;
  const own = options.setup ? judged.localised.wrong : ownMistakes(recording, judged, reference);
  if (wrong.length > 0 && own.length === 0) {
    const names = [...new Set(wrong.map(({ node }) => `d${node}`))].join(', ');
    const missing = missingOf(judged, reference);
    const isSeen = !isSeenInPart(judged) && missing.length === 0;
    const why = isSeen
      ? `${names}: not compared, the loss depends on it in another way too, or its sequences stand in another order`
      : missing.length > 0
        ? `${missing.join(', ')}: no recorded tensor is it, and the first that is wrong stands around the attention: nothing is said of the rest`
        : seenOnly(judged);
    const result = unalignedResult(recording, judged.localised, why);
    return { ...reference, judged, result: isSeen ? { ...result, verdict: 'match' } : result };
  }
  const localised = { ...judged.localised, wrong: own };
  const other = reference.questions.find(({ entry }) => entry === UNKNOWN);
  if (other && localised.verdict === 'diverges')
    return { ...reference, judged, result: unalignedResult(recording, localised, other.why) };
  if (isWithoutLoss(reference, localised, catalogue)) {
    const result = unalignedResult(recording, localised, GRADIENTS_LEFT);
    return { ...reference, judged, result };
  }
  if (isGuessed(reference, localised, catalogue.graph))
    return { ...reference, judged, result: unalignedResult(recording, localised, GUESSED) };
  if (isOfAnother(reference, localised))
    return { ...reference, judged, result: unalignedResult(recording, localised, ANOTHER) };
  if (isContradicted(reference, localised))
    return { ...reference, judged, result: unalignedResult(recording, localised, CONTRADICTED) };
  if (localised.verdict === 'match' && isSeenInPart(judged)) {
    const result = unalignedResult(recording, localised, seenOnly(judged));
    return { ...reference, judged, result };
  }
  const unseen =
    localised.verdict === 'match' && options.setup
      ? unseenGoals(recording, catalogue, localised)
      : [];
  if (unseen.length > 0) {
    const result = unalignedResult(recording, localised, UNSEEN + unseen.join(', '));
    return { ...reference, judged, result };
  }
  // Of a function or a layer that was asked for, what else is computed says nothing.
  const isAsked = options.function !== undefined || options.layer !== undefined;
  if (!isAsked && explainsLittle(reference, localised, catalogue.graph))
    return { ...reference, judged, result: unalignedResult(recording, localised, LITTLE) };
  if (reference.isCut && localised.verdict === 'diverges')
    return { ...reference, judged, result: unalignedResult(recording, localised, CUT) };
  const sums = unjudgedSums(recording, localised);
  const broken =
    localised.verdict === 'match' ? brokenOff(recording, localised, catalogue.graph) : null;
  const verdict = broken ? ('diverges' as const) : localised.verdict;
  const reason = options.withoutCauses ? null : explain(recording, catalogue, localised);
  const told = reason ? { ...localised, wrong: reason.wrong } : localised;
  const result = {
    verdict,
    lines: linesOf(recording, told),
    first: broken ?? firstOf(recording, told),
    causes: reason?.causes ?? [],
    known: reason?.known ?? '',
    fixes: [],
    notes: [
      ...(around ? [RESIDUAL] : []),
      ...(reference.isCut ? [CUT] : []),
      ...(verdict === 'unaligned' ? [NOTHING_ALIGNED] : sums),
      ...notNumbers(recording, localised),
      ...notesOf(recording),
      ...(sums.length > 0 ? [] : unjudgedOf(recording, catalogue, localised)),
    ],
    // After a mistake that was found there are others to look for.
    notShown: verdict === 'match' ? notShown(reference.config, reference.graph) : [],
  };
  return { ...reference, judged, told, result };
}

/** Why nothing is called wrong by the likeliest of the setups that were looked at. */
const CUT =
  'the search for a setup was stopped, the program has many tensors: another one may explain more of it; a function or a layer that is named, or a setup, is judged at once';

const RESIDUAL =
  'the program adds its input to the output (a residual connection), which the setup lacks: judged with "block": { "residual": true }';

/** Why a program of which nothing is seen to be wrong is not called right. */
const UNSEEN = 'no step was seen to go wrong, but nothing that the program computes is ';

/** Whether neither the output of a program nor a gradient of an input is recognised. */
const isSeenInPart = ({ localised: { covered }, catalogue }: Judged): boolean =>
  !goalsOf(catalogue.graph).some((goal) => covered.has(goal) && !isNothing(catalogue, goal));

/** Of a program that computes gradients of weights, those that never come out. */
function missingOf(
  { localised: { covered, observed }, catalogue: { graph } }: Judged,
  { shared }: Reference,
): string[] {
  const ofWeights = askedFor(goalsOf(graph), observed).filter(
    (goal) => /^g:W_[QKV]$/.test(goal) && !shared.includes(goal.slice(2)),
  );
  const missing = ofWeights.filter((goal) => !covered.has(goal));
  return missing.length < ofWeights.length || covered.has('g:W_O')
    ? missing.map((goal) => `d${goal.slice(2)}`)
    : [];
}

/** Why the little that is right makes no right program. */
function seenOnly({ localised: { observed } }: Judged): string {
  const names = observed.flatMap(({ found: [best] }) => (best ? [best.entry.key] : []));
  const seen = [...new Set(names)].map((key) => key.slice(2)).join(', ');
  return `only ${seen} of it was recognised, neither its output nor a gradient of an input: nothing is said of the rest`;
}

/** Why nothing is said of lines. */
const ANOTHER =
  'the setup that was inferred gives none of the scores, weights and outputs that the program computes';

const GUESSED =
  'neither queries nor keys nor values are products of the tensors that the setup that was inferred takes for inputs and weights';

/** So many tensors that are right, and so much of what comes before, are no chance. */
const MANY = 12;
const NEARLY_ALL = 0.9;

const LITTLE =
  'most of what the program computes is no part of the attention that was inferred: it may mean another, and nothing is said of its lines';

/** The least share of what a program computes before its first mistake that is right by the setup that it means. */
const LEAST_BEFORE = 0.5;
/** The least share of a program of which all is called right. */
const LEAST_OF_ALL = 0.1;

/** Whether a setup that was inferred says little of what is computed before what it accuses, or of all that it calls right. */
const explainsLittle = (
  { inferred }: Reference,
  localised: Judged['localised'],
  graph: Graph,
): boolean =>
  inferred.length > 0 &&
  localised.verdict !== 'unaligned' &&
  shareBefore(localised, graph) < (localised.verdict === 'match' ? LEAST_OF_ALL : LEAST_BEFORE);

/**
 * Whether no projection of a program that is called wrong is what its numbers say: all of them are guesses, and what comes
 * before the first mistake does not say that they are right.
 */
const isGuessed = (
  { inferred }: Reference,
  localised: Judged['localised'],
  graph: Graph,
): boolean =>
  localised.verdict === 'diverges' &&
  (explained(localised, graph) < MANY || shareBefore(localised, graph) < NEARLY_ALL) &&
  ['Q', 'K', 'V'].every((letter) =>
    inferred.some(
      ({ entry, sure }) => !sure && [`weights.W_${letter}`, `start.${letter}`].includes(entry),
    ),
  );

/** Whether a gradient is called wrong by a setup that was inferred, of whose forward pass nothing is recognised. */
const isOfAnother = ({ inferred }: Reference, { wrong, covered }: Judged['localised']): boolean =>
  inferred.length > 0 &&
  wrong[0]?.kind === 'gradient' &&
  ![...covered].some((key) => /^v:(S|Z|M|P|Pd|O|C|ya?)$/.test(key));

const CONTRADICTED =
  'a step before the output is not as in the setup that was inferred, and the output is: the program may compute it otherwise, and nothing is said of its lines';

/** Whether a step on the way to an output is called wrong by a setup that was inferred, and the output that is made of it right. */
const isContradicted = (
  { inferred }: Reference,
  { wrong, observed, flow }: Judged['localised'],
): boolean => {
  const [first] = wrong;
  if (inferred.length === 0 || first?.kind !== 'value' || first.node === 'y') return false;
  const isOutput = (id: number): boolean =>
    observed[id].found.some((each) => each.entry.key === 'v:y' && isWhole(each));
  return [...cone(flow, [first.seen])].some((id) => id !== first.seen && isOutput(id));
};

/** Whether gradients are called wrong although nothing tells of which loss they are, and none is as that of the one assumed. */
const isWithoutLoss = (
  { questions, inferred }: Reference,
  { verdict, covered, wrong }: Judged['localised'],
  catalogue: Judged['catalogue'],
): boolean =>
  verdict === 'diverges' &&
  (questions.some(({ why }) => why === NO_LOSS) ||
    inferred.some(({ note }) => note.includes(FIRST_READ))) &&
  (covered.has('v:y') || wrong[0]?.kind === 'gradient') &&
  // The gradient that is assumed is y itself, and so is that of what the residual connection adds to.
  ![...covered].some(
    (key) => key.startsWith('g:') && !/^g:ya?$/.test(key) && !isNothing(catalogue, key),
  );

/** Of a program that computes another attention than the setup: what differs is no mistake of it. */
function unalignedResult(
  recording: Recording,
  localised: Judged['localised'],
  why: string,
): Answer['result'] {
  const lines = linesOf(recording, localised).map((line) =>
    line.status === 'match' ? line : { ...line, status: 'unaligned' as const },
  );
  const notes = [why, ...notesOf(recording)];
  const nothing = { first: null, causes: [], known: '', fixes: [], notShown: [] };
  return { verdict: 'unaligned', lines, notes, ...nothing };
}

const BROKEN = /^(SyntaxError|IndentationError|TabError)$/;

/** Where the program's own text is no Python, so that nothing of it ran. */
export function syntaxError({ exit, events }: Recording): Recording['exit']['exception'] | null {
  const { exception } = exit;
  return exception && events.length === 0 && BROKEN.test(exception.type) ? exception : null;
}

/** What helps against an error that comes of how the program is run. */
const REMEDIES: Readonly<Record<string, string>> = {
  EOFError: 'it waits for input, and gets none here: take it from its arguments',
  FileNotFoundError: 'its paths begin at the folder in which it is run',
  ModuleNotFoundError:
    'choose a Python that has it: ATTENTION_PYTHON, or the setting attention.python',
  ImportError: 'choose a Python that has it: ATTENTION_PYTHON, or the setting attention.python',
};

/** Why nothing can be said of a program in which no attention was found, in one line. */
export function nothingFound(recording: Recording, file: string): string {
  const { exception } = recording.exit;
  if (!exception)
    return `${file}: found no attention, expected a program that computes softmax(Q Kᵀ) V; ${whyNone(recording)}`;
  const { type, message, line, cell, file: own } = exception;
  const place = own ? placeText({ file: own === basename(file) ? file : own, line, cell }) : file;
  const remedy = type in REMEDIES ? `; ${REMEDIES[type]}` : '';
  return `${place}: the program ended here with ${type}: ${message.split('\n')[0]}${remedy}`;
}

const NOTHING_ALIGNED = 'nothing that it computed is a part of the attention of this setup';

/** Why nothing can be said of a program that computes another attention, or none, than it is held against, in one line. */
export function notAligned(
  recording: Recording,
  file: string,
  { judged, result: { notes } }: Answer,
): string {
  if (recording.exit.exception) return nothingFound(recording, file);
  if (judged.localised.verdict !== 'unaligned') return `${file}: ${notes[0]}`;
  return `${file}: ${NOTHING_ALIGNED}; ${whyNone(recording)}`;
}

/** The interpreter lacks what the program imports. */
export const lacksModule = ({ exit }: Recording): boolean =>
  /^(ModuleNotFoundError|ImportError)$/.test(exit.exception?.type ?? '');
