// Every operation of the engine under random lengths of its axes, none of them square unless by chance.
import * as fc from 'fast-check';
import { parseSpec, shapeOf, type AxisLetters, type Extents } from '../../../src/engine/axes.ts';
import type { Operation } from '../../../src/engine/operation.ts';
import { compose } from '../../../src/engine/ops/compose.ts';
import { contraction } from '../../../src/engine/ops/contraction.ts';
import { addMask, dropout, scale, scaleAndSoftcap } from '../../../src/engine/ops/elementwise.ts';
import { extend } from '../../../src/engine/ops/extend.ts';
import { addition } from '../../../src/engine/ops/addition.ts';
import { beside } from '../../../src/engine/ops/beside.ts';
import { difference, reparametrised } from '../../../src/engine/ops/difference.ts';
import { gated } from '../../../src/engine/ops/gate.ts';
import { scaledScores } from '../../../src/engine/ops/scaledScores.ts';
import { expressionLoss } from '../../../src/engine/ops/expressionLoss.ts';
import { prepend, rearrange } from '../../../src/engine/ops/layout.ts';
import { bucketFormula, positionBias } from '../../../src/engine/ops/positionBias.ts';
import { rotary } from '../../../src/engine/ops/rotary.ts';
import {
  halfSquaredError,
  halfSquaredNorm,
  loss,
  weightedSum,
} from '../../../src/engine/ops/loss.ts';
import { normalise, type Normalisation } from '../../../src/engine/ops/normalise.ts';
import { softmax } from '../../../src/engine/ops/softmax.ts';
import { map, scalar, type Tensor } from '../../../src/engine/tensor.ts';
import { randomTensor } from '../../support/random.ts';

export interface OperationCase {
  readonly operation: Operation;
  readonly inputs: readonly Tensor[];
  readonly output: readonly AxisLetters[];
  readonly extents: Extents;
}

type Make = (extents: Extents, seed: number) => OperationCase;

const axes = (spec: string): AxisLetters[] => parseSpec(spec)[0];

/** `spec` names the operands and the output, as for a contraction. */
function unary(
  spec: string,
  make: (extents: Extents, seed: number, axes: AxisLetters[][]) => Operation,
): Make {
  return (extents, seed) => {
    const all = parseSpec(spec);
    const inputs = all
      .slice(0, -1)
      .map((each, n) => randomTensor(shapeOf(each, extents), seed + n, 2));
    return { operation: make(extents, seed, all), inputs, output: all[all.length - 1], extents };
  };
}

const product = (spec: string): Make => unary(spec, (extents) => contraction(spec, extents, ''));
/** The second operand is a gain, the third a bias. */
const norm = (spec: string, over: string[], own: Normalisation): Make =>
  unary(spec, (extents, _, all) => {
    const [gain, bias] = all.slice(1, -1);
    return normalise({ axes: all[0], over, gain: gain ?? null, bias: bias ?? null }, extents, own);
  });
const like = (all: AxisLetters[][], extents: Extents, seed: number): Tensor =>
  randomTensor(shapeOf(all[0], extents), seed + 100);
/** About a third of the entries of a random tensor replaced by `value`. */
const some = (given: Tensor, value: number): Tensor =>
  map(given, (entry) => (entry < -0.35 ? value : entry));

/** (p earlier tokens and t new ones) make i = p + t. */
const withPast = (extents: Extents): Extents => ({ ...extents, i: extents.p + extents.t });

export const operationCases: Readonly<Record<string, Make>> = {
  'contraction: projection': product('i c, c a -> i a'),
  'contraction: projection with bias': product('b i c, c (h a), (h a) -> b i (h a)'),
  'contraction: scores, keys first': product('i a, j a -> i j'),
  'contraction: scores of grouped heads': product('b r i a, b (r g) j a -> b (r g) j i'),
  'contraction: weighted mean of grouped heads': product('b r i v, b (r g) j i -> b (r g) j v'),
  'contraction: output of merged heads': product('b j (h v), (h v) o, o -> b j o'),
  'softmax over the last axis': unary('h j i -> h j i', (extents, _, [own]) =>
    softmax(own, 'i', extents),
  ),
  'softmax over the first axis': unary('i j -> i j', (extents, _, [own]) =>
    softmax(own, 'i', extents),
  ),
  'softmax plus one': unary('j i -> j i', (extents, _, [own]) => softmax(own, 'i', extents, 'one')),
  'softmax with sinks': unary('b h j i, h -> b h j i', (extents, _, [own, sinks]) =>
    softmax(own, 'i', extents, sinks),
  ),
  'softmax with sinks of grouped heads, keys first': unary(
    '(r g) i j, (r g) -> (r g) i j',
    (extents, _, [own, sinks]) => softmax(own, 'i', extents, sinks),
  ),
  scale: unary('i j -> i j', (_extents, _seed, [own]) => scale(own, 0.3)),
  'scale and softcap': unary('i j -> i j', (_extents, _seed, [own]) =>
    scaleAndSoftcap(own, 1.4, 0.9),
  ),
  'scale by head and by query': unary(
    'b (r g) j i, (r g), b j -> b (r g) j i',
    (extents, _, [, ...by]) =>
      scaledScores(axes('b (r g) j i'), by.slice(0, 2), extents, { factor: 0.3 }),
  ),
  'scale by query and softcap': unary('i j, j -> i j', (extents, _, [own, by]) =>
    scaledScores(own, [by], extents, { factor: 1.4, cap: 0.9 }),
  ),
  'gate of each entry': unary('b h j v, b j (h v) -> b h j v', (extents, _, [own, gate]) =>
    gated(own, gate, extents),
  ),
  'gate of each head': unary('(r g) j v, j (r g) -> (r g) j v', (extents, _, [own, gate]) =>
    gated(own, gate, extents),
  ),
  mask: unary('h j i -> h j i', (extents, seed, all) =>
    addMask(all[0], some(like(all, extents, seed), -Infinity)),
  ),
  dropout: unary('j i -> j i', (extents, seed, all) =>
    dropout(all[0], some(like(all, extents, seed), 0), 0.4),
  ),
  'RMS norm of each head': norm('b i (h a), a -> b i (h a)', ['a'], { kind: 'rms', eps: 0.1 }),
  'RMS norm of all heads, no gain': norm('i (h a) -> i (h a)', ['h', 'a'], { kind: 'rms', eps: 0 }),
  'RMS norm, gain 1 + gamma, of heads apart': norm('h i a, (h a) -> h i a', ['a'], {
    ...{ kind: 'rms', eps: 1e-3, unitOffset: true },
  }),
  'layer norm with gain and bias': norm('b i (h a), a, (h a) -> b i (h a)', ['a'], {
    ...{ kind: 'layer', eps: 0.2 },
  }),
  'layer norm over heads apart': norm('h i a, (h a) -> h i a', ['h', 'a'], {
    ...{ kind: 'layer', eps: 0.1 },
  }),
  rearrange: unary('b i (h a) -> b h i a', (extents) =>
    rearrange('b i (h a) -> b h i a', extents, ''),
  ),
  prepend: (own, seed) => {
    const extents = withPast(own);
    const past = randomTensor(shapeOf(axes('h p a'), extents), seed + 100);
    return unary('h t a -> h i a', () => prepend(axes('h i a'), axes('h t a'), past))(
      extents,
      seed,
    );
  },
  'append a learned key': (own, seed) => {
    const extents = { ...own, i: own.t + 1 };
    const learned = axes('(h a)');
    return unary('b h t a, (h a) -> b h i a', (_extents, _seed, [from, , to]) =>
      extend(to, from, extents, { learned, zero: false }),
    )(extents, seed);
  },
  'two parts side by side, one for all heads': (own, seed) => {
    const extents = { ...own, d: 2, w: 3, a: 5 };
    return unary('b i (h d), b i w -> b h i a', (_extents, _seed, [one, other, to]) => {
      const parts = [
        { axes: one, letter: 'd' },
        { axes: other, letter: 'w' },
      ] as const;
      return beside(to, parts, extents);
    })(extents, seed);
  },
  'difference of two softmaxes': (own, seed) => {
    const extents = { ...own, s: 2 };
    return unary('b (r g s) j i, -> b (r g) j i', (_extents, _seed, [from, , to]) =>
      difference(to, from, extents),
    )(extents, seed);
  },
  'difference of two softmaxes, halves': (own, seed) => {
    const extents = { ...own, s: 2 };
    return unary('(s h) i j, -> h i j', (_extents, _seed, [from, , to]) =>
      difference(to, from, extents),
    )(extents, seed);
  },
  'reparametrised λ': unary('a, a, a, a ->', (_extents, _seed, [a]) => reparametrised(a, 0.3)),
  'residual connection': unary('b j o, b j o -> b j o', (_extents, _seed, [own]) =>
    addition(own, ''),
  ),
  'earlier tokens, a learned key, zeros': (own, seed) => {
    const extents = { ...own, i: own.p + own.t + 2 };
    const before = randomTensor(shapeOf(axes('h p a'), extents), seed + 100);
    return unary('h t a, (h a) -> h i a', (_extents, _seed, [from, , to]) =>
      extend(to, from, extents, { before, learned: axes('(h a)'), zero: true }),
    )(extents, seed);
  },
  'rotary embedding, halves paired': unary('h i a -> h i a', (extents, _, [own]) =>
    rotary(own, extents, { base: 100, pairing: 'half', firstPosition: 2 }),
  ),
  'rotary embedding, neighbours paired': unary('h i a -> h i a', (extents, _, [own]) =>
    rotary(own, extents, { base: 100, pairing: 'interleaved', firstPosition: 0 }),
  ),
  'rotary embedding of the first features, by YaRN': unary(
    'b h i a -> b h i a',
    (extents, _, [own]) =>
      rotary(own, extents, {
        ...{ base: 100, pairing: 'half', firstPosition: 2, features: 2 },
        scaling: {
          ...{ kind: 'yarn', factor: 4, originalLength: 8, betaFast: 4, betaSlow: 0.2 },
          truncate: false,
        },
      }),
  ),
  'rotary embedding by positions of each batch entry': unary(
    'b h i a -> b h i a',
    (extents, seed, [own]) =>
      rotary(own, extents, {
        ...{ base: 100, pairing: 'interleaved', firstPosition: 0 },
        positions: randomTensor([extents.b, extents.i], seed),
        scaling: { kind: 'linear', factor: 2 },
      }),
  ),
  'position bias of each pair': unary('b h j i, h j i -> b h j i', (extents, _, [own, table]) =>
    positionBias(own, table, extents, null),
  ),
  'position bias by buckets': (own, seed) => {
    const extents = { ...own, w: 4 };
    const bucket = bucketFormula(
      { kind: 't5', bidirectional: true, maxDistance: 3 },
      { past: 1, buckets: 4 },
    );
    return unary('b h j i, w h -> b h j i', (_extents, _seed, [scores, table]) =>
      positionBias(scores, table, extents, bucket),
    )(extents, seed);
  },
  'compose: split, rotate, prepend': (own, seed) => {
    const extents = withPast(own);
    const past = randomTensor(shapeOf(axes('h p a'), extents), seed + 100);
    const spec = 't (h a) -> h i a';
    return unary(spec, () =>
      compose([
        rearrange('t (h a) -> h t a', extents, ''),
        rotary(axes('h t a'), extents, { base: 100, pairing: 'half', firstPosition: extents.p }),
        prepend(axes('h i a'), axes('h t a'), past),
      ]),
    )(extents, seed);
  },
  // Each entry reaches the last output by two routes.
  'compose: rotate twice': unary('h i a -> h i a', (extents, _, [own]) =>
    compose(
      [10, 100].map((base) =>
        rotary(own, extents, { base, pairing: 'interleaved', firstPosition: 1 }),
      ),
    ),
  ),
  'half squared norm': unary('b j v ->', (_extents, _seed, [own]) => loss(own, halfSquaredNorm)),
  'given upstream gradient': unary('j v ->', (extents, seed, all) =>
    loss(all[0], weightedSum(like(all, extents, seed))),
  ),
  'half squared error': unary('j v ->', (extents, seed, all) =>
    loss(all[0], halfSquaredError(like(all, extents, seed))),
  ),
  expression: unary('j v ->', (extents, seed, all) =>
    loss(
      all[0],
      expressionLoss('tanh(k * sum(y .* G)) + norm(y)', {
        k: scalar(0.3),
        G: like(all, extents, seed),
      }),
    ),
  ),
};

const letters = ['b', 'h', 'r', 'g', 'i', 'j', 't', 'p', 'c', 'v', 'o'] as const;

/** Lengths of 1 to 3, an even one for the features that turn in pairs. */
export const anyExtents: fc.Arbitrary<Extents> = fc
  .tuple(fc.constantFrom(2, 4), ...letters.map(() => fc.integer({ min: 1, max: 3 })))
  .map(([a, ...lengths]) => ({
    a,
    ...Object.fromEntries(letters.map((letter, n) => [letter, lengths[n]])),
  }));
