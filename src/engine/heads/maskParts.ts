// What hides keys or adds to scores, part by part, each as the formula that computes it.
import { axisLength, shapeOf } from '../axes.ts';
import { ConfigError, type HeadConfig, type MaskMeaning, type MaskPart } from '../config.ts';
import type { Operand } from '../evaluate.ts';
import {
  atIndex,
  atMost,
  below,
  call,
  type Formula,
  fraction,
  minus,
  number,
  plus,
  position,
  product,
  symbol,
} from '../formula.ts';
import { formatShape, type Tensor } from '../tensor.ts';
import { lettered, perToken, type ScoreLayout } from './scoreLayout.ts';

export interface MaskFormula {
  /** What people call it: "causal", "padding". */
  readonly name: string;
  /** `hide`: an entry is hidden where the formula is not 0 · `add`, `subtract`: the formula is, to and from the score. */
  readonly how: 'hide' | 'add' | 'subtract';
  readonly formula: Formula;
  /** The tensors that it speaks of. */
  readonly given: Readonly<Record<string, Operand>>;
}

const KEY = position('i');

/** `value` more, written without a sign before a number. */
const shifted = (formula: Formula, value: number): Formula =>
  value === 0 ? formula : value > 0 ? plus(formula, number(value)) : minus(formula, number(-value));

/** A query's position among the keys, which stand at 0, 1, ... */
function queryPosition(config: HeadConfig, { extents, past }: ScoreLayout): Formula {
  const first = config.mask === 'causal-bottom-right' ? extents['i'] - extents['j'] : past;
  return shifted(position('j'), first);
}

const hide = (name: string, formula: Formula, given: MaskFormula['given'] = {}): MaskFormula => ({
  name,
  how: 'hide',
  formula,
  given,
});

/** All that hides or adds, in the order in which it is written. Throws ConfigError. */
export function maskFormulas(config: HeadConfig, layout: ScoreLayout): MaskFormula[] {
  const { mask, masks = [], window, alibi } = config;
  const query = queryPosition(config, layout);
  const distance = call('abs', minus(query, KEY));
  const parts: MaskFormula[] = [];
  if (alibi !== undefined) parts.push(alibiPart(alibi, distance, layout));
  if (mask === 'causal' || mask === 'causal-bottom-right') {
    const prefixes = masks.flatMap((part, n) =>
      part.kind === 'prefix' ? [prefixOf(part, n, layout)] : [],
    );
    const seen = prefixes.map(({ formula }) => atMost(formula, KEY));
    const given = Object.assign({}, ...prefixes.map((each) => each.given)) as MaskFormula['given'];
    const after = below(query, KEY);
    parts.push(hide('causal', seen.length > 0 ? product(after, ...seen) : after, given));
  }
  if (typeof mask === 'object') parts.push(givenPart(mask, 'mask', 'mask', layout));
  if (window !== undefined) parts.push(hide('window', atMost(number(window), distance)));
  masks.forEach((part, n) => parts.push(...partFormulas(part, n, query, layout)));
  return parts;
}

const entryOf = ({ at }: MaskPart, field: string): string => `mask.${at ?? 0}.${field}`;

function partFormulas(
  part: MaskPart,
  n: number,
  query: Formula,
  layout: ScoreLayout,
): MaskFormula[] {
  /** "lengths" for the first part, then "lengths_2": two parts may be of one kind. */
  const name = (field: string): string => (n === 0 ? field : `${field}_${n + 1}`);
  switch (part.kind) {
    case 'given':
      return [givenPart(part, `mask_${n + 2}`, entryOf(part, 'tensor'), layout)];
    case 'padding': {
      if ('lengths' in part) {
        const own = perToken(entryOf(part, 'lengths'), part.lengths, null, layout);
        const lengths = symbol(name('lengths'), own.axes);
        return [hide('padding', atMost(lengths, KEY), { [name('lengths')]: own })];
      }
      const own = perToken(entryOf(part, 'keep'), part.keep, 'i', layout);
      // The dropout's mask is called keep already.
      const kept = symbol(name('kept'), own.axes);
      return [hide('padding', call('not', kept), { [name('kept')]: own })];
    }
    case 'window': {
      const { left, right } = part;
      return [
        ...(left === undefined ? [] : [below(number(left), minus(query, KEY))]),
        ...(right === undefined ? [] : [below(number(right), minus(KEY, query))]),
      ].map((condition) => hide('window', condition));
    }
    case 'prefix':
      // Part of the causal mask.
      return [];
    case 'chunked': {
      const chunk = (place: Formula): Formula => call('floor', fraction(place, number(part.size)));
      return [hide('chunked', minus(chunk(KEY), chunk(query)))];
    }
    case 'documents':
      return [documentsPart(part, name, layout)];
  }
}

function prefixOf(
  part: MaskPart & { kind: 'prefix' },
  n: number,
  layout: ScoreLayout,
): { formula: Formula; given: MaskFormula['given'] } {
  const { length } = part;
  if (length.shape.length === 0) return { formula: number(length.data[0]), given: {} };
  const own = perToken(entryOf(part, 'length'), length, null, layout);
  const name = n === 0 ? 'prefix' : `prefix_${n + 1}`;
  return { formula: symbol(name, own.axes), given: { [name]: own } };
}

function documentsPart(
  part: MaskPart & { kind: 'documents' },
  name: (field: string) => string,
  layout: ScoreLayout,
): MaskFormula {
  const { ids, queryIds } = part;
  const { extents, past } = layout;
  const keys = perToken(entryOf(part, 'ids'), ids, 'i', layout);
  const own = symbol(name('ids'), keys.axes);
  if (queryIds) {
    const queries = perToken(entryOf(part, 'queryIds'), queryIds, 'j', layout);
    return hide('documents', minus(own, symbol(name('queryIds'), queries.axes)), {
      [name('ids')]: keys,
      [name('queryIds')]: queries,
    });
  }
  if (extents['i'] - past !== extents['j']) {
    throw new ConfigError(
      entryOf(part, 'ids'),
      `found no queryIds, expected them: ${extents['j']} queries are not the last of ${extents['i']} keys`,
    );
  }
  const ofQuery = atIndex('i', shifted(position('j'), past), own);
  return hide('documents', minus(own, ofQuery), { [name('ids')]: keys });
}

function givenPart(
  { tensor, meaning }: { readonly tensor: Tensor; readonly meaning: MaskMeaning },
  name: string,
  entry: string,
  layout: ScoreLayout,
): MaskFormula {
  const own = lettered(entry, tensor, layout);
  const formula = symbol(name, own.axes);
  const given = { [name]: own };
  if (meaning === 'add') return { name: 'given', how: 'add', formula, given };
  return hide('given', meaning === 'attend' ? call('not', formula) : formula, given);
}

/**
 * 2^(−8 (h + 1) / H) for H heads, a power of two; else those of the power below, then every other one of the power
 * above (Press et al. 2022, ALiBi, the authors' `get_slopes`).
 */
export function alibiSlopes(count: number): Float64Array {
  const power = 2 ** Math.floor(Math.log2(count));
  return Float64Array.from({ length: count }, (_, h) =>
    h < power ? 2 ** ((-8 * (h + 1)) / power) : 2 ** ((-4 * (2 * (h - power) + 1)) / power),
  );
}

function alibiPart(alibi: true | Tensor, distance: Formula, layout: ScoreLayout): MaskFormula {
  const { heads, extents } = layout;
  const count = axisLength(heads, extents);
  if (typeof alibi === 'object' && (alibi.shape.length !== 1 || alibi.shape[0] !== count)) {
    throw new ConfigError(
      'alibi',
      `found shape ${formatShape(alibi.shape)}, expected one slope per head (${count})`,
    );
  }
  const axes = heads.length > 0 ? [heads] : [];
  const data = alibi === true ? alibiSlopes(count) : alibi.data;
  const tensor = { shape: shapeOf(axes, extents), data };
  return {
    ...{ name: 'ALiBi', how: 'subtract', given: { slope: { axes, tensor } } },
    formula: product(symbol('slope', axes), distance),
  };
}
