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
import { type Context, roles } from './edit.ts';

export interface Snippet {
  readonly numpy: string;
  readonly pytorch: string;
}

const T = (name: string): Snippet => ({
  numpy: `${name}.swapaxes(-1, -2)`,
  pytorch: `${name}.transpose(-2, -1)`,
});

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
  const known = (kind === 'value' ? valueSnippets : gradientSnippets)(context)[id];
  const { graph } = context;
  const weights = graph.nodes.find((node) => node.id === 'P');
  const isPlain = weights?.kind !== 'operation' || weights.operation.name === 'softmax';
  const hasOptions = !isPlain || BEYOND.some((each) => hasNode(graph, each));
  if (known && !hasOptions) return known;
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
const both = (write: (transposed: (name: string) => string) => string): Snippet => ({
  numpy: write((name) => T(name).numpy),
  pytorch: write((name) => T(name).pytorch),
});

/** Code with a key/value tensor repeated for the query heads of its group. */
function repeated(
  { graph }: Context,
  name: string,
  write: (name: string, transposed: (name: string) => string) => string,
): Snippet {
  const members = graph.extents['g'] ?? 1;
  if (members === 1) return both((t) => write(name, t));
  return {
    numpy: write(`np.repeat(${name}, ${members}, axis=-3)`, (each) => T(each).numpy),
    pytorch: write(`${name}.repeat_interleave(${members}, dim=-3)`, (each) => T(each).pytorch),
  };
}

/** A gradient of keys or values: its terms summed over the query heads of a group. */
function summedOverGroup(
  { graph }: Context,
  name: string,
  write: (transposed: (name: string) => string) => string,
): Snippet {
  const members = graph.extents['g'] ?? 1;
  const { numpy, pytorch } = both(write);
  const why = '  # over the query heads of each KV head';
  if (members === 1) return { numpy: `${name} = ${numpy}`, pytorch: `${name} = ${pytorch}` };
  return {
    numpy: `G = ${numpy}; ${name} = G.reshape(*G.shape[:-3], -1, ${members}, *G.shape[-2:]).sum(axis=-3)${why}`,
    pytorch: `${name} = (${pytorch}).unflatten(-3, (-1, ${members})).sum(-3)${why}`,
  };
}

/** The mask: what is hidden, and what is added where nothing is. */
function masked({ config }: Context): Snippet {
  const { mask, alibi, window } = config;
  const isAdded = typeof mask === 'object' && mask.meaning === 'add';
  const bias = `${isAdded ? ' + mask' : ''}${alibi ? ' - slopes[:, None, None] * abs(query_position - key_position)' : ''}`;
  const hides = mask === 'none' ? window !== undefined : !isAdded || window !== undefined;
  if (!hides) return same(`M = Z${bias}`);
  return {
    numpy: `M = np.where(hidden, -np.inf, Z${bias})`,
    pytorch: bias
      ? `M = (Z${bias}).masked_fill(hidden, float("-inf"))`
      : 'M = Z.masked_fill(hidden, float("-inf"))',
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

function valueSnippets(context: Context): Record<NodeId, Snippet> {
  const { graph, config } = context;
  const { logits, weights, output, values, keys, queries } = roles(graph);
  const keyFirst = config.axes === 'key-first';
  const axis = keyFirst ? -2 : -1;
  const source = graph.selfAttention ? 'x' : 'xPrime';
  const project = (id: string, from: string): Snippet =>
    same(`${id} = ${from} @ W_${id}${hasNode(graph, `b_${id}`) ? ` + b_${id}` : ''}`);
  const split = (id: string, heads: string): Snippet => {
    const turned = (code: string): string =>
      config.rope && id !== 'V' ? `rotate(${code}, cos, sin)` : code;
    const numpy = turned(`${id}.reshape(*${id}.shape[:-1], ${heads}, -1).swapaxes(-2, -3)`);
    const pytorch = turned(`${id}.view(*${id}.shape[:-1], ${heads}, -1).transpose(-3, -2)`);
    const hasPast = config.past && id !== 'Q';
    return {
      numpy: `${id}h = ${hasPast ? `np.concatenate([past_${id}, ${numpy}], axis=-2)` : numpy}`,
      pytorch: `${id}h = ${hasPast ? `torch.cat([past_${id}, ${pytorch}], dim=-2)` : pytorch}`,
    };
  };
  const scale = scaleInCode(context);
  const isPlain = config.head === 'kq' && config.scale === undefined;
  const scaled = isPlain ? 'S' : `S * ${scale.code}`;
  const why = isPlain ? '' : `  # ${scale.words}`;
  return {
    K: project('K', 'x'),
    Q: project('Q', source),
    V: project('V', 'x'),
    Kh: split('K', 'kv_heads'),
    Qh: split('Q', 'heads'),
    Vh: split('V', 'kv_heads'),
    S: repeated(context, keys, (K, t) =>
      keyFirst ? `S = ${K} @ ${t(queries)}` : `S = ${queries} @ ${t(K)}`,
    ),
    Z: config.softcap
      ? {
          numpy: `Z = ${config.softcap} * np.tanh(${scaled} / ${config.softcap})${why}`,
          pytorch: `Z = ${config.softcap} * torch.tanh(${scaled} / ${config.softcap})${why}`,
        }
      : same(`Z = ${scaled}${why}`),
    M: masked(context),
    P: {
      numpy: `E = np.exp(${logits} - ${logits}.max(axis=${axis}, keepdims=True)); P = E / E.sum(axis=${axis}, keepdims=True)`,
      pytorch: `P = torch.softmax(${logits}, dim=${axis})`,
    },
    Pd: same('Pd = P * keep / (1 - p)'),
    O: repeated(context, values, (V, t) => `O = ${keyFirst ? t(weights) : weights} @ ${V}`),
    C: {
      numpy: 'C = O.swapaxes(-2, -3).reshape(*y.shape[:-1], -1)',
      pytorch: 'C = O.transpose(-3, -2).flatten(-2)',
    },
    y:
      output === 'y'
        ? both((t) => `y = ${keyFirst ? t(weights) : weights} @ ${values}`)
        : hasNode(graph, 'W_O')
          ? same(`y = C @ W_O${hasNode(graph, 'b_O') ? ' + b_O' : ''}`)
          : {
              numpy: 'y = O.swapaxes(-2, -3).reshape(*shape)',
              pytorch: 'y = O.transpose(-3, -2).flatten(-2)',
            },
  };
}

function gradientSnippets(context: Context): Record<NodeId, Snippet> {
  const { graph, config } = context;
  const { logits, weights, output, values, keys, queries } = roles(graph);
  const keyFirst = config.axes === 'key-first';
  const axis = keyFirst ? -2 : -1;
  const scale = scaleInCode(context);
  const weight = (id: string, from: string): Snippet =>
    both(
      (t) =>
        `dW_${id} = ${t(from)} @ d${id}${graph.extents['b'] > 1 ? '  # summed over the batch' : ''}`,
    );
  const bias = (id: string, up: string): Snippet => ({
    numpy: `db_${id} = ${up}.reshape(-1, ${up}.shape[-1]).sum(axis=0)`,
    pytorch: `db_${id} = ${up}.flatten(0, -2).sum(0)`,
  });
  const logitGradient: Snippet = {
    numpy: `d${logits} = P * (dP - (P * dP).sum(axis=${axis}, keepdims=True))`,
    pytorch: `d${logits} = P * (dP - (P * dP).sum(dim=${axis}, keepdim=True))`,
  };
  const merge: Snippet = {
    numpy: '.swapaxes(-2, -3).reshape(*tokens, -1)',
    pytorch: '.transpose(-3, -2).flatten(-2)',
  };
  const merged = (id: string): Snippet => {
    const own = `d${id}h${config.past && id !== 'Q' ? '[..., past:, :]' : ''}`;
    const back = config.rope && id !== 'V' ? `rotate(${own}, cos, -sin)` : own;
    return { numpy: `d${id} = ${back}${merge.numpy}`, pytorch: `d${id} = ${back}${merge.pytorch}` };
  };
  const paths = both((t) =>
    ['K', ...(graph.selfAttention ? ['Q'] : []), ...(graph.head === 'kq' ? [] : ['V'])]
      .map((id) => `d${id} @ ${t(`W_${id}`)}`)
      .concat(graph.head === 'kq' ? [`${keyFirst ? 'P' : t('P')} @ dy`] : [])
      .join(' + ')
      .replace(/^/, 'dx = '),
  );
  const result: Record<NodeId, Snippet> = {
    [weights]: repeated(context, values, (V, t) =>
      keyFirst ? `d${weights} = ${V} @ ${t(`d${output}`)}` : `d${weights} = d${output} @ ${t(V)}`,
    ),
    ...(weights === 'Pd' && { P: same('dP = dPd * keep / (1 - p)') }),
    M: same('dM = dZ'),
    Z: {
      numpy: 'dZ = np.where(hidden, 0, dM)',
      pytorch: 'dZ = dM.masked_fill(hidden, 0)',
    },
    S: config.softcap
      ? same(`dS = dZ * ${scale.code} * (1 - (Z / ${config.softcap}) ** 2)  # ${scale.words}`)
      : same(`dS = dZ * ${scale.code}  # ${scale.words}`),
    [queries]: repeated(
      context,
      keys,
      (K, t) => `d${queries} = ${keyFirst ? t('dS') : 'dS'} @ ${K}`,
    ),
    [keys]: summedOverGroup(
      context,
      `d${keys}`,
      (t) => `${keyFirst ? 'dS' : t('dS')} @ ${queries}`,
    ),
    [values]: summedOverGroup(
      context,
      `d${values}`,
      (t) => `${keyFirst ? weights : t(weights)} @ d${output}`,
    ),
    ...(graph.head === 'multihead' && { K: merged('K'), Q: merged('Q'), V: merged('V') }),
    O: {
      numpy: 'dO = dC.reshape(*tokens, heads, -1).swapaxes(-2, -3)',
      pytorch: 'dO = dC.unflatten(-1, (heads, -1)).transpose(-3, -2)',
    },
    C: both((t) => `dC = dy @ ${t('W_O')}`),
    x: paths,
    xPrime: both((t) => `dxPrime = dQ @ ${t('W_Q')}`),
    ...{
      W_K: weight('K', 'x'),
      W_Q: weight('Q', graph.selfAttention ? 'x' : 'xPrime'),
      W_V: weight('V', 'x'),
    },
    W_O: both((t) => `dW_O = ${t('C')} @ dy`),
    ...{ b_K: bias('K', 'dK'), b_Q: bias('Q', 'dQ'), b_V: bias('V', 'dV'), b_O: bias('O', 'dy') },
    y: lossGradient(context),
  };
  result[logits] = logitGradient;
  return result;
}
