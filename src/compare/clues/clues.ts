// What can be said of a wrong tensor that no hypothesis reproduces: where, how much, and which invariant breaks.
import { axisName } from '../../engine/axes.ts';
import { type Graph, hasNode, nodeOf, type NodeId, tensorName } from '../../engine/graph.ts';
import { indexOf, isZero, largestMagnitude, map, type Tensor } from '../../engine/tensor.ts';
import type { Aligned } from '../align/aligned.ts';
import { type Context, roles } from '../edits/edit.ts';
import { readOff } from '../edits/extraTerm.ts';
import { factorsAlong, indexAlong } from '../edits/piecewise.ts';
import { placesOf } from '../edits/scorePlaces.ts';
import type { Kind } from '../program/program.ts';
import { fibres } from '../program/operations.ts';
import { FILL } from '../judge/conventions.ts';
import { rightMask } from '../mistakes/maskWords.ts';
import { patternInWords } from '../mistakes/maskSolved.ts';
import { constantRatio, haveSameNumbers } from '../judge/judge.ts';
import { indexName, plural } from '../program/transforms/indices.ts';

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
function whereClue(all: Wrong): string {
  const { graph, node, user } = all;
  const isWrong = wrongAt(all);
  const { axes, shape } = nodeOf(graph, node);
  const wrong = axes.map(() => new Set<number>());
  const told = (axis: number): boolean => wrong[axis].size <= MOST_TOLD;
  let count = 0;
  for (let at = 0; at < user.data.length; at++) {
    if (!isWrong(at)) continue;
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

/** Whether an entry is wrong. */
function wrongAt({ user, predicted, precision }: Wrong): (at: number) => boolean {
  const most = precision * (largestMagnitude(user) || 1);
  return (at) =>
    !(Math.abs(user.data[at] - predicted.data[at]) <= most) &&
    !Object.is(user.data[at], predicted.data[at]);
}

/** What all wrong entries, and no or hardly any others, have in common. */
function placesClue(context: Context, wrong: Wrong): string[] {
  const { axes, shape } = nodeOf(wrong.graph, wrong.node);
  if (shape.length === 0) return [];
  const letters = axes.flat();
  const isOfScores = letters.includes('i') && letters.includes('j');
  return [
    ...(isOfScores ? scoreClues(context, wrong) : []),
    ...['i', 'j', 't'].flatMap((letter) =>
      letters.includes(letter) ? fromOneOn(wrong, letter) : [],
    ),
    ...oneNumber(wrong),
  ];
}

function scoreClues(context: Context, wrong: Wrong): string[] {
  const { graph, node, user } = wrong;
  const isWrong = wrongAt(wrong);
  const places = placesOf(context, nodeOf(graph, node));
  const weightsOf = (id: NodeId): Float64Array | null =>
    hasNode(graph, id) ? context.state.value(id).data : null;
  const [P, Pd] = [weightsOf('P'), weightsOf('Pd')];
  const kinds: [string, (at: number) => boolean][] = [
    ['on the diagonal (a query’s own place)', (at) => places.distance(at) === 0],
  ];
  if (P) kinds.push(['in hidden entries (weight 0)', (at) => P[at] === 0]);
  if (P && Pd) kinds.push(['in dropped entries', (at) => P[at] !== 0 && Pd[at] === 0]);
  const count = user.data.length;
  for (const [words, is] of kinds) {
    let [inside, outside, all] = [0, 0, 0];
    for (let at = 0; at < count; at++) {
      if (is(at)) all++;
      if (!isWrong(at)) continue;
      if (is(at)) inside++;
      else outside++;
    }
    if (all === 0 || all === count) continue;
    if (inside > 0 && outside === 0) return [`all wrong entries are ${words}`];
    // That hidden entries are right says nothing.
    if (inside === 0 && outside > 0 && !words.includes('hidden'))
      return [`no wrong entry is ${words}`];
  }
  return [];
}

/** Tokens behind which all is wrong: a tile of so many is right. */
function fromOneOn(all: Wrong, letter: string): string[] {
  const { graph, node, user } = all;
  const isWrong = wrongAt(all);
  const length = graph.extents[letter];
  const index = indexAlong(nodeOf(graph, node).axes, [letter], graph.extents);
  const wrong = new Set<number>();
  for (let at = 0; at < user.data.length; at++) if (isWrong(at)) wrong.add(index[at]);
  const first = Math.min(...wrong);
  if (wrong.size !== length - first || first < 2 || first > length - 2) return [];
  const one = indexName([letter]);
  return [
    `the first ${first} ${plural(one)} are right and all behind wrong, as where a loop goes on in tiles of ${first}`,
  ];
}

/** What is too much is one number for each row: only a term of the row is wrong. */
function oneNumber({ graph, node, user, predicted, precision }: Wrong): string[] {
  const { axes } = nodeOf(graph, node);
  const term = map(user, (value, at) => value - predicted.data[at]);
  if (!term.data.every(Number.isFinite)) return [];
  const most = 4 * precision * largestMagnitude(user);
  const letters = axes.flat().filter((letter) => graph.extents[letter] > 1);
  for (const left of letters) {
    const index = indexAlong(
      axes,
      letters.filter((letter) => letter !== left),
      graph.extents,
    );
    if (letters.length > 1 && readOff(term, index, most))
      return [`what is too much is the same for all ${plural(indexName([left]))}`];
  }
  return [];
}
