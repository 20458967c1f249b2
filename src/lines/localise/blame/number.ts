// A number that belongs nowhere in attention: another scale, cap or magnitude.
import { magnitudeOf } from '../../../engine/ops/ropeAngles.ts';
import { handedOn } from '../../recorded/flow.ts';
import { isIn, withoutSizes } from '../../recorded/sizes.ts';
import type { Field, Suspect } from '../suspects.ts';
import { type Blame, originOf } from './common.ts';

/** A number that all its users go wrong with, and that is none of those that attention has. */
export function wrongNumber(field: Field, { event }: Suspect): Blame | null {
  const { recording, observed, flow, catalogue } = field;
  const { events } = recording;
  const { parts, config } = catalogue;
  const { scale } = parts;
  const { dropout, differential } = config;
  const width = parts.extents['a'] ?? 1;
  const known = [
    scale,
    1 / scale,
    Math.sqrt(width),
    1 / Math.sqrt(width),
    // A temperature beside the square root of the width.
    scale * Math.sqrt(width),
    1 / (scale * Math.sqrt(width)),
    scale * Math.LOG2E,
    // Of a temperature that is held as its logarithm; of a scale of queries and keys alike.
    ...[Math.log(scale), -Math.log(scale), Math.sqrt(scale), 1 / Math.sqrt(scale)],
    ...[Math.LOG2E, Math.LN2],
    config.softcap ?? scale,
    magnitudeOf(config.rope?.scaling),
    ...(differential ? [differential.lambdaInit, 1 - differential.lambdaInit] : []),
    // Whether to be dropped or kept is of the statement that uses it.
    ...(dropout ? [dropout.p, 1 - dropout.p, 1 / (1 - dropout.p)] : []),
  ];
  for (const source of flow.sources[event]) {
    const value = numberOf(field, source);
    // Of a table that is right, as a frequency, others may still go wrong.
    const isOfTable = observed[source].standing === 'right';
    if (value === null || Number.isInteger(value * 4) || isOfTable) continue;
    const near = Math.max(1e-6, 2 * (catalogue.type.epsilon || 0));
    if (known.some((each) => Math.abs(value - each) <= near * Math.abs(each))) continue;
    const uses = flow.users[source].map((id) => recording.statements[events[id].statement].text);
    if (uses.some((rateOf) => /\bdropout\w*\(/.test(rateOf))) continue;
    if (!isPlain(field, source)) continue;
    const users: number[] = [];
    const queue = [source];
    for (const each of queue)
      for (const user of flow.users[each])
        if (handedOn(recording, events[user]) === null) users.push(user);
        else queue.push(user);
    const isElsewhere = users.some((user) => observed[user].standing === 'right');
    if (isElsewhere) continue;
    let at = originOf(field, source);
    for (let from = handedOnNumber(field, at); from !== null; from = handedOnNumber(field, at))
      at = originOf(field, from);
    return { event: at, note: `${events[source].name} is ${Number(value.toPrecision(6))}` };
  }
  return null;
}

/** A fraction, whether Python's own or one of a library's: `np.float32(1 / np.sqrt(d))`. */
function numberOf({ recording }: Field, id: number): number | null {
  const { value, dtype, shape } = recording.events[id];
  if (dtype === 'float') return value ?? null;
  const isNumber = shape.length === 0 && /^b?float\d+$/.test(dtype);
  return isNumber ? (recording.tensor(id)?.data[0] ?? null) : null;
}

/** Whether a number was computed from sizes and numbers alone. */
function isPlain({ recording, flow }: Field, id: number): boolean {
  const { events, statements } = recording;
  const seen = new Set([id]);
  for (const each of seen) {
    const from = handedOnNumber({ recording, flow }, each);
    if (from !== null) {
      seen.add(from);
      continue;
    }
    const rest = withoutSizes(statements[events[each].statement].text);
    const isNumber = events[each].shape.length === 0;
    for (const source of flow.sources[each])
      if (!isNumber || events[source].shape.length === 0 || isIn(events[source].name, rest))
        seen.add(source);
  }
  return [...seen].every(
    (each) =>
      events[each].shape.length === 0 && /^(u?int|b?float|bool)\d*$/.test(events[each].dtype),
  );
}

/** The number that one is, of those that its statement read: out of a tuple that was returned, say; null where it is new. */
function handedOnNumber(
  { recording, flow }: Pick<Field, 'recording' | 'flow'>,
  id: number,
): number | null {
  const { events } = recording;
  const plain = handedOn(recording, events[id]);
  if (plain !== null) return plain;
  const { value } = events[id];
  if (value === undefined || flow.siblings[id].length < 2) return null;
  return flow.sources[id].find((each) => each < id && events[each].value === value) ?? null;
}
