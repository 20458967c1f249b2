// The input nodes of a head, their letters, and the projections K, Q, V made from them.
import { axisLabel, type Extents, parseSpec } from '../axes.ts';
import { ConfigError, type HeadConfig, WEIGHT_IDS, type WeightId } from '../config.ts';
import type { GraphBuilder, NodeId } from '../graph.ts';
import { contraction } from '../ops/contraction.ts';
import { formatShape, type Tensor } from '../tensor.ts';
import type { Letters } from './letters.ts';
import { type ParameterLetters, PARAMETERS } from './parameters.ts';
import { temperatureOf } from './temperature.ts';

type Projection = 'K' | 'Q' | 'V';

interface Input {
  readonly id: NodeId;
  readonly spec: string;
  readonly value: Tensor;
}

export interface Inputs {
  /** "b " where there is a batch axis, else "". */
  readonly b: string;
  /** x feeds keys and queries. */
  readonly selfAttention: boolean;
  /** Letters of the features of x, of x' and of what values are made from. */
  readonly features: { readonly x: string; readonly xPrime: string; readonly xValue: string };
  /** Letter of the tokens of x. */
  readonly token: string;
  addTo(graph: GraphBuilder): void;
}

/** A tensor that this head cannot do without. Throws ConfigError. */
export function given(config: HeadConfig, entry: 'x' | WeightId): Tensor {
  const value = entry === 'x' ? config.x : config.weights[entry];
  const where = entry === 'x' ? 'x' : `weights.${entry}`;
  if (!value) throw new ConfigError(where, `not given, and the head ${config.head} needs it`);
  return value;
}

/** The tensors that have tokens, and a batch axis in front if the first of them has one. */
function tokenTensors({ x, xPrime, xValue, start }: HeadConfig): [entry: string, value: Tensor][] {
  const all = { x, xPrime, xValue, 'start.Q': start?.Q, 'start.K': start?.K, 'start.V': start?.V };
  return Object.entries(all).flatMap(([entry, value]) => (value ? [[entry, value]] : []));
}

function hasBatch(config: HeadConfig): boolean {
  const [first, ...others] = tokenTensors(config);
  if (!first)
    throw new ConfigError('x', 'not given, and no start either: there is nothing to attend to');
  const axes = first[1].shape.length;
  for (const [entry, { shape }] of others) {
    if (axes + shape.length !== 5 || axes < 2 || axes > 3) continue;
    const expected = `${axes === 3 ? 'a' : 'no'} batch axis in front`;
    const as = `as in ${first[0]} of shape ${formatShape(first[1].shape)}`;
    throw new ConfigError(entry, `found shape ${formatShape(shape)}, expected ${expected}, ${as}`);
  }
  return axes === 3;
}

/** Letters of the heads of queries, keys, values and of what the heads give. */
export interface HeadLetters {
  readonly query: string;
  readonly kv: string;
  readonly value: string;
  readonly output: string;
}

/** Fits all given inputs to letters and collects them in the order x, xPrime, weights, start. */
export function inputNodes(
  config: HeadConfig,
  letters: Letters,
  heads: HeadLetters,
  token: string,
): Inputs {
  const b = hasBatch(config) ? 'b ' : '';
  const { x, xPrime, xValue, weights, start } = config;
  const selfAttention = x !== undefined && !xPrime && !start?.Q;
  const features = { x: 'c', xPrime: xPrime ? 'e' : 'c', xValue: xValue ? 'u' : 'c' };
  const inputs: Input[] = [];
  const add = (id: NodeId, entry: string, value: Tensor | undefined, spec: string): void => {
    if (!value) return;
    letters.fit(entry, value, spec);
    inputs.push({ id, spec, value });
  };
  const wide = (letter: string, head: string): string => (head ? `(${head} ${letter})` : letter);
  add('x', 'x', x, `${b}${token} c`);
  add('xPrime', 'xPrime', xPrime, `${b}j e`);
  add('xValue', 'xValue', xValue, `${b}${token} u`);
  // In self-attention there is a query for each token.
  if (selfAttention) letters.set('j', letters.extents[token], `x shape ${formatShape(x.shape)}`);
  const width = weights.W_KR ? 'd' : 'a';
  const places: [Projection, string, string][] = [
    ['K', token, wide(width, heads.kv)],
    ['Q', 'j', wide(width, heads.query)],
    ['V', token, wide('v', heads.value)],
  ];
  for (const [id, at, axis] of places) add(id, `start.${id}`, start?.[id], `${b}${at} ${axis}`);
  const parameterLetters: ParameterLetters = {
    ...{ key: weights.W_DKV ? 'm' : features.x, query: weights.W_DQ ? 'n' : features.xPrime },
    ...{ value: weights.W_DKV ? 'm' : features.xValue, width, wide },
    token: { key: features.x, query: features.xPrime },
    ...{ kvHeads: heads.kv, queryHeads: heads.query, weighted: config.head === 'kq' ? 'c' : 'v' },
    ...{ valueHeads: heads.value, outputHeads: heads.output },
  };
  learnWholeWidth(config, letters, heads.kv);
  for (const id of WEIGHT_IDS) {
    const { spec, replacedBy } = PARAMETERS[id];
    const value = weights[id];
    if (!value || (replacedBy && start?.[replacedBy])) continue;
    const specs = spec(parameterLetters);
    // One number in brackets is a number.
    const isNumber = id === 'lambda_share' && value.data.length === 1;
    const own = isNumber ? { shape: [], data: value.data } : value;
    if (specs.length > 0) add(id, `weights.${id}`, own, letters.choose(own, specs));
  }
  const temperature = temperatureOf(config, letters.extents['j']);
  const eachBatch = temperature?.shape.length === 2 ? b : '';
  add('temperature', 'temperature', temperature, `${eachBatch}j`);
  return {
    b,
    selfAttention,
    features,
    token,
    addTo: (graph) => {
      for (const { id, spec, value } of inputs) graph.input(id, parseSpec(spec)[0], value);
    },
  };
}

/** Whole keys of latent attention are as wide as their two parts together. */
function learnWholeWidth({ weights, start }: HeadConfig, letters: Letters, heads: string): void {
  const still = (start?.K ?? weights.W_K)?.shape.at(-1);
  const turned = weights.W_KR?.shape.at(-1);
  if (still === undefined || turned === undefined) return;
  const count = heads.split(' ').reduce((n, letter) => n * letters.extents[letter], 1);
  const width = still / count + turned;
  if (Number.isInteger(width))
    letters.set('a', width, `W_K and W_KR: ${still / count} + ${turned}`);
}

type Projected = Projection | 'gate' | 'cKV' | 'cQ' | 'KR' | 'QR';

/** What each is made from: the first of these that the graph has. */
const SOURCES: Readonly<Record<Projected, readonly NodeId[]>> = {
  K: ['cKVn', 'cKV', 'x'],
  V: ['cKVn', 'cKV', 'xValue', 'x'],
  Q: ['cQn', 'cQ', 'xPrime', 'x'],
  QR: ['cQn', 'cQ', 'xPrime', 'x'],
  ...{ KR: ['x'], cKV: ['x'], cQ: ['xPrime', 'x'], gate: ['xPrime', 'x'] },
};
const OF_QUERIES = new Set<Projected>(['Q', 'QR', 'cQ', 'gate']);
const LATENTS: Readonly<Partial<Record<Projected, string>>> = { cKV: 'DKV', cQ: 'DQ' };

/** Adds the projections of a head, K = x W_K + b_K and its sisters, unless `start` gives them. */
export function projector(
  graph: GraphBuilder,
  config: HeadConfig,
  { b, token }: Inputs,
  extents: Extents,
): (id: Projected, spec: string, summary: string) => void {
  /** With a norm before it, the input is taken from there. */
  const normed = (id: NodeId): NodeId =>
    graph.has('xn') && id === (config.xPrime ? 'xPrime' : 'x') ? 'xn' : id;
  return (id, spec, summary) => {
    if (graph.has(id)) return;
    const name = LATENTS[id] ?? id;
    const [weight, bias] = [`W_${name}`, `b_${name}`] as [WeightId, WeightId];
    const plain = SOURCES[id].find((each) => graph.has(each));
    if (plain === undefined) given(config, 'x');
    given(config, weight);
    const source = normed(plain!);
    const [feature] = graph.axesOf(source).at(-1)!;
    const [axes] = parseSpec(spec);
    const width = axisLabel(axes[axes.length - 1]);
    const hasBias = config.weights[bias] !== undefined;
    const from = `${b}${OF_QUERIES.has(id) ? 'j' : token} ${feature}`;
    const whole = `${from}, ${feature} ${width}${hasBias ? `, ${width}` : ''} -> ${spec}`;
    const operation = contraction(whole, extents, summary);
    graph.node(id, axes, operation, [source, weight, ...(hasBias ? [bias] : [])]);
  };
}
