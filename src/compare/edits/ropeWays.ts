// The ways in which queries and keys get their positions: rotations by other angles, and what is no rotation at all.
import { axisLength, type AxisLetters } from '../../engine/axes.ts';
import { nodeOf } from '../../engine/graph.ts';
import { prepend, rearrange } from '../../engine/ops/layout.ts';
import { shortNumber } from '../constants.ts';
import { after } from '../operations.ts';
import type { StepOperation } from '../program.ts';
import { type Context, pastTokens } from './edit.ts';
import type { Say } from './make.ts';
import {
  type Angle,
  pairMap,
  type PairMap,
  pairOf,
  type Pairing,
  PARTNER,
  rotation,
  side,
} from './rotation.ts';

const write = (axes: readonly AxisLetters[]): string =>
  axes.map((axis) => (axis.length === 1 ? axis[0] : `(${axis.join(' ')})`)).join(' ');

/** Split into heads, `turn`, then earlier tokens in front. */
export function headStep(
  context: Context,
  id: 'Q' | 'K' | 'V',
  turn: ((axes: readonly AxisLetters[]) => StepOperation) | null,
): StepOperation {
  const { graph, config } = context;
  const merged = nodeOf(graph, id).axes;
  const whole = nodeOf(graph, `${id}h`).axes;
  const past = id === 'Q' ? undefined : config.past?.[id];
  const axes = whole.map((axis) => axis.map((letter) => (past && letter === 'i' ? 't' : letter)));
  const split = rearrange(`${write(merged)} -> ${write(axes)}`, graph.extents, '');
  const turned = turn ? after(split, turn(axes)) : split;
  return past ? after(turned, prepend(whole, axes, past)) : turned;
}

export interface Way {
  readonly say: Omit<Say, 'title' | 'wrong'> & { readonly words: string };
  readonly turn: ((axes: readonly AxisLetters[]) => StepOperation) | null;
}

export function ropeWays(context: Context): Way[] {
  const { config, graph } = context;
  if (!config.rope) return [];
  const { base, pairing } = config.rope;
  const { extents } = graph;
  const width = extents['a'];
  const half = width / 2;
  const first = pastTokens(context);
  const other: Pairing = pairing === 'half' ? 'interleaved' : 'half';
  const theta = (pair: number, own = base, size = width): number => own ** ((-2 * pair) / size);
  const right: Angle = (token, pair) => (first + token) * theta(pair);
  const make = (
    id: string,
    words: string,
    why: string,
    angle: Angle,
    own = pairing,
    sign: 1 | -1 = 1,
    cost = 1,
  ): Way => ({
    say: { id, words, why, cost },
    turn: (axes) => rotation(axes, context, own, angle, sign),
  });
  const list: Way[] = [
    {
      say: {
        id: 'rope-missing',
        words: 'not rotated',
        why: 'The rotary embedding is not applied.',
      },
      turn: null,
    },
    make(
      'rope-pairing',
      `rotated in ${other === 'half' ? 'half-split' : 'interleaved'} pairs instead of ${pairing === 'half' ? 'half-split' : 'interleaved'} ones`,
      `The setup pairs feature k with ${pairing === 'half' ? 'k + width/2' : 'its neighbour'}; here it is the other convention.`,
      right,
      other,
    ),
    make(
      'rope-sign',
      'rotated in the other direction',
      'The sign of the sine is wrong.',
      right,
      pairing,
      -1,
    ),
    make(
      'rope-pairing-and-sign',
      'rotated in the other pairing and direction',
      'Both the pairing and the sign of the sine differ.',
      right,
      other,
      -1,
      1.6,
    ),
    make(
      'rope-position',
      'rotated by positions that start one too late',
      `Positions start at ${first + 1} instead of ${first}.`,
      (t, k) => (first + t + 1) * theta(k),
    ),
    make(
      'rope-position',
      'rotated by positions that start one too early',
      `Positions start at ${first - 1} instead of ${first}.`,
      (t, k) => (first + t - 1) * theta(k),
    ),
    make(
      'rope-swapped-sine-cosine',
      'rotated with sine and cosine exchanged',
      'cos and sin change places.',
      (t, k) => Math.PI / 2 - (first + t) * theta(k),
    ),
    make(
      'rope-exponent',
      'rotated by base^(−k/width) instead of base^(−2k/width)',
      'The exponent lacks its factor 2.',
      (t, k) => (first + t) * base ** (-k / width),
    ),
    make(
      'rope-exponent',
      'rotated by base^(−2k/(width/2))',
      'The exponent is divided by half the width.',
      (t, k) => (first + t) * base ** ((-2 * k) / half),
    ),
    make(
      'rope-frequencies-reversed',
      'rotated by the frequencies in reverse order',
      'The slow and the fast pairs are exchanged.',
      (t, k) => (first + t) * theta(half - 1 - k),
    ),
    make(
      'rope-inverse-frequency',
      'rotated by base^(+2k/width)',
      'The frequencies are inverted.',
      (t, k) => (first + t) * base ** ((2 * k) / width),
    ),
    make(
      'rope-partial',
      'rotated in the first half of the features only',
      'Only part of the features turn.',
      (t, k) => (k < half / 2 ? (first + t) * theta(k) : 0),
      pairing,
      1,
      1.3,
    ),
    make(
      'rope-twice',
      'rotated twice',
      'The rotary embedding is applied twice, or once with positions times 2: both turn by the same angles, and the numbers cannot tell.',
      (t, k) => 2 * (first + t) * theta(k),
    ),
    make(
      'rope-by-head',
      'rotated by the number of the head instead of the position',
      'The rotation runs along the wrong axis: heads and tokens are exchanged.',
      (_, k, head) => head * theta(k),
    ),
    make(
      'rope-base',
      `rotated with the frequencies of all heads together (width ${width * config.heads})`,
      'The exponent is divided by the model width.',
      (t, k) => (first + t) * theta(k, base, width * config.heads),
      pairing,
      1,
      1.2,
    ),
  ];
  list.push(...scaledPositions(make, right, theta, context), ...notRotations(context, right));
  if (first > 0)
    list.push(
      make(
        'rope-position',
        'rotated as if there were no earlier tokens',
        'Positions start at 0 though earlier tokens come first.',
        (t, k) => t * theta(k),
      ),
    );
  for (const own of [10000, 1000, 100, 10, 500, 5000, 50000, 100000, 500000, 1000000]) {
    if (own !== base)
      list.push(
        make(
          'rope-base',
          `rotated with base ${own} instead of ${base}`,
          'The base of the frequencies differs.',
          (t, k) => (first + t) * theta(k, own),
        ),
      );
  }
  return list;
}

type Make = (
  id: string,
  words: string,
  why: string,
  angle: Angle,
  pairing?: Pairing,
  sign?: 1 | -1,
  cost?: number,
) => Way;

function scaledPositions(
  make: Make,
  right: Angle,
  theta: (pair: number) => number,
  { graph, config }: Context,
): Way[] {
  const { pairing } = config.rope!;
  const scaled = (factor: number, words: string, why: string): Way =>
    make(
      'rope-angle-factor',
      `rotated by ${words}`,
      why,
      (token, pair) => factor * right(token, pair, 0),
      pairing,
      1,
      1.2,
    );
  const tokens = graph.extents[config.past ? 't' : 'i'];
  return [
    scaled(
      Math.PI / 180,
      'angles in degrees taken for radians (π/180)',
      'The angles are converted from degrees, but they are radians.',
    ),
    scaled(
      180 / Math.PI,
      'angles in radians turned into degrees (180/π)',
      'cos and sin take radians.',
    ),
    ...[2 * Math.PI, 1 / (2 * Math.PI), 0.5, 0.25, 0.125, 4, 8].map((factor) =>
      scaled(
        factor,
        `${shortNumber(factor)} times the angles (positions scaled)`,
        'All positions or frequencies have one factor too many.',
      ),
    ),
    make(
      'rope-one-frequency',
      'rotated by one frequency for all pairs of features',
      'The frequencies do not fall from pair to pair.',
      (token) => right(token, 0, 0),
      pairing,
      1,
      1.2,
    ),
    make(
      'rope-position',
      'rotated by positions in reverse order',
      'Positions count down instead of up.',
      (token, pair) => (tokens - 1 - token) * theta(pair),
      pairing,
      1,
      1.25,
    ),
    make(
      'rope-position',
      'rotated by position 1 for every token',
      'All tokens have one position.',
      (_, pair) => theta(pair),
      pairing,
      1,
      1.3,
    ),
  ];
}

/** What is done in place of a rotation. */
function notRotations(context: Context, right: Angle): Way[] {
  const { config, graph } = context;
  const { base, pairing } = config.rope!;
  const width = graph.extents['a'];
  const first = pastTokens(context);
  const angle = (token: number, feature: number): number =>
    right(token, pairOf(feature, width, pairing), 0);
  const way = (id: string, words: string, why: string, map: Partial<PairMap>, cost = 1.2): Way => ({
    say: { id, words, why, cost },
    turn: (axes) =>
      pairMap(axes, context, {
        partner: PARTNER[pairing],
        own: (token, feature) => Math.cos(angle(token, feature)),
        cross: (token, feature) => side(feature, width, pairing) * Math.sin(angle(token, feature)),
        ...map,
      }),
  });
  // The angles laid out for the one pairing, the features turned in the other.
  const mixed: Pairing = pairing === 'half' ? 'interleaved' : 'half';
  const strange = (token: number, feature: number): number =>
    right(token, pairOf(feature, width, mixed), 0);
  const part = 2 * Math.floor(width / 4);
  const partial = (token: number, feature: number): number =>
    feature < part ? (first + token) * base ** ((-2 * pairOf(feature, part, pairing)) / part) : 0;
  return [
    way(
      'rope-without-minus',
      'rotated without the minus sign in rotate_half',
      'rotate_half is (−x2, x1); here it is (x2, x1), which is no rotation.',
      {
        cross: (token, feature) => Math.sin(angle(token, feature)),
      },
    ),
    way(
      'rope-minus-on-wrong-half',
      'rotated with the minus sign on the wrong half in rotate_half and the sine of the right one',
      'rotate_half is (−x2, x1); both parts have the minus sign here.',
      {
        cross: (token, feature) => -Math.sin(angle(token, feature)),
      },
      1.3,
    ),
    way(
      'rope-cosine-only',
      'multiplied by the cosine only (the sine part of the rotation is missing)',
      'A rotation is x cos θ + rotate_half(x) sin θ.',
      { cross: () => 0 },
    ),
    way(
      'rope-sine-only',
      'given the sine part of the rotation only',
      'A rotation is x cos θ + rotate_half(x) sin θ.',
      { own: () => 0 },
      1.3,
    ),
    way(
      'rope-pairing-mixed',
      `rotated in ${pairing === 'half' ? 'half-split' : 'interleaved'} pairs with the angles laid out for ${pairing === 'half' ? 'interleaved' : 'half-split'} ones`,
      'The two features of a pair must have one angle (repeat_interleave goes with interleaved pairs, cat with halves).',
      {
        own: (token, feature) => Math.cos(strange(token, feature)),
        cross: (token, feature) =>
          side(feature, width, pairing) * Math.sin(strange(token, feature)),
      },
    ),
    ...(part >= 2 && part < width
      ? [
          way(
            'rope-partial',
            `rotated in the first ${part} of ${width} features only, as if those were all`,
            'Only part of the features turn (rotary_pct, rotary_dim).',
            {
              partner: (feature) => (feature < part ? PARTNER[pairing](feature, part) : feature),
              own: (token, feature) => (feature < part ? Math.cos(partial(token, feature)) : 1),
              cross: (token, feature) =>
                feature < part
                  ? side(feature, part, pairing) * Math.sin(partial(token, feature))
                  : 0,
            },
          ),
        ]
      : []),
    ...(['half', 'interleaved'] as const).map((order, n): Way => ({
      say: {
        id: 'position-added',
        words: 'given sines and cosines of their position added instead of being rotated',
        why: 'RoPE turns queries and keys; here a sinusoidal position embedding is added.',
        cost: 1.3 + n / 100,
      },
      turn: () =>
        added((token, feature) => {
          const theta = right(token, pairOf(feature, width, order), 0);
          return side(feature, width, order) < 0 ? Math.sin(theta) : Math.cos(theta);
        }, width),
    })),
  ];
}

function added(of: (token: number, feature: number) => number, width: number): StepOperation {
  return {
    name: 'added position',
    forward: ([{ shape, data }]) => {
      const count = shape[shape.length - 2];
      const one = (value: number, at: number): number =>
        value + of(Math.floor(at / width) % count, at % width);
      return { shape, data: data.map(one) };
    },
    vjp: (_, upstream) => [upstream],
  };
}

/** Rotated before the split into heads, across all of them. */
export function rotatedBeforeSplit(context: Context, id: 'Q' | 'K'): StepOperation {
  const { graph, config } = context;
  const first = pastTokens(context);
  const { axes } = nodeOf(graph, id);
  const width = axisLength(axes[axes.length - 1], graph.extents);
  const { base, pairing } = config.rope!;
  const turned = rotation(
    axes,
    context,
    pairing,
    (token, pair) => (first + token) * base ** ((-2 * pair) / width),
  );
  return after(turned, headStep(context, id, null));
}
