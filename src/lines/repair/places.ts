// Which statements a repair looks at: the wrong one, those that made its operands, its neighbours.
import type { Event, Recording } from '../recording.ts';
import type { Standing } from './progress.ts';

export interface Place {
  readonly statement: number;
  readonly file: string;
  readonly line: number;
  /** Which of the statement's executions, from 0: the one that first went wrong, and the last. */
  readonly occurrences: readonly number[];
  /** The event there, where it is a wrong one. */
  readonly event: number;
}

/** Events that a statement's execution did not make there and then. */
const BESIDE: ReadonlySet<string> = new Set(['loop-end', 'gradient', 'leaf']);
const MOST_WRONG = 2;
const MOST_PLACES = 7;

/** The likeliest first. */
export function placesOf({ recording, judged }: Standing): Place[] {
  const { wrong, observed, consequences } = judged.localised;
  const found = new Map<number, Place>();
  const add = (id: number): void => {
    const event = recording.events[id];
    if (!event || found.has(event.statement) || found.size >= MOST_PLACES) return;
    if (recording.statements[event.statement].kind === 'parameter') return;
    found.set(event.statement, placeAt(recording, event));
  };
  const some = wrong.slice(0, MOST_WRONG);
  for (const { event, seen } of some) {
    add(event);
    add(seen);
  }
  for (const { event, seen } of some)
    for (const from of [event, seen])
      for (const read of [...recording.events[from].reads].sort((a, b) => b - a))
        if (observed[read]?.standing !== 'right' || recording.events[read].how !== 'leaf')
          add(read);
  // What follows may be where a right operand was to be put to use: the next statements that read the wrong one.
  for (const { seen } of some)
    for (const event of recording.events)
      if (event.reads.includes(seen) && consequences.has(event.id)) add(event.id);
  for (const { event } of some) for (const next of neighboursOf(recording, event)) add(next);
  return [...found.values()];
}

function placeAt(recording: Recording, event: Event): Place {
  const { file, line } = recording.statements[event.statement];
  const executions: string[] = [];
  const own = `${event.frame} ${event.loops.join(',')}`;
  for (const other of recording.events) {
    if (other.statement !== event.statement || BESIDE.has(other.how)) continue;
    const key = `${other.frame} ${other.loops.join(',')}`;
    if (executions.at(-1) !== key) executions.push(key);
  }
  const at = Math.max(0, executions.indexOf(own));
  return {
    statement: event.statement,
    file: recording.files[file].path,
    line,
    occurrences: [...new Set([at, Math.max(at, executions.length - 1)])],
    event: event.id,
  };
}

/** First events of the statements just before and behind, in the same function. */
function neighboursOf(recording: Recording, id: number): number[] {
  const own = recording.events[id];
  const { file, function: inside, line } = recording.statements[own.statement];
  const first = new Map<number, number>();
  for (const event of recording.events) {
    const statement = recording.statements[event.statement];
    if (statement.file !== file || statement.function !== inside || event.frame !== own.frame)
      continue;
    if (!first.has(event.statement)) first.set(event.statement, event.id);
  }
  return [...first]
    .filter(([statement]) => statement !== own.statement)
    .sort(([a], [b]) => distance(a) - distance(b))
    .map(([, event]) => event);
  function distance(statement: number): number {
    return Math.abs(recording.statements[statement].line - line);
  }
}
