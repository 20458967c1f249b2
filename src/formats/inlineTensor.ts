// Reads a tensor that is written as nested arrays, and tells where exactly it is ragged or no number.
import type { Node } from 'jsonc-parser';
import { suggest } from './didYouMean.ts';
import { formatPath, type ProblemList } from './setupProblems.ts';
import { describe } from './setupReader.ts';
import type { Path, TensorSource } from './setupTypes.ts';
import { SPECIAL_NUMBERS, specialNumber } from './specialNumber.ts';

type InlineSource = TensorSource & { readonly kind: 'inline' };

/** After this many, the rest of a tensor is most likely wrong in the same way. */
const MOST_PROBLEMS = 5;

/** The tensor of an array node; all true and false make dtype bool. Undefined after reporting problems. */
export function inlineTensor(
  problems: ProblemList,
  root: Node,
  at: Path,
): InlineSource | undefined {
  const shape: number[] = [];
  let first = root;
  while (first.type === 'array' && first.children?.length) {
    shape.push(first.children.length);
    first = first.children[0];
  }
  const isBoolean = first.type === 'boolean';
  const data: number[] = [];
  const path = [...at];
  let wrong = 0;
  const report = (node: Node, expected: string): void => {
    wrong++;
    if (wrong <= MOST_PROBLEMS)
      problems.error(path, `found ${describe(node)}, expected ${expected}`);
  };
  const walk = (node: Node, axis: number): void => {
    if (wrong > MOST_PROBLEMS) return;
    if (node.type !== 'array') {
      const value = entryOf(node, isBoolean);
      if (value === undefined) report(node, expectedEntry(node, isBoolean));
      else if (axis < shape.length)
        report(node, `an array of ${shape[axis]} as at ${firstSibling(path, at)}`);
      else data.push(value);
      return;
    }
    const children = node.children ?? [];
    if (children.length === 0) report(node, 'at least one entry');
    else if (axis === shape.length) report(node, `a number as at ${firstSibling(path, at)}`);
    else if (children.length !== shape[axis])
      report(node, `an array of ${shape[axis]} as at ${firstSibling(path, at)}`);
    else {
      for (const [i, child] of children.entries()) {
        path.push(i);
        walk(child, axis + 1);
        path.pop();
      }
    }
  };
  walk(root, 0);
  if (wrong > MOST_PROBLEMS)
    problems.error(at, 'found more entries that do not fit; they are not listed');
  if (wrong > 0) return undefined;
  return {
    kind: 'inline',
    tensor: { shape, data: Float64Array.from(data) },
    dtype: isBoolean ? 'bool' : 'float64',
  };
}

/** Where the entry stands that sets the shape: the first at the depth of `path`. */
function firstSibling(path: Path, root: Path): string {
  return formatPath([...root, ...path.slice(root.length).map(() => 0)]);
}

function entryOf({ type, value }: Node, isBoolean: boolean): number | undefined {
  if (isBoolean) return type === 'boolean' ? Number(value) : undefined;
  if (type === 'number') return value as number;
  return type === 'string' ? specialNumber(value as string) : undefined;
}

function expectedEntry({ type, value }: Node, isBoolean: boolean): string {
  if (isBoolean) return 'true or false like the first entry';
  if (type === 'boolean') return 'a number like the first entry';
  if (type === 'null')
    return '"nan", "inf" or a number (JavaScript writes NaN and Infinity as null)';
  const hint = type === 'string' ? suggest(value as string, SPECIAL_NUMBERS) : '';
  return hint.startsWith('did') ? `a number; ${hint}` : 'a number, "nan", "inf" or "-inf"';
}
