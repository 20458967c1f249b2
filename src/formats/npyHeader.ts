// Parses the header of a .npy file: a Python dict literal with three known keys, and nothing else.
import { FormatError } from './formatError.ts';
import { MAX_AXES } from './limits.ts';

export interface NpyHeader {
  readonly descr: string;
  readonly fortranOrder: boolean;
  readonly shape: number[];
}

const EXPECTED = "a header such as {'descr': '<f8', 'fortran_order': False, 'shape': (5, 8), }";
const TOKEN = /\s*(?:'([^'\\\n]*)'|"([^"\\\n]*)"|(True|False)|(-?\d{1,20})L?|([{}()[\]:,]))/y;

type Token =
  | { readonly kind: 'string'; readonly text: string }
  | { readonly kind: 'word'; readonly text: string }
  | { readonly kind: 'integer'; readonly text: string }
  | { readonly kind: 'sign'; readonly text: string };

/** Throws FormatError on anything but the three keys with a string, a bool and a tuple of integers. */
export function parseNpyHeader(text: string, file: string, entry: string): NpyHeader {
  const tokens = tokenize(text, file, entry);
  let next = 0;
  const fail = (found: string): never => {
    throw new FormatError(file, entry, found, EXPECTED);
  };
  const take = (kind: Token['kind'], expected?: string): string => {
    const token: Token | undefined = tokens[next++];
    if (token?.kind === kind && (expected === undefined || token.text === expected))
      return token.text;
    return fail(token ? `${token.text} in the header` : 'the end of the header');
  };
  const skip = (sign: string): boolean => {
    if (tokens[next]?.kind !== 'sign' || tokens[next].text !== sign) return false;
    next++;
    return true;
  };
  const tuple = (): number[] => {
    const lengths: number[] = [];
    take('sign', '(');
    while (!skip(')')) {
      if (lengths.push(Number(take('integer'))) > MAX_AXES) fail(`more than ${MAX_AXES} axes`);
      if (!skip(',')) {
        if (lengths.length === 1) fail('a shape that is no tuple');
        take('sign', ')');
        break;
      }
    }
    return lengths;
  };
  let descr: string | undefined;
  let fortranOrder: boolean | undefined;
  let shape: number[] | undefined;
  take('sign', '{');
  while (!skip('}')) {
    const key = take('string');
    take('sign', ':');
    if (key === 'descr' && descr === undefined) {
      if (tokens[next]?.text === '[') fail('a structured dtype, a record of fields');
      descr = take('string');
    } else if (key === 'fortran_order' && fortranOrder === undefined)
      fortranOrder = take('word') === 'True';
    else if (key === 'shape' && shape === undefined) shape = tuple();
    else fail(`key '${key}'`);
    if (!skip(',')) {
      take('sign', '}');
      break;
    }
  }
  if (next < tokens.length) fail(`${tokens[next].text} behind the header`);
  if (descr === undefined || fortranOrder === undefined || shape === undefined)
    return fail('a missing key');
  return { descr, fortranOrder, shape };
}

function tokenize(text: string, file: string, entry: string): Token[] {
  const end = text.trimEnd();
  const tokens: Token[] = [];
  let at = 0;
  while (at < end.length) {
    TOKEN.lastIndex = at;
    const match = TOKEN.exec(end);
    if (!match)
      throw new FormatError(file, entry, `${end.slice(at, at + 20)} in the header`, EXPECTED);
    const [, single, double, word, integer, sign] = match;
    const string = single ?? double;
    if (string !== undefined) tokens.push({ kind: 'string', text: string });
    else if (word !== undefined) tokens.push({ kind: 'word', text: word });
    else if (integer !== undefined) tokens.push({ kind: 'integer', text: integer });
    else tokens.push({ kind: 'sign', text: sign });
    at = TOKEN.lastIndex;
  }
  return tokens;
}
