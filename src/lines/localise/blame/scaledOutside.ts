// Functions of the softmax alone, whose callers scale what they give to it and what comes of its backward pass.
import { handedFrom, handedOn } from '../../recorded/flow.ts';
import type { Field } from '../suspects.ts';

/**
 * Where the gradient of the scaled scores was taken out of a function that has the softmax alone, which in the pass before
 * was given scores that its caller had scaled: scaling the gradient is that caller's, too.
 */
export function takenOutOf(
  { recording, observed }: Field,
  taken: number,
  made: number,
): number | null {
  const { events } = recording;
  const { frame } = events[made];
  if (frame === events[taken].frame) return null;
  const isOf = (id: number, key: RegExp): boolean =>
    observed[id].found.some(({ entry }) => key.test(entry.key));
  const inside = events.filter((each) => each.frame === frame);
  if (inside.some(({ id }) => isOf(id, /^v:[SQK]h?$/) && !isOf(id, /^v:[ZMP]$/))) return null;
  const frames = events.flatMap(({ id, how, frame: own }) =>
    how === 'argument' && own < frame && isOf(id, /^v:[ZM]$/) && !isOf(id, /^v:S$/) ? [own] : [],
  );
  const isSoftmax = (own: number): boolean =>
    events.some(({ id, how, frame: its }) => its === own && how === 'return' && isOf(id, /^v:P$/));
  if (!frames.some(isSoftmax)) return null;
  for (const at of handedFrom(recording, taken)) {
    const from = handedOn(recording, events[at]);
    if (from !== null && events[from].how === 'return' && events[from].frame === frame) return at;
  }
  return null;
}
