// By what the events and tensors of a recording are found again.
import type { Tensor } from '../../../engine/tensor.ts';
import type { Event } from '../../recorded/recording.ts';

/** Whether an event is a gradient that PyTorch computed. */
export const isGradient = (event: Event): boolean =>
  event.how === 'gradient' || (event.how === 'leaf' && event.name.endsWith('.grad'));

/** Events in the order of time, by frame and name. */
export function eventsByName(events: readonly Event[]): Map<string, number[]> {
  const found = new Map<string, number[]>();
  for (const { id, frame, name, how } of events) {
    if (how === 'leaf' || how === 'gradient') continue;
    const key = `${frame} ${name}`;
    const own = found.get(key);
    if (own) own.push(id);
    else found.set(key, [id]);
  }
  return found;
}

/** Adds an event to those of its statement and name, which may be pieces of one tensor. */
export function group(groups: Map<string, Event[]>, event: Event): void {
  if (event.how === 'loop-end' || (event.how === 'leaf' && isGradient(event))) return;
  const name = event.name.replace(/\[\d+\]$/, '[*]');
  const key = `${event.statement} ${event.how} ${name}`;
  const events = groups.get(key);
  if (events) events.push(event);
  else groups.set(key, [event]);
}

/** Equal tensors have it in common, and few others. */
export function contentKey({ shape, data }: Tensor): string {
  const step = Math.max(1, Math.floor(data.length / 7));
  const samples: number[] = [];
  for (let at = 0; at < data.length; at += step) samples.push(data[at]);
  return `${shape.join()}|${samples.join()}`;
}
