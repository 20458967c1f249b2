// A program's own arguments: whether it takes any, and how they are written in one line. Pure.

const TAKES =
  /\bsys\.argv\b|\bargparse\b|\bgetopt\b|\bclick\.(?:command|option|argument|group)\b|\bfire\.Fire\b|\btyper\b|\bdocopt\b|\babsl\b|\btyro\b|\bhydra\b/;

export const takesArguments = (text: string): boolean => TAKES.test(text);

/** As a shell splits words: quotes hold blanks, a backslash the next character. */
export function splitArguments(line: string): string[] {
  const words: string[] = [];
  const part = /"((?:[^"\\]|\\.)*)"|'([^']*)'|\\(.)|([^\s"'\\]+)|(\s+)/gs;
  let word: string | null = null;
  for (const [, double, single, escaped, plain, blank] of line.matchAll(part)) {
    if (blank !== undefined) {
      if (word !== null) words.push(word);
      word = null;
    } else
      word =
        (word ?? '') +
        (double?.replaceAll(/\\(["\\$`])/g, '$1') ?? single ?? escaped ?? plain ?? '');
  }
  return word === null ? words : [...words, word];
}

export const joinArguments = (words: readonly string[]): string =>
  words
    .map((word) =>
      /^[\w@%+=:,./-]+$/.test(word) ? word : `"${word.replaceAll(/["\\$`]/g, String.raw`\$&`)}"`,
    )
    .join(' ');
