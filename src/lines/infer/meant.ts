// Of all that a program may mean to compute, what it does: that by which most of what it computed is right.
import { buildGraph } from '../../engine/heads/build.ts';
import type { HeadConfig } from '../../engine/config.ts';
import { sizeOf, type Tensor } from '../../engine/tensor.ts';
import { explained, shareBefore } from './explained.ts';
import { goalsOf } from '../localise/goals.ts';
import { judge, type Judged } from '../judge.ts';
import type { Localised } from '../localise/localise.ts';
import type { Recording } from '../recorded/recording.ts';
import { inferences } from './infer.ts';
import { NO_LOSS } from './entries/inferLoss.ts';
import { ownMistakes } from './ownMistakes.ts';
import { unjudgedSums } from '../tell/laterSums.ts';
import type { Inference, InferOptions } from './types.ts';

export type { InferOptions } from './types.ts';

export interface Meant {
  readonly found: Inference;
  readonly judged: Judged;
  /** Whether it explains so much that no other is looked for. */
  readonly isConvincing: boolean;
}

/** So many others are judged where the likeliest explains little. */
const OTHERS = 6;

/** Entries of tensors that are judged again and again, at most: of a long program fewer others are tried. */
const WORK = 2 ** 24;

/** Before its first mistake nearly all of a program is right by the setup that it means. */
const NEARLY_ALL = 0.9;
/** Of a right one not all is known here: what is around the attention is no part of it. */
const MOST = 0.15;

/** What the program means, with what is right by it; null where no attention is found. Each other is judged at most once. */
export function meant(recording: Recording, options: InferOptions = {}): Meant | null {
  const seen = new Set<string>();
  const work = recording.events.reduce((sum, { shape }) => sum + sizeOf(shape), 0);
  let left = Math.min(OTHERS, Math.floor(WORK / Math.max(1, work)));
  let best: (Omit<Meant, 'isConvincing'> & Weighed) | null = null;
  for (const found of inferences(recording, options)) {
    const signature = signatureOf(found.config);
    if (seen.has(signature)) continue;
    seen.add(signature);
    const judged = judge(recording, found.config, buildGraph(found.config));
    const weighed = { found, judged, ...weigh(recording, judged, found) };
    if (!best || isBetter(weighed, best)) best = weighed;
    if (isConvincing(best) || left-- === 0) break;
  }
  return best && { ...best, isConvincing: isConvincing(best) };
}

interface Weighed {
  /** How many of the program's own tensors are right. */
  readonly worth: number;
  /** The share of what was computed before the first mistake that is right. */
  readonly share: number;
  readonly verdict: Localised['verdict'];
  /** Whether nothing is called wrong, and what is computed last is known. */
  readonly isRight: boolean;
  /** Whether later calls add to gradients of which the first call alone is right. */
  readonly isOfFirstAlone: boolean;
  /** Whether what is called wrong first was computed from something unknown, such as the next sample. */
  readonly isDoubtful: boolean;
}

function weigh(recording: Recording, judged: Judged, found: Inference): Weighed {
  const {
    localised,
    catalogue: { graph },
  } = judged;
  const wrong = ownMistakes(recording, judged, found);
  const verdict = wrong.length === localised.wrong.length ? localised.verdict : 'match';
  const hasGoal = goalsOf(graph).some((goal) => localised.covered.has(goal));
  return {
    worth: explained(localised, graph),
    share: shareBefore({ ...localised, wrong }, graph),
    verdict: wrong.length > 0 ? 'diverges' : verdict,
    isRight: wrong.length === 0 && verdict === 'match' && hasGoal,
    isOfFirstAlone: wrong.length === 0 && unjudgedSums(recording, localised).length > 0,
    isDoubtful: wrong.length > 0 && readsUnknown(localised, wrong[0].seen),
  };
}

const readsUnknown = ({ flow, observed }: Localised, event: number): boolean =>
  flow.sources[event].some((source) => /^(free|unknown)$/.test(observed[source].standing));

/** How much more must be right by a setup that accuses than by one that does not; and how little less by one that does not. */
const MORE = 1.5;
const LITTLE_LESS = 1.1;

/** Of two that explain as much the one that accuses nothing. */
function isBetter({ worth, isRight }: Weighed, best: Weighed): boolean {
  if (isRight === best.isRight) return worth > best.worth;
  return isRight ? LITTLE_LESS * worth > best.worth : worth > MORE * best.worth;
}

/** Whether there is no need to look for another; of a part of an attention no loss is found. */
const isConvincing = ({
  share,
  verdict,
  isRight,
  isOfFirstAlone,
  isDoubtful,
  found,
}: Weighed & Pick<Meant, 'found'>): boolean =>
  verdict === 'diverges'
    ? share >= NEARLY_ALL && !isDoubtful && !found.questions.some(({ why }) => why === NO_LOSS)
    : isRight && !isOfFirstAlone && share >= MOST;

/** Two that have it in common are one. */
function signatureOf(config: HeadConfig): string {
  return JSON.stringify(config, (_, value: unknown) =>
    value instanceof Float64Array ? sumsOf(value) : value,
  );
}

const sumsOf = (data: Tensor['data']): string => {
  let [sum, weighted] = [0, 0];
  for (let n = 0; n < data.length; n++) {
    sum += data[n];
    weighted += data[n] * ((n % 97) + 1);
  }
  return `${data.length} ${sum} ${weighted}`;
};
