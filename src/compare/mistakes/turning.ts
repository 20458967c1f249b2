// Rotary embeddings as text: own · X + cross · (its partner in the pair) + plus, each a formula in token and feature.
import type { Letter } from '../../engine/axes.ts';
import { ConfigError, type Rope } from '../../engine/config.ts';
import { type Formula, number } from '../../engine/formula.ts';
import { nodeOf } from '../../engine/graph.ts';
import { anglesOf } from '../../engine/ops/ropeAngles.ts';
import { expanded } from '../../engine/where.ts';
import { type Context, pastTokens } from '../edits/edit.ts';
import type { Row } from './table.ts';

export type Pairing = 'half' | 'interleaved';
export type Turned = 'Q' | 'K' | 'V';

/** The place of an earlier token among all: no letter alone, which would be another name for its own. */
const BEFORE = 'i + 0';

/** As the setup has it; what rows say takes the place of these, one name after the other. */
const RIGHT = {
  pos: 'first + t',
  k: '',
  side: '',
  freq: 'base^(-2 * k / width)',
  right: 'pos * freq',
  θ: 'right',
  size: '1',
  own: 'size * cos(θ)',
  cross: 'size * side * sin(θ)',
  plus: '0',
};

/** The number of a feature's pair, -1 for the first of the two and 1 for the second, the other. */
const PAIRS: Readonly<Record<Pairing, Readonly<Record<'k' | 'side', string>>>> = {
  half: { k: 'f % (width / 2)', side: '2 * floor(f / (width / 2)) - 1' },
  interleaved: { k: 'floor(f / 2)', side: '2 * (f % 2) - 1' },
};

export interface Turn {
  /** What becomes of `input`, split into heads, with the earlier tokens in front. */
  readonly forward: (input?: string) => string;
  /** What the gradient of that leaves for the input. */
  readonly backward: string;
  /** What becomes of the earlier tokens, the new ones being right. */
  readonly ofPast: string;
}

/**
 * The turn that `changes` make of the setup's: "θ = 2 * right; pairs = other". `isWhole`: before the split, over the
 * features of all heads.
 */
export function turnOf(context: Context, id: Turned, changes = '', isWhole = false): Turn {
  const { graph, config } = context;
  const { axes } = nodeOf(graph, id);
  const letters = axes[axes.length - 1];
  const [token] = axes[axes.length - 2];
  const features = isWhole ? letters : letters.slice(-1);
  const widthOf = (all: readonly Letter[]): number =>
    all.reduce((product, letter) => product * graph.extents[letter], 1);
  const first = pastTokens(context);
  const own = new Map(
    changes
      .split(';')
      .filter((each) => each.includes('='))
      .map((each) => each.trim().split(' = ') as [string, string]),
  );
  const pairing = pairingOf(config.rope!.pairing, own.get('pairs'));
  const numbers = {
    ...{ base: String(config.rope!.base), first: String(first), heads: String(config.heads) },
    ...{ tokens: String(graph.extents[token]), width: String(widthOf(features)) },
    angle: `angle_${id}`,
    ...{ f: joined(features, graph.extents), head: joined(letters.slice(0, -1), graph.extents) },
  };
  const definitions = (at: Letter): string =>
    Object.entries({ ...numbers, t: at, ...RIGHT, ...PAIRS[pairing] })
      .map(([name, text]) => `${name} = ${own.get(name) ?? text}; `)
      .join('');
  const partner = (of: string): string => {
    const [letter] = features.slice(-1);
    if (pairing === 'interleaved') return `at(${letter}, ${letter} - side, ${of})`;
    return isWhole
      ? movedBy(widthOf(features) / 2, features, graph.extents, of)
      : // What does not turn has no partner.
        `at(${letter}, (f + width / 2) % width - (width <= f) * 2 * f, ${of})`;
  };
  const turned = (of: string): string => `own * ${of} + cross * ${partner(of)} + plus`;
  const hasPast = id !== 'Q' && first > 0;
  const past = `past_${id}`;
  const upstream = hasPast ? `at(i, first + ${token}, d${id}h)` : `d${id}h`;
  return {
    forward: (input: string = id) =>
      hasPast
        ? `${definitions(token)}at(${token}, i - first, ${turned(input)}) + at(p, ${BEFORE}, ${past})`
        : `${definitions(token)}${turned(input)}`,
    backward: `${definitions(token)}own * ${upstream} + ${partner(`(cross * ${upstream})`)}`,
    get ofPast() {
      const before = `${definitions('p')}at(p, ${BEFORE}, ${turned(past)})`;
      return `new = ${id}h - at(p, ${BEFORE}, ${past}); ${before} + new`;
    },
  };
}

/** The turn that changes are made of. */
export interface Base extends Required<Pick<Row, 'terms' | 'given'>> {
  readonly changes: string;
}

/** That of a rotation that base and pairing tell. */
export const PLAIN: Base = { changes: '', terms: {}, given: {} };

/** As the engine's own formulas have it, some of the setup's options changed; null where they do not fit. */
export function byOptions(context: Context, change: Partial<Rope> = {}): Base | null {
  const { graph, config } = context;
  const rope: Rope = { ...config.rope!, ...change };
  const { positions: keys, queryPositions = keys } = rope;
  const anglesFor = (id: 'Q' | 'K'): Omit<Base, 'changes'> => {
    const [axes, merged] = [`${id}h`, id].map((each) => nodeOf(graph, each).axes);
    const own = [...axes.slice(0, -2), ...merged.slice(-2, -1), ...axes.slice(-1)];
    const { definitions, angle, sign, magnitude, given } = anglesOf(own, graph.extents, {
      ...{ ...rope, positions: id === 'K' ? keys : queryPositions, name: `positions_${id}` },
      firstPosition: pastTokens(context),
    });
    const whole = (body: Formula): Formula => expanded({ kind: 'where', body, definitions });
    return {
      terms: {
        ...{ [`angle_${id}`]: whole(angle), sigma: whole(sign) },
        magnitude: magnitude ?? number(1),
      },
      given,
    };
  };
  try {
    const [queries, keysToo] = [anglesFor('Q'), anglesFor('K')];
    const turned = rope.features ?? graph.extents['a'];
    return {
      changes: `pairs = ${rope.pairing}; width = ${turned}; side = sigma; θ = angle; size = magnitude`,
      terms: { ...queries.terms, ...keysToo.terms },
      given: { ...queries.given, ...keysToo.given },
    };
  } catch (error) {
    // Positions of fewer tokens than there are keys, sections of more pairs than turn.
    if (error instanceof ConfigError) return null;
    throw error;
  }
}

const pairingOf = (own: Pairing, said: string | undefined): Pairing => {
  if (said === undefined) return own;
  if (said !== 'other') return said as Pairing;
  return own === 'half' ? 'interleaved' : 'half';
};

/** The place along a merged axis: "(r * 2 + g) * 4 + a"; 0 along none. */
export const joined = (
  letters: readonly Letter[],
  extents: Readonly<Record<Letter, number>>,
): string =>
  letters.reduce(
    (at, letter) => (at === '' ? letter : `(${at}) * ${extents[letter]} + ${letter}`),
    '',
  ) || '0';

/** `of` at so many places further along a merged axis, beginning anew behind its end: each letter carries one over. */
function movedBy(
  places: number,
  letters: readonly Letter[],
  extents: Readonly<Record<Letter, number>>,
  of: string,
): string {
  let [moved, rest, carry] = [of, places, '0'];
  for (const letter of [...letters].reverse()) {
    const length = extents[letter];
    const place = `(${letter} + ${rest % length} + ${carry})`;
    moved = `at(${letter}, ${place} % ${length}, ${moved})`;
    carry = `floor(${place} / ${length})`;
    rest = Math.floor(rest / length);
  }
  return moved;
}
