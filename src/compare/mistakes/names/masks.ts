// The masks that people build in place of the right one, as formulas of what is added to the scores.
import type { Letter } from '../../../engine/axes.ts';
import type { MaskPart } from '../../../engine/config.ts';
import { Evaluator } from '../../../engine/evaluate.ts';
import type { GraphNode } from '../../../engine/graph.ts';
import type { Tensor } from '../../../engine/tensor.ts';
import type { Context } from '../../edits/edit.ts';
import { groupsOf, indexName, indexTransforms } from '../../program/transforms/indices.ts';
import { partRows } from '../maskParts.ts';
import { type MaskWords, maskWords } from '../maskWords.ts';
import { type Row, rowsOf, withWords } from '../table.ts';
import { parsed } from '../text.ts';
import { withNames } from '../vocabulary.ts';
import { alibiRows } from './alibi.ts';

export interface MaskVariant {
  readonly id: string;
  readonly title: string;
  readonly why: string;
  readonly wrong: string;
  readonly cost: number;
  /** To be added to the scores. Throws DoesNotFit where the setup has not what its formula speaks of. */
  readonly mask: Tensor;
}

/**
 * d = offset + j − i is how far query j stands behind key i, offset where a causal mask begins. The setup's mask is
 * `right`; without what is causal or given it is `none`, without the window `open`, without both `wide`.
 */
export const MASKS = rowsOf(`
mask mask-missing: the mask is missing
  bare
  : no mask
  | Hidden keys are seen: no mask is applied.
mask mask-causal-missing [causal]: the causal mask is missing
  none
  : no causal mask
  | Queries see keys after their own place.
mask mask-causal-strict [causal]: the causal mask hides the diagonal too
  none + hide(d <= 0)
  : hidden = i >= j
  | A query must see its own place; the mask is off by one (too strict).
mask mask-own-place-hidden 1.1: the mask hides each query’s own place
  right + hide(not(d))
  : hidden or i = j
  | A query does not see its own key (as in attention that shares queries and keys).
mask mask-own-place-hidden [causal] 1.1: the causal mask hides the diagonal too, but for the first query
  right + hide(not(d) * (0 < i))
  : hidden = i >= j, unless i = 0
  | A query must see its own place; only the one that would see nothing is left it.
mask mask-causal-leak [causal]: the causal mask lets one future key through
  none + hide(d < -1)
  : hidden = i > j + 1
  | The first key after a query's own place is seen; the mask is off by one (triu with diagonal=2).
mask mask-inverted [causal]: the mask is inverted
  none + hide(0 <= d)
  : hidden = i <= j
  | What should be seen is hidden and the other way round.
mask mask-transposed [causal]: the causal mask is transposed
  none + hide(0 < d)
  : hidden = i < j
  | Queries see the keys after them instead of those before: tril and triu exchanged.
mask mask-causal-alignment [causal]: the causal mask is aligned to the {other corner} instead of the {corner}
  realigned
  : diagonal in the {other corner}
  | With {m} queries and {n} keys the diagonal starts in another corner: shifted by {shift}.
mask mask-causal-alignment [causal past]: the causal mask forgets the earlier tokens
  none + hide(j < i)
  : hidden = i > j
  | Query j stands at place {past} + j among the keys; the mask starts at 0.
mask mask-causal-alignment [causal shifted] 1.1: the shift of the causal mask has the wrong sign
  none + hide(j - offset < i)
  : hidden = i > j − {offset}
  | The diagonal is moved by {offset} to the left instead of to the right.
mask mask-causal-shifted [causal] 1.3: the causal mask is shifted by 2
  none + hide(d < 2)
  : hidden = i > j − 2
  | The diagonal is in the wrong place.
mask mask-causal-shifted [causal] 1.3: the causal mask is shifted by 2
  none + hide(d < -2)
  : hidden = i > j + 2
  | The diagonal is in the wrong place.
mask mask-unwanted [!causal] 1.2: a causal mask is applied that the setup does not ask for
  right + hide(past + j < i)
  : hidden: causal mask
  | Keys are hidden that should be seen.
mask mask-unwanted [!causal unequal] 1.2: a causal mask aligned bottom right is applied that the setup does not ask for
  right + hide(n - m + j < i)
  : hidden: causal mask aligned bottom right
  | Keys are hidden that should be seen.
mask mask-window-too-wide [window]: the window is one too wide
  open + hide(window + 1 <= abs(d))
  : hidden = distance >= {wider}
  | A query should see keys at a distance below {window}; here it is below {wider}.
mask mask-window-too-narrow [window]: the window is one too narrow
  open + hide(window - 1 <= abs(d))
  : hidden = distance >= {narrower}
  | A query should see keys at a distance below {window}; here it is below {narrower}.
mask mask-window-missing [window]: the window is missing
  open
  : no window
  | Keys at a distance of {window} and more are seen.
mask mask-window-or-causal [window causal] 1.1: keys are seen in the window or before the query, where both must hold
  wide + hide((d < 0) * (window <= abs(d)))
  : seen = causal | window
  | The two masks are joined by OR instead of AND.
mask mask-window-one-sided [window]: the window only limits the left side
  open + hide(window <= d)
  : hidden on the left side only
  | The distance is taken with its sign.
mask mask-window-one-sided [window]: the window only limits the right side
  open + hide(window <= -d)
  : hidden on the right side only
  | The distance is taken with its sign.
mask alibi-missing [alibi]: the ALiBi bias is missing
  unbiased
  : no ALiBi bias
  | No distance is subtracted from the scores.
mask mask-given-missing [given]: the given mask is missing
  none
  : no given mask
  | Only the other masks are applied.
mask mask-inverted [attend]: the mask is inverted
  inverted
  : hidden = mask
  | True means "attend" here; it is taken for "ignore".
mask mask-inverted [ignore]: the mask is inverted
  inverted
  : hidden = not mask
  | True means "ignore" here; it is taken for "attend".
`);

/**
 * Which keys are seen where queries are visited in blocks of B_Q and keys in blocks of B_K, that of query j beginning at
 * q0 and that of key i at k0.
 */
export const BLOCKS = rowsOf(`
block mask-block-diagonal-skipped: the blocks of keys on the diagonal are not visited
  (k0 + B_K <= offset + q0) * (0 <= d)
  : range(q0 // B_K)
  | The blocks of keys on the diagonal hold both seen and hidden keys: they are visited, and masked inside.
block mask-block-bound-rounded-down: the number of visited blocks of keys is rounded down
  (k0 + B_K <= offset + q0 + B_Q) * (0 <= d)
  : range(q1 // B_K), where ceil(q1 / B_K) blocks hold keys that are seen
  | The blocks of keys on the diagonal hold both seen and hidden keys: they are visited, and masked inside.
block mask-block-unmasked: the blocks of keys on the diagonal are not masked inside
  (k0 < offset + q0 + B_Q)
  : hidden = k0 ≥ q1, block by block, without i > j
  | The blocks of keys on the diagonal hold both seen and hidden keys: they are visited, and masked inside.
block mask-block-number-compared: numbers of blocks are compared, though those of queries and of keys differ in size
  (k0 / B_K <= q0 / B_Q) * (0 <= d)
  : range(q0 // B_Q + 1)
  | Blocks of different sizes begin at different tokens: q0 and k0 are compared, not their numbers.
block mask-block-local-index: the causal mask compares indices inside the blocks, not those of the tokens
  (k0 < offset + q0 + B_Q) * (i - k0 <= j - q0)
  : hidden = i − k0 > j − q0 in every visited block
  | A block of queries begins at q0 and one of keys at k0: both are added before they are compared.
block mask-block-local-index: on the diagonal the causal mask compares indices inside the blocks, not those of the tokens
  (k0 + B_K - 1 <= offset + q0) + (k0 < offset + q0 + B_Q) * (i - k0 <= j - q0)
  : hidden = i − k0 > j − q0 in the blocks on the diagonal
  | A block of queries begins at q0 and one of keys at k0: both are added before they are compared.
`);

/** Parts of a listed mask that a program leaves out. */
const LISTED: Readonly<Record<MaskPart['kind'], readonly [title: string, why: string]>> = {
  given: ['the given mask', 'Keys that a given mask hides are seen.'],
  padding: ['the padding mask', 'Keys that are padding are seen.'],
  window: ['the window', 'Keys outside the window are seen.'],
  prefix: ['the prefix of the causal mask', 'Keys of the prefix are hidden from earlier queries.'],
  chunked: ['the mask of chunks', 'Keys of other chunks are seen.'],
  documents: ['the mask of documents', 'Keys of other documents are seen.'],
};

/** Tokens up to which the same mask of other blocks is left out. */
const MOST_COMPARED = 40;
/** Sizes of blocks that people choose. */
const SIZES = [2, 3, 4, 5, 6, 8, 16, 32, 64, 128];

/** The rows of MASKS in a setup. */
function ownRows({ config, graph }: Context, { layout: { past } }: MaskWords): Row[] {
  const { mask, window, alibi } = config;
  const [n, m] = [graph.extents['i'], graph.extents['j']];
  const isCausal = mask === 'causal' || mask === 'causal-bottom-right';
  const offset = mask === 'causal-bottom-right' ? n - m : past;
  const corners = mask === 'causal' ? ['top left', 'bottom right'] : ['bottom right', 'top left'];
  const meaning = typeof mask === 'object' ? mask.meaning : undefined;
  const [wider, narrower] = [1, -1].map((by) => (window ?? 0) + by);
  return withWords(MASKS, {
    ...{ wider, narrower },
    ...{ n, m, past, offset, window, shift: n - m, corner: corners[0], 'other corner': corners[1] },
    ...{ causal: isCausal, shifted: offset > 0, unequal: n !== m, alibi: alibi !== undefined },
    ...{ given: meaning, attend: meaning === 'attend', ignore: meaning === 'ignore' },
  });
}

/** What is left of a listed mask, or made of it: how the id ends, and what is said. */
const LISTS = [
  ['without', 'missing', 'is missing', 1],
  ['longer', 'length', 'is one token too long', 1.02],
  ['shorter', 'length', 'is one token too short', 1.02],
  ['windowed', 'for-window', 'is a window that moves with its query', 1.05],
] as const;

const listedRows = ({ config: { masks = [] } }: Context, { given }: MaskWords): Row[] =>
  masks.flatMap(({ kind }, n) => {
    const [name, why] = LISTED[kind];
    return LISTS.filter(([list]) => `${list}_${n}` in given).map(([list, end, is, cost]) => ({
      ...{ on: 'mask', id: `mask-${kind}-${end}`, formula: `${list}_${n}`, cost },
      ...{
        title: `${name} ${is}`,
        wrong: list === 'without' ? `no ${name.slice(4)}` : `${name} ${is}`,
      },
      why: list === 'without' ? why : 'Other keys are seen at its ends than should be.',
    }));
  });

/** The causal mask of kernels that visit queries and keys in blocks, and leave out or do not mask the wrong ones. */
function blockRows({ config, graph }: Context, { vocabulary }: MaskWords): Row[] {
  if (config.mask !== 'causal' && config.mask !== 'causal-bottom-right') return [];
  const [keys, queries] = [graph.extents['i'], graph.extents['j']];
  const isLarge = Math.max(keys, queries) > MOST_COMPARED;
  const sizes = isLarge ? SIZES.filter((size) => size >= 16) : SIZES;
  /** What tells two masks apart. */
  const patternOf = (text: string, numbers: Readonly<Record<string, number>>): string => {
    const formula = parsed(text, withNames(vocabulary, { numbers }))!;
    const seen = new Evaluator(() => undefined, graph.extents).tensor(formula, [['j'], ['i']]);
    return seen.data.map((value) => Number(value !== 0)).join('');
  };
  const known = new Set(isLarge ? [] : [patternOf('0 <= d', {})]);
  return BLOCKS.flatMap((row) =>
    sizes
      .filter((size) => size <= queries)
      .flatMap((B_Q) => sizes.filter((size) => size <= keys).map((B_K) => ({ B_Q, B_K })))
      .flatMap((numbers): Row[] => {
        const seen = `q0 = j - j % B_Q; k0 = i - i % B_K; ${row.formula}`;
        const pattern = isLarge ? null : patternOf(seen, numbers);
        if (pattern !== null && known.has(pattern)) return [];
        if (pattern !== null) known.add(pattern);
        const title = `${row.title} (queries in blocks of ${numbers.B_Q}, keys of ${numbers.B_K})`;
        const formula = seen.replace(row.formula, `none + hide(not(${row.formula}))`);
        return [{ ...row, title, formula, numbers, cost: 1.4 }];
      }),
  );
}

/** A given mask with two of its axes exchanged, or that of the first batch entry or head for all. */
function givenRows({ config, graph }: Context, node: GraphNode, { given }: MaskWords): Row[] {
  const { mask } = config;
  if (typeof mask !== 'object' || !given['given']) return [];
  const letters = node.axes.flat();
  const { extents } = graph;
  const added = (of: string, is = '1'): string =>
    mask.meaning === 'add'
      ? `none + ${of}`
      : `none + hide(${is} * ${mask.meaning === 'attend' ? `not(${of})` : of})`;
  const place = (of: (letter: Letter) => string): string =>
    letters.reduce((inner, letter) => `at(${letter}′, ${of(letter)} + 0, ${inner})`, 'given′');
  const exchanged = letters.flatMap((one, a) =>
    letters.slice(a + 1).map((two): Row => {
      const isTransposed = [one, two].includes('j') && [one, two].includes('i');
      const of = place((letter) => (letter === one ? two : letter === two ? one : letter));
      const words = isTransposed
        ? 'is applied to the queries instead of the keys (transposed)'
        : `is laid along the wrong axis (${one} and ${two} exchanged)`;
      return {
        ...{ on: 'mask', id: isTransposed ? 'mask-on-queries' : 'mask-wrong-axis' },
        ...{ title: `the mask ${words}`, why: 'Mask rows and columns are exchanged.' },
        wrong: 'mask with two axes exchanged',
        // Beyond the mask's end nothing is hidden.
        formula: added(of, `(${two} < ${extents[one]}) * (${one} < ${extents[two]})`),
        cost: extents[one] === extents[two] ? 1 : 1.1,
      };
    }),
  );
  const firsts = ['b', 'h', 'r', 'g'].filter(
    (letter) => letters.includes(letter) && extents[letter] > 1,
  );
  return [
    ...exchanged,
    ...firsts.map((letter) => ({
      ...{ on: 'mask', id: 'mask-of-first-only', cost: 1.1 },
      title: `the mask of the first ${letter === 'b' ? 'batch entry' : 'head'} is used for all`,
      why: 'The mask is broadcast along an axis that it has.',
      wrong: `mask[${letter} = 0] everywhere`,
      formula: added(`at(${letter}, 0, given)`),
    })),
  ];
}

/** A mask that a loop applies to the first or the last batch entry or head alone, or to all but that. */
function partly({ graph }: Context, { axes }: GraphNode, { given }: MaskWords): Row[] {
  if (given['right'].tensor.data.every((value) => value === 0)) return [];
  return axes.flat().flatMap((letter): Row[] => {
    const length = graph.extents[letter];
    if (!/^[bhrg]$/.test(letter) || length < 2) return [];
    const last = length - 1;
    const one = indexName([letter]);
    const ways = [
      ['only', 'first', `${letter} < 1`],
      ...(length > 2 ? [['all but', 'last', `${letter} < ${last}`]] : []),
      ...(length > 2 ? [['all but', 'first', `1 <= ${letter}`]] : []),
      ['only', 'last', `${last} <= ${letter}`],
    ];
    return ways.map(([which, end, kept]) => ({
      ...{ on: 'mask', id: 'mask-missing-in-some', cost: 1.2 },
      title: `the mask is applied in ${which} the ${end} ${one}, and missing in ${which === 'only' ? 'the others' : 'that'}`,
      why: 'A loop over them ends early, or the mask is broadcast along the wrong axis.',
      wrong: `no mask but in ${which} the ${end} ${one}`,
      formula: `(${kept}) * rest + hide((${kept}) * masked)`,
    }));
  });
}

/** The right mask moved along an axis: keys reversed, batch entries exchanged, the first query's for all. */
const moved = ({ graph }: Context, { axes }: GraphNode, { given }: MaskWords): MaskVariant[] =>
  groupsOf(axes, graph.extents).flatMap((group) =>
    indexTransforms(axes, group, graph.extents)
      // Means and sums of −∞ are no masks.
      .filter(({ id }) => !/-(mean|sum)-for-all$/.test(id))
      .map((each) => ({
        ...{ id: `mask-${each.id}`, title: each.title('the mask'), cost: 1.3 },
        why: `M comes out exactly if ${each.title('the mask')}.`,
        wrong: each.formula('mask'),
        get mask() {
          return each.operation.forward([given['right'].tensor]);
        },
      })),
  );

/**
 * The masks in the place of that of M, or of P where the setup has none: the usual ones, and those of kernels' blocks and
 * moved ones, which are many.
 */
export function maskVariants(
  context: Context,
  node: GraphNode,
  which: 'all' | 'usual' | 'strange' = 'all',
): MaskVariant[] {
  const words = maskWords(context, node);
  const variant = (row: Row): MaskVariant => {
    const { id, title, why = '', wrong = '', cost = 1 } = row;
    let known: Tensor | undefined;
    return {
      ...{ id, title, why, wrong, cost },
      get mask() {
        return (known ??= words.evaluate(row));
      },
    };
  };
  const usual = (): MaskVariant[] =>
    [
      ...[...ownRows(context, words), ...listedRows(context, words), ...alibiRows(context)],
      ...[...partRows(context, words), ...givenRows(context, node, words)],
      ...partly(context, node, words),
    ].map(variant);
  const strange = (): MaskVariant[] => [
    ...moved(context, node, words),
    ...blockRows(context, words).map(variant),
  ];
  return [...(which === 'strange' ? [] : usual()), ...(which === 'usual' ? [] : strange())];
}
