// What a node is: in words, its formula, and what its operands receive of its gradient.
import type { HeadConfig } from '../engine/config.ts';
import { toText } from '../engine/formula.ts';
import { LAMBDA_WEIGHTS } from '../engine/ops/difference.ts';
import { printedIfShort } from '../engine/printers/print.ts';
import { type Graph, hasNode, nodeOf, operationNodes } from '../engine/graph.ts';
import { buildGraph } from '../engine/heads/build.ts';
import { formatShape, type Tensor } from '../engine/tensor.ts';
import type { AgentAnswer } from './agentTools.ts';
import { InputError } from './support.ts';

const zeros = (...shape: number[]): Tensor => ({
  shape,
  data: new Float64Array(shape.reduce((size, length) => size * length, 1)),
});

/** Latents of two features, a rotated part of two. */
function latents(
  id: string,
  { features, all, width }: Record<string, number>,
): HeadConfig['weights'] {
  if (!/^(W_D|gamma_D|W_[KQ]R|c[KQ]|[KQ]Rs?$)/.test(id)) return {};
  const heads = all / width;
  return {
    ...{ W_DKV: zeros(features, 2), W_DQ: zeros(features, 2), W_KR: zeros(features, 2) },
    ...{ W_K: zeros(2, all), W_Q: zeros(2, all), W_V: zeros(2, all), W_QR: zeros(2, 2 * heads) },
    ...{ gamma_DKV: zeros(2), gamma_DQ: zeros(2) },
  };
}

/** Two heads of two softmaxes each. */
const PAIRS = /^(lambda_|Pdiff$|O[ns]$|gamma_O$)/;
const pairs = (id: string, features: number, all: number): HeadConfig['weights'] =>
  PAIRS.test(id)
    ? {
        ...{ W_K: zeros(features, 2 * all), W_Q: zeros(features, 2 * all) },
        ...Object.fromEntries(LAMBDA_WEIGHTS.map((each) => [each, zeros(3)])),
        gamma_O: zeros(3),
      }
    : {};

/** What a node needs that is not in the usual module. */
function optionsWith(id: string): Partial<HeadConfig> {
  if (id === 'B' || id === 'Zb') return { positionBias: { kind: 'learned' } };
  if (id === 'temperature') return { temperature: zeros(4) };
  if (/^[KQ]Rs$/.test(id)) return { rope: { base: 10000, pairing: 'half' } };
  if (/^(xn|y[anr]|(gamma|beta)_(pre|out|post))$/.test(id)) {
    const norm = { kind: 'layer', eps: 1e-5 } as const;
    return { block: { residual: true, preNorm: norm, outputNorm: norm, postNorm: norm } };
  }
  if (PAIRS.test(id))
    return { differential: { lambdaInit: 0.8, norm: { kind: 'rms', eps: 1e-5 } } };
  if (id === 'Vs') return { zeroKey: true };
  const place = /^[KQ]s$/.test(id) ? 'after-rope' : 'before-rope';
  return /^((gamma|beta)_[KQ]|[KQ][ns])$/.test(id)
    ? { qkNorm: { kind: id.startsWith('beta') ? 'layer' : 'rms', eps: 1e-6, over: 'head', place } }
    : {};
}

/** Two heads of 3, keys of 8 features and values of 4 in all: every node that `id` may be is there. */
function usualGraph(id: string): Graph {
  const [features, heads, width] = [5, 2, 3];
  const all = heads * width;
  const projection = { W_K: zeros(features, all), W_Q: zeros(features, all) };
  const biases = { b_K: zeros(all), b_Q: zeros(all), b_V: zeros(all), b_O: zeros(features) };
  const config: HeadConfig = {
    ...{ head: 'multihead', heads, kvHeads: heads, scale: '1/sqrt(d)', mask: 'causal' },
    x: zeros(4, features),
    ...(id === 'xValue' && { xValue: zeros(4, 2) }),
    ...(id === 'xPrime' && { xPrime: zeros(3, features) }),
    weights: {
      ...{
        ...projection,
        W_V: zeros(id === 'xValue' ? 2 : features, all),
        W_O: zeros(all, features),
      },
      ...(id.startsWith('b_') && biases),
      ...latents(id, { features, all, width }),
      ...pairs(id, features, all),
      ...(/gate|Og/.test(id) && { W_gate: zeros(features, heads), b_gate: zeros(heads) }),
      ...(id === 'headScale' && { headScale: zeros(heads) }),
      ...(/^(sinks|null)/.test(id) && {
        ...{ sinks: zeros(heads), null_K: zeros(all), null_V: zeros(all) },
      }),
      ...(/^Z?[Bb]$/.test(id) && { B: zeros(heads, 4, 4) }),
      ...(/^(gamma|beta)_(pre|out|post)$/.test(id) && { [id]: zeros(features) }),
      ...(/^(gamma|beta)_[KQ]$/.test(id) && { [id]: zeros(width) }),
    },
    ...optionsWith(id),
    ...(id === 'Pd' && { dropout: { p: 0.1, keep: zeros(4, 4) } }),
    loss: { kind: 'half-squared-norm' },
    axes: 'query-first',
  };
  return buildGraph(config);
}

/** Of the graph that is given, else of a usual multi-head attention. Throws InputError where it has no such node. */
export function explainNode(given: Graph | null, id: string): AgentAnswer {
  const graph = given ?? usualGraph(id);
  if (!hasNode(graph, id)) {
    const known = graph.nodes.map((each) => each.id).join(' ');
    throw new InputError(`node: found ${id}, expected one of ${known}`);
  }
  const node = nodeOf(graph, id);
  const writing = { extents: graph.extents };
  const own = node.kind === 'operation' ? node : null;
  const formula = own?.operation.formula({ output: id, inputs: own.inputs });
  const gradient = operationNodes(graph).flatMap(({ id: from, inputs, operation }) =>
    inputs.flatMap((input, slot) =>
      input === id
        ? [toText(operation.formula({ output: from, inputs }).backward[slot], writing)]
        : [],
    ),
  );
  const what = own?.operation.summary ?? 'An input of the attention.';
  const forward = formula ? toText(formula.forward, writing) : null;
  const vjp = (formula?.backward ?? []).map((each, slot) => ({
    operand: own!.inputs[slot],
    receives: toText(each, writing),
  }));
  const shape = given ? { shape: formatShape(node.shape) } : {};
  // With the sizes of a setup: what is merged or split has to say them.
  const lines = given && formula ? printedIfShort(formula.forward, graph.extents) : null;
  return {
    text: [
      `${id}: ${what}`,
      ...(forward === null ? [] : [`forward: ${forward}`]),
      ...(lines ? [`NumPy: ${lines.numpy}`, `PyTorch: ${lines.pytorch}`] : []),
      ...gradient.map((each) => `d${id} is the sum of: ${each}`),
      ...vjp.map(({ operand, receives }) => `passes on to d${operand}: ${receives}`),
    ].join('\n'),
    structured: { node: id, what, ...shape, forward, ...lines, gradient, vjp },
  };
}
