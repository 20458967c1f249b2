// Where two written formulas differ: the smallest parts that are not the same, marked in both.
import { replacedAt } from './lists.ts';
import type { MathNode } from './mathml.ts';

/** The name of the parts in which they differ. */
export const CHANGED = 'changed';

const isSame = (left: MathNode, right: MathNode): boolean =>
  left.tag === right.tag &&
  left.text === right.text &&
  left.children?.length === right.children?.length &&
  (left.children ?? []).every((child, n) => isSame(child, right.children![n]));

const changed = (node: MathNode): MathNode => ({ tag: 'mrow', children: [node], part: CHANGED });

/** Only in a row may children be put together; the others have one for each of their places. */
const isRow = ({ tag }: MathNode): boolean => tag === 'mrow';

/** A product of one factor is no row. */
const asRow = (node: MathNode): MathNode =>
  isRow(node) ? node : { tag: 'mrow', children: [node] };

/** Without other marks, which would be rows of their own in one of the two. */
function plain(node: MathNode): MathNode {
  if (node.part !== undefined && node.children?.length === 1) return plain(node.children[0]);
  const { part: _, ...rest } = node;
  return node.children ? { ...rest, children: node.children.map(plain) } : rest;
}

/**
 * @returns both, with what only one of them has inside parts named CHANGED: `Z scale` and `S scale` are marked at
 *   Z and at S, `a b` and `a` at b and nowhere
 */
export function markDifference(left: MathNode, right: MathNode): [left: MathNode, right: MathNode] {
  return differing(plain(left), plain(right));
}

function differing(left: MathNode, right: MathNode): [MathNode, MathNode] {
  if (isSame(left, right)) return [left, right];
  if (isRow(left) !== isRow(right)) return differing(asRow(left), asRow(right));
  const [lefts, rights] = [left.children, right.children];
  if (!lefts || !rights || left.tag !== right.tag) return [changed(left), changed(right)];
  if (isRow(left)) return markRows(left, right, lefts, rights);
  const differ = lefts.flatMap((child, n) => (isSame(child, rights[n]) ? [] : [n]));
  if (differ.length !== 1) return [changed(left), changed(right)];
  const [at] = differ;
  const [ours, theirs] = differing(lefts[at], rights[at]);
  return [
    { ...left, children: replacedAt(lefts, at, ours) },
    { ...right, children: replacedAt(rights, at, theirs) },
  ];
}

function markRows(
  left: MathNode,
  right: MathNode,
  lefts: readonly MathNode[],
  rights: readonly MathNode[],
): [MathNode, MathNode] {
  const least = Math.min(lefts.length, rights.length);
  let before = 0;
  while (before < least && isSame(lefts[before], rights[before])) before += 1;
  let after = 0;
  while (after < least - before && isSame(lefts.at(-1 - after)!, rights.at(-1 - after)!))
    after += 1;
  const middle = (all: readonly MathNode[]): readonly MathNode[] =>
    all.slice(before, all.length - after);
  const [ours, theirs] = [middle(lefts), middle(rights)];
  const [oursMarked, theirsMarked] =
    ours.length === 1 && theirs.length === 1
      ? differing(ours[0], theirs[0]).map((each) => [each])
      : [ours, theirs].map((some) =>
          some.length === 0 ? [] : [changed({ tag: 'mrow', children: some })],
        );
  const whole = (
    node: MathNode,
    all: readonly MathNode[],
    inner: readonly MathNode[],
  ): MathNode => ({
    ...node,
    children: [...all.slice(0, before), ...inner, ...all.slice(all.length - after)],
  });
  return [whole(left, lefts, oursMarked), whole(right, rights, theirsMarked)];
}
