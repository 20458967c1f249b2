// What a constant ratio between a person's tensor and the right one can mean.
import type { Extents } from '../engine/axes.ts';
import type { NodeId } from '../engine/graph.ts';
import { nodeOf } from '../engine/graph.ts';
import { scaleFactor } from '../engine/heads/weights.ts';
import { sizeOf } from '../engine/tensor.ts';
import type { Context } from './edits/edit.ts';
import type { Kind } from './program.ts';

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

type Entry = readonly [symbol: string, value: number, id: string, meaning: string, at: RegExp];

const SCORES = /^v:[SZMQK]h?$|^g:[SZMQK]h?$/;
const DROPPED = /^v:(P|Pd|O|C|y)$|^g:(P|Pd|M|Z|S|V|Vh|O)$/;
const LOSS = /^[vg]:f$|^g:y$|^v:f$/;
const LEAF = /^g:(x|xPrime|xValue|[Wb]_.)$/;
const KV = /^g:([KV]h?|W_[KV])$/;
/** Gradients in which a loss divided by a count is seen, and no other scale is likelier. */
const PASSED = /^g:(?![SZMQK]h?$)/;
const COUNT = 'divided-by-count';
/** Where the scale is applied; dZ and dM come before it. */
const SCALED = /^v:[SZQK]h?$|^g:[SQK]h?$/;
const ANY = /^/;

function entries(context: Context): Entry[] {
  const { config, graph } = context.whole ?? context;
  const { extents } = graph;
  const width = extents['a'];
  const heads = config.heads;
  const members = extents['g'] ?? 1;
  const scale = scaleFactor(config, width) ?? 1;
  const y = nodeOf(graph, 'y').shape;
  const size = sizeOf(y);
  const outputs = y[y.length - 1];
  const [batch, keys, queries] = [extents['b'] ?? 1, extents['i'], extents['j']];
  const model = heads * width;
  /** The scores scaled by the root of another number. */
  const rooted = (symbol: string, of: string, count: number, what: string): Entry => [
    symbol,
    1 / (Math.sqrt(count) * scale),
    `scale-of-${of}`,
    `scaled by 1/√${count}, ${what}`,
    SCORES,
  ];
  const list: Entry[] = [
    ['G', members, 'group-summed', `a factor ${members}, the query heads of one KV head`, KV],
    [
      '1/G',
      1 / members,
      'group-mean',
      `averaged over the ${members} query heads of a group instead of summed`,
      KV,
    ],
    [
      '1/scale',
      1 / scale,
      'scale-missing',
      `the scale ${shortNumber(scale)} of the scores is missing`,
      SCORES,
    ],
    ['scale', scale, 'scale-twice', `the scale ${shortNumber(scale)} is applied twice`, SCORES],
    ...(isCustomScale(context)
      ? [
          [
            '1/(scale √dh)',
            1 / (scale * Math.sqrt(width)),
            'scale-default',
            `scaled by the default 1/√d = 1/√${width} = ${shortNumber(1 / Math.sqrt(width))}, where the setup’s scale is ${shortNumber(scale)}`,
            SCORES,
          ] as const,
        ]
      : []),
    [
      '√(dh/D)',
      Math.sqrt(width / model) / (scale * Math.sqrt(width)),
      'scale-of-model-width',
      `scaled by 1/√${model} (all heads together) instead of the width of one head, ${width}`,
      SCORES,
    ],
    [
      '1/scale²',
      1 / scale ** 2,
      'scale-inverted',
      'multiplied where it should be divided (the scale is inverted)',
      SCORES,
    ],
    [
      '√dh/dh',
      1 / (scale * width),
      'scale-without-root',
      `divided by ${width} instead of its square root`,
      SCORES,
    ],
    [
      '√dh',
      Math.sqrt(width),
      'scale-missing',
      `a factor √${width}, the root of a head's width`,
      SCORES,
    ],
    [
      '1/√dh',
      1 / Math.sqrt(width),
      'scale-twice',
      `a factor 1/√${width}, the root of a head's width`,
      SCORES,
    ],
    rooted('√(1/n)', 'token-count', keys, "the number of keys, instead of a key's width"),
    rooted('√(1/m)', 'token-count', queries, "the number of queries, instead of a key's width"),
    rooted(
      '√(1/d)',
      'model-width',
      extents['c'] ?? model,
      "the width of x, instead of a key's width",
    ),
    rooted(
      '√(1/dv)',
      'value-width',
      extents['v'] ?? width,
      "the width of the values, instead of a key's",
    ),
    [
      '⁴√dh',
      width ** -0.25 / scale,
      'scale-of-fourth-root',
      `scaled by 1/⁴√${width} instead of 1/√${width}`,
      SCORES,
    ],
    rooted('√H', 'head-count', heads, "the number of heads, instead of a key's width"),
    ['-1', -1, 'sign', 'the sign is wrong', ANY],
    ['2', 2, 'twice', 'counted twice', ANY],
    ['1/2', 0.5, 'half', 'halved', ANY],
    ...(config.loss.kind === 'target' || config.loss.kind === 'half-squared-norm'
      ? [
          [
            '2',
            2,
            'loss-without-half',
            'a factor 2: the squares without the half that f takes of them',
            LOSS,
          ] as const,
        ]
      : []),
    ...(config.loss.kind === 'expression'
      ? [
          [
            '1/2',
            0.5,
            'loss-factor-2',
            'halved: the factor 2 that a square leaves behind is missing, or f is halved',
            LOSS,
          ] as const,
          [
            'o',
            outputs,
            'mean-over-fewer',
            `multiplied by ${outputs}, the width of y: f is divided by the number of tokens, not of all entries`,
            LOSS,
          ] as const,
          [
            'mo',
            queries * outputs,
            'mean-over-fewer',
            `multiplied by ${queries * outputs}, the entries of y for one batch entry: f is divided by the batch size, not by the number of all entries`,
            LOSS,
          ] as const,
        ]
      : []),
    [
      '1/N',
      1 / size,
      'loss-mean',
      `divided by ${size}, the entries of y: a mean where f is a sum`,
      LOSS,
    ],
    [
      '1/B',
      1 / batch,
      'batch-mean',
      `divided by the batch size ${batch}: a mean where f is a sum`,
      LOSS,
    ],
    [
      '1/m',
      1 / queries,
      'token-mean',
      `divided by ${queries}, the number of queries: a mean where f is a sum`,
      LOSS,
    ],
    [
      '1/(Bm)',
      1 / (batch * queries),
      'token-mean',
      `divided by ${batch * queries}, all queries of the batch: a mean where f is a sum`,
      LOSS,
    ],
    [
      '1/o',
      1 / outputs,
      'feature-mean',
      `divided by ${outputs}, the width of y: a mean where f is a sum`,
      LOSS,
    ],
    [
      '2/N',
      2 / size,
      'loss-mean',
      `multiplied by 2/${size}: the derivative of a mean of squares where f is half their sum`,
      LOSS,
    ],
    ...(batch > 1
      ? [
          [
            '2/B',
            2 / batch,
            'batch-mean',
            `multiplied by 2/${batch}: a mean over the batch of squares`,
            LOSS,
          ] as const,
        ]
      : []),
    ['1/n', 1 / keys, 'key-mean', `divided by ${keys}, the number of keys`, ANY],
    ['n', keys, 'key-count', `multiplied by ${keys}, the number of keys`, ANY],
    ['1/H', 1 / heads, 'head-mean', `divided by the number of heads ${heads}`, ANY],
    ['H', heads, 'head-count', `multiplied by the number of heads ${heads}`, ANY],
    [
      '1/B',
      1 / batch,
      'batch-mean',
      `divided by the batch size ${batch}: averaged where it should be summed`,
      LEAF,
    ],
    [
      '1/(Bm)',
      1 / (batch * queries),
      'token-mean',
      `divided by ${batch * queries}, all tokens of the batch: averaged where it should be summed`,
      LEAF,
    ],
    [
      '1/(Bn)',
      1 / (batch * keys),
      'token-mean',
      `divided by ${batch * keys}, all tokens of the batch: averaged where it should be summed`,
      LEAF,
    ],
    ['B', batch, 'batch-count', `multiplied by the batch size ${batch}`, LEAF],
    ['N', size, 'loss-sum', `multiplied by ${size}, the entries of y`, LOSS],
    ['dh', width, 'width', `a factor ${width}, the width of a head`, SCORES],
    ...means(extents),
    ['scale²', scale ** 2, 'scale-three-times', 'the scale is applied three times', SCALED],
    ...[3, 4, 5, 8, 10, 16].map((count): Entry => [
      `1/${count}`,
      1 / count,
      'divided-by-count',
      `divided by ${count}: a mean over so many, or a loss divided for gradient accumulation`,
      ANY,
    ]),
    ['3', 3, 'three-times', 'counted three times', LEAF],
    ['4', 4, 'four-times', 'counted four times', LEAF],
  ];
  if (config.dropout) {
    const { p } = config.dropout;
    list.push(
      [
        '1-p',
        1 - p,
        'dropout-unscaled',
        `the factor 1/(1 - p) of dropout is missing (p = ${p})`,
        DROPPED,
      ],
      [
        '(1-p)/p',
        (1 - p) / p,
        'dropout-scale-inverse',
        `scaled by 1/p instead of 1/(1 - p) (p = ${p})`,
        DROPPED,
      ],
      [
        '1/(1-p)',
        1 / (1 - p),
        'dropout-scale-twice',
        `the factor 1/(1 - p) of dropout is applied twice (p = ${p})`,
        DROPPED,
      ],
      [
        '(1-p)²',
        (1 - p) ** 2,
        'dropout-scale-inverse',
        `multiplied by 1 - p instead of divided by it (p = ${p})`,
        DROPPED,
      ],
      [
        'p(1-p)',
        p * (1 - p),
        'dropout-scale-p',
        `multiplied by p = ${p} instead of 1/(1 - p)`,
        DROPPED,
      ],
      ['p', p, 'dropout-scale-p', `a factor p = ${p}`, DROPPED],
    );
  }
  if (scaleFactor(config, width) !== null) return list;
  return [...unwantedScales(extents), ...list.filter(([, , , , at]) => at !== SCORES)];
}

/** Whether the setup says a number of its own for the scale. */
const isCustomScale = ({ config, graph }: Context): boolean =>
  typeof config.scale === 'number' &&
  config.scale !== 1 &&
  Math.abs(config.scale * Math.sqrt(graph.extents['a']) - 1) > 1e-6;

/** A sum over an axis taken as its mean. */
function means(extents: Extents): Entry[] {
  const lengths: readonly (readonly [letter: string, what: string, at: RegExp])[] = [
    ['v', 'features of the values', /^g:(P|Pd)$/],
    ['j', 'queries', /^g:[KV]h?$/],
    ['i', 'keys', /^g:Qh?$|^v:(O|y)$/],
  ];
  return lengths.map(([letter, what, at]): Entry => {
    const length = extents[letter] ?? 1;
    const meaning = `divided by ${length}: a mean over the ${what}, where their sum belongs`;
    return [`1/${length}`, 1 / length, 'mean-for-sum', meaning, at];
  });
}

/** Where the setup has no scale. */
function unwantedScales(extents: Extents): Entry[] {
  const lengths: readonly (readonly [letter: string, what: string])[] = [
    ['a', 'the width of the keys'],
    ['c', 'the width of x'],
    ['e', "the width of x'"],
    ['i', 'the number of keys'],
    ['j', 'the number of queries'],
  ];
  const list = lengths.flatMap(([letter, what]): Entry[] => {
    const length = extents[letter] ?? 1;
    const entry = (symbol: string, value: number): Entry => [
      symbol,
      value,
      'scale-unwanted',
      `a scale ${symbol} (${length} is ${what}), where this setup has none`,
      SCORES,
    ];
    return [entry(`1/√${length}`, length ** -0.5), entry(`1/${length}`, 1 / length)];
  });
  // A root is what people take first, whatever of.
  return list.sort(([a], [b]) => Number(b.includes('√')) - Number(a.includes('√')));
}

export function shortNumber(value: number): string {
  return String(Number(value.toPrecision(4)));
}

/** The meanings of a ratio at a node, the likeliest first; empty if it means nothing that is known. */
export function namesOf(
  ratio: number,
  context: Context,
  node: NodeId,
  kind: Kind,
  precision: number,
): RatioName[] {
  const key = `${kind === 'value' ? 'v' : 'g'}:${node}`;
  const found: RatioName[] = [];
  entries(context).forEach(([symbol, value, id, meaning, at], n) => {
    for (const sign of [1, -1]) {
      if (sign < 0 && (value === -1 || id === 'sign' || id === COUNT)) continue;
      if (id === COUNT && !PASSED.test(key)) continue;
      if (Math.abs(value - 1) < 1e-9) continue;
      if (!(Math.abs(ratio / (sign * value) - 1) <= precision)) continue;
      const rank = (at === ANY ? 1 : at.test(key) ? 0 : 2) + n / 1000 + (sign < 0 ? 0.5 : 0);
      const name =
        sign < 0
          ? { symbol: `-${symbol}`, meaning: `${meaning}, and the sign is wrong` }
          : { symbol, meaning };
      found.push({ ...name, id, value: sign * value, rank });
    }
  });
  return found.sort((a, b) => a.rank - b.rank);
}

/** Ratios by which scores come out wrong. */
export function scoreRatios(context: Context): RatioName[] {
  const list = entries(context)
    .filter(([, value, , , at]) => (at === SCORES || at === SCALED) && value !== 1)
    .map(([symbol, value, id, meaning], n) => ({ symbol, value, id, meaning, rank: n / 1000 }));
  return list.filter(
    ({ value }, n) => list.findIndex((each) => Math.abs(each.value / value - 1) < 1e-12) === n,
  );
}
