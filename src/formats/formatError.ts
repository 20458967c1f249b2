// The one error of every reader: which file, which entry, what was found and what was expected.
import { oneLine } from './shown.ts';

/** Its message is one line: `FILE: ENTRY: found …, expected …`; ENTRY is left out when it is ''. */
export class FormatError extends Error {
  override readonly name = 'FormatError';
  readonly file: string;
  readonly entry: string;
  readonly found: string;
  readonly expected: string;

  constructor(file: string, entry: string, found: string, expected: string) {
    const place = entry === '' ? file : `${file}: ${oneLine(entry)}`;
    super(`${place}: found ${oneLine(found)}, expected ${expected}`);
    this.file = file;
    this.entry = entry;
    this.found = found;
    this.expected = expected;
  }
}
