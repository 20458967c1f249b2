// Which functions, classes, tests and scripts seem to compute attention, by their text alone. Pure, and cheap: it runs while typing.
import { isPytestFile } from '../../lineRun/pytestFile.ts';

/** A place above which the check is offered. */
export interface Offer {
  /** From 0. */
  readonly line: number;
  /** From 0, the last line included. */
  readonly endLine: number;
  /** "MHA"; "" for what stands outside of functions. */
  readonly name: string;
}

/** Characters of a file that is looked at. */
const MOST = 2 ** 20;

const WEIGHTS = /softmax|\bexp2?\(|\.exp2?\(|logsumexp|scaled_dot_product_attention/;
const PRODUCTS = /[\w)\]]\s*@=?\s*[\w(]|\b(?:matmul|einsum|bmm|baddbmm|mm|dot|tensordot|inner)\(/;
/** Sums of products entry by entry, as in C. */
const LOOPED = /\+=[^\n]*\*/;
const HEAD = /^(\s*)(?:async\s+)?(class|def)\s+(\w+)/;

const seemsAttention = (text: string): boolean =>
  WEIGHTS.test(text) &&
  (PRODUCTS.test(text) || LOOPED.test(text) || text.includes('scaled_dot_product_attention'));

const withoutComment = (line: string): string => line.replace(/(^|\s)#.*$/, '$1');

const depthOf = (line: string): number => line.length - line.trimStart().length;

/** The line after the block that begins at `start`. */
function endOf(lines: readonly string[], start: number, depth: number): number {
  let end = start + 1;
  for (let at = start + 1; at < lines.length; at++) {
    const line = lines[at];
    if (line.trim() === '') continue;
    // The closing bracket of a signature over several lines.
    if (depthOf(line) <= depth && !/^\s*[)\]]/.test(line)) break;
    end = at + 1;
  }
  return end;
}

/** A backward pass by hand, which has no softmax of its own. */
const BACKWARD = /backward|bwd|vjp|grad/i;
const TEST = /^test_?/i;
const ATTENTION = /attention|attn|mha/i;

/**
 * The outermost functions and classes that do, their backward passes, and what stands outside of them; of a file of tests
 * that are about attention, the tests.
 */
export function offersOf(text: string, file = ''): Offer[] {
  const isTested = isPytestFile(file, text) && ATTENTION.test(text);
  if (text.length > MOST || !(isTested || WEIGHTS.test(text))) return [];
  const lines = text.split(/\r?\n/).map(withoutComment);
  const offers: Offer[] = [];
  const backward: Offer[] = [];
  const outside: string[] = [];
  let first = -1;
  for (let at = 0; at < lines.length;) {
    const head = HEAD.exec(lines[at]);
    if (!head) {
      if (first < 0 && lines[at].trim() !== '') first = at;
      outside.push(lines[at++]);
      continue;
    }
    const end = endOf(lines, at, head[1].length);
    const [, , , name] = head;
    const place = { line: at, endLine: end - 1, name };
    const body = lines.slice(at, end).join('\n');
    if (isTested && TEST.test(name)) offers.push({ ...place, name: '' });
    else if (seemsAttention(body)) offers.push(place);
    else if (BACKWARD.test(name) && PRODUCTS.test(body)) backward.push(place);
    at = end;
  }
  if (offers.length > 0) offers.push(...backward);
  // A script: what its functions do is offered above them.
  if (first >= 0 && seemsAttention(outside.join('\n')))
    offers.unshift({ line: first, endLine: lines.length - 1, name: '' });
  return offers;
}
