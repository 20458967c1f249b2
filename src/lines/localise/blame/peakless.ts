// The log of the row sums of exp(S − max) alone, where the log-sum-exp belongs: the maximum was not added to it.
import type { Field, Suspect } from '../suspects.ts';
import { isUsedRightly } from './asWritten.ts';
import { carriedFrom } from './carried.ts';
import type { Blame } from './common.ts';

const SUMS = /^log2? of the row sums/;
const MAXIMA = /row maxim/;
const LOGITS = /^v:[SZM]$/;

/** Where it was kept, of weights that are made again of it and of scores, without the maxima. */
export function withoutMaximum(field: Field, { event }: Suspect): Blame | null {
  const { recording, observed, flow } = field;
  if (!/\bexp2?\b/.test(recording.statements[recording.events[event].statement].text)) return null;
  const isTitled = (id: number, title: RegExp): boolean =>
    observed[id].found.some(({ entry }) => title.test(entry.title));
  const sources = flow.sources[event];
  const kept = sources.find((id) => isTitled(id, SUMS));
  const isOfScores = sources.some((id) =>
    observed[id].found.some(({ entry }) => LOGITS.test(entry.key)),
  );
  if (kept === undefined || !isOfScores || sources.some((id) => isTitled(id, MAXIMA))) return null;
  if (isUsedRightly(field, kept, [event])) return null;
  const { name } = recording.events[kept];
  return { event: carriedFrom(field, kept), note: `${name} lacks the row maximum` };
}
