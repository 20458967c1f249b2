// The angles that a person's rotated queries or keys tell, and what they mean.
import { Evaluator } from '../../engine/evaluate.ts';
import { symbol } from '../../engine/formula.ts';
import { nodeOf } from '../../engine/graph.ts';
import type { Tensor } from '../../engine/tensor.ts';
import { shortNumber } from '../search/constants.ts';
import { pastTokens, type Site } from '../edits/edit.ts';
import { extentsOf, readOf } from './hunt.ts';
import type { Row } from './table.ts';
import { parsed } from './text.ts';
import { type Base, type Pairing, turnOf } from './turning.ts';
import { vocabularyOf } from './vocabulary.ts';

const TURN = 2 * Math.PI;
/** Into (-π, π]. */
const wrap = (angle: number): number => angle - TURN * Math.round(angle / TURN);

/** Split into heads, with the earlier tokens in front, as it was before it turned. */
function unturned(site: Site, id: 'Q' | 'K'): Tensor {
  const formula = parsed(turnOf(site, id, 'own = 1; cross = 0').forward(), vocabularyOf(site))!;
  const { axes } = nodeOf(site.graph, `${id}h`);
  return new Evaluator(readOf(site), extentsOf(site)).tensor(formula, axes);
}

/** By how much each pair of features of each token is turned. */
function anglesBetween(
  before: Tensor,
  after: Tensor,
  first: number,
  places: (pair: number) => readonly [number, number],
): Float64Array {
  const [tokens, width] = before.shape.slice(-2);
  const half = width / 2;
  const size = (tokens - first) * half;
  const [along, across] = [new Float64Array(size), new Float64Array(size)];
  for (let row = 0; row < before.data.length / width; row++) {
    const token = (row % tokens) - first;
    if (token < 0) continue;
    for (let pair = 0; pair < half; pair++) {
      const [a, b] = places(pair).map((feature) => row * width + feature);
      const [x, y] = [before.data, after.data];
      along[token * half + pair] += x[a] * y[a] + x[b] * y[b];
      across[token * half + pair] += x[a] * y[b] - x[b] * y[a];
    }
  }
  return along.map((value, at) => Math.atan2(across[at], value));
}

export function solvedAngles(site: Site, id: 'Q' | 'K'): [Base, Row][] {
  const { graph, config, target } = site;
  const { base, pairing } = config.rope!;
  const width = graph.extents['a'];
  const half = width / 2;
  const before = unturned(site, id);
  const position = pastTokens(site);
  // Earlier keys stand in front as they are.
  const first = id === 'K' ? position : 0;
  const { axes } = nodeOf(graph, id);
  const angleAxes = [axes[axes.length - 2], ['a']];
  const pairings: Pairing[] =
    pairing === 'half' ? ['half', 'interleaved'] : ['interleaved', 'half'];
  return pairings.flatMap((own, n): [Base, Row][] => {
    const isHalf = own === 'half';
    const angles = anglesBetween(before, target!.user, first, (pair) =>
      isHalf ? [pair, pair + half] : [2 * pair, 2 * pair + 1],
    );
    if (!angles.every(Number.isFinite)) return [];
    const { words, sort } = meaning(angles, half, base, position);
    const pairs = own === pairing ? '' : ` in ${isHalf ? 'half-split' : 'interleaved'} pairs and`;
    const tensor = {
      shape: [angles.length / half, width],
      data: Float64Array.from({ length: 2 * angles.length }, (_, at) => {
        const [token, feature] = [Math.floor(at / width), at % width];
        return angles[token * half + (isHalf ? feature % half : feature >> 1)];
      }),
    };
    const turn = {
      changes: `pairs = ${own}; θ = angles`,
      terms: { angles: symbol('angles', angleAxes) },
      given: { angles: { axes: angleAxes, tensor } },
    };
    const row = {
      ...{
        on: 'turn',
        id: sort,
        title: `rotated${pairs} ${words}`,
        cost: 1.4 + n / 10,
        formula: '',
      },
      why: `The angles by which the pairs of features are turned can be read off ${id}h; right are position · base^(−2k/width).`,
    };
    return [[turn, row]];
  });
}

const close = (a: number, b: number): boolean => Math.abs(wrap(a - b)) < 1e-4;

/** The shortest number that fits the frequencies as well as `own` does. */
function fittedBase(own: number, steps: readonly number[]): number {
  const error = (base: number): number =>
    Math.max(...steps.map((step, k) => Math.abs(Math.abs(step) - base ** (-k / steps.length))));
  const most = 2 * error(own) + 1e-14;
  const digits = Array.from({ length: 17 }, (_, n) => Number(own.toPrecision(n + 1)));
  return digits.find((base) => error(base) <= most) ?? own;
}

/** Position times frequency, for some positions and frequencies, or neither. */
function meaning(
  angles: Float64Array,
  half: number,
  base: number,
  first: number,
): { words: string; sort: string } {
  const tokens = angles.length / half;
  const right = (pair: number): number => base ** (-pair / half);
  const at = (token: number, pair: number): number => angles[token * half + pair];
  const all = (of: (token: number, pair: number) => number): boolean =>
    angles.every((value, n) => close(value, of(Math.floor(n / half), n % half)));
  if (all(() => 0)) return { words: 'by no angle at all', sort: 'rope-missing' };
  // Whole positions, the frequencies being right.
  const positions = Array.from({ length: tokens }, (_, token) => {
    for (let size = 0; size <= 4 * (tokens + first + 4); size++)
      for (const own of [size, -size])
        if (Array.from({ length: half }).every((_each, k) => close(at(token, k), own * right(k))))
          return own;
    return NaN;
  });
  if (!positions.some(Number.isNaN)) {
    const listed =
      positions.length > 8 ? `${positions.slice(0, 8).join(', ')}, …` : positions.join(', ');
    return {
      words: `by the positions ${listed} instead of ${first}, ${first + 1}, …`,
      sort: 'rope-position',
    };
  }
  if (tokens < 2) return { words: 'by other angles', sort: 'rope-angles' };
  const steps = Array.from({ length: half }, (_, k) => wrap(at(1, k) - at(0, k)));
  const offset = steps[half - 1] === 0 ? 0 : wrap(at(0, half - 1)) / steps[half - 1];
  const start = Math.abs(offset - Math.round(offset)) < 1e-3 ? Math.round(offset) : offset;
  if (!all((token, k) => (token + start) * steps[k]))
    return { words: 'by other angles than position · base^(−2k/width)', sort: 'rope-angles' };
  const factor = steps[half - 1] / right(half - 1);
  if (steps.every((step, k) => close(step, factor * right(k))))
    return {
      words: `by ${shortNumber(factor)} times the angles (positions or frequencies scaled)`,
      sort: 'rope-angle-factor',
    };
  const own = (1 / Math.abs(steps[half - 1])) ** (half / (half - 1));
  if (half > 1 && steps.every((step, k) => close(Math.abs(step), own ** (-k / half))))
    return {
      words: `with base ${fittedBase(own, steps)} instead of ${base}`,
      sort: 'rope-base',
    };
  return {
    words: `by the frequencies ${steps.slice(0, 4).map(shortNumber).join(', ')}${half > 4 ? ', …' : ''} instead of base^(−2k/width)`,
    sort: 'rope-frequencies',
  };
}
