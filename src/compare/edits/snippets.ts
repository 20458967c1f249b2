// How each step is written rightly in NumPy and in PyTorch: what a fix looks like unless an edit knows better.
import type { NodeId } from '../../engine/graph.ts';
import { hasNode, nodeOf } from '../../engine/graph.ts';
import { toText } from '../../engine/formula.ts';
import type { Kind } from '../program.ts';
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
  return (kind === 'value' ? valueSnippets : gradientSnippets)(context)[id] ?? FALLBACK(id, kind);
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

function valueSnippets(context: Context): Record<NodeId, Snippet> {
  const { graph, config } = context;
  const { logits, weights, output, values, keys, queries } = roles(graph);
  const keyFirst = config.axes === 'key-first';
  const axis = keyFirst ? -2 : -1;
  const source = graph.selfAttention ? 'x' : 'xPrime';
  const project = (id: string, from: string): Snippet =>
    same(`${id} = ${from} @ W_${id}${hasNode(graph, `b_${id}`) ? ` + b_${id}` : ''}`);
  const split = (id: string, heads: string): Snippet => ({
    numpy: `${id}h = ${id}.reshape(*${id}.shape[:-1], ${heads}, -1).swapaxes(-2, -3)`,
    pytorch: `${id}h = ${id}.view(*${id}.shape[:-1], ${heads}, -1).transpose(-3, -2)`,
  });
  const scaled = config.head === 'kq' && config.scale === undefined ? 'S' : 'S * scale';
  return {
    K: project('K', 'x'),
    Q: project('Q', source),
    V: project('V', 'x'),
    Kh: split('K', 'kv_heads'),
    Qh: split('Q', 'heads'),
    Vh: split('V', 'kv_heads'),
    S: both((t) => (keyFirst ? `S = ${keys} @ ${t(queries)}` : `S = ${queries} @ ${t(keys)}`)),
    Z: config.softcap
      ? {
          numpy: `Z = softcap * np.tanh(${scaled} / softcap)`,
          pytorch: `Z = softcap * torch.tanh(${scaled} / softcap)`,
        }
      : same(`Z = ${scaled}`),
    M: {
      numpy: 'M = np.where(hidden, -np.inf, Z)',
      pytorch: 'M = Z.masked_fill(hidden, float("-inf"))',
    },
    P: {
      numpy: `E = np.exp(${logits} - ${logits}.max(axis=${axis}, keepdims=True)); P = E / E.sum(axis=${axis}, keepdims=True)`,
      pytorch: `P = torch.softmax(${logits}, dim=${axis})`,
    },
    Pd: same('Pd = P * keep / (1 - p)'),
    O: both((t) => `O = ${keyFirst ? t(weights) : weights} @ ${values}`),
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
  const grouped = graph.extents['g'] > 1 ? ', summed over the query heads of each KV head' : '';
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
  const merged = (id: string): Snippet => ({
    numpy: `d${id} = d${id}h${merge.numpy}`,
    pytorch: `d${id} = d${id}h${merge.pytorch}`,
  });
  const paths = both((t) =>
    ['K', ...(graph.selfAttention ? ['Q'] : []), ...(graph.head === 'kq' ? [] : ['V'])]
      .map((id) => `d${id} @ ${t(`W_${id}`)}`)
      .concat(graph.head === 'kq' ? [`${keyFirst ? 'P' : t('P')} @ dy`] : [])
      .join(' + ')
      .replace(/^/, 'dx = '),
  );
  const result: Record<NodeId, Snippet> = {
    Pd: both((t) =>
      keyFirst ? `dPd = ${values} @ ${t(`d${output}`)}` : `dPd = d${output} @ ${t(values)}`,
    ),
    P:
      weights === 'Pd'
        ? same('dP = dPd * keep / (1 - p)')
        : both((t) =>
            keyFirst ? `dP = ${values} @ ${t(`d${output}`)}` : `dP = d${output} @ ${t(values)}`,
          ),
    M: same('dM = dZ'),
    Z: {
      numpy: 'dZ = np.where(hidden, 0, dM)',
      pytorch: 'dZ = dM.masked_fill(hidden, 0)',
    },
    S: config.softcap
      ? same('dS = dZ * scale * (1 - (Z / softcap) ** 2)')
      : same('dS = dZ * scale'),
    [queries]: both((t) => `d${queries} = ${keyFirst ? t('dS') : 'dS'} @ ${keys}`),
    [keys]: both(
      (t) =>
        `d${keys} = ${keyFirst ? 'dS' : t('dS')} @ ${queries}${grouped && `  # ${grouped.slice(2)}`}`,
    ),
    [values]: both(
      (t) =>
        `d${values} = ${keyFirst ? weights : t(weights)} @ d${output}${grouped && `  # ${grouped.slice(2)}`}`,
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
    y: same('dy = y  # the derivative of the loss'),
  };
  result[logits] = logitGradient;
  return result;
}
