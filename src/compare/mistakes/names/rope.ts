// Rotary embeddings: turned by other angles, in other pairs, not at all, no rotation; not turned back.
import { isPlainRope } from '../../../engine/config.ts';
import { hasNode, nodeOf, type OperationNode } from '../../../engine/graph.ts';
import { shortNumber } from '../../search/constants.ts';
import { pastTokens, type Site } from '../../edits/edit.ts';
import { familyOf, type Row, rowsOf, type Words, withWords } from '../table.ts';
import { type Base, byOptions, PLAIN, type Turned, turnOf } from '../turning.ts';
import { otherOptions } from './ropeOptions.ts';

/**
 * What stands in the place of the right turn, own · X + cross · partner + plus with own = cos θ and cross = ± sin θ:
 * pos is the position of token t, k the number of the pair of feature f, freq = base^(-2 k / width), right = pos · freq.
 */
export const TURNS = rowsOf(`
turn rope-missing: not rotated
  own = 1; cross = 0
  | The rotary embedding is not applied.
turn rope-pairing: rotated in {other} pairs instead of {pairing} ones
  pairs = other
  | The setup pairs feature k with {partner}; here it is the other convention.
turn rope-sign: rotated in the other direction
  cross = -side * sin(θ)
  | The sign of the sine is wrong.
turn rope-pairing-and-sign 1.6: rotated in the other pairing and direction
  pairs = other; cross = -side * sin(θ)
  | Both the pairing and the sign of the sine differ.
turn rope-position: rotated by positions that start one too late
  pos = first + t + 1
  | Positions start at {late} instead of {first}.
turn rope-position: rotated by positions that start one too early
  pos = first + t - 1
  | Positions start at {early} instead of {first}.
turn rope-swapped-sine-cosine: rotated with sine and cosine exchanged
  own = sin(θ); cross = side * cos(θ)
  | cos and sin change places.
turn rope-exponent: rotated by base^(−k/width) instead of base^(−2k/width)
  freq = base^(-k / width)
  | The exponent lacks its factor 2.
turn rope-exponent: rotated by base^(−2k/(width/2))
  freq = base^(-2 * k / (width / 2))
  | The exponent is divided by half the width.
turn rope-frequencies-reversed: rotated by the frequencies in reverse order
  freq = base^(-2 * (width / 2 - 1 - k) / width)
  | The slow and the fast pairs are exchanged.
turn rope-inverse-frequency: rotated by base^(+2k/width)
  freq = base^(2 * k / width)
  | The frequencies are inverted.
turn rope-partial 1.3: rotated in the first half of the features only
  θ = (k < width / 4) * right
  | Only part of the features turn.
turn rope-twice: rotated twice
  θ = 2 * right
  | The rotary embedding is applied twice, or once with positions times 2: both turn by the same angles, and the numbers cannot tell.
turn rope-by-head: rotated by the number of the head instead of the position
  θ = head * freq
  | The rotation runs along the wrong axis: heads and tokens are exchanged.
turn rope-base 1.2: rotated with the frequencies of all heads together (width {all})
  freq = base^(-2 * k / (width * heads))
  | The exponent is divided by the model width.
turn rope-angle-factor 1.2: rotated by angles in degrees taken for radians (π/180)
  θ = 0.017453292519943295 * right
  | The angles are converted from degrees, but they are radians.
turn rope-angle-factor 1.2: rotated by angles in radians turned into degrees (180/π)
  θ = 57.29577951308232 * right
  | cos and sin take radians.
turn rope-angle-factor 1.2: rotated by {factor} times the angles (positions scaled)
  θ = {FACTOR} * right
  | All positions or frequencies have one factor too many.
turn rope-one-frequency 1.2: rotated by one frequency for all pairs of features
  freq = 1
  | The frequencies do not fall from pair to pair.
turn rope-position 1.25: rotated by positions in reverse order
  pos = tokens - 1 - t
  | Positions count down instead of up.
turn rope-position 1.3: rotated by position 1 for every token
  pos = 1
  | All tokens have one position.
turn rope-without-minus 1.2: rotated without the minus sign in rotate_half
  cross = sin(θ)
  | rotate_half is (−x2, x1); here it is (x2, x1), which is no rotation.
turn rope-minus-on-wrong-half 1.3: rotated with the minus sign on the wrong half in rotate_half and the sine of the right one
  cross = -sin(θ)
  | rotate_half is (−x2, x1); both parts have the minus sign here.
turn rope-cosine-only 1.2: multiplied by the cosine only (the sine part of the rotation is missing)
  cross = 0
  | A rotation is x cos θ + rotate_half(x) sin θ.
turn rope-sine-only 1.3: given the sine part of the rotation only
  own = 0
  | A rotation is x cos θ + rotate_half(x) sin θ.
turn rope-pairing-mixed 1.2: rotated in {pairing} pairs with the angles laid out for {other} ones
  freq = base^(-2 * {K} / width)
  | The two features of a pair must have one angle (repeat_interleave goes with interleaved pairs, cat with halves).
turn rope-pairing-mixed 1.21: rotated in {pairing} pairs with the sines laid out for {other} ones, the cosines rightly
  cross = side * sin(pos * base^(-2 * {K} / width))
  | The two features of a pair must have one angle, in the table of cosines and in that of sines.
turn rope-pairing-mixed 1.22: rotated in {pairing} pairs with the cosines laid out for {other} ones, the sines rightly
  own = cos(pos * base^(-2 * {K} / width))
  | The two features of a pair must have one angle, in the table of cosines and in that of sines.
turn rope-partial [part] 1.2: rotated in the first {part} of {width} features only, as if those were all
  width = {part}; θ = (f < width) * right
  | Only part of the features turn (rotary_pct, rotary_dim).
turn position-added 1.3: given sines and cosines of their position added instead of being rotated
  pairs = half; own = 1; cross = 0; plus = (side < 0) * sin(θ) + (0 < side) * cos(θ)
  | RoPE turns queries and keys; here a sinusoidal position embedding is added.
turn position-added 1.31: given sines and cosines of their position added instead of being rotated
  pairs = interleaved; own = 1; cross = 0; plus = (side < 0) * sin(θ) + (0 < side) * cos(θ)
  | RoPE turns queries and keys; here a sinusoidal position embedding is added.
turn rope-position [past]: rotated as if there were no earlier tokens
  pos = t
  | Positions start at 0 though earlier tokens come first.
turn rope-base: rotated with base {B} instead of {base}
  base = {B}
  | The base of the frequencies differs.
`);

/** TURN[X; changes] is what becomes of X, BACK what its gradient leaves, WHOLE a turn before the split, PAST of earlier tokens. */
export const OTHERS = rowsOf(`
{X}h rope-before-split [plain] 1.3: {who} rotated before the split into heads: the frequencies run over all heads together
  WHOLE[{X}]
  : {X}h = split(rotate({X}))
  | RoPE turns the features of each head by the same angles; here the width of all heads together is taken.
{X}h rope-before-bias 1.3: {who} rotated before the bias is added
  TURN[{X} - b_{X}; plus = b_{X}]
  : {X}h = rotate(x W) + b
  | The bias belongs to the projection, before the rotation; here it stays unrotated.
Vh rope-on-values [even]: the values are rotated too
  TURN[V]
  : Vh = rotate(V)
  | Only queries and keys carry a position.
dV backward-rope-on-values [even] 1.1: dV is rotated as if the values had a position (RoPE)
  BACK[V]
  : dV = merge(rotate(dVh))
  | Only queries and keys are rotated, so only their gradients are rotated back.
dV backward-rope-on-values [even] 1.1: dV is rotated as if the values had a position (RoPE)
  BACK[V; cross = -size * side * sin(θ)]
  : dV = merge(rotate(dVh))
  | Only queries and keys are rotated, so only their gradients are rotated back.
Kh past-rotated-again [plain past] 1.2: the earlier keys (past) are rotated again (RoPE twice) at their own positions
  PAST[K; pos = t]
  : Kh = concat(rotate(past), new)
  | The earlier keys are rotated already.
Kh past-rotated-again [plain past] 1.2: the earlier keys (past) are rotated again (RoPE twice) at the positions of the new ones
  PAST[K]
  : Kh = concat(rotate(past), new)
  | The earlier keys are rotated already.
d{X}h backward-rope-operand: d{X}h is computed with {Y} before its rotation
  {Y}h := TURN[{Y}; own = 1; cross = 0]
  : d{X}h with split({Y}) for {Y}h
  | The scores are products of rotated queries and keys, so d{X}h needs the rotated {Y}h.
d{X} backward-rope-missing [turned]: d{X} is not rotated back
  BACK[{X}; own = 1; cross = 0]
  : d{X} = merge(d{X}h)
  | The derivative of the rotary embedding is left out.
d{X} backward-rope-sign [turned]: d{X} is rotated forward again instead of back
  BACK[{X}; cross = -size * side * sin(θ)]
  : d{X} = merge(rotate(d{X}h, +θ))
  | The transpose of a rotation is the rotation back: the sine changes its sign.
`);

const BASES = [10000, 1000, 100, 10, 500, 5000, 50000, 100000, 500000, 1000000];
const FACTORS = [2 * Math.PI, 1 / (2 * Math.PI), 0.5, 0.25, 0.125, 4, 8];
/** The number of the pair, as the other pairing has it. */
const PAIR_OF_OTHER = { half: 'floor(f / 2)', interleaved: '(f % (width / 2))' };

/** Ways of getting positions into queries and keys, and the turn that their changes are of. */
type Ways = readonly [Base, readonly Row[]];

/** The rows of TURNS in a setup. */
function plainWays({ config, graph }: Site, words: Words): Ways {
  const { base, pairing } = config.rope!;
  const width = graph.extents['a'];
  const part = 2 * Math.floor(width / 4);
  const isHalf = pairing === 'half';
  const [own, other] = isHalf ? ['half-split', 'interleaved'] : ['interleaved', 'half-split'];
  const all: Words = {
    ...{ ...words, base, width, other, pairing: own, all: width * config.heads },
    ...{ K: PAIR_OF_OTHER[pairing], partner: isHalf ? 'k + width/2' : 'its neighbour' },
    ...(part >= 2 && part < width && { part }),
  };
  const valuesOf = (title: string): Words[] => {
    if (title.includes('{B}')) return BASES.filter((B) => B !== base).map((B) => ({ B }));
    if (!title.includes('{factor}')) return [{}];
    return FACTORS.map((FACTOR) => ({ FACTOR, factor: shortNumber(FACTOR) }));
  };
  const rows = TURNS.flatMap((row) =>
    valuesOf(row.title).flatMap((more) => withWords([row], { ...all, ...more })),
  );
  return [PLAIN, rows];
}

/** The setup's options, one left out or another. */
function optionWays(site: Site, right: Base): Ways[] {
  const options = otherOptions(site.config.rope!).flatMap(({ row, change }): Ways[] => {
    const base = byOptions(site, change);
    return base ? [[base, [row]]] : [];
  });
  return [[right, TURNS.filter(({ id }) => id === 'rope-missing')], ...options];
}

const MACRO = /(TURN|BACK|WHOLE|PAST)\[([QKV])([^;\]]*);? ?([^\]]*)\]/g;

/** With the formulas of turns in the place of what stands for them. */
const unfolded = (site: Site, base: Base, row: Row): Row => ({
  ...row,
  formula: row.formula.replaceAll(
    MACRO,
    (_, how: string, id: Turned, more: string, own: string) => {
      const turn = turnOf(site, id, `${base.changes}; ${own}`, how === 'WHOLE');
      if (how === 'BACK') return turn.backward;
      return how === 'PAST' ? turn.ofPast : turn.forward(more === '' ? id : `(${id}${more})`);
    },
  ),
  terms: base.terms,
  given: base.given,
});

/** A row of queries or keys: of both, and of the one alone. */
function rowsFor(row: Row, X: 'Q' | 'K'): Row[] {
  const own: Words = { X, Y: X === 'K' ? 'Q' : 'K' };
  if (!row.title.includes('{who}')) return withWords([row], own);
  return [['Q', 'K'], [X]].map((ids) => {
    const who = `${ids.join(' and ')} ${ids.length > 1 ? 'are' : 'is'}`;
    const [filled] = withWords([row], { ...own, who });
    const lines = ids.map((id) => `${id}h: ${withWords([row], { X: id })[0].formula}`);
    const cost = (row.cost ?? 1) + (ids.length > 1 ? 0.01 : 0);
    return { ...filled, cost, formula: lines.join('\n') };
  });
}

/** A way to turn, on the way there and back. */
function bothWays(row: Row): Row[] {
  const { id, title, formula, cost = 1 } = row;
  const there: Row = { ...row, on: '{X}h', title: `{who} ${title}`, wrong: `{X}h: ${title}` };
  const back: Row = {
    ...{ ...row, on: 'd{X}', id: `backward-${id}`, cost: cost + 0.2, needs: ['turned'] },
    ...{ title: `backward: d{X} is ${title}`, wrong: `d{X}: ${title}, backward` },
  };
  return [
    { ...there, formula: `TURN[{X}; ${formula}]` },
    ...(id === 'rope-missing' ? [] : [{ ...back, formula: `BACK[{X}; ${formula}]` }]),
  ];
}

/** With null keys, or norms after it, the rotation is a step before Kh and Qh: these mistakes are of one step for all. */
const isOneStep = ({ graph, config }: Site): boolean =>
  config.rope !== undefined &&
  ['Qh', 'Ks', 'Qs'].every((id, n) => hasNode(graph, id) === (n === 0));

export const rope = familyOf((site) => {
  const { graph, node } = site;
  const [, id] = /^([QKV])h?$/.exec(node.id) ?? [];
  if (id === undefined || !isOneStep(site)) return [];
  const isPlain = isPlainRope(site.config.rope!);
  const right = isPlain ? PLAIN : byOptions(site)!;
  const first = pastTokens(site);
  const words: Words = {
    ...{
      first,
      late: first + 1,
      early: first - 1,
      past: first > 0,
      plain: isPlain,
      even: isPlain && graph.extents['v'] % 2 === 0,
    },
    // Normed or lengthened, it is another node that is turned back.
    turned: (nodeOf(graph, `${id}h`) as OperationNode).inputs[0] === id,
  };
  const all = isPlain ? [plainWays(site, words)] : optionWays(site, right);
  const ways: Ways[] = id === 'V' ? [] : all.map(([base, rows]) => [base, rows.flatMap(bothWays)]);
  return [...ways, [right, OTHERS] as const].flatMap(([base, rows]) =>
    withWords(rows, words)
      .flatMap((row) =>
        /[{]X[}]/.test(row.on) ? (id === 'V' ? [] : rowsFor(row, id as 'Q' | 'K')) : [row],
      )
      .map((row) => unfolded(site, base, row)),
  );
});
