// What a tensor may be that is named as a node but has another shape: not summed, repeated, padded, or reduced.
import { type Letter, shapeOf } from '../../engine/axes.ts';
import { type Graph, nodeOf, type NodeId, operationNodes, tensorName } from '../../engine/graph.ts';
import { replacedAt } from '../../engine/lists.ts';
import {
  formatShape,
  indexOf,
  map,
  offsetOf,
  sizeOf,
  strides,
  type Tensor,
} from '../../engine/tensor.ts';
import { difference } from '../judge/judge.ts';
import { layoutsOf } from './layouts.ts';
import type { Kind } from '../program/program.ts';
import type { Cause } from '../report.ts';

/** Another tensor made of the person's, nearer to the node's shape. */
export interface Reading {
  readonly tensor: Tensor;
  /** What it takes for granted, as a note; '' where `unsummed` says it. */
  readonly words: string;
  /** The letters of the axes over which the person's tensor is not summed, and where they are. */
  readonly unsummed?: Unsummed;
}

export interface Unsummed {
  readonly letters: readonly Letter[];
  readonly positions: readonly number[];
}

/** A tensor that is named as a node and cannot be it. */
export interface Misfit {
  readonly node: NodeId;
  readonly kind: Kind;
  readonly name: string;
  readonly tensor: Tensor;
  readonly reason: string;
  /** The name can mean nothing else: an id, not a usual name such as `out`. */
  readonly isSure: boolean;
}

const ONE: Readonly<Record<Letter, string>> = {
  ...{ b: 'batch entry', h: 'head', r: 'KV head', g: 'head of a group', i: 'key', l: 'key' },
  ...{ j: 'query', t: 'new key', s: 'attention map' },
};
const ALL: Readonly<Record<Letter, string>> = {
  ...{ b: 'the batch', h: 'the heads', r: 'the KV heads', g: 'the heads of a group' },
  ...{ i: 'the keys', l: 'the keys', j: 'the queries', t: 'the new keys' },
  s: 'the two attention maps',
};

const listOf = (letters: readonly Letter[], words: Readonly<Record<Letter, string>>): string =>
  letters.map((letter) => words[letter]).join(' and ');

/** As `listOf`, of a weight or bias: what its gradient is summed over are tokens, be they keys or queries. */
const summandsOf = (id: NodeId, letters: readonly Letter[]): { one: string; all: string } =>
  /^[Wb]_/.test(id)
    ? {
        one: listOf(letters, { ...ONE, i: 'token', j: 'token', t: 'token' }),
        all: listOf(letters, { ...ALL, i: 'the tokens', j: 'the tokens', t: 'the tokens' }),
      }
    : { one: listOf(letters, ONE), all: listOf(letters, ALL) };

/** The letters, other than features, that are summed over in this node's value or gradient. */
function summedLetters(graph: Graph, id: NodeId, kind: Kind): Letter[] {
  const node = nodeOf(graph, id);
  const own = node.axes.flat();
  const around =
    kind === 'value'
      ? node.kind === 'operation'
        ? node.inputs
        : []
      : operationNodes(graph)
          .filter(({ inputs }) => inputs.includes(id))
          .flatMap((user) => [user.id, ...user.inputs]);
  const letters = around.flatMap((each) => nodeOf(graph, each).axes.flat());
  return [...new Set(letters)].filter(
    (letter) => ONE[letter] && !own.includes(letter) && graph.extents[letter] > 1,
  );
}

/** The axes of `shape` on which the letters may be, in any order. */
function* placesOf(
  shape: readonly number[],
  letters: readonly Letter[],
  graph: Graph,
  taken: readonly number[] = [],
): Generator<readonly number[]> {
  const [letter, ...rest] = letters;
  if (letter === undefined) {
    yield taken;
    return;
  }
  for (let axis = 0; axis < shape.length; axis++) {
    if (shape[axis] === graph.extents[letter] && !taken.includes(axis))
      yield* placesOf(shape, rest, graph, [...taken, axis]);
  }
}

/** The sum over some axes, the first of what is summed, and whether all of it is the same. */
function summedOver(
  user: Tensor,
  axes: readonly number[],
): { sum: Tensor; first: Tensor; isRepeated: boolean } {
  const kept = [...user.shape.keys()].filter((axis) => !axes.includes(axis));
  const shape = kept.map((axis) => user.shape[axis]);
  const data = new Float64Array(sizeOf(shape));
  const first = new Float64Array(data.length);
  const own = strides(shape);
  const steps = user.shape.map((_, axis) => (kept.includes(axis) ? own[kept.indexOf(axis)] : 0));
  const index = new Int32Array(user.shape.length);
  let isRepeated = true;
  // Of the entry: where its sum is, and on how many of the axes it is not the first.
  let [to, away] = [0, 0];
  for (let at = 0; at < user.data.length; at++) {
    const value = user.data[at];
    if (away === 0) first[to] = value;
    else if (!Object.is(value, first[to])) isRepeated = false;
    data[to] += value;
    for (let axis = index.length - 1; axis >= 0; axis--) {
      const isSummed = steps[axis] === 0 && !kept.includes(axis);
      if (++index[axis] < user.shape[axis]) {
        to += steps[axis];
        if (isSummed && index[axis] === 1) away++;
        break;
      }
      to -= steps[axis] * (user.shape[axis] - 1);
      if (isSummed && user.shape[axis] > 1) away--;
      index[axis] = 0;
    }
  }
  return { sum: { shape, data }, first: { shape, data: first }, isRepeated };
}

const pairs = (letters: readonly Letter[]): Letter[][] => [
  ...letters.map((letter) => [letter]),
  ...letters.flatMap((one, n) => letters.slice(n + 1).map((other) => [one, other])),
];

/** With axes that the node has not: one tensor for each batch entry, not summed, or the same one repeated. */
function* unsummedReadings(graph: Graph, id: NodeId, kind: Kind, user: Tensor): Generator<Reading> {
  const summed = summedLetters(graph, id, kind);
  const others = Object.keys(graph.extents).filter(
    (letter) => ONE[letter] && graph.extents[letter] > 1 && !summed.includes(letter),
  );
  const { axes } = nodeOf(graph, id);
  const fits = (shape: readonly number[]): boolean =>
    layoutsOf(shape, axes, graph.extents).length > 0;
  for (const letters of [...pairs(summed), ...pairs(others)]) {
    for (const positions of placesOf(user.shape, letters, graph)) {
      if (!fits(user.shape.filter((_, axis) => !positions.includes(axis)))) continue;
      const { sum, first, isRepeated } = summedOver(user, positions);
      if (isRepeated && (kind === 'value' || letters.some((each) => others.includes(each)))) {
        yield { tensor: first, words: `the same for each ${listOf(letters, ONE)}` };
      } else if (letters.every((letter) => summed.includes(letter))) {
        yield { tensor: sum, words: '', unsummed: { letters, positions } };
      }
    }
  }
}

/** What stands in rows of padding: zeros, or what masks scores. */
const isPadding = (node: NodeId, value: number): boolean =>
  value === 0 || (/^[SZM]$/.test(node) && value <= -1e4);

/** With more keys, queries or batch entries than the setup, all of them padding. */
function* paddedReadings(graph: Graph, id: NodeId, user: Tensor): Generator<Reading> {
  const { axes } = nodeOf(graph, id);
  for (const letter of axes.flat().filter((each) => 'bij'.includes(each))) {
    const length = graph.extents[letter];
    for (let axis = 0; axis < user.shape.length; axis++) {
      if (user.shape[axis] <= length) continue;
      const shape = replacedAt(user.shape, axis, length);
      if (layoutsOf(shape, axes, graph.extents).length === 0) continue;
      const data = new Float64Array(sizeOf(shape));
      let isPadded = true;
      for (let at = 0; at < user.data.length && isPadded; at++) {
        const index = indexOf(user.shape, at);
        if (index[axis] < length) data[offsetOf(shape, index)] = user.data[at];
        else isPadded = isPadding(id, user.data[at]);
      }
      const more = user.shape[axis] - length;
      if (isPadded)
        yield {
          tensor: { shape, data },
          words: `padded: ${counted(ONE[letter], more)} more than the setup has`,
        };
    }
  }
}

/** Tensors made of one that does not fit its node, which may; the likeliest first. */
export function* readingsOf(
  graph: Graph,
  id: NodeId,
  kind: Kind,
  user: Tensor,
): Generator<Reading> {
  if (id === 'f' && kind === 'value') {
    // A loss for each token is a choice, whatever is made of it later.
    const { sum } = summedOver(user, [...user.shape.keys()]);
    yield { tensor: sum, words: 'before its sum' };
    yield { tensor: map(sum, (value) => value / user.data.length), words: 'before its mean' };
    return;
  }
  yield* unsummedReadings(graph, id, kind, user);
  yield* paddedReadings(graph, id, user);
}

/** Whether it is the mask itself, not the masked scores: 0 and 1, or 0 and what masks. */
export const isMask = ({ data }: Tensor): boolean =>
  data.every((value) => value === 0 || value === 1 || value <= -1e4);

/** Most slices of an axis that are tried one by one. */
const MOST_SLICES = 64;

/**
 * What of the reference a tensor is that lacks axes of its node: the mean over the heads, as some layers return it,
 * or one batch entry; '' for nothing. `isRounding`: whether a difference from the reference is no more than that.
 */
export function reductionOf(
  graph: Graph,
  { node, tensor }: Misfit,
  reference: Tensor,
  isRounding: (off: number) => boolean,
): string {
  const { axes } = nodeOf(graph, node);
  const single = axes.flatMap((axis, n) =>
    axis.some((letter) => !ONE[letter]) || reference.shape[n] === 1 ? [] : [[n]],
  );
  const double = single.flatMap(([one], n) => single.slice(n + 1).map(([other]) => [one, other]));
  for (const dropped of [...single, ...double]) {
    const rest = axes.filter((_, n) => !dropped.includes(n));
    const letters = dropped.map((n) => (axes[n].includes('r') ? 'h' : axes[n][0]));
    for (const layout of layoutsOf(tensor.shape, rest, graph.extents)) {
      const user = layout.undo(tensor, 'value');
      if (!user) continue;
      const isIt = (part: Tensor): boolean => isRounding(difference(user, part).maxAbs);
      const { sum } = summedOver(reference, dropped);
      const times = reference.data.length / sum.data.length;
      if (isIt(map(sum, (value) => value / times))) return `the mean over ${listOf(letters, ALL)}`;
      const lengths = dropped.map((n) => reference.shape[n]);
      for (let slice = 0; slice < Math.min(times, MOST_SLICES); slice++) {
        const fixed = indexOf(lengths, slice);
        if (isIt(sliceAt(reference, dropped, fixed)))
          return `only ${letters.map((each, n) => `${ONE[each]} ${fixed[n]}`).join(', ')}`;
      }
    }
  }
  return '';
}

/** The part of a tensor at fixed indices of some axes. */
function sliceAt(of: Tensor, axes: readonly number[], fixed: readonly number[]): Tensor {
  const shape = of.shape.filter((_, axis) => !axes.includes(axis));
  const data = new Float64Array(sizeOf(shape));
  for (let at = 0; at < data.length; at++) {
    const rest = indexOf(shape, at);
    const index = of.shape.map((_, axis) => {
      const place = axes.indexOf(axis);
      return place < 0 ? rest.shift()! : fixed[place];
    });
    data[at] = of.data[offsetOf(of.shape, index)];
  }
  return { shape, data };
}

/** "its shape (8, 2) does not fit: K is (5, 2), 8 keys where the setup has 5". */
export function shapeReason(graph: Graph, ids: readonly NodeId[], { shape }: Tensor): string {
  const expected = ids.map((id) => {
    const node = nodeOf(graph, id);
    const odd = node.axes.filter(
      (_, n) => shape.length === node.shape.length && shape[n] !== node.shape[n],
    );
    const [axis] = odd;
    const size = odd.length === 1 && axis.length === 1 && ONE[axis[0]];
    const at = node.axes.indexOf(axis);
    const count = size ? `, ${counted(size, shape[at])} where the setup has ${node.shape[at]}` : '';
    const extra = shape[at] - node.shape[at];
    const more = count && extra > 0 ? `; the ${extra} more are not all 0` : '';
    return `${id} is ${formatShape(shapeOf(node.axes, graph.extents))}${count}${more}`;
  });
  return `its shape ${formatShape(shape)} does not fit: ${expected.join(', ')}`;
}

function counted(word: string, count: number): string {
  const plural = /[^e]y$/.test(word) ? word.replace(/y$/, 'ies') : `${word}s`;
  return `${count} ${count === 1 ? word : plural}`;
}

export function unsummedTitle(id: NodeId, kind: Kind, { letters }: Unsummed): string {
  const { one, all } = summandsOf(id, letters);
  return `${tensorName(id, kind)} is one per ${one}: the sum over ${all} is missing`;
}

/** The cause of a tensor that is one of the summands for each entry of an axis. */
export function unsummedCause(
  id: NodeId,
  kind: Kind,
  { letters, positions }: Unsummed,
  residual: number,
): Cause {
  const name = tensorName(id, kind);
  const { one, all } = summandsOf(id, letters);
  const axes = positions.length === 1 ? String(positions[0]) : `(${positions.join(', ')})`;
  const numpy = `${name} = ${name}.sum(axis=${axes})`;
  const pytorch = `${name} = ${name}.sum(dim=${axes})`;
  return {
    ...{ id: 'sum-missing', node: id, kind, residual, runnerUp: null, numpy, pytorch },
    title: unsummedTitle(id, kind, { letters, positions }),
    why:
      kind === 'gradient'
        ? `There is one ${id} for all of ${all}, so its gradient is the sum of what comes from each.`
        : `${id} adds up over ${all}; yours has a summand for each ${one}.`,
    wrong: `${name}[${letters.join(', ')}]`,
    right: `${name} = Σ_${letters.join('')} ${name}[${letters.join(', ')}]`,
    fix: `NumPy: ${numpy}\nPyTorch: ${pytorch}`,
  };
}
