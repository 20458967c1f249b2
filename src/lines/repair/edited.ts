// The lines that a fix changes: what goes wrong elsewhere on other numbers is not held against it.
import { sizeOf } from '../../engine/tensor.ts';
import { callOf } from '../localise/blame/calls.ts';
import type { Recording } from '../recorded/recording.ts';
import type { Sources } from './bench.ts';
import type { Standing } from './progress.ts';
import { hunksOf } from './text.ts';

/** Lines of the fixed program, from 1, both included. */
interface Lines {
  readonly file: string;
  readonly from: number;
  readonly to: number;
}

const WORDS = /[^\W\d]\w*/g;

export class Edited {
  readonly #lines: readonly Lines[];
  /** Names that the edit brings in, and those that they are computed from. */
  readonly names: ReadonlySet<string>;

  /** `before` is the run of the program as it was; what was only taken away stands between the lines around it. */
  constructor(before: Recording, sources: Sources) {
    const names = new Set<string>();
    this.#lines = before.files.flatMap(({ path: file, source }) => {
      const after = sources[file];
      if (after === undefined) return [];
      const [old, now] = [source, after].map((text) => text.split('\n'));
      return hunksOf(old, now).map(({ old: [start, end], new: [from, to] }) => {
        const known = wordsOf(old.slice(start, end));
        for (const [word, count] of wordsOf(now.slice(from, to)))
          if (count > (known.get(word) ?? 0)) names.add(word);
        return { file, from: from === to ? from : from + 1, to: from === to ? to + 1 : to };
      });
    });
    for (const name of names)
      for (const { targets, loads } of before.statements)
        if (targets.includes(name)) for (const load of loads) names.add(load);
    this.names = names;
  }

  /** Whether a run breaks off before what was edited is reached, as `own` does not: so it did before the edit. */
  isBrokenBefore(recording: Recording, own: Recording): boolean {
    const { exception, code } = recording.exit;
    if (!exception || code === own.exit.code) return false;
    const isReached = (run: Recording): boolean =>
      run.events.some(({ statement }) => this.#holds(run, statement));
    if (!isReached(own) || isReached(recording)) return false;
    return !this.#lines.some(
      ({ file }) => exception.traceback.includes(file) && this.#has(file, exception.line),
    );
  }

  /**
   * Whether all that is wrong in a run is so by other statements than the edited ones: what they did before these were
   * reached, or by themselves where all that the edited ones give is right. The program as it was does not take these
   * numbers either.
   */
  isWrongElsewhere({ recording, judged: { localised } }: Standing): boolean {
    const { wrong, observed } = localised;
    const { events } = recording;
    const edited = events.filter(({ statement }) => this.#holds(recording, statement));
    const blamed = wrong.flatMap(({ event, seen }) => [event, seen]);
    if (blamed.length === 0 || blamed.some((id) => this.#isWithin(recording, id))) return false;
    if (edited.length > 0 && Math.min(...blamed) < edited[0].id) return true;
    const given = edited.filter(({ shape }) => sizeOf(shape) > 1);
    return given.length > 0 && given.every(({ id }) => observed[id].standing === 'right');
  }

  /** Whether what is wrong in a run is y's gradient, by an edited statement. */
  isLossWrong({ recording, judged: { localised } }: Standing): boolean {
    const [first] = localised.wrong;
    return (
      first?.node === 'y' &&
      first.kind === 'gradient' &&
      this.#holds(recording, recording.events[first.event].statement)
    );
  }

  /** Whether an edited statement gives y's gradient: seen alone, any is one of some loss. */
  givesLoss({ recording, judged: { localised } }: Standing): boolean {
    return localised.observed.some(
      ({ event, found }) =>
        found.some(({ entry }) => entry.key === 'g:y') && this.#holds(recording, event.statement),
    );
  }

  /** Whether an event is of an edited statement, or of a call that one made: what it gave the call may be wrong. */
  #isWithin(recording: Recording, id: number): boolean {
    const { events } = recording;
    for (let at: number | null = id; at !== null; at = callOf(recording, events[at].frame))
      if (this.#holds(recording, events[at].statement)) return true;
    return false;
  }

  #holds({ statements, files }: Recording, statement: number): boolean {
    const { file, line, endLine } = statements[statement];
    const { path } = files[file];
    return this.#lines.some(
      (each) => each.file === path && each.from <= endLine && line <= each.to,
    );
  }

  #has(path: string, line: number): boolean {
    return this.#lines.some(({ file, from, to }) => file === path && from <= line && line <= to);
  }
}

/** How often each word stands there. */
function wordsOf(lines: readonly string[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const [word] of lines.join('\n').matchAll(WORDS))
    counts.set(word, (counts.get(word) ?? 0) + 1);
  return counts;
}
