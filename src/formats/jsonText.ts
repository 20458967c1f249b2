// Parses JSON with comments into a tree, guarded against texts that would exhaust the parser.
import {
  getLocation,
  getNodeValue,
  type Node,
  type ParseError,
  parseTree,
  printParseErrorCode,
} from 'jsonc-parser';
import { MAX_DEPTH, MAX_SETUP_LENGTH, MAX_SETUP_VALUES } from './limits.ts';
import { inEntry } from './setupProblems.ts';
import type { Path, Problem } from './setupTypes.ts';

const MOST_SYNTAX_ERRORS = 20;

/** The tree, or what is wrong with the text. Comments and trailing commas are allowed. */
export function parseJson(text: string): { root: Node } | { problems: Problem[] } {
  if (text.length > MAX_SETUP_LENGTH) {
    const message = `found ${text.length} characters, expected at most ${MAX_SETUP_LENGTH}: put large tensors into files`;
    return { problems: [problemAt(MAX_SETUP_LENGTH, message)] };
  }
  const tooMuch = firstTooMuch(text);
  if (tooMuch) return { problems: [problemAt(tooMuch.at, tooMuch.message)] };
  const errors: ParseError[] = [];
  // A byte order mark becomes a space, so that offsets stay those of the text.
  const root = parseTree(text.replace(/^\uFEFF/, ' '), errors, { allowTrailingComma: true });
  if (!root) {
    const message =
      'found an empty document, expected an object such as {"head": "kq", "x": …, "weights": …}';
    return { problems: [problemAt(0, message)] };
  }
  if (errors.length === 0) return { root };
  const problems = errors.slice(0, MOST_SYNTAX_ERRORS).map((error) => syntaxProblem(text, error));
  // Behind a broken entry the parser finds more wrong in the same entry, which helps nobody.
  return {
    problems: problems.filter(({ path }, i) => i === 0 || !samePath(path, problems[i - 1].path)),
  };
}

/** The values of such a text, without its comments; an empty object where it is no object. */
export function plainJson(text: string): object {
  const parsed = parseJson(text);
  return 'root' in parsed && parsed.root.type === 'object'
    ? (getNodeValue(parsed.root) as object)
    : {};
}

function problemAt(offset: number, message: string): Problem {
  return { message, path: [], severity: 'error', offset, length: 1 };
}

const EXPECTED: Readonly<Record<string, string>> = {
  InvalidSymbol: 'a JSON value (write NaN and infinities as "nan", "inf", "-inf")',
  InvalidNumberFormat: 'a number in the form of JSON',
  PropertyNameExpected: 'a key in double quotes',
  ValueExpected: 'a value',
  ColonExpected: 'a colon',
  CommaExpected: 'a comma',
  CloseBraceExpected: 'a closing }',
  CloseBracketExpected: 'a closing ]',
  EndOfFileExpected: 'nothing after the end of the object',
  InvalidCommentToken: 'a comment in the form // or /* */',
  UnexpectedEndOfComment: 'a closing */',
  UnexpectedEndOfString: 'a closing "',
  UnexpectedEndOfNumber: 'more digits',
  InvalidUnicode: 'four hexadecimal digits after \\u',
  InvalidEscapeCharacter: 'one of " \\ / b f n r t u after a backslash',
  InvalidCharacter: 'control characters in strings to be escaped',
};

function syntaxProblem(text: string, { error, offset, length }: ParseError): Problem {
  const code = printParseErrorCode(error);
  const found = /^[^\s,\]}]{1,40}|^[,\]}]/.exec(text.slice(offset, offset + 40))?.[0];
  // A bracket too many, or one too few before it.
  const closesNothing = code === 'EndOfFileExpected' && /^[\]}]/.test(found ?? '');
  const message = closesNothing
    ? `found ${found}, which closes nothing: one too many, or an opening bracket is missing`
    : `found ${found ?? 'the end of the text'}, expected ${EXPECTED[code] ?? code}`;
  // At the end of the text it is unknown which entry is not closed.
  const path =
    found === undefined ? [] : getLocation(text, offset).path.filter((step) => step !== '');
  return {
    message: inEntry(path, message),
    path,
    severity: 'error',
    offset,
    length: Math.max(1, length),
  };
}

function samePath(a: Path, b: Path): boolean {
  return a.length === b.length && a.every((step, i) => step === b[i]);
}

/**
 * The first bracket beyond MAX_DEPTH: the parser is recursive and would run out of stack. A closing bracket of the
 * wrong kind closes nothing, so that broken texts count as deep as the parser may go. Or the first value beyond
 * MAX_SETUP_VALUES, of which a comma or a bracket is in front.
 */
function firstTooMuch(text: string): { at: number; message: string } | undefined {
  const open: string[] = [];
  let values = 0;
  for (let at = 0; at < text.length; at++) {
    const character = text[at];
    if (character === '"') at = endOfString(text, at);
    else if (character === '/' && text[at + 1] === '/') at = endOfLine(text, at);
    else if (character === '/' && text[at + 1] === '*') at = endOfComment(text, at);
    else if (character === '[' || character === '{') {
      values++;
      if (open.push(character === '[' ? ']' : '}') > MAX_DEPTH) {
        const found = `found brackets nested ${MAX_DEPTH + 1} deep`;
        return { at, message: `${found}, expected at most ${MAX_DEPTH}` };
      }
    } else if (character === ',') values++;
    else if (character === open.at(-1)) open.pop();
    if (values > MAX_SETUP_VALUES) {
      const expected = `at most ${MAX_SETUP_VALUES}: put large tensors into files`;
      return { at, message: `found more values than can be read, expected ${expected}` };
    }
  }
  return undefined;
}

function endOfComment(text: string, start: number): number {
  const end = text.indexOf('*/', start + 2);
  return end < 0 ? text.length : end + 1;
}

function endOfLine(text: string, start: number): number {
  let at = start;
  while (at < text.length && text[at] !== '\n' && text[at] !== '\r') at++;
  return at;
}

/** A string ends at its closing quote or, unclosed, at the end of its line. */
function endOfString(text: string, start: number): number {
  let at = start + 1;
  while (at < text.length && !'"\n\r'.includes(text[at])) at += text[at] === '\\' ? 2 : 1;
  return at;
}
