// Statements that no tensor tells of, and that may be the wrong ones all the same.
import type { Recording } from '../recorded/recording.ts';
import type { Place } from './places.ts';
import type { Missing } from './progress.ts';

const MOST_SILENT = 4;
/** Lines of a function's head. */
const MOST_HEAD = 8;

/**
 * What no tensor tells of, though a wrong statement names it: what binds a list of functions, a dict, a flag, and the
 * head of a function that is called with some arguments left out.
 */
export function silentOf(
  recording: Recording,
  missing: readonly Missing[],
  near: readonly Place[],
): Place[] {
  const { events, statements, functions, files } = recording;
  const told = new Set(events.map(({ statement }) => statement));
  const found = new Map<string, Place>();
  const add = (statement: number, file: number, line: number): void => {
    const place = { statement, file: files[file].path, line, occurrences: [0] };
    found.set(`${file} ${line}`, { ...place, isUnseen: true, meant: null });
  };
  const blamed = missing.flatMap(({ event, seen }) => [event, seen]);
  const looked = blamed.map((each) => events[each].statement);
  for (const id of new Set([...looked, ...near.map(({ statement }) => statement)])) {
    const { loads, targets, text, function: inside, file } = statements[id];
    const named = new Set([...loads, ...targets].map(rootOf));
    functions.forEach(({ file: its, line, name }, at) => {
      if (name === '') return;
      const isCalled = at === inside || text.includes(`${name.split('.').at(-1)}(`);
      if (!isCalled) return;
      const isLeft = hasDefaults(files[its].source, line);
      if (isLeft) add(id, its, line);
      statements.forEach((each, n) => {
        // What is called with an argument left out, and what a function without tensors gives.
        const isCall = isLeft && at === inside && each.text.includes(`${name.split('.').at(-1)}(`);
        const isGiven = at !== inside && each.function === at && !told.has(n);
        if (isCall || (isGiven && each.kind === 'return')) add(n, each.file, each.line);
      });
    });
    statements.forEach((each, at) => {
      const isNear =
        each.file === file && at !== id && !told.has(at) && /^(?:assign|for)$/.test(each.kind);
      if (isNear && each.targets.some((target) => named.has(target))) add(at, file, each.line);
    });
  }
  // A function that is made there is likelier than a dict that is filled later.
  const isMade = ({ statement }: Place): number =>
    /\blambda\b/.test(statements[statement].text) ? 0 : 1;
  return [...found.values()].sort((a, b) => isMade(a) - isMade(b)).slice(0, MOST_SILENT);
}

/** `self.grad` of `self.grad["w"]`. */
const rootOf = (text: string): string => text.split('[', 1)[0];

/** Whether the function that is defined on a line, from 1, has arguments that may be left out. */
function hasDefaults(source: string, line: number): boolean {
  const rest = source.split('\n').slice(line - 1, line + MOST_HEAD);
  return /^\s*(?:async )?def \w+\([^)]*=/.test(rest.join('\n'));
}
