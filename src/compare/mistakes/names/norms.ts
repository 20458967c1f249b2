// Mistakes in RMS and layer norms and in their backward passes: of queries and keys, latents, heads, a layer's input.
import { isOfHeads, type Letter } from '../../../engine/axes.ts';
import type { HeadConfig, Norm } from '../../../engine/config.ts';
import type { OperationNode } from '../../../engine/graph.ts';
import type { Site } from '../../edits/edit.ts';
import { familyOf, type Row, rowsOf } from '../table.ts';

/** A norm of the graph, and the names by which its formulas speak of it. */
interface Named {
  readonly node: OperationNode;
  readonly own: Norm;
  /** What is normed, what comes out, the gain as it multiplies. */
  readonly x: string;
  readonly y: string;
  readonly gamma: string | undefined;
  readonly gain: string;
  /** The letters of the mean, and the others. */
  readonly over: readonly Letter[];
  readonly rest: readonly Letter[];
}

function normOf(config: HeadConfig, id: string): Norm | undefined {
  if (/^[KQ]/.test(id)) return config.qkNorm;
  if (id.startsWith('c')) return config.latentNorm ?? { kind: 'rms', eps: 1e-6 };
  if (id === 'On') return config.differential?.norm;
  const { preNorm, outputNorm, postNorm } = config.block ?? {};
  return { xn: preNorm, yn: outputNorm }[id] ?? postNorm ?? outputNorm;
}

function named({ config, graph }: Site, node: OperationNode): Named | null {
  const own = normOf(config, node.id);
  if (!own) return null;
  const [x, ...parameters] = node.inputs;
  const gamma = parameters.find((each) => each.startsWith('gamma'));
  const letters = node.axes.flat();
  const isAll = /^[KQ]/.test(node.id) && config.qkNorm?.over === 'all';
  const feature = letters.at(-1)!;
  const over = isAll ? letters.filter((each) => isOfHeads(each) || each === feature) : [feature];
  return {
    ...{ node, own, x, y: node.id, gamma, over },
    gain: gamma === undefined ? '1' : own.unitOffset ? `(1 + ${gamma})` : gamma,
    rest: letters.filter((each) => !over.includes(each) && graph.extents[each] > 1),
  };
}

/** For ones that people write or that are another library's own. */
const OTHER_EPS = [1e-3, 1e-5, 1e-6, 1e-8, 1e-12];

const HEAD_OF = {
  rms: (x: string, s: string): string => `X = ${x}; r = sqrt(sum_${s}(X^2) / count + eps);`,
  layer: (x: string, s: string): string =>
    `mu = sum_${s}(${x}) / count; X = ${x} - mu; r = sqrt(sum_${s}(X^2) / count + eps);`,
};

/** How the value is made wrongly: `X` what is divided, `r` the right root, `g` the gain. */
function valueRows({ own, x, y, gamma, gain, over, rest }: Named): string {
  const s = over.join('');
  const isRms = own.kind === 'rms';
  const offset = gamma && (own.unitOffset ? gamma : `(1 + ${gamma})`);
  const bias = `beta_${gamma?.slice('gamma_'.length) ?? ''}`;
  const end = isRms ? '' : ` + shift`;
  const rows = [
    ...(gamma
      ? [
          `${y} norm-gain-left-out: the gain of the norm is left out`,
          `  X / r${end}`,
          `${y} norm-gain-offset: the gain is ${offset}, not ${gain}`,
          `  ${offset} * X / r${end}`,
        ]
      : []),
    `${y} norm-eps-outside-root: eps is added outside of the root, not inside`,
    `  g * X / (sqrt(sum_${s}(X^2) / count) + eps)${end}`,
    `${y} norm-eps-left-out: eps is left out`,
    `  g * X / sqrt(sum_${s}(X^2) / count)${end}`,
    ...OTHER_EPS.filter((eps) => eps !== own.eps).flatMap((eps) => [
      `${y} norm-eps-other 1.05: eps is ${eps}, not {eps}`,
      `  g * X / sqrt(sum_${s}(X^2) / count + ${eps})${end}`,
    ]),
    `${y} norm-sum-for-mean: the root is of the sum of the squares, not of their mean`,
    `  g * X / sqrt(sum_${s}(X^2) + eps)${end}`,
    `${y} norm-root-missing: the root is left out: divided by the mean square`,
    `  g * X / (sum_${s}(X^2) / count + eps)${end}`,
    ...rest.flatMap((letter) => [
      isOfHeads(letter)
        ? `${y} norm-wrong-axis: the mean is over all heads, not over the features of each`
        : `${y} norm-wrong-axis: the mean is over the ${letter === 'b' ? 'batch' : 'tokens'}, not over the features`,
      isOfHeads(letter)
        ? `  g * X / sqrt(mean_${letter}(sum_${s}(X^2)) / count + eps)${end}`
        : `  g * X / sqrt(mean_${letter}(X^2) + eps)${end}`,
    ]),
    ...over
      .filter(isOfHeads)
      .flatMap((letter) => [
        `${y} norm-wrong-axis: the mean is over the features of each head, not over those of all`,
        `  g * X / sqrt(mean_${over.filter((each) => each !== letter).join('')}(X^2) + eps)${end}`,
      ]),
    ...(isRms
      ? [
          `${y} norm-mean-subtracted: the mean is taken away, as in layer norm: an RMS norm has none`,
          `  C = X - sum_${s}(X) / count; g * C / sqrt(sum_${s}(C^2) / count + eps)`,
        ]
      : [
          `${y} norm-mean-not-subtracted: the mean is not taken away, as in RMS norm`,
          `  g * ${x} / sqrt(sum_${s}(${x}^2) / count + eps)${end}`,
          `${y} norm-mean-not-subtracted: the mean is taken away under the root only`,
          `  g * ${x} / r${end}`,
          `${y} norm-variance-unbiased: the variance is divided by one less than there are features`,
          `  g * X / sqrt(sum_${s}(X^2) / (count - 1) + eps)${end}`,
        ]),
  ];
  return rows.join('\n').replaceAll('shift', bias);
}

/** The backward pass to what is normed; `more` is what comes to it past the norm. */
function backwardRows({ own, x, y, over }: Named, more: string): string {
  const s = over.join('');
  const mean = own.kind === 'layer' ? ` - sum_${s}(G) / count` : '';
  const along = `X * (sum_${s}(G * X) / count)`;
  const rows = [
    [
      'norm-backward-projection-missing',
      'lacks the term along the normed vector: the root is taken for a constant (detached)',
      `(G${mean}) / r`,
    ],
    ...(mean
      ? [
          [
            'norm-backward-mean-missing',
            'lacks the mean of the upstream gradient',
            `(G - ${along} / r^2) / r`,
          ],
          [
            'norm-backward-projection-missing',
            'takes mean and root for constants (detached)',
            'G / r',
          ],
        ]
      : []),
    [
      'norm-backward-gain-missing',
      'lacks the gain',
      `(dY${mean.replace('G', 'dY')} - X * (sum_${s}(dY * X) / count) / r^2) / r`,
    ],
    [
      'norm-backward-projection-summed',
      'has a sum where the mean along the normed vector belongs',
      `(G${mean} - X * sum_${s}(G * X) / r^2) / r`,
    ],
    [
      'norm-backward-projection-added',
      'adds the term along the normed vector, which is to be subtracted',
      `(G${mean} + ${along} / r^2) / r`,
    ],
    [
      'norm-backward-root-power',
      'divides the term along the normed vector by the root once: r belongs there three times',
      `(G${mean} - ${along}) / r`,
    ],
    ['norm-backward-root-missing', 'is not divided by the root', `G${mean} - ${along} / r^2`],
    [
      'norm-backward-passed-by',
      'is the gradient after the norm: its backward pass is left out',
      'dY',
    ],
    ['norm-backward-passed-by', 'is the gradient after the norm times the gain', 'G'],
  ];
  return rows
    .map(([id, what, formula]) => `d${x} ${id}: d${x} ${what}\n  ${formula}${more}`)
    .join('\n')
    .replaceAll('dY', `d${y}`);
}

function gainRows({ node, y, gamma, over, rest }: Named, gammaLetters: readonly Letter[]): string {
  const summed = [...over, ...rest].filter((letter) => !gammaLetters.includes(letter));
  const all = node.axes.flat().filter((letter) => !gammaLetters.includes(letter));
  const sum = (letters: readonly Letter[], body: string): string =>
    letters.length > 0 ? `sum_${letters.join('')}(${body})` : body;
  const rows = [
    [
      'norm-gain-gradient-of-input',
      'is of what comes into the norm: the division by the root is left out',
      sum(all, `d${y} * X`),
    ],
    [
      'norm-gain-gradient-of-output',
      'is of what comes out of the norm, which has the gain already',
      sum(all, `d${y} * ${y}`),
    ],
    ...summed.flatMap((letter) => {
      const others = all.filter((each) => each !== letter);
      const what = isOfHeads(letter) ? 'head' : letter === 'b' ? 'batch entry' : 'token';
      const inner = sum(others, `d${y} * X / r`);
      return [
        [
          'norm-gain-gradient-not-summed',
          `is that of the last ${what} only`,
          `last_${letter}(${inner})`,
        ],
        [
          'norm-gain-gradient-not-summed',
          `is that of the first ${what} only`,
          `first_${letter}(${inner})`,
        ],
        [
          'norm-gain-gradient-mean',
          `is averaged over the ${what}s, not summed`.replace('entrys', 'entries'),
          `mean_${letter}(${inner})`,
        ],
      ];
    }),
  ];
  return rows
    .map(([id, what, formula]) => `d${gamma} ${id}: d${gamma} ${what}\n  ${formula}`)
    .join('\n');
}

function rowsFor(site: Site): Row[] {
  const { graph } = site;
  return graph.nodes.flatMap((node) => {
    if (node.kind !== 'operation' || !node.operation.name.endsWith(' norm')) return [];
    const own = named(site, node);
    if (!own) return [];
    const users = graph.nodes.filter(
      (each): each is OperationNode => each.kind === 'operation' && each.inputs.includes(own.x),
    );
    const past = users.filter(({ id }) => id !== node.id);
    const isPlainSum = past.every(({ operation }) => operation.name === 'residual');
    const more = past.map(({ id }) => ` + d${id}@${own.x}`).join('');
    const gamma = own.gamma && graph.nodes.find(({ id }) => id === own.gamma);
    const hasBeta = node.inputs.some((each) => each.startsWith('beta'));
    const text = [
      ...(own.own.kind === 'layer' && !hasBeta
        ? [valueRows(own).replaceAll(/ \+ beta_\w*/g, '')]
        : [valueRows(own)]),
      ...(isPlainSum ? [backwardRows(own, more)] : []),
      ...(gamma ? [gainRows(own, gamma.axes.flat())] : []),
    ].join('\n');
    const count = own.over.reduce((n, letter) => n * graph.extents[letter], 1);
    const head = `${HEAD_OF[own.own.kind](own.x, own.over.join(''))} g = ${own.gain}; G = g * d${own.y};`;
    return rowsOf(text).map((row) => ({
      ...row,
      formula: `${head} ${row.formula}`,
      numbers: { count, eps: own.own.eps },
    }));
  });
}

/** Cheaper than what says the same of numbers alone: a factor, an operand. */
export const norms = familyOf((site) => rowsFor(site).map((row) => ({ cost: 0.95, ...row })));
