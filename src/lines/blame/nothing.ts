// Statements that do nothing: a mask that hides nothing, a result that is thrown away.
import type { Event } from '../recording.ts';
import type { Field, Suspect } from '../suspects.ts';
import { type Blame, isHiding, originOf } from './common.ts';

/** Logits that a statement was to hide some of, and hides none: the mask, or what it fills in, is to blame. */
export function hidesNothing(field: Field, { event }: Suspect): Blame | null {
  const { recording, observed, flow, catalogue } = field;
  const { parts } = catalogue;
  if (!catalogue.visible) return null;
  for (const source of flow.sources[event]) {
    const { found, standing } = observed[source];
    const isLogits = found.some(({ entry }) => entry.key === 'v:Z' || entry.key === 'v:S');
    const isMasked =
      found.some(({ entry }) => entry.key === `v:${parts.logits}`) &&
      isHiding(recording.tensor(source));
    if (standing !== 'right' || !isLogits || isMasked) continue;
    const filled = originOf(field, source);
    const masks = flow.sources[filled].filter((each) => isMaskLike(field, recording.events[each]));
    const isOfLogits = flow.sources[filled].some((each) =>
      observed[each].found.some(({ entry }) => /^v:[SZ]$/.test(entry.key)),
    );
    if (masks.length === 0 || !isOfLogits) continue;
    const [mask] = masks;
    const data = recording.tensor(mask)?.data;
    const isEmpty = data?.every((value) => value === data[0]) ?? false;
    return isEmpty
      ? { event: originOf(field, mask), note: 'the mask hides nothing' }
      : { event: filled, note: 'what is filled in hides nothing' };
  }
  return null;
}

const isMaskLike = ({ observed }: Field, { id, dtype, shape }: Event): boolean =>
  shape.length > 1 && (dtype === 'bool' || observed[id].isMask);

/** A call between an operand and its use that gives something else back, which nobody takes. */
export function thrownAway({ recording, flow }: Field, { event }: Suspect): Blame | null {
  const { events, statements } = recording;
  const own = statements[events[event].statement];
  for (const source of flow.sources[event]) {
    const { name, statement, frame } = events[source];
    if (frame !== events[event].frame || !/^\w+$/.test(name)) continue;
    const from = statements[statement];
    const found = statements.findIndex(
      ({ kind, text, function: of, line }, id) =>
        kind === 'expression' &&
        of === own.function &&
        line >= from.line &&
        line < own.line &&
        isOnlyCalled(text, name) &&
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

/** `name.method(...)` of a method that changes nothing in place. */
function isOnlyCalled(text: string, name: string): boolean {
  const [, method] = new RegExp(`^${name}\\.(\\w+)\\(`).exec(text.trim()) ?? [];
  if (method === undefined || method.endsWith('_') || /\bout\s*=/.test(text)) return false;
  return !/^(append|backward|register_hook|retain_grad|sort|fill|update)$/.test(method);
}
