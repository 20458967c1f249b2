// Which of several tensors that one statement takes apart one of its targets is.
import type { Event, Recording } from '../../recorded/recording.ts';
import { EPSILON } from './eventKinds.ts';

/**
 * Of several that a statement reads for several targets the one that this target is: `for x, t in zip(xs, ts)`,
 * `x, t = data['x'].to(dtype), data['t'].to(dtype)`.
 */
export function takenFrom(
  recording: Recording,
  event: Event,
  read: readonly Event[],
): Event[] | null {
  const { kind, targets } = recording.statements[event.statement];
  if (targets.length < 2 || read.length < 2) return null;
  const own = recording.tensor(event.id);
  if (!own || own.data.length < 2) return null;
  const { length } = own.data;
  const start = kind === 'for' ? (event.loops.at(-1) ?? 0) * length : 0;
  const eps = EPSILON[event.dtype] ?? 0;
  const from = read.filter(({ id }) => {
    const whole = recording.tensor(id);
    if (!whole || (kind !== 'for' && whole.data.length !== length)) return false;
    return own.data.every((each, at) => {
      const other = whole.data[start + at];
      return Math.abs(each - other) <= eps * Math.abs(other);
    });
  });
  return from.length === 1 ? from : null;
}
