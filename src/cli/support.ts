// What the commands of the command line share: reading a setup, printing, refusing bad input in one line.
import { readFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { type ComputableSetup, openSetup } from '../formats/openSetup.ts';

/** Input that cannot be used; its message is the one line that is printed. */
export class InputError extends Error {}

/** The setup of a file with its graph; warnings go to standard error. Throws InputError. */
export async function openSetupFile(file: string): Promise<ComputableSetup> {
  const text = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    throw new InputError(
      `${file}: ${error.code === 'ENOENT' ? 'no such file' : error.message}, expected a setup`,
    );
  });
  const { setup, graph, config, problems } = await openSetup(text, (path) =>
    readFile(resolve(dirname(file), path)),
  );
  const errors = problems.filter(({ severity }) => severity === 'error');
  if (!setup || !graph || !config) {
    const [first] = errors;
    const more = errors.length > 1 ? ` (and ${errors.length - 1} more)` : '';
    throw new InputError(`${file}:${lineOf(text, first.offset)}: ${first.message}${more}`);
  }
  // Bad input is one line: warnings are for what can be computed.
  for (const { severity, message, offset } of problems) {
    if (severity === 'warning')
      console.error(`${file}:${lineOf(text, offset)}: warning: ${message}`);
  }
  return { setup, graph, config };
}

const lineOf = (text: string, offset: number): number => text.slice(0, offset).split('\n').length;

/** JSON has no NaN and no infinity: they are written as strings, as in setup files. */
const jsonNumber = (value: number): number | string =>
  Number.isFinite(value) ? value : Number.isNaN(value) ? 'nan' : value > 0 ? 'inf' : '-inf';

export const printJson = (value: object): void => {
  console.log(
    JSON.stringify(
      value,
      (_, entry: unknown) => (typeof entry === 'number' ? jsonNumber(entry) : entry),
      2,
    ),
  );
};

export function printTable(rows: readonly (readonly string[])[]): void {
  const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => row[column].length)));
  for (const row of rows)
    console.log(
      row
        .map((cell, column) => cell.padEnd(widths[column]))
        .join('  ')
        .trimEnd(),
    );
}
