// What can be said of a wrong tensor that no hypothesis reproduces: where, how much, and which invariant breaks.
import { axisName } from '../../engine/axes.ts';
import { type Graph, nodeOf, type NodeId, tensorName } from '../../engine/graph.ts';
import { indexOf, isZero, largestMagnitude, type Tensor } from '../../engine/tensor.ts';
import type { Aligned } from '../align/aligned.ts';
import { type Context, roles } from '../edits/edit.ts';
import { factorsAlong, indexAlong } from '../edits/piecewise.ts';
import type { Kind } from '../program/program.ts';
import { fibres } from '../program/operations.ts';
import { FILL } from '../judge/conventions.ts';
import { rightMask } from '../mistakes/maskWords.ts';
import { patternInWords } from '../mistakes/maskSolved.ts';
import { placesClue } from './placesClue.ts';
import { constantRatio, haveSameNumbers } from '../judge/judge.ts';
import { indexName } from '../program/transforms/indices.ts';

/** A tensor that is not what its step makes of the person's own tensors before it. */
interface Wrong {
  readonly graph: Graph;
  readonly node: NodeId;
  readonly user: Tensor;
  readonly predicted: Tensor;
  /** Relative difference that is rounding. */
  readonly precision: number;
}

/** `where`: what is known of the steps before it. */
export function describeUnknown(
  context: Context,
  { node, kind, name }: Aligned,
  user: Tensor,
  predicted: Tensor,
  precision: number,
  where: readonly string[],
): string {
  const { graph } = context;
  const wrong: Wrong = { graph, node, user, predicted, precision };
  const clues = [
    notFinite(wrong),
    ratioClue(wrong),
    sortedClue(wrong),
    slicesClue(wrong),
    sumClue(wrong, kind),
    whereClue(wrong),
    ...placesClue(context, wrong),
    ...patternClue(context, wrong, kind),
    ...where,
  ].filter((clue) => clue !== '');
  const own = tensorName(node, kind);
  const called = name === own ? own : `${own} (your ${name})`;
  return `unknown cause: from your own tensors before it, ${called} should come out otherwise; ${clues.join('; ')}`;
}

function notFinite({ user, predicted, node }: Wrong): string {
  const at = user.data.findIndex(
    (value, n) => !Number.isFinite(value) && !Object.is(value, predicted.data[n]),
  );
  if (at < 0) return '';
  const what = Number.isNaN(user.data[at]) ? 'NaN' : 'infinity';
  return `${what} is born here, first at ${node}[${indexOf(user.shape, at).join(', ')}]`;
}

function ratioClue({ user, predicted, precision }: Wrong): string {
  if (isZero(user)) return 'all entries are 0';
  const ratio = constantRatio(user, predicted, precision);
  return ratio === null ? '' : `constant ratio ${ratio.toPrecision(6)}`;
}

function sortedClue({ user, predicted, precision }: Wrong): string {
  const most = precision * largestMagnitude(user);
  const total = ({ data }: Tensor): number => data.reduce((sum, value) => sum + value, 0);
  // Sorting takes long; the sums of hardly any others are equal.
  if (Math.abs(total(user) - total(predicted)) > most * user.data.length) return '';
  return haveSameNumbers(user, predicted, most) ? 'the entries are right but in other places' : '';
}

/** One factor for each head, token or batch entry, but not the same for all. */
function slicesClue({ graph, node, user, predicted, precision }: Wrong): string {
  if (constantRatio(user, predicted, precision) !== null) return '';
  const { axes } = nodeOf(graph, node);
  const letters = axes.flat().filter((letter) => graph.extents[letter] > 1);
  // A whole row, or a slice along one axis.
  const groups = [
    ...letters.map((letter) => letters.filter((each) => each !== letter)),
    ...letters.map((letter) => [letter]),
  ];
  for (const group of groups) {
    if (group.length === 0) continue;
    const factors = factorsAlong(
      indexAlong(axes, group, graph.extents),
      user,
      predicted,
      precision,
    );
    if (!factors) continue;
    const [low, high] = range(factors);
    if (!(low < high)) continue;
    return `a constant ratio for each ${indexName(group)}, from ${low.toPrecision(4)} to ${high.toPrecision(4)}`;
  }
  return '';
}

/** Row sums: weights add to 1, the softmax's input gradients add to 0. */
function sumClue({ graph, node, user }: Wrong, kind: Kind): string {
  const { logits } = roles(graph);
  const expected =
    kind === 'value' && node === 'P' ? 1 : kind === 'gradient' && node === logits ? 0 : null;
  if (expected === null) return '';
  const { starts, steps } = fibres(nodeOf(graph, 'P').axes, ['i'], graph.extents);
  const sums = Array.from(starts, (start) =>
    steps.reduce((sum, step) => sum + user.data[start + step], 0),
  );
  const [low, high] = range(sums);
  const worst = Math.max(Math.abs(low - expected), Math.abs(high - expected));
  if (worst <= 1e-3 * Math.max(largestMagnitude(user), expected))
    return `sums over the keys are ${expected}, as they must be`;
  return `sums over the keys go from ${low.toPrecision(3)} to ${high.toPrecision(3)} where ${expected} is right`;
}

/** Weights of 0 in other places than the mask has. */
function patternClue(context: Context, { node, user, graph }: Wrong, kind: Kind): string[] {
  if (kind !== 'value' || node !== 'P') return [];
  const { state } = context;
  const before = state.value(roles(graph).logits).data;
  const own = Uint8Array.from(user.data, (weight, at) =>
    Number(weight === 0 && (before[at] > -700 || before[at] === -Infinity)),
  );
  const right = rightMask(context, nodeOf(graph, 'P')).data;
  const isOther = own.some((is, at) => (is === 1) !== right[at] <= FILL);
  if (!isOther || !own.includes(0)) return [];
  const words = patternInWords(context, own, right);
  return [`its zeros are not those of the setup’s mask: as if the mask ${words}`];
}

/** Indices of one axis that are listed. */
const MOST_TOLD = 6;

/** Which indices of each axis are concerned, where not all are. */
function whereClue({ graph, node, user, predicted, precision }: Wrong): string {
  const most = precision * (largestMagnitude(user) || 1);
  const { axes, shape } = nodeOf(graph, node);
  const wrong = axes.map(() => new Set<number>());
  const told = (axis: number): boolean => wrong[axis].size <= MOST_TOLD;
  let count = 0;
  for (let at = 0; at < user.data.length; at++) {
    if (
      Math.abs(user.data[at] - predicted.data[at]) <= most ||
      Object.is(user.data[at], predicted.data[at])
    )
      continue;
    count++;
    if (axes.some((_, axis) => told(axis)))
      indexOf(shape, at).forEach((index, axis) => wrong[axis].add(index));
  }
  const parts = axes.flatMap((axis, n) =>
    wrong[n].size === shape[n] || !told(n) ? [] : [`${axisName(axis)} ${[...wrong[n]].join(', ')}`],
  );
  return `${count} of ${user.data.length} entries differ${parts.length > 0 ? `, only at ${parts.join('; ')}` : ''}`;
}

function range(values: Iterable<number>): [number, number] {
  let [low, high] = [Infinity, -Infinity];
  for (const value of values) {
    if (value < low) low = value;
    if (value > high) high = value;
  }
  return [low, high];
}
