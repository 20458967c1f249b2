// What the commands of the command line share: reading a setup, printing, refusing bad input in one line.
import { freemem } from 'node:os';
import { dirname, resolve } from 'node:path';
import { diskSource } from '../disk/regularFile.ts';
import { readSetupText } from '../disk/setupText.ts';
import { bytesOfRun, inWords, tooLarge } from '../engine/cost.ts';
import { isSuggestion } from '../formats/didYouMean.ts';
import { type ComputableSetup, openSetup } from '../formats/openSetup.ts';
import { toJsonNumber } from '../formats/specialNumber.ts';
import { visibleJson } from '../formats/shown.ts';
import { say, sayText, warn } from './output.ts';

/** Bytes that are told before they are taken. */
const MUCH = 2 ** 30;

/** Input that cannot be used; its message is the one line that is printed. */
export class InputError extends Error {}

/** What a setup is opened for: a run of which everything is kept, one that need not fit, or none. */
export type Purpose = 'run' | 'beyond memory' | 'no run';

/**
 * The setup of a file with its graph; warnings go to standard error. Throws InputError, also where all of it is to be
 * computed and would not fit the memory.
 */
export async function openSetupFile(
  file: string,
  purpose: Purpose = 'run',
): Promise<ComputableSetup & { readonly text: string }> {
  if (/\.(py|ipynb)$/i.test(file))
    throw new InputError(
      `${file}: this is a Python program, expected a setup (*.attention.json); to find its wrong line: node dist/cli.js lines ${file}`,
    );
  const text = await readText(file);
  const { setup, graph, config, problems } = await openSetup(
    text,
    (path) => diskSource(resolve(dirname(file), path)),
    purpose === 'beyond memory' ? Infinity : undefined,
  );
  const errors = problems.filter(({ severity }) => severity === 'error');
  if (!setup || !graph || !config) {
    // What is misspelt is also missed.
    const first = errors.find(({ message }) => isSuggestion(message)) ?? errors[0];
    const more = errors.length > 1 ? ` (and ${errors.length - 1} more)` : '';
    throw new InputError(`${file}:${lineOf(text, first.offset)}: ${first.message}${more}`);
  }
  // Bad input is one line: warnings are for what can be computed.
  for (const { severity, message, offset } of problems) {
    if (severity === 'warning') warn(`${file}:${lineOf(text, offset)}: warning: ${message}`);
  }
  const refusal = tooLarge(graph, freemem());
  if (refusal && purpose === 'run') throw new InputError(`${file}: ${refusal}`);
  const bytes = bytesOfRun(graph);
  if (bytes > MUCH && !refusal)
    warn(`${file}: warning: it takes about ${inWords(bytes)} of memory`);
  return { setup, graph, config, text };
}

/** Throws InputError. */
async function readText(file: string): Promise<string> {
  try {
    return await readSetupText(file);
  } catch (error) {
    throw new InputError(`${file}: ${(error as Error).message}`);
  }
}

const lineOf = (text: string, offset: number): number => text.slice(0, offset).split('\n').length;

export const printJson = (value: object): void => {
  const json = JSON.stringify(
    value,
    (_, entry: unknown) => (typeof entry === 'number' ? toJsonNumber(entry) : entry),
    2,
  );
  sayText(visibleJson(json));
};

export function printTable(rows: readonly (readonly string[])[]): void {
  const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => row[column].length)));
  for (const row of rows)
    say(
      row
        .map((cell, column) => cell.padEnd(widths[column]))
        .join('  ')
        .trimEnd(),
    );
}
