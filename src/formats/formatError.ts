// The one error of every reader: which file, which entry, what was found and what was expected.

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

const LONGEST = 200;

/** `text` with its control characters replaced, cut to a length that fits a message. */
export function oneLine(text: string): string {
  const clean = text.slice(0, LONGEST).replaceAll(/[\p{Cc}\u2028\u2029]/gu, '\uFFFD');
  return text.length > LONGEST ? `${clean}…` : clean;
}
