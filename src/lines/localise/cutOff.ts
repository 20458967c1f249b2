// Programs that ended with an error: what they had not finished by then is no mistake.
import type { Event, Recording } from '../recorded/recording.ts';

/** A sum in a loop of the function in which the program ended with an error: what it lacks was still to come. */
export const isCutOff = (
  { exit, files, functions, statements }: Recording,
  event: Event,
): boolean => {
  const { exception } = exit;
  const { file, line, endLine } = functions[statements[event.statement].function];
  return (
    exception !== undefined &&
    event.loops.length > 0 &&
    files[file].path === exception.file &&
    (functions[statements[event.statement].function].name === '' ||
      (line <= exception.line && exception.line <= endLine))
  );
};
