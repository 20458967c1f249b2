// From the recording of a program to the setup of the attention that it means to compute, each entry with its line.
import { ConfigError, type HeadConfig } from '../../engine/config.ts';
import { buildGraph } from '../../engine/heads/build.ts';
import { forward } from '../../engine/run.ts';
import type { Event, Recording } from '../recorded/recording.ts';
import { repeatedEvents } from '../recorded/repeats.ts';
import { withLaterCalls } from './batches.ts';
import { Builder, type Context, nameOf, stepsOf } from './entries/builder.ts';
import { endOfFirstStep } from './firstStep.ts';
import { addDifferential } from './entries/inferDifferential.ts';
import {
  addHeads,
  addInputs,
  addNulls,
  addOutput,
  addPast,
  inUsualOrder,
} from './entries/inferInputs.ts';
import { addLoss } from './entries/inferLoss.ts';
import { addMask, addScale } from './entries/inferScores.ts';
import { addSteps } from './entries/inferSteps.ts';
import { haveSameNumbers } from './values/lookup.ts';
import type { Model } from './model.ts';
import { findModels, inOrder, otherModels } from './models.ts';
import { normalisedAxes } from './weights/site.ts';
import { sharedNodes } from './output/shared.ts';
import { unexplained } from './unexplained.ts';
import type { Attention, InferOptions, Inference } from './types.ts';
import { isGradient, Values } from './values/values.ts';
import { sumOf } from './values/virtual.ts';
import type { Work } from './values/work.ts';

export type { Inference, InferOptions } from './types.ts';

/** What a recording shows, without calls that only repeat others. */
function valuesOf(recording: Recording, work?: Work, end = Infinity): Values {
  const repeated = repeatedEvents(recording);
  const isSeen = ({ id, how }: Event): boolean => !repeated.has(id) && (id < end || how === 'leaf');
  return new Values(recording, isSeen, work);
}

/**
 * The attention that a recorded program means to compute, in a function if one is asked for, the first one or the one that
 * is chosen; null where there is none.
 */
export function infer(recording: Recording, options: InferOptions = {}): Inference | null {
  const [found] = inferences(recording, options);
  return found ?? null;
}

/** All that it may mean, the likeliest first; one that is chosen by its number has no others. */
export function* inferences(
  recording: Recording,
  { function: wanted, layer, work }: InferOptions = {},
): Generator<Inference> {
  const values = valuesOf(recording, work);
  const isWanted = (model: Model): boolean => wanted === undefined || functionOf(model) === wanted;
  const models = findModels(values, isWanted, layer);
  if (layer !== undefined) {
    const chosen = inOrder(models.filter(isWanted))[layer - 1];
    const found = chosen && inferenceOf(values, chosen);
    if (found && isComputable(found.config)) yield found;
    return;
  }
  for (const model of [...models.filter(isWanted), ...models.filter((each) => !isWanted(each))]) {
    const found = inferenceOf(values, model);
    if (!isComputable(found.config)) continue;
    yield withLaterCalls(recording, found);
    break;
  }
  yield* ofFirstStep(recording, isWanted, work);
  for (const model of otherModels(values, models)) {
    if (!isWanted(model)) continue;
    const found = inferenceOf(values, model);
    if (isComputable(found.config)) yield withLaterCalls(recording, found);
  }
}

/** What the first iteration of a program's longest loop may mean, as of training. */
function* ofFirstStep(
  recording: Recording,
  isWanted: (model: Model) => boolean,
  work?: Work,
): Generator<Inference> {
  const end = endOfFirstStep(recording);
  if (end === undefined) return;
  const values = valuesOf(recording, work, end);
  const [model] = findModels(values, isWanted).filter(isWanted);
  const found = model && inferenceOf(values, model);
  if (found && isComputable(found.config)) yield withLaterCalls(recording, found);
}

/** Of so many attentions each is told. */
const MOST = 24;

/** All attentions of a program, in the order of time. */
export function attentionsOf(recording: Recording): Attention[] {
  const values = valuesOf(recording);
  const found = inOrder(findModels(values, () => true, MOST));
  return found.map((model) => {
    const { weights, outer } = model.told.site;
    const heads = outer.filter((axis) => model.heads.includes(axis));
    return {
      ...new Builder(values).placeOf(weights),
      function: functionOf(model),
      heads: heads.reduce((all, axis) => all * weights.tensor.shape[axis], 1),
    };
  });
}

function isComputable(config: HeadConfig): boolean {
  try {
    buildGraph(config);
    return true;
  } catch (error) {
    if (error instanceof ConfigError) return false;
    throw error;
  }
}

function inferenceOf(values: Values, model: Model): Inference {
  const keyFirst = model.told.keyAxis < model.told.queryAxis;
  const context: Context = {
    ...{ values, model, build: new Builder(values), keyFirst },
    isOrdered: inUsualOrder([model.query, model.key, model.value], values.recording),
    config: {
      ...{ head: headOf(model), weights: {}, heads: 1, kvHeads: 1, mask: 'none' },
      loss: { kind: 'half-squared-norm' },
      axes: keyFirst ? 'key-first' : 'query-first',
    },
  };
  addHeads(context);
  addDifferential(context, UNKNOWN);
  addInputs(context);
  addPast(context);
  addNulls(context);
  addSteps(context);
  addMask(context);
  addScale(context);
  addOutput(context);
  addLoss(context);
  if (context.build.questions.length === 0) askWhereWeightsDiffer(context);
  if (isComputable(context.config)) askWhatIsUnexplained(context);
  const { bindings, inferred, questions } = context.build;
  const shared = sharedNodes(context);
  return {
    ...{ config: context.config, bindings, inferred, questions, shared },
    isInner: context.build.isInner,
    function: functionOf(model),
  };
}

/** Weights that are a softmax over the keys, and not that of this setup, have something else in their scores. */
function askWhereWeightsDiffer({ model, config, build }: Context): void {
  const { told, query, key } = model;
  const { weights } = told.site;
  const isMasked = weights.tensor.data.includes(0);
  const isBeside = config.softmax !== undefined || config.weights.sinks !== undefined;
  const isTold =
    (normalisedAxes(weights).includes(told.keyAxis) || isBeside) &&
    stepsOf(model, query).isKnown &&
    stepsOf(model, key).isKnown &&
    // A mask that does not show in the weights is one that the program forgets.
    (isMasked || (config.mask === 'none' && config.window === undefined));
  if (!isTold || !isComputable(config)) return;
  const own = forward(buildGraph(config)).get('P');
  if (own && haveSameNumbers(own, weights.tensor, 10 * Math.max(weights.eps, 1e-6))) return;
  build.ask('scores', 'as inferred', [], 'the weights have something else in their scores');
}

/** Entry of the question about what no entry of a setup holds. */
export const UNKNOWN = 'unknown';

/** A setup that does not give the program's y, and lacks something of which it was computed, is that of another. */
function askWhatIsUnexplained(context: Context): void {
  const { build, config, model } = context;
  const y = model.output?.y ?? model.mixed?.output;
  const all = unexplained(context);
  if (!y || all.length === 0) return;
  const own = forward(buildGraph(config)).get('y');
  if (own && haveSameNumbers(own, y.tensor, 10 * Math.max(y.eps, 1e-6))) return;
  const names = [...new Set(all.map(nameOf))].slice(0, 3).join(', ');
  const why = `${names}: y is computed from it, and no part of an attention that is known here`;
  build.ask(UNKNOWN, 'another attention', [], why);
}

function headOf(model: Model): HeadConfig['head'] {
  const { query, key, value, heads, output, past, mixed } = model;
  const x = key.projection?.x;
  // The values are the inputs themselves: the exercise's head.
  if (heads.length === 0 && x !== undefined && value?.start?.value === x) return 'kq';
  const isPlain = [query, key].every((root) => {
    const { rope, norm } = stepsOf(model, root);
    return rope === null && norm === null;
  });
  const isAdded = mixed !== null && sumOf(mixed.output) !== undefined;
  const hasMore = heads.length > 0 || output !== null || past !== null || isAdded;
  return hasMore || !isPlain ? 'multihead' : 'qkv';
}

/** The function in which most of the stages are bound: of the module's own and a function's, the function. */
function functionOf({ values, told, mixed, output }: Model): string {
  const { statements, functions } = values.recording;
  const stages = [told.query.value, told.key.value, told.site.weights, mixed?.output, output?.y];
  const counts = new Map<number, number>();
  for (const stage of stages) {
    const own = stage?.events.filter((event) => event.how !== 'argument' && !isGradient(event));
    for (const each of new Set(own?.map(({ statement }) => statements[statement].function)))
      counts.set(each, (counts.get(each) ?? 0) + 1);
  }
  const isOwn = (n: number): number => (functions[n].name === '' ? 0 : 1);
  const [best] = [...counts].sort(([a, x], [b, y]) => y - x || isOwn(b) - isOwn(a));
  return best ? functions[best[0]].name : '';
}
