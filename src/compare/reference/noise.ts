// Simulates a run in a narrower number type: every result is rounded, every sum is made in an unknown order.
import type { AxisLetters, Extents, Letter } from '../../engine/axes.ts';
import { letterStrides } from '../../engine/axes.ts';
import { type HeadConfig, isPlainRope, type Rope } from '../../engine/config.ts';
import type { Graph, NodeId } from '../../engine/graph.ts';
import { hasNode, nodeOf } from '../../engine/graph.ts';
import { turningOf } from '../../engine/ops/rotary.ts';
import { map, type Tensor } from '../../engine/tensor.ts';
import { FLOAT32, FLOAT64, type NumberType, TF32, tf32Operand } from './dtypes.ts';
import type { Key, Perturb, State, Step } from '../program/program.ts';

/** Uniform in (-1, 1), the same for the same seed: xorshift. */
function uniform(seed: number): () => number {
  let state = (seed * 2654435761 + 97) | 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state / 2 ** 31;
  };
}

/** Largest Euclidean norm of the fibres of `tensor` along the letters that `kept` lacks. */
function largestFibre(
  tensor: Tensor,
  axes: readonly AxisLetters[],
  kept: ReadonlySet<string>,
  extents: Extents,
): number {
  const letters = axes.flat();
  const strides = letterStrides(axes, extents);
  const groups = letters.filter((letter) => kept.has(letter));
  const squares = new Float64Array(groups.reduce((size, letter) => size * extents[letter], 1));
  const steps = groups.map((letter) => ({
    stride: strides.get(letter) ?? 1,
    length: extents[letter],
  }));
  for (let at = 0; at < tensor.data.length; at++) {
    let group = 0;
    for (const { stride, length } of steps)
      group = group * length + (Math.floor(at / stride) % length);
    const value = tensor.data[at];
    if (Number.isFinite(value)) squares[group] += value * value;
  }
  let largest = 0;
  for (const square of squares) if (square > largest) largest = square;
  return Math.sqrt(largest);
}

/**
 * Size of the terms in the sums of a contraction: the largest product of the norms of the two fibres (Cauchy and
 * Schwarz). A sum of k terms in whatever order is off by about its unit roundoff times that.
 */
function sumSize(state: State, key: Key): number {
  const { program } = state;
  const { graph } = program;
  const axesOf = (id: NodeId): readonly AxisLetters[] => nodeOf(graph, id).axes;
  const fibre = (tensor: Tensor, id: NodeId, out: NodeId): number => {
    const axes = axesOf(id);
    return largestFibre(tensor, axes, new Set(axesOf(out).flat()), graph.extents);
  };
  if (key.startsWith('v:')) {
    const id = key.slice(2);
    const step = program.forward.get(id);
    if (step?.operation.cancelled) return cancelledIn(state, step, id, null);
    if (step?.operation.name !== 'contraction') return 0;
    return step.inputs
      .slice(0, 2)
      .reduce((size, input) => size * fibre(state.value(input), input, id), 1);
  }
  if (!key.startsWith('c:')) return 0;
  const [from, slotText] = key.slice(2).split('#');
  const slot = Number(slotText);
  const step = program.backward.get(from);
  if (!step) return 0;
  if (step.operation.cancelled) return cancelledIn(state, step, from, slot);
  const upstream = state.gradient(from);
  const to = step.inputs[slot];
  if (step.operation.name === 'softmax') {
    // P (dP - sum P dP): both terms may be much larger than their difference.
    const weights = state.value(from);
    let largest = 0;
    for (let at = 0; at < upstream.data.length; at++) {
      const term = Math.abs(upstream.data[at] * weights.data[at]);
      if (term > largest && Number.isFinite(term)) largest = term;
    }
    return 2 * largest;
  }
  if (step.operation.name !== 'contraction') return 0;
  if (slot === 2) {
    const count = upstream.data.length / Math.max(1, state.value(to).data.length);
    return fibre(upstream, from, to) * Math.sqrt(count);
  }
  const other = step.inputs[1 - slot];
  return fibre(upstream, from, to) * fibre(state.value(other), other, to);
}

/** The largest term of which a step's result is what is left. */
function cancelledIn(state: State, step: Step, id: NodeId, slot: number | null): number {
  const inputs = step.inputs.map((input) => state.value(input));
  const application = { inputs, output: slot === null ? inputs[0] : state.value(id) };
  const upstream = slot === null ? inputs[0] : state.gradient(id);
  return 2 * step.operation.cancelled!(application, slot, upstream);
}

/** Angles are computed in float32 at best, but where all is float64: a power, and its product with the position. */
const ANGLE_ROUNDINGS = 1.5;

/** The node in whose step keys or queries turn: of latent heads a part, before a norm or null keys where there are any. */
const turningNode = (graph: Graph, id: 'K' | 'Q'): NodeId =>
  [`${id}Rs`, `${id}s`].find((node) => hasNode(graph, node)) ?? `${id}h`;

/** For each entry of a rotated tensor, or of what is passed back through the rotation: its error by the angles'. */
function angleErrors(
  { data, shape }: Tensor,
  key: Key,
  { program: { graph } }: State,
  { rope, past }: Pick<HeadConfig, 'rope' | 'past'>,
  type: NumberType,
  random: () => number,
): Float64Array | null {
  const id = (['K', 'Q'] as const).find((each) => {
    const node = turningNode(graph, each);
    return key === `v:${node}` || key === `c:${node}#0`;
  });
  if (!rope || !id) return null;
  const feature = turningNode(graph, id) === `${id}Rs` ? 'z' : 'a';
  const width = graph.extents[feature];
  const half = width / 2;
  const earlier = past ? graph.extents['i'] - graph.extents['t'] : 0;
  const epsilon = type === FLOAT64 || type.name.endsWith('decimals') ? 2 ** -52 : 2 ** -23;
  // Passed back it is (tokens, heads and features) of the new tokens; else heads come before the tokens.
  const row = shape[shape.length - 1];
  const tokens = shape[shape.length - 2];
  const isNewOnly = key !== 'v:Kh';
  const error = new Float64Array(data.length);
  const turning = isPlainRope(rope) ? null : turnedBy(graph, rope, { id, feature, earlier });
  for (let at = 0; at < data.length; at++) {
    const token = Math.floor(at / row) % tokens;
    const position = isNewOnly ? earlier + token : token;
    if (position < earlier) continue;
    const own = at % width;
    if (turning) {
      const batch = Math.floor(at / (data.length / (graph.extents['b'] ?? 1)));
      const other = data[at - own + turning.partner(own)];
      const angle = turning.angle(batch, position - earlier, own);
      error[at] = angle === 0 ? 0 : random() * ANGLE_ROUNDINGS * epsilon * angle * other;
      continue;
    }
    const [pair, partner] =
      rope.pairing === 'interleaved'
        ? [own >> 1, own ^ 1]
        : [own % half, own < half ? own + half : own - half];
    const angle = position * rope.base ** (-pair / half);
    const off = ANGLE_ROUNDINGS * epsilon * angle * data[at - own + partner];
    error[at] = pair === 0 ? 0 : random() * off;
  }
  return error;
}

function turnedBy(
  graph: Graph,
  rope: Rope,
  { id, feature, earlier }: { id: 'K' | 'Q'; feature: Letter; earlier: number },
): ReturnType<typeof turningOf> {
  const token = id === 'Q' ? 'j' : 't' in graph.extents ? 't' : 'i';
  const positions = id === 'Q' ? (rope.queryPositions ?? rope.positions) : rope.positions;
  const rotation = { ...rope, positions, firstPosition: earlier };
  return turningOf(graph.extents, [token, feature], rotation);
}

/** A product of matrices again, of operands with the bits of TF32; null where the result is none. */
function inTf32(
  key: Key,
  { program, ...state }: Tf32State,
  round: (value: number) => number,
): Tensor | null {
  const rounded = (tensor: Tensor): Tensor => map(tensor, round);
  if (key.startsWith('v:')) {
    const step = program.forward.get(key.slice(2));
    if (step?.operation.name !== 'contraction') return null;
    const inputs = step.inputs.map((id, n) => (n < 2 ? rounded(state.value(id)) : state.value(id)));
    return step.operation.forward(inputs);
  }
  if (!key.startsWith('c:')) return null;
  const [from, slotText] = key.slice(2).split('#');
  const slot = Number(slotText);
  const step = program.backward.get(from);
  // A bias is added, and its gradient a sum.
  if (step?.operation.name !== 'contraction' || slot > 1) return null;
  const inputs = step.inputs.map((id) => rounded(state.value(id)));
  return step.operation.vjp({ inputs, output: state.value(from) }, rounded(state.gradient(from)))[
    slot
  ];
}

const tensorsOf = (state: State): Tf32State => ({
  program: state.program,
  value: (id) => state.value(id),
  gradient: (id) => state.gradient(id),
});

type Tf32State = Pick<State, 'program'> & {
  readonly value: (id: NodeId) => Tensor;
  readonly gradient: (id: NodeId) => Tensor;
};

/** By how many units the denominator of a softmax is off, each of its weights with it: summed one by one, by the root. */
function denominatorError(key: Key, { program }: State, type: NumberType): number {
  const isSummed = type.epsilon === type.sumEpsilon && key === 'v:P';
  return isSummed ? Math.max(1, Math.sqrt(program.graph.extents['i']) / 2) : 1;
}

/** A number so large that scores are lost in it, such as the least of a type: all that it hides are alike to the bit. */
const ABSORBING = 1e20;

/** Rounding of every result to `type`, with the error of its sums; a given tensor is uncertain by its rounding. */
export function rounding(
  type: NumberType,
  seed: number,
  config: Pick<HeadConfig, 'rope' | 'past'> = {},
): Perturb {
  const random = uniform(seed);
  const operand = seed % 2 === 0 ? tf32Operand.cut : tf32Operand.nearest;
  return (computed, key, state) => {
    const product = type === TF32 ? inTf32(key, tensorsOf(state), operand) : null;
    const result = product ?? computed;
    const unit = type.name.endsWith('decimals') ? 2 ** -52 : type.epsilon / 2;
    const own = unit * denominatorError(key, state, type);
    const fixed = type.name.endsWith('decimals') ? type.epsilon / 2 : 0;
    const given = key.startsWith('given ');
    const sums = given ? 0 : sumSize(state, key) * type.sumEpsilon;
    const source = result.data;
    const turned = angleErrors(result, key, state, config, type, random);
    const { length } = source;
    // Storing into a Float32Array is the quickest way of rounding to it.
    const isSingle = (type === FLOAT32 || type === TF32) && !given;
    const isNarrow = !isSingle && !given && type.epsilon > FLOAT64.epsilon;
    const moved = isSingle ? new Float32Array(length) : new Float64Array(length);
    for (let at = 0; at < length; at++) {
      const value = turned ? source[at] + turned[at] : source[at];
      if (value === 0 && sums === 0) continue;
      const size = Math.abs(value);
      const off = size < ABSORBING ? value + random() * (own * size + sums + fixed) : value;
      moved[at] = isNarrow ? type.round(off) : off;
    }
    if (isSingle) return { shape: result.shape, data: new Float64Array(moved) };
    return { shape: result.shape, data: moved as Float64Array };
  };
}
