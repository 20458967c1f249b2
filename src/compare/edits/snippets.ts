// How each step is written rightly in NumPy and in PyTorch: what a fix looks like unless an edit knows better.
import type { NodeId } from '../../engine/graph.ts';
import { hasNode, nodeOf } from '../../engine/graph.ts';
import { equals, symbol, toText } from '../../engine/formula.ts';
import { printedIfShort } from '../../engine/printers/print.ts';
import { dependsOn } from '../../engine/where.ts';
import { rightOf } from '../mistakes/forms.ts';
import { scaleFactor } from '../../engine/heads/weights.ts';
import { shortNumber } from '../search/constants.ts';
import type { Kind } from '../program/program.ts';
import type { Context } from './edit.ts';

export interface Snippet {
  readonly numpy: string;
  readonly pytorch: string;
}

/** The formulas of the engine: how a node's value, or its gradient's contributions, are computed. */
export function rightFormula({ graph }: Context, id: NodeId, kind: Kind): string {
  if (kind === 'value') {
    const node = nodeOf(graph, id);
    if (node.kind === 'input') return `${id} as the setup gives it`;
    return toText(node.operation.formula({ output: id, inputs: node.inputs }).forward);
  }
  const parts = graph.nodes.flatMap((node) => {
    if (node.kind !== 'operation' || !node.inputs.includes(id)) return [];
    const { backward } = node.operation.formula({ output: node.id, inputs: node.inputs });
    return node.inputs.flatMap((input, slot) => (input === id ? [toText(backward[slot])] : []));
  });
  return parts.reverse().join('; ') || `d${id} = 1`;
}

/** One line in each library that computes a node's value, or its gradient, as it should be. */
export function snippet(context: Context, id: NodeId, kind: Kind): Snippet {
  const { graph } = context;
  const known = (kind === 'value' ? valueSnippets : gradientSnippets)(context)[id];
  if (known && !BEYOND.some((each) => hasNode(graph, each))) return known;
  return printed(context, id, kind) ?? FALLBACK(id, kind);
}

/** Nodes that the lines below know nothing of: there the formulas themselves are written. */
const BEYOND: readonly NodeId[] = [
  ...['xn', 'cKV', 'cQ', 'KR', 'Kn', 'Qn', 'Ks', 'Qs', 'Vs', 'xValue', 'sinks'],
  ...['headScale', 'temperature', 'gate', 'lambda_full', 'ya', 'Zb'],
];
/** Masks and rotations are written in other ways in programs. */
const NOT_PRINTED = ['mask', 'seen', 'θ', 'past_K', 'past_V'];

function printed({ graph }: Context, id: NodeId, kind: Kind): Snippet | null {
  const node = nodeOf(graph, id);
  const right = kind === 'value' && node.kind === 'input' ? null : rightOf({ graph, node, kind });
  if (!right || NOT_PRINTED.some((name) => dependsOn(right, name))) return null;
  const name = kind === 'value' ? id : `d${id}`;
  return printedIfShort(equals(symbol(name, node.axes), right), graph.extents);
}

const FALLBACK = (id: NodeId, kind: Kind): Snippet => {
  const name = kind === 'value' ? id : `d${id}`;
  return {
    numpy: `${name} = ...  # as in the formula`,
    pytorch: `${name} = ...  # as in the formula`,
  };
};

const same = (code: string): Snippet => ({ numpy: code, pytorch: code });

/** The mask: what is hidden, and what is added where nothing is. */
function masked({ config }: Context): Snippet {
  const { mask, alibi, window } = config;
  const isAdded = typeof mask === 'object' && mask.meaning === 'add';
  const bias = `${isAdded ? ' + mask' : ''}${alibi ? ' - slopes[:, None, None] * abs(query_position - key_position)' : ''}`;
  const hides = mask === 'none' ? window !== undefined : !isAdded || window !== undefined;
  if (!hides) return same(`M = Z${bias}`);
  const hidden = causal(config);
  return {
    numpy: `${hidden?.numpy ?? ''}M = np.where(hidden, -np.inf, Z${bias})`,
    pytorch: `${hidden?.pytorch ?? ''}M = ${bias ? `(Z${bias})` : 'Z'}.masked_fill(hidden, float("-inf"))`,
  };
}

/** What a plain causal mask hides. */
function causal({ mask, window, past, masks, axes }: Context['config']): Snippet | null {
  const isPlain = (mask === 'causal' && !past) || mask === 'causal-bottom-right';
  if (!isPlain || window !== undefined || masks?.length) return null;
  const isQueryFirst = axes === 'query-first';
  const [queries, keys] = isQueryFirst ? ['-2', '-1'] : ['-1', '-2'];
  const more = mask === 'causal' ? '' : `Z.shape[${keys}] - Z.shape[${queries}]`;
  const from = isQueryFirst
    ? more === ''
      ? '1'
      : `${more} + 1`
    : more === ''
      ? '-1'
      : `-(${more}) - 1`;
  const half = isQueryFirst ? 'triu' : 'tril';
  return {
    numpy: `hidden = np.${half}(np.ones(Z.shape[-2:], dtype=bool), ${from}); `,
    pytorch: `hidden = torch.ones(Z.shape[-2:], dtype=torch.bool).${half}(${from}); `,
  };
}

/** The derivative of the setup's loss by y. */
function lossGradient({ config: { loss } }: Context): Snippet {
  switch (loss.kind) {
    case 'upstream':
      return same('dy = G  # the upstream gradient that the setup gives');
    case 'target':
      return same('dy = y - target');
    case 'half-squared-norm':
      return same('dy = y  # the derivative of (y ** 2).sum() / 2');
    default:
      return same('dy = ...  # the derivative by y of the setup’s loss expression');
  }
}

/** The setup's scale as a number in code, and what it is. */
export function scaleInCode({ config, graph, whole }: Context): { code: string; words: string } {
  const own = whole?.config ?? config;
  const width = graph.extents['a'];
  const value = scaleFactor(own, width) ?? 1;
  const isDefault = own.scale === undefined || own.scale === '1/sqrt(d)';
  return isDefault && value !== 1
    ? {
        code: `${width} ** -0.5`,
        words: `scale = 1/sqrt(d_head) = 1/sqrt(${width}) = ${shortNumber(value)}`,
      }
    : { code: String(value), words: `scale = ${shortNumber(value)}, as the setup says` };
}

/** What is turned or has earlier tokens in front, which formulas write in the engine's own names. */
function splitSnippets({ config }: Context, id: 'K' | 'Q' | 'V'): [value: Snippet, back: Snippet] {
  const heads = id === 'Q' ? 'heads' : 'kv_heads';
  const hasPast = config.past !== undefined && id !== 'Q';
  const turned = (code: string, sine: string): string =>
    config.rope && id !== 'V' ? `rotate(${code}, cos, ${sine})` : code;
  const numpy = turned(`${id}.reshape(*${id}.shape[:-1], ${heads}, -1).swapaxes(-2, -3)`, 'sin');
  const pytorch = turned(`${id}.view(*${id}.shape[:-1], ${heads}, -1).transpose(-3, -2)`, 'sin');
  const back = turned(`d${id}h${hasPast ? '[..., past:, :]' : ''}`, '-sin');
  return [
    {
      numpy: `${id}h = ${hasPast ? `np.concatenate([past_${id}, ${numpy}], axis=-2)` : numpy}`,
      pytorch: `${id}h = ${hasPast ? `torch.cat([past_${id}, ${pytorch}], dim=-2)` : pytorch}`,
    },
    {
      numpy: `d${id} = ${back}.swapaxes(-2, -3).reshape(*tokens, -1)`,
      pytorch: `d${id} = ${back}.transpose(-3, -2).flatten(-2)`,
    },
  ];
}

const isTurned = ({ config, graph }: Context): boolean =>
  graph.head === 'multihead' && (config.rope !== undefined || config.past !== undefined);

function valueSnippets(context: Context): Record<NodeId, Snippet> {
  const { config } = context;
  const scale = scaleInCode(context);
  const isPlain = config.head === 'kq' && config.scale === undefined;
  const scaled = isPlain ? 'S' : `S * ${scale.code}`;
  const why = isPlain ? '' : `  # ${scale.words}`;
  const { softcap } = config;
  const capped = (library: string): string =>
    softcap ? `${softcap} * ${library}.tanh(${scaled} / ${softcap})` : scaled;
  const split = isTurned(context)
    ? (['K', 'Q', 'V'] as const).map((id) => [`${id}h`, splitSnippets(context, id)[0]])
    : [];
  return {
    ...Object.fromEntries(split),
    Z: { numpy: `Z = ${capped('np')}${why}`, pytorch: `Z = ${capped('torch')}${why}` },
    M: masked(context),
  };
}

function gradientSnippets(context: Context): Record<NodeId, Snippet> {
  const { graph, config } = context;
  const scale = scaleInCode(context);
  const slope = config.softcap ? ` * (1 - (Z / ${config.softcap}) ** 2)` : '';
  const projections = ['K', 'Q', 'V'].filter((id) =>
    graph.nodes.some(
      (node) => node.kind === 'operation' && node.id === id && node.inputs[0] === 'x',
    ),
  );
  const paths = (turn: string): string =>
    `dx = ${projections.map((id) => `d${id} @ W_${id}${turn}`).join(' + ')}`;
  const split = isTurned(context)
    ? (['K', 'Q', 'V'] as const).map((id) => [id, splitSnippets(context, id)[1]])
    : [];
  return {
    ...Object.fromEntries(split),
    ...(hasNode(graph, 'M') && {
      Z: {
        numpy: 'dZ = np.where(hidden, 0, dM)',
        pytorch: 'dZ = dM.masked_fill(hidden, 0)',
      },
    }),
    S: same(`dS = dZ * ${scale.code}${slope}  # ${scale.words}`),
    ...(graph.head === 'multihead' && {
      x: { numpy: paths('.swapaxes(-1, -2)'), pytorch: paths('.transpose(-2, -1)') },
    }),
    y: lossGradient(context),
  };
}
