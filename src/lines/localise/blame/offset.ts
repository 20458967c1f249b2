// An offset into a flat array that points to another part of it: with another one all runs of the statement are right.
import { sizeOf, type Tensor } from '../../../engine/tensor.ts';
import { isReordered, tellingOf } from '../../align/align.ts';
import { type Rerun, rerunOf } from '../../expressions/rerun.ts';
import { tellingEvent } from '../../recorded/flow.ts';
import { gathered } from '../../recorded/gathered.ts';
import { isInteger } from '../../recorded/recording.ts';
import { isIn } from '../../recorded/sizes.ts';
import type { Field, Suspect } from '../suspects.ts';
import { type Blame, originOf } from './common.ts';

/** Runs that are computed again, and how many of them are needed. */
const MOST_RUNS = 24;
const LEAST_RUNS = 8;
/** Whole numbers of the program by which an offset may be off. */
const MOST_STEPS = 24;

const COMPUTES = /=[^=].*[-+*]/s;

/** The statement that computed the offset, where it is used in one place and one other offset makes that right. */
export function wrongOffset(field: Field, { event }: Suspect): Blame | null {
  const { recording, observed } = field;
  const { events, statements } = recording;
  const own = events[event];
  if (own.how !== 'write' || sizeOf(own.shape) !== 1 || own.loops.length < 2) return null;
  const rerun = rerunOf(recording);
  const runs = observed
    .filter(({ event: { id, statement, frame, how } }) => {
      return id >= event && statement === own.statement && frame === own.frame && how === own.how;
    })
    .slice(0, MOST_RUNS)
    .map(({ event: { id } }) => id);
  if (runs.length < LEAST_RUNS) return null;
  const offsets = (rerun.asItWas(event)?.operands ?? []).filter((id) => {
    const { kind, text } = statements[events[originOf(field, id)].statement];
    const isWhole = isInteger(events[id]) && sizeOf(events[id].shape) === 1;
    return isWhole && kind === 'assign' && COMPUTES.test(text) && !isPickedRightly(field, id, own);
  });
  const found = offsets.flatMap((id) => {
    const by = stepsIn(field, event).find((step) => isRightBy(field, rerun, runs, id, step));
    return by === undefined ? [] : [{ id, by }];
  });
  if (found.length !== 1) return null;
  const [{ id, by }] = found;
  const note = `${events[id].name} is off by ${Math.abs(by)}: it points to another part of the array`;
  return { event: tellingEvent(recording, originOf(field, id)), note };
}

/** Differences between offsets: sizes that the program knows by then. */
function stepsIn({ recording }: Field, before: number): number[] {
  const sizes = new Set<number>();
  for (const each of recording.events) {
    if (each.id >= before || sizes.size >= MOST_STEPS) break;
    const value = isInteger(each) && each.shape.length === 0 ? recording.tensor(each.id) : null;
    if (value && value.data[0] > 0) sizes.add(value.data[0]);
  }
  return [...sizes].flatMap((size) => [size, -size, 2 * size, -2 * size]);
}

/** Whether all runs together are right with the offset that far away. */
function isRightBy(
  { recording, aligner }: Field,
  rerun: Rerun,
  runs: readonly number[],
  offset: number,
  by: number,
): boolean {
  const { name } = recording.events[offset];
  const made: { readonly loops: readonly number[]; readonly tensor: Tensor }[] = [];
  for (const run of runs) {
    const own = rerun.asItWas(run)?.operands.find((id) => recording.events[id].name === name);
    const value = own === undefined ? null : recording.tensor(own);
    if (own === undefined || !value) return false;
    const other = { shape: value.shape, data: value.data.map((each) => each + by) };
    const result = rerun.make(run, new Map([[own, other]]))?.value;
    if (result?.data.length !== 1) return false;
    made.push({ loops: recording.events[run].loops, tensor: { shape: [], data: result.data } });
  }
  const all = gathered(made);
  const telling = all && tellingOf(all.tensor);
  if (!telling || telling.isMask || telling.probes.length === 0) return false;
  return aligner.align(all.tensor, telling, { hasGaps: true }).some((each) => !isReordered(each));
}

/** Whether another statement picked something right by it: where that is put by it does not count. */
function isPickedRightly(
  { recording, observed, flow }: Field,
  id: number,
  { statement: own }: { readonly statement: number },
): boolean {
  const { events, statements } = recording;
  return flow.users[id].some((user) => {
    const { statement } = events[user];
    const { standing, found } = observed[user];
    if (statement === own || standing !== 'right' || found.length === 0) return false;
    const [, value = ''] = /[^=!<>]=(?!=)(.*)$/s.exec(statements[statement].text) ?? [];
    return isIn(events[id].name, value);
  });
}
