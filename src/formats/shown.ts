// Words of others, such as names and paths, made fit to be shown: nothing in them can act on a terminal.

/** Controls, line ends, what reverses the direction of writing, and halves of characters. */
const HIDDEN = /[\p{Cc}\p{Zl}\p{Zp}\p{Cs}\u061C\u200E\u200F\u202A-\u202E\u2066-\u2069]/gu;

const SHORT: Readonly<Record<string, string>> = { '\n': '\\n', '\r': '\\r', '\t': '\\t' };

function escaped(character: string): string {
  const code = character.charCodeAt(0);
  const digits = code.toString(16);
  return (
    SHORT[character] ??
    (code < 256 ? `\\x${digits.padStart(2, '0')}` : `\\u${digits.padStart(4, '0')}`)
  );
}

/** One line, in which what acts on a terminal is escaped as in the source of a program. */
export const visible = (text: string): string => text.replaceAll(HIDDEN, escaped);

const LONGEST = 200;

/** `text` as one line, cut to a length that fits a message. */
export function oneLine(text: string): string {
  return text.length > LONGEST ? `${visible(text.slice(0, LONGEST))}…` : visible(text);
}

/** JSON of the same value, in which that is escaped too: JSON itself leaves much of it as it is. */
export const visibleJson = (json: string): string =>
  json.replaceAll(HIDDEN, (character) =>
    character === '\n' ? character : `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
