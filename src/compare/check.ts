// Holds a person's tensors against the reference: which node is wrong first, and why.
import { FLOAT32, possibleHalf, TF32 } from './reference/dtypes.ts';
import type { Key } from './program/program.ts';
import type { Report } from './report.ts';
import type { CheckInput, Compared } from './checkInput.ts';
import { unpacked } from './align/unpacked.ts';
import { withRowSums } from './judge/rowSums.ts';
import { Check } from './judge/traceCheck.ts';

export type { CheckInput, Compared } from './checkInput.ts';

export function compare(given: CheckInput): Compared {
  const { graph, names, computed } = given;
  const resolve = (name: string, rank: number): ReturnType<CheckInput['resolve']> =>
    given.resolve(name, names, rank);
  const known = computed?.graph === graph ? computed : null;
  const input = { ...given, trace: unpacked(given.trace, graph, resolve, known) };
  const own = new Check(input);
  const check = otherConvention(input, own) ?? inHalf(input, own) ?? own;
  const report = check.report();
  const found = byName(input, check, report) ?? {
    report: inTf32(input, check, report) ?? report,
    tensors: check.aligned,
  };
  return { ...found, report: withRowSums(found.report, input) };
}

/** The check against a reference of another convention for queries that see no key, if that explains more. */
function otherConvention(input: CheckInput, own: Check): Check | null {
  const rightKeys = own.right();
  if (rightKeys.size === own.aligned.length) return null;
  let best: { check: Check; count: number } = { check: own, count: rightKeys.size };
  for (const convention of own.blindConventions()) {
    const { graph, note } = convention;
    const check = new Check({ ...input, graph }, { note, rightKeys });
    const right = check.right();
    // What is right as it is speaks against a program that does otherwise.
    const fits = [...rightKeys].every((key) => right.has(key));
    if (fits && right.size > best.count) best = { check, count: right.size };
  }
  return best.check === own ? null : best.check;
}

/** What is said of each tensor as the node of its name, if that leaves one cause of several, and the same. */
function byName(input: CheckInput, own: Check, { causes }: Report): Compared | null {
  if (causes.length < 2 || !own.isGuessed()) return null;
  const check = new Check(input, null, undefined, true);
  const report = check.report();
  const [first, ...more] = report.causes;
  const isOne = first?.id === causes[0].id && more.length === 0;
  return isOne ? { report, tensors: check.aligned } : null;
}

/** The check of numbers that may be of a half type as such, if all is right then. */
function inHalf(input: CheckInput, own: Check): Check | null {
  const count = own.aligned.length;
  const type = own.right().size === count ? null : possibleHalf(own.named);
  const check = type && new Check(input, null, type);
  return check?.areAllRight() ? check : null;
}

/** Made by a product of matrices in every head that has them. */
const PRODUCTS: ReadonlySet<Key> = new Set<Key>([
  ...(['v:K', 'v:Q', 'v:V', 'v:S', 'v:O', 'g:W_K', 'g:W_Q', 'g:W_V'] as const),
]);

/** An unknown error of float32 numbers that are right as those of TF32: that is its cause. */
function inTf32(input: CheckInput, own: Check, report: Report): Report | null {
  const { first, causes, dtype } = report;
  // Several roundings of the same kind are one.
  const isOpen =
    causes.length === 0 || (causes.length > 1 && causes.every(({ id }) => id === 'low-precision'));
  if (!first || !isOpen || dtype !== FLOAT32.name) return null;
  if (input.config.numberType !== undefined) return null;
  // A product that is right to float32 was made by a program that does not round the operands of products.
  if ([...own.right()].some((key) => PRODUCTS.has(key))) return null;
  const check = new Check(input, null, TF32);
  if (!check.areAllRight()) return null;
  const cause = check.tf32Cause(first);
  return cause && { ...report, causes: [cause] };
}

export const check = (input: CheckInput): Report => compare(input).report;
