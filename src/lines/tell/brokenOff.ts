// A program that ended with an error while it computed: where, if what it computes there is part of what is still missing.
import type { Localised } from '../localise/localise.ts';
import { askedFor, goalsOf } from '../localise/goals.ts';
import type { Graph } from '../../engine/graph.ts';
import type { Recording } from '../recorded/recording.ts';
import type { LinesResult } from './result.ts';

/** What comes of tensors that do not fit; of others a computation is not to blame. */
const OF_TENSORS = /^(ValueError|RuntimeError|IndexError|TypeError)$/;
const RAISES = /^\s*(raise|assert)\b/;

/**
 * The statement that failed, where it reads tensors that are right and an output or a gradient is still missing: shapes
 * that do not fit, say. Null where the program had computed all by then, or failed at something else.
 */
export function brokenOff(
  { exit, files, statements, events }: Recording,
  { observed, covered }: Pick<Localised, 'observed' | 'covered'>,
  graph: Graph,
): NonNullable<LinesResult['first']> | null {
  const { exception } = exit;
  if (!exception || !OF_TENSORS.test(exception.type)) return null;
  const isMissing = askedFor(goalsOf(graph), observed).some((goal) => !covered.has(goal));
  const failed = statements.find(
    ({ file, line, endLine, text }) =>
      files[file].path === exception.file &&
      line <= exception.line &&
      exception.line <= endLine &&
      !RAISES.test(text),
  );
  if (!isMissing || !failed) return null;
  const isRead = observed.some(
    ({ event, standing }) =>
      standing === 'right' &&
      statements[events[event.id].statement].function === failed.function &&
      failed.loads.includes(event.name),
  );
  if (!isRead) return null;
  const { line, endLine, cell } = failed;
  return {
    ...{ file: exception.file, line, endLine, node: null, kind: 'other' as const },
    ...(cell !== undefined && { cell }),
  };
}
