// What the command line prints: line by line, with nothing in it that acts on a terminal, and told if it gets nowhere.
import { visible } from '../formats/shown.ts';

/** Longest line, in characters; none of ours comes near. */
const LONGEST = 4000;

/** Why standard output or error took no more. */
let failure: NodeJS.ErrnoException | null = null;

for (const stream of [process.stdout, process.stderr]) {
  stream.on('error', (error: NodeJS.ErrnoException) => {
    // Whoever read has read enough, such as head.
    if (error.code !== 'EPIPE') failure ??= error;
  });
}

const line = (text: string): string =>
  `${visible(text.length > LONGEST ? `${text.slice(0, LONGEST)}…` : text)}\n`;

/** A line on standard output. */
export const say = (text: string): void => void process.stdout.write(line(text));

/** Lines in which a person's program is quoted: whole, its tabs as they are. */
export const sayLines = (text: string): void =>
  sayText(text.replaceAll(/[^\n\t]+/g, (part) => visible(part)));

/** A line on standard error. */
export const warn = (text: string): void => void process.stderr.write(line(text));

/** Lines of our own, as they are. */
export const sayText = (text: string): void => void process.stdout.write(`${text}\n`);

/** When all is written: why not, or ''. */
export async function outputProblem(): Promise<string> {
  for (const stream of [process.stdout, process.stderr])
    await new Promise<void>((resolve) => {
      stream.write('', () => resolve());
    });
  return failure ? `the output cannot be written: ${failure.message}` : '';
}
