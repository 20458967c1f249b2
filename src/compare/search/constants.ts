// What a constant ratio between a person's tensor and the right one can mean.
import type { NodeId } from '../../engine/graph.ts';
import { nodeOf } from '../../engine/graph.ts';
import { scaleFactor } from '../../engine/heads/weights.ts';
import { sizeOf } from '../../engine/tensor.ts';
import type { Context } from '../edits/edit.ts';
import { keyOf, type Kind } from '../program/program.ts';

export interface RatioName {
  /** "√dh". */
  readonly symbol: string;
  /** "the scale 1/√dh is missing". */
  readonly meaning: string;
  readonly id: string;
  readonly value: number;
  /** Lower where the meaning is likelier at this node. */
  readonly rank: number;
}

/** Where a ratio is likeliest. */
const PLACES = {
  any: /^/,
  scores: /^v:[SZMQK]h?$|^g:[SZMQK]h?$/,
  /** Where the scale is applied; dZ and dM come before it. */
  scaled: /^v:[SZQK]h?$|^g:[SQK]h?$/,
  dropped: /^v:(P|Pd|O|C|y)$|^g:(P|Pd|M|Z|S|V|Vh|O)$/,
  loss: /^[vg]:f$|^g:y$|^v:f$/,
  leaf: /^g:(x|xPrime|xValue|[Wb]_.)$/,
  kv: /^g:[KV]h?$/,
  weights: /^g:(P|Pd)$/,
  keys: /^g:[KV]h?$/,
  queries: /^g:Qh?$|^v:(O|y)$/,
  /** Where a kernel that takes powers of 2 puts its factor right. */
  behind: /^g:([QK]h?|S|x|xPrime|W_[QK])$/,
};
/** Gradients in which a loss divided by a count is seen, and no other scale is likelier. */
const PASSED = /^g:(?![SZMQK]h?$)/;
const COUNT = 'divided-by-count';
const UNWANTED = 'scale-unwanted';

const COUNTS = [3, 4, 5, 8, 10, 16]
  .map(
    (count) =>
      `any ${COUNT} 1/${count} = ${count}^-1: divided by ${count}: a mean over so many, or a loss divided for gradient accumulation`,
  )
  .join('\n');

/**
 * A line each, the likeliest first: "place id [what the setup has] symbol = value: meaning"; a value is a product of
 * powers of numbers and of the setup's (`numbersOf`), which stand in braces in the texts.
 */
const TABLE = `
scores scale-unwanted 1/√{a} = a^-0.5: a scale 1/√{a} ({a} is the width of the keys), where this setup has none
scores scale-unwanted 1/√{c} = c^-0.5: a scale 1/√{c} ({c} is the width of x), where this setup has none
scores scale-unwanted 1/√{e} = e^-0.5: a scale 1/√{e} ({e} is the width of x'), where this setup has none
scores scale-unwanted 1/√{n} = n^-0.5: a scale 1/√{n} ({n} is the number of keys), where this setup has none
scores scale-unwanted 1/√{m} = m^-0.5: a scale 1/√{m} ({m} is the number of queries), where this setup has none
scores scale-unwanted 1/{a} = a^-1: a scale 1/{a} ({a} is the width of the keys), where this setup has none
scores scale-unwanted 1/{c} = c^-1: a scale 1/{c} ({c} is the width of x), where this setup has none
scores scale-unwanted 1/{e} = e^-1: a scale 1/{e} ({e} is the width of x'), where this setup has none
scores scale-unwanted 1/{n} = n^-1: a scale 1/{n} ({n} is the number of keys), where this setup has none
scores scale-unwanted 1/{m} = m^-1: a scale 1/{m} ({m} is the number of queries), where this setup has none
kv group-summed G = G: a factor {G}, the query heads of one KV head
kv group-mean 1/G = G^-1: averaged over the {G} query heads of a group instead of summed
scores scale-missing 1/scale = scale^-1: the scale {scale} of the scores is missing
scores scale-twice scale = scale: the scale {scale} is applied twice
scores scale-default [custom] 1/(scale √dh) = scale^-1 dh^-0.5: scaled by the default 1/√d = 1/√{dh} = {default}, where the setup’s scale is {scale}
scores scale-of-model-width √(dh/D) = D^-0.5 scale^-1: scaled by 1/√{D} (all heads together) instead of the width of one head, {dh}
scores scale-inverted 1/scale² = scale^-2: multiplied where it should be divided (the scale is inverted)
scores scale-without-root √dh/dh = scale^-1 dh^-1: divided by {dh} instead of its square root
scores scale-missing √dh = dh^0.5: a factor √{dh}, the root of a head's width
scores scale-twice 1/√dh = dh^-0.5: a factor 1/√{dh}, the root of a head's width
scores scale-of-token-count √(1/n) = n^-0.5 scale^-1: scaled by 1/√{n}, the number of keys, instead of a key's width
scores scale-of-token-count √(1/m) = m^-0.5 scale^-1: scaled by 1/√{m}, the number of queries, instead of a key's width
scores scale-of-model-width √(1/d) = d^-0.5 scale^-1: scaled by 1/√{d}, the width of x, instead of a key's width
scores scale-of-value-width √(1/dv) = dv^-0.5 scale^-1: scaled by 1/√{dv}, the width of the values, instead of a key's
scores scale-of-fourth-root ⁴√dh = dh^-0.25 scale^-1: scaled by 1/⁴√{dh} instead of 1/√{dh}
scores scale-of-head-count √H = H^-0.5 scale^-1: scaled by 1/√{H}, the number of heads, instead of a key's width
any sign -1 = -1: the sign is wrong
any twice 2 = 2: counted twice
any half 1/2 = 2^-1: halved
loss loss-without-half [squares] 2 = 2: a factor 2: the squares without the half that f takes of them
loss loss-factor-2 [expression] 1/2 = 2^-1: halved: the factor 2 that a square leaves behind is missing, or f is halved
loss mean-over-fewer [expression] o = o: multiplied by {o}, the width of y: f is divided by the number of tokens, not of all entries
loss mean-over-fewer [expression] mo = mo: multiplied by {mo}, the entries of y for one batch entry: f is divided by the batch size, not by the number of all entries
loss loss-mean 1/N = N^-1: divided by {N}, the entries of y: a mean where f is a sum
loss batch-mean 1/B = B^-1: divided by the batch size {B}: a mean where f is a sum
loss token-mean 1/m = m^-1: divided by {m}, the number of queries: a mean where f is a sum
loss token-mean 1/(Bm) = Bm^-1: divided by {Bm}, all queries of the batch: a mean where f is a sum
loss feature-mean 1/o = o^-1: divided by {o}, the width of y: a mean where f is a sum
loss loss-mean 2/N = 2 N^-1: multiplied by 2/{N}: the derivative of a mean of squares where f is half their sum
loss batch-mean [batch] 2/B = 2 B^-1: multiplied by 2/{B}: a mean over the batch of squares
any key-mean 1/n = n^-1: divided by {n}, the number of keys
any key-count n = n: multiplied by {n}, the number of keys
any head-mean 1/H = H^-1: divided by the number of heads {H}
any head-count H = H: multiplied by the number of heads {H}
leaf batch-mean 1/B = B^-1: divided by the batch size {B}: averaged where it should be summed
leaf token-mean 1/(Bm) = Bm^-1: divided by {Bm}, all tokens of the batch: averaged where it should be summed
leaf token-mean 1/(Bn) = Bn^-1: divided by {Bn}, all tokens of the batch: averaged where it should be summed
leaf batch-count B = B: multiplied by the batch size {B}
loss loss-sum N = N: multiplied by {N}, the entries of y
scores width dh = dh: a factor {dh}, the width of a head
weights mean-for-sum 1/{v} = v^-1: divided by {v}: a mean over the features of the values, where their sum belongs
keys mean-for-sum 1/{m} = m^-1: divided by {m}: a mean over the queries, where their sum belongs
queries mean-for-sum 1/{n} = n^-1: divided by {n}: a mean over the keys, where their sum belongs
scaled scale-three-times scale² = scale^2: the scale is applied three times
behind factor-ln-2 ln 2 = 0.6931471805599453: a factor ln 2, which undoes that of powers of 2 (exp2), stands here without them
behind factor-ln-2 1/ln 2 = 0.6931471805599453^-1: a factor 1/ln 2: the scale for powers of 2 (exp2) stands where the scale itself belongs
behind factor-ln-2 1/ln² 2 = 0.6931471805599453^-2: a factor 1/ln² 2: divided by ln 2 instead of multiplied, to undo that of powers of 2 (exp2)
scores scale-precedence √dh/(2dh) = 2^-1 scale^-1 dh^-1: divided by 2 · {dh}: d ** -1 / 2 is (1/d) / 2, where d ** (-1 / 2) is meant
scores scale-of-model-width √dh/D = scale^-1 D^-1: divided by {D}, the width of all heads together, not by the root of one's, {dh}
${COUNTS}
leaf three-times 3 = 3: counted three times
leaf four-times 4 = 4: counted four times
dropped dropout-unscaled [dropout] 1-p = q: the factor 1/(1 - p) of dropout is missing (p = {p})
dropped dropout-scale-inverse [dropout] (1-p)/p = q p^-1: scaled by 1/p instead of 1/(1 - p) (p = {p})
dropped dropout-scale-twice [dropout] 1/(1-p) = q^-1: the factor 1/(1 - p) of dropout is applied twice (p = {p})
dropped dropout-scale-inverse [dropout] (1-p)² = q^2: multiplied by 1 - p instead of divided by it (p = {p})
dropped dropout-scale-p [dropout] p(1-p) = p q: multiplied by p = {p} instead of 1/(1 - p)
dropped dropout-scale-p [dropout] p = p: a factor p = {p}
`;

interface Row {
  readonly place: keyof typeof PLACES;
  readonly id: string;
  readonly need: string | undefined;
  readonly symbol: string;
  readonly factors: readonly (readonly [base: string, power: number])[];
  readonly meaning: string;
}

const ROW = /^(\w+) (\S+)(?: \[(\w+)\])? (.+?) = (.+?): (.*)$/;

const ROWS: readonly Row[] = TABLE.trim()
  .split('\n')
  .map((line) => {
    const [, place, id, need, symbol, value, meaning] = ROW.exec(line)!;
    const factors = value.split(' ').map((factor): [string, number] => {
      const [base, power = '1'] = factor.split('^');
      return [base, Number(power)];
    });
    return { place: place as keyof typeof PLACES, id, need, symbol, factors, meaning };
  });

/** The numbers of a setup, as the table calls them: lengths by their letters, and products of those. */
function numbersOf({ config, graph }: Context): Readonly<Record<string, number>> {
  const { extents } = graph;
  const y = nodeOf(graph, 'y').shape;
  const dh = extents['a'];
  const [B, n, m, o] = [extents['b'] ?? 1, extents['i'], extents['j'], y[y.length - 1]];
  const D = config.heads * dh;
  const p = config.dropout?.p ?? 0;
  return {
    ...{ a: dh, c: extents['c'] ?? 1, e: extents['e'] ?? 1, v: extents['v'] ?? 1 },
    ...{ B, n, m, o, dh, D, N: sizeOf(y), H: config.heads, G: extents['g'] ?? 1 },
    ...{ d: extents['c'] ?? D, dv: extents['v'] ?? dh, mo: m * o, Bm: B * m, Bn: B * n },
    ...{ scale: scaleFactor(config, dh) ?? 1, default: 1 / Math.sqrt(dh), p, q: 1 - p },
  };
}

/** What a row asks for. */
function hasNeed({ config, graph }: Context, need: string): boolean {
  const { loss, scale } = config;
  const needs: Readonly<Record<string, boolean>> = {
    // A number of its own for the scale.
    custom:
      typeof scale === 'number' &&
      scale !== 1 &&
      Math.abs(scale * Math.sqrt(graph.extents['a']) - 1) > 1e-6,
    squares: loss.kind === 'target' || loss.kind === 'half-squared-norm',
    expression: loss.kind === 'expression',
    batch: (graph.extents['b'] ?? 1) > 1,
    dropout: config.dropout !== undefined,
  };
  return needs[need];
}

interface Entry extends Omit<RatioName, 'rank'> {
  readonly place: keyof typeof PLACES;
}

function entries(context: Context): Entry[] {
  const whole = context.whole ?? context;
  const { config, graph } = whole;
  const numbers = numbersOf(whole);
  const isScaled = scaleFactor(config, graph.extents['a']) !== null;
  const filled = (text: string): string =>
    text.replaceAll(/\{(\w+)\}/g, (_, name: string) =>
      Number.isInteger(numbers[name]) || name === 'p'
        ? String(numbers[name])
        : shortNumber(numbers[name]),
    );
  return ROWS.filter(
    ({ id, place, need }) =>
      (isScaled ? id !== UNWANTED : id === UNWANTED || place !== 'scores') &&
      (need === undefined || hasNeed(whole, need)),
  ).map(({ place, id, symbol, factors, meaning }) => {
    const value = factors.reduce(
      (product, [base, power]) => product * (numbers[base] ?? Number(base)) ** power,
      1,
    );
    return { place, id, symbol: filled(symbol), value, meaning: filled(meaning) };
  });
}

export function shortNumber(value: number): string {
  return String(Number(value.toPrecision(4)));
}

const isOne = (value: number): boolean => Math.abs(value - 1) < 1e-9;

/** So much better. */
const SURER = 32;

/** The meanings of a ratio at a node, the likeliest first; empty if it means nothing that is known. */
export function namesOf(
  ratio: number,
  context: Context,
  node: NodeId,
  kind: Kind,
  precision: number,
): RatioName[] {
  const key = keyOf(node, kind);
  const found: (RatioName & { readonly off: number })[] = [];
  entries(context).forEach(({ symbol, value, id, meaning, place }, n) => {
    for (const sign of [1, -1]) {
      if (sign < 0 && (value === -1 || id === 'sign' || id === COUNT)) continue;
      if (id === COUNT && !PASSED.test(key)) continue;
      if (isOne(value)) continue;
      const off = Math.abs(ratio / (sign * value) - 1);
      if (!(off <= precision)) continue;
      const likely = place === 'any' ? 1 : PLACES[place].test(key) ? 0 : 2;
      const rank = likely + n / 1000 + (sign < 0 ? 0.5 : 0);
      const name =
        sign < 0
          ? { symbol: `-${symbol}`, meaning: `${meaning}, and the sign is wrong` }
          : { symbol, meaning };
      found.push({ ...name, id, value: sign * value, rank, off });
    }
  });
  // A ratio of many entries is known much better than each of them.
  const most = Math.max(precision / SURER, 4 * Math.min(...found.map(({ off }) => off)));
  return found.filter(({ off }) => off <= most).sort((a, b) => a.rank - b.rank);
}

/** Ratios by which scores come out wrong. */
export function scoreRatios(context: Context): RatioName[] {
  const list = entries(context)
    .filter(({ place, value }) => (place === 'scores' || place === 'scaled') && !isOne(value))
    .map(({ symbol, value, id, meaning }, n) => ({ symbol, value, id, meaning, rank: n / 1000 }));
  return list.filter(
    ({ value }, n) => list.findIndex((each) => Math.abs(each.value / value - 1) < 1e-12) === n,
  );
}
