// The width that scores are scaled by, where the number itself is another size than its users take it for.
import type { Tensor } from '../../../engine/tensor.ts';
import { type Rerun, rerunOf } from '../../expressions/rerun.ts';
import { isInteger } from '../../recorded/recording.ts';
import type { Field, Suspect } from '../suspects.ts';
import { isUsedRightly, rightAs } from './asWritten.ts';
import { factorsOf } from './candidates.ts';
import { type Blame, originOf } from './common.ts';

const SCALE = /(^|_|\.)(scal(e|ing)|temperature|factor)/i;
const NEAR = 1e-6;

/** A whole number that is no width, or stands for the scale, in whose place the right one makes the scores right. */
export function wrongWidth(field: Field, { event }: Suspect): Blame | null {
  const rerun = rerunOf(field.recording);
  for (const operand of rerun.asItWas(event)?.operands ?? []) {
    const found = isWholeNumber(field, operand)
      ? ofWhole(field, rerun, event, operand)
      : ofScale(field, rerun, event, operand);
    if (found) return found;
  }
  return null;
}

const isWholeNumber = ({ recording: { events } }: Field, id: number): boolean =>
  events[id].shape.length === 0 && isInteger(events[id]);

const isFraction = ({ recording: { events } }: Field, id: number): boolean =>
  events[id].shape.length === 0 && /^b?float\d*$/.test(events[id].dtype);

const numberOf = ({ recording }: Field, id: number): number =>
  recording.events[id].value ?? recording.tensor(id)?.data[0] ?? NaN;

const scalar = (value: number): Tensor => ({ shape: [], data: Float64Array.of(value) });

/** A width in the statement itself, or a scale that was never computed of the width. */
function ofWhole(field: Field, rerun: Rerun, event: number, operand: number): Blame | null {
  const { events } = field.recording;
  const isScale = SCALE.test(events[operand].name);
  if (!isScale && isSettled(field, event, operand)) return null;
  const isRight = (value: number): boolean => {
    const made = rerun.make(event, new Map([[operand, scalar(value)]]));
    const own = field.recording.tensor(event);
    const isFactor = made !== null && own !== null && areProportional(made.value, own);
    return isFactor && rightAs(field, event, made.value).length > 0;
  };
  const wanted = (isScale ? factorsOf(field) : widthsOf(field)).find(isRight);
  return wanted === undefined ? null : blame(field, operand, wanted);
}

/** Whether one tensor is the other times a number: a width that splits or cuts is no scale. */
function areProportional({ data }: Tensor, { data: other }: Tensor): boolean {
  const largest = Math.max(...other.filter(Number.isFinite).map(Math.abs));
  const at = other.findIndex((value) => Math.abs(value) === largest);
  const factor = data[at] / other[at];
  const allowed = NEAR * Math.abs(data[at]);
  return (
    data.length === other.length &&
    data.every((value, n) => value === other[n] || Math.abs(value - factor * other[n]) <= allowed)
  );
}

/** A width that the scale was computed of. */
function ofScale(field: Field, rerun: Rerun, event: number, operand: number): Blame | null {
  if (!isFraction(field, operand)) return null;
  const factors = factorsOf(field);
  const isKnown = (value: number): boolean =>
    factors.some((each) => Math.abs(value - each) <= NEAR * Math.abs(each));
  if (isKnown(numberOf(field, operand)) || isUsedRightly(field, operand, [event])) return null;
  const origin = originOf(field, operand);
  for (const size of rerun.asItWas(origin)?.operands ?? []) {
    if (!isWholeNumber(field, size) || isSettled(field, origin, size)) continue;
    for (const width of widthsOf(field)) {
      const made = rerun.make(origin, new Map([[size, scalar(width)]]));
      if (made && isKnown(made.value.data[0])) return blame(field, size, width);
    }
  }
  return null;
}

const widthsOf = ({ catalogue: { parts } }: Field): number[] => [parts.extents['a'] ?? 1];

/** Whether a number is the width, was used rightly elsewhere, or the width was at hand under another name. */
function isSettled(field: Field, event: number, operand: number): boolean {
  const { events } = field.recording;
  const { frame, name } = events[operand];
  const [width] = widthsOf(field);
  const isAtHand = events.some(
    (each) =>
      each.id < event &&
      each.frame === frame &&
      each.shape.length === 0 &&
      each.name !== name &&
      each.value === width,
  );
  return isAtHand || numberOf(field, operand) === width || isUsedRightly(field, operand, [event]);
}

function blame(field: Field, operand: number, wanted: number): Blame {
  const { name } = field.recording.events[operand];
  const note = `${name} is ${numberOf(field, operand)} and should be ${Number(wanted.toPrecision(6))}`;
  return { event: originOf(field, operand), note };
}
