// Of a program in which no attention was found: what looks like attention weights, and was not explained.
import { placeText } from '../recorded/place.ts';
import type { Event, Recording } from '../recorded/recording.ts';
import type { From } from './types.ts';

interface Seen extends From {
  readonly name: string;
}

const MOST = 3;

/** Whether all numbers are from 0 to 1 and sum to 1 along the last axis or the one before. */
function isNormalised(recording: Recording, { id, shape, dtype }: Event): boolean {
  const data = /^b?float\d+$/.test(dtype) ? recording.tensor(id)?.data : undefined;
  const last = shape.at(-1) ?? 0;
  if (!data || last < 2) return false;
  if (data.some((value) => !(value >= 0 && value <= 1 + 1e-3))) return false;
  if (data.every((value) => value === data[0] || value === 0)) return false;
  return [
    [last, 1],
    [shape.at(-2) ?? 0, last],
  ].some(([length, step]) => {
    if (length < 2) return false;
    return data.every((_, at) => {
      if (Math.floor(at / step) % length !== 0) return true;
      let sum = 0;
      for (let n = 0; n < length; n++) sum += data[at + n * step];
      return Math.abs(sum - 1) <= 1e-2;
    });
  });
}

/** Statements whose tensors sum to 1 along an axis, the first few. */
function weightsSeen(recording: Recording): Seen[] {
  const { events, statements, files } = recording;
  const found = new Map<number, Seen>();
  for (const event of events) {
    const { statement, how, same, name } = event;
    if (found.size === MOST || found.has(statement) || same !== undefined) continue;
    if (how === 'gradient' || how === 'leaf' || !isNormalised(recording, event)) continue;
    const { file, line, cell } = statements[statement];
    found.set(statement, {
      file: files[file].path,
      line,
      name,
      ...(cell !== undefined && { cell }),
    });
  }
  return [...found.values()];
}

function whyNoTensor({ exit, functions }: Recording): string {
  if (exit.code !== 0)
    return `it ended with exit code ${exit.code} before its own code computed a tensor; arguments for it are given after "--"`;
  const waiting = functions.filter(({ name, calls }) => name !== '' && calls === 0);
  const [one] = waiting;
  const are = waiting.length > 1 ? `and ${waiting.length - 1} more are` : 'is';
  const why = one
    ? `: ${one.name} ${are} defined, and nothing calls ${waiting.length > 1 ? 'them' : 'it'}`
    : '';
  return `its own code computed no tensor while it ran${why}`;
}

/** Why no attention was found, as far as it can be told. */
export function whyNone(recording: Recording): string {
  const tensors = recording.events.filter(({ shape }) => shape.length > 0).length;
  if (tensors === 0) return whyNoTensor(recording);
  const seen = weightsSeen(recording);
  if (seen.length === 0) return 'nothing that it computed sums to 1 along an axis, as weights do';
  const places = seen.map((each) => `${each.name} at ${placeText(each)}`);
  const [sums, are] = seen.length > 1 ? ['sum', 'are'] : ['sums', 'is'];
  return `${places.join(', ')} ${sums} to 1, but ${are} no softmax of a product of two of its tensors; a setup tells what it should compute`;
}
