// By which angle a feature of a token turns: positions times frequencies, scaled as the models do, as a formula.
import type { AxisLetters, Extents } from '../axes.ts';
import { ConfigError, type Rope, type RopeScaling } from '../config.ts';
import type { Operand } from '../evaluate.ts';
import {
  atMost,
  below,
  call,
  equals,
  type Formula,
  fraction,
  minus,
  modulo,
  number,
  plus,
  position,
  power,
  product,
  symbol,
} from '../formula.ts';
import { formatShape, sameShape, type Tensor } from '../tensor.ts';

export interface Rotation extends Rope {
  /** Of the first token, where no positions are given. */
  readonly firstPosition: number;
  /** What formulas call the positions; those of keys and of queries may differ. */
  readonly name?: string;
}

export interface Angles {
  /** θ of a token and feature, 0 for what does not turn; σ, the sign of the partner's sine; a*, the partner. */
  readonly definitions: readonly Formula[];
  readonly angle: Formula;
  readonly sign: Formula;
  /** What cosine and sine are multiplied by; null where that is 1. */
  readonly magnitude: Formula | null;
  readonly given: Readonly<Record<string, Operand>>;
}

const clipped = (formula: Formula): Formula => call('clip', formula);

/** Throws ConfigError where the options do not fit the width of a key or the tokens. */
export function anglesOf(
  axes: readonly AxisLetters[],
  extents: Extents,
  rotation: Rotation,
): Angles {
  const [[token], [feature]] = axes.slice(-2);
  const width = extents[feature];
  const turned = turnedFeatures(rotation, width);
  const own = position(feature);
  const isHalf = rotation.pairing === 'half';
  const parity = modulo(own, number(2));
  const pair = isHalf ? modulo(own, number(turned / 2)) : call('floor', fraction(own, number(2)));
  const second = isHalf ? call('floor', fraction(own, number(turned / 2))) : parity;
  const angle = symbol('θ', [[token], [feature]]);
  const sign = symbol('σ', [[feature]]);
  const isPart = turned < width;
  const turns = isPart ? [below(own, number(turned))] : [];
  const { terms, definitions, given } = angleTerms(rotation, {
    token,
    feature,
    pair,
    turned,
    extents,
  });
  const magnitude = magnitudeOf(rotation.scaling);
  return {
    definitions: [
      equals(angle, plus(...terms.map((factors) => product(...factors, ...turns)))),
      ...definitions,
      equals(sign, minus(product(number(2), second), number(1))),
      equals(
        position(`${feature}*`),
        isHalf
          ? modulo(plus(own, number(turned / 2)), number(turned))
          : minus(plus(own, number(1)), product(number(2), parity)),
      ),
    ],
    angle,
    sign,
    magnitude:
      magnitude === 1
        ? null
        : isPart
          ? power(number(magnitude), below(own, number(turned)))
          : number(magnitude),
    given,
  };
}

/** How many features turn. */
export function turnedFeatures({ features }: Rope, width: number): number {
  const turned = features ?? width;
  if (turned % 2 !== 0) {
    const found =
      features === undefined ? `keys of width ${width}` : `features ${features} that turn`;
    throw new ConfigError(
      'rope',
      `found ${found}, expected an even ${features === undefined ? 'width' : 'number'}: features turn in pairs`,
    );
  }
  if (turned > width)
    throw new ConfigError(
      'rope.features',
      `found ${turned}, expected at most ${width}, the width of a key`,
    );
  return turned;
}

interface Place {
  readonly token: string;
  readonly feature: string;
  /** The number of a feature's pair. */
  readonly pair: Formula;
  readonly turned: number;
  readonly extents: Extents;
}

/** The angle as a sum over sections: each a position times a frequency (times the condition that the pair is in it). */
function angleTerms(
  rotation: Rotation,
  place: Place,
): { terms: Formula[][]; definitions: Formula[]; given: Record<string, Operand> } {
  const { pair, turned } = place;
  const { sections, sectionFrequencies, positions } = rotation;
  const pairs = turned / 2;
  const total = sections?.reduce((sum, length) => sum + length, 0) ?? pairs;
  if (total !== pairs) {
    throw new ConfigError(
      'rope.sections',
      `found [${sections!.join(', ')}], ${total} pairs, expected ${pairs}, half of the features that turn`,
    );
  }
  if (sections && !positions)
    throw new ConfigError('rope.sections', 'found no positions, expected one set for each section');
  const places = positionsOf(rotation, place);
  const given = { ...places.given };
  const definitions: Formula[] = [];
  let start = 0;
  const terms = (sections ?? [pairs]).map((length, n) => {
    const isOwn = sectionFrequencies === 'own';
    const inside = isOwn && start > 0 ? minus(pair, number(start)) : pair;
    const own = frequencyOf(rotation, place, inside, isOwn ? 2 * length : turned, isOwn ? n : null);
    Object.assign(given, own.given);
    definitions.push(...own.definitions);
    const end = start + length;
    const conditions = [
      ...(start > 0 ? [atMost(number(start), pair)] : []),
      ...(end < pairs ? [below(pair, number(end))] : []),
    ];
    start = end;
    return [places.formulas[n], own.formula, ...conditions];
  });
  // The definitions of frequencies that all sections share are needed once.
  const once = new Map(definitions.map((each) => [JSON.stringify(each), each]));
  return { terms, definitions: [...once.values()], given };
}

/** The position of a token, one for each section; (sections, batch, tokens), the first two if any. */
function positionsOf(
  { sections, positions, firstPosition, name = 'pos' }: Rotation,
  { token, extents }: Place,
): { formulas: Formula[]; given: Record<string, Operand> } {
  if (!positions) {
    const own = position(token);
    return { formulas: [firstPosition === 0 ? own : plus(number(firstPosition), own)], given: {} };
  }
  const count = sections?.length ?? 1;
  const front = sections ? [count] : [];
  const [tokens, batch] = [extents[token], extents['b']];
  const allowed = [
    ...(batch === undefined ? [] : [{ axes: [['b'], [token]], shape: [...front, batch, tokens] }]),
    { axes: [[token]], shape: [...front, tokens] },
  ];
  const fit = allowed.find(({ shape }) => sameShape(shape, positions.shape));
  if (!fit) {
    const shapes = allowed.map(({ shape }) => formatShape(shape)).join(' or ');
    const entry = name === 'pos_Q' ? 'rope.queryPositions' : 'rope.positions';
    throw new ConfigError(entry, `found shape ${formatShape(positions.shape)}, expected ${shapes}`);
  }
  const given: Record<string, Operand> = {};
  const shape = fit.shape.slice(front.length);
  const size = positions.data.length / count;
  const formulas = Array.from({ length: count }, (_, n) => {
    const own = sections ? `${name}_${n + 1}` : name;
    const tensor: Tensor = { shape, data: positions.data.slice(n * size, (n + 1) * size) };
    given[own] = { axes: fit.axes, tensor };
    return symbol(own, fit.axes);
  });
  return { formulas, given };
}

interface Frequency {
  readonly formula: Formula;
  readonly definitions: readonly Formula[];
  readonly given: Readonly<Record<string, Operand>>;
}

/** base^(−2k/width) scaled, or the person's own. `section` where each section begins with the fastest again. */
function frequencyOf(
  { base, scaling, invFreq, pairing }: Rotation,
  { feature, turned, extents }: Place,
  pair: Formula,
  width: number,
  section: number | null,
): Frequency {
  if (invFreq) {
    if (!sameShape(invFreq.shape, [turned / 2])) {
      const found = formatShape(invFreq.shape);
      throw new ConfigError(
        'rope.invFreq',
        `found shape ${found}, expected (${turned / 2}), one for each pair of features`,
      );
    }
    const pairOf = (at: number): number => (pairing === 'half' ? at % (turned / 2) : at >> 1);
    const data = Float64Array.from({ length: extents[feature] }, (_, at) =>
      at < turned ? invFreq.data[pairOf(at)] : 0,
    );
    const axes = [[feature]];
    const given = { invFreq: { axes, tensor: { shape: [extents[feature]], data } } };
    return { formula: symbol('invFreq', axes), definitions: [], given };
  }
  const own = scaling?.kind === 'ntk' ? base * scaling.factor ** (width / (width - 2)) : base;
  const plain = power(number(own), fraction(product(number(-2), pair), number(width)));
  if (!scaling || scaling.kind === 'ntk') return { formula: plain, definitions: [], given: {} };
  if (scaling.kind === 'linear')
    return { formula: fraction(plain, number(scaling.factor)), definitions: [], given: {} };
  const suffix = section === null ? '' : `_${section + 1}`;
  const [omega, kept] = [`ω${suffix}`, `kept${suffix}`].map((name) => symbol(name, [[feature]]));
  const blend = plus(kept, fraction(minus(number(1), kept), number(scaling.factor)));
  return {
    formula: product(omega, blend),
    definitions: [
      equals(omega, plain),
      equals(
        kept,
        scaling.kind === 'llama3'
          ? llama3Share(scaling, omega)
          : yarnShare(scaling, pair, base, width),
      ),
    ],
    given: {},
  };
}

/** How much of a frequency is kept: all where the original length holds `highFreqFactor` turns, none below `lowFreqFactor`. */
function llama3Share(
  { lowFreqFactor: low, highFreqFactor: high, originalLength }: RopeScaling & { kind: 'llama3' },
  omega: Formula,
): Formula {
  const turns = product(number(originalLength / (2 * Math.PI)), omega);
  return clipped(fraction(minus(turns, number(low)), number(high - low)));
}

/** Where YaRN's ramp over the pairs begins, and how many it is long (Peng et al. 2023). */
export function yarnRamp(
  { betaFast, betaSlow, originalLength, truncate }: RopeScaling & { kind: 'yarn' },
  base: number,
  width: number,
): { readonly low: number; readonly span: number } {
  const pairAt = (turns: number): number =>
    (width * Math.log(originalLength / (turns * 2 * Math.PI))) / (2 * Math.log(base));
  const [from, to] = [pairAt(betaFast), pairAt(betaSlow)];
  const low = Math.max(truncate ? Math.floor(from) : from, 0);
  const high = Math.min(truncate ? Math.ceil(to) : to, width - 1);
  // As the authors' code: no division by 0.
  return { low, span: high === low ? 0.001 : high - low };
}

/** All below the pair that turns `betaFast` times in the original length, none from `betaSlow` on. */
function yarnShare(
  scaling: RopeScaling & { kind: 'yarn' },
  pair: Formula,
  base: number,
  width: number,
): Formula {
  const { low, span } = yarnRamp(scaling, base, width);
  return minus(number(1), clipped(fraction(minus(pair, number(low)), number(span))));
}

/** YaRN's attention factor 0.1 ln(factor) + 1. */
export function magnitudeOf(scaling: RopeScaling | undefined): number {
  if (scaling?.kind !== 'yarn') return 1;
  return scaling.magnitude ?? (scaling.factor <= 1 ? 1 : 0.1 * Math.log(scaling.factor) + 1);
}
