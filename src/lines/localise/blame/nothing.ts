// Statements that do nothing: a mask that hides nothing, a factor that is always 1, a result that is thrown away.
import { sizeOf } from '../../../engine/tensor.ts';
import type { Alignment } from '../../align/align.ts';
import { parseStatement, pathOf } from '../../expressions/parse.ts';
import { handedFrom } from '../../recorded/flow.ts';
import type { Event } from '../../recorded/recording.ts';
import type { Field, Suspect } from '../suspects.ts';
import { type Blame, isHiding, originOf } from './common.ts';

/** Logits that a statement was to hide some of, and hides none: the mask, or what it fills in, is to blame. */
export function hidesNothing(field: Field, { event }: Suspect): Blame | null {
  const { recording, observed, flow, catalogue } = field;
  if (!catalogue.visible) return null;
  for (const source of flow.sources[event]) {
    const { found, standing } = observed[source];
    const isLogits = found.some(({ entry }) => entry.key === 'v:Z' || entry.key === 'v:S');
    // Also where all of a tile is seen.
    const isMasked =
      isHiding(recording.tensor(source)) ||
      found.some((each) => each.entry.key === `v:${catalogue.parts.logits}` && !isHidingAny(each));
    if (standing !== 'right' || !isLogits || isMasked) continue;
    const filled = filledAt(field, source);
    if (filled === null) continue;
    const masks = masksRead(field, filled);
    const [mask] = masks;
    const data = recording.tensor(mask)?.data;
    const isEmpty = data?.every((value) => value === data[0]) ?? false;
    return isEmpty
      ? { event: originOf(field, mask), note: 'the mask hides nothing' }
      : { event: filled, note: 'what is filled in hides nothing' };
  }
  return null;
}

/** Whether any entry of the part that is aligned is one that a mask hides, whatever stands there. */
function isHidingAny({ entry, ranges }: Alignment): boolean {
  const { letters, strides, hidden } = entry;
  if (!hidden) return false;
  const walk = (n: number, at: number): boolean => {
    if (n === letters.length) return hidden[at] === 1;
    const { start, step, count } = ranges.get(letters[n])!;
    for (let k = 0; k < count; k++)
      if (walk(n + 1, at + (start + k * step) * strides[n])) return true;
    return false;
  };
  return walk(0, 0);
}

/** Masks that the statement of an event read. */
const masksRead = (field: Field, id: number): number[] =>
  field.recording.events[id].reads.filter((each) =>
    isMaskLike(field, field.recording.events[each]),
  );

/** The statement that read a mask beside the logits, whether it changed them or not; null where there is none. */
function filledAt(field: Field, id: number): number | null {
  const { recording, observed } = field;
  for (const at of handedFrom(recording, id)) {
    const isOfLogits = recording.events[at].reads.some((each) =>
      observed[each].found.some(({ entry }) => /^v:[SZ]$/.test(entry.key)),
    );
    if (isOfLogits && masksRead(field, at).length > 0) return at;
  }
  return null;
}

const isMaskLike = ({ observed }: Field, { id, dtype, shape }: Event): boolean =>
  shape.length > 1 && (dtype === 'bool' || observed[id].isMask);

/** exp(old − new maximum) that is 1 in every iteration, though the maximum grew: both were the same by then. */
export function idleFactor({ recording, flow, observed }: Field, { event }: Suspect): Blame | null {
  const { events, statements } = recording;
  for (const source of flow.sources[event]) {
    const { statement, name, frame, loops } = events[source];
    if (loops.length === 0 || observed[source].standing !== 'neutral') continue;
    if (!/\bexp2?\([^()]*-[^()]*\)/.test(statements[statement].text)) continue;
    const runs = events.filter(
      (each) => each.statement === statement && each.name === name && each.frame === frame,
    );
    const isIdle = runs.every(({ id }) => recording.tensor(id)?.data.every((each) => each === 1));
    if (runs.length < 2 || !isIdle) continue;
    return { event: source, note: `${name} is 1 in every iteration: it rescales nothing` };
  }
  return null;
}

/** A statement that makes nothing but zeros, in all its runs, of a gradient that is right and as large. */
export function zeroed(field: Field, { event }: Suspect): Blame | null {
  const { recording, observed, flow } = field;
  const { events } = recording;
  const isZero = (id: number): boolean => {
    const data = recording.tensor(id)?.data;
    return data !== undefined && data.length > 1 && data.every((value) => value === 0);
  };
  const seen = new Set(flow.sources[event].filter(isZero));
  const found: number[] = [];
  for (const id of seen) {
    const { statement, name, shape } = events[id];
    const isLost = flow.sources[id].some((source) => {
      const { standing, found: forms, event: own } = observed[source];
      const isGradient = forms.some(({ entry }) => entry.kind === 'gradient');
      const isRight = standing === 'right' || standing === 'partial';
      return isRight && isGradient && sizeOf(own.shape) === sizeOf(shape);
    });
    const runs = events.filter((each) => each.statement === statement && each.name === name);
    if (isLost && runs.every((each) => isZero(each.id))) found.push(id);
    for (const source of flow.sources[id]) if (isZero(source)) seen.add(source);
  }
  if (found.length === 0) return null;
  const first = Math.min(...found);
  return { event: first, note: `${events[first].name} is nothing but zeros` };
}

/** A call between an operand and its use that gives something else back, which nobody takes. */
export function thrownAway({ recording, flow, observed }: Field, { event }: Suspect): Blame | null {
  const { events, statements } = recording;
  const own = statements[events[event].statement];
  const sources = flow.sources[event];
  // Some terms may come out of what was to be added to.
  const before = sources.flatMap((each) =>
    observed[each].standing === 'partial' ? flow.sources[each] : [],
  );
  for (const source of [event, ...sources, ...before]) {
    const { name, statement, frame } = events[source];
    if (frame !== events[event].frame || !/^\w+$/.test(name)) continue;
    const from = statements[statement];
    const found = statements.findIndex(
      ({ kind, text, function: of, line }, id) =>
        kind === 'expression' &&
        of === own.function &&
        line >= from.line &&
        (source === event
          ? isOnlyComputed(text, name)
          : line < own.line && isThrownAway(text, name)) &&
        !events.some((each) => each.statement === id),
    );
    if (found >= 0)
      return {
        event: source,
        statement: found,
        note: `what it gives is thrown away: ${name} stays as it was`,
      };
  }
  return null;
}

const isThrownAway = (text: string, name: string): boolean =>
  isOnlyCalled(text, name) || isOnlyComputed(text, name);

/** `name + ...`, which stands alone: it was to be `name += ...`. */
function isOnlyComputed(text: string, name: string): boolean {
  const read = parseStatement(text);
  if (read?.operator !== '' || read.value.kind !== 'binary') return false;
  return /^[-+*/@]$/.test(read.value.operator) && pathOf(read.value.left) === name;
}

const CHANGES =
  /^(append|backward|register_hook|retain_grad|sort|fill|update|put|copyto|fill_diagonal|place|putmask|save\w*)$/;

/** `name.method(...)` or `np.function(..., name, ...)` of what changes nothing in place. */
function isOnlyCalled(text: string, name: string): boolean {
  const [, of, method] = /^(\w+)\.(\w+)\(/.exec(text.trim()) ?? [];
  if (method === undefined || method.endsWith('_') || /\bout\s*=/.test(text)) return false;
  if (CHANGES.test(method)) return false;
  return (
    of === name || (/^(np|numpy|torch|F|jnp)$/.test(of) && new RegExp(`\\b${name}\\b`).test(text))
  );
}
