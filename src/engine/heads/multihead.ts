// The attention module of the Transformer: heads, grouped KV heads, biases, W_O, RoPE, past keys and values.
import { axisLabel, type AxisLetters, type Extents, parseSpec } from '../axes.ts';
import { ConfigError, type HeadConfig, type Rope } from '../config.ts';
import { GraphBuilder, type Graph, type NodeId } from '../graph.ts';
import type { Operation } from '../operation.ts';
import { compose } from '../ops/compose.ts';
import { contraction } from '../ops/contraction.ts';
import { PAIR } from '../ops/difference.ts';
import { extend } from '../ops/extend.ts';
import { gated } from '../ops/gate.ts';
import { prepend, rearrange } from '../ops/layout.ts';
import type { Rotation } from '../ops/ropeAngles.ts';
import { rotary } from '../ops/rotary.ts';
import { formatShape, type Tensor } from '../tensor.ts';
import { addAround, addPreNorm, isBare } from './block.ts';
import { addDifference, addHeadNorm, paired } from './differential.ts';
import { type HeadLetters, inputNodes, projector } from './inputs.ts';
import { addLatents, addRotatedPart, fitRotatedPart } from './latent.ts';
import { Letters } from './letters.ts';
import { addQkNorm } from './norms.ts';
import { addBiasTable } from './positionBias.ts';
import { addLoss } from './output.ts';
import { addWeights } from './weights.ts';

const axesOf = (spec: string): AxisLetters[] => parseSpec(spec)[0];

/**
 * Query head h uses KV head floor(h * kvHeads / H): the heads are (kv head r, member g of its group); or h mod kvHeads:
 * they are (g, r).
 */
function headLetters(config: HeadConfig, letters: Letters): HeadLetters {
  const { output, value } = plainHeads(config, letters);
  const { differential } = config;
  if (!differential) return { query: output, kv: value, output, value };
  letters.set(PAIR, 2, 'differential: two softmaxes for each head');
  return { query: paired(output, differential), kv: paired(value, differential), output, value };
}

function plainHeads(
  { heads, kvHeads, grouping }: HeadConfig,
  letters: Letters,
): Pick<HeadLetters, 'output' | 'value'> {
  if (heads % kvHeads !== 0) {
    throw new ConfigError('kvHeads', `found ${kvHeads}, expected a divisor of heads = ${heads}`);
  }
  if (heads === kvHeads) {
    letters.set('h', heads, `heads = ${heads}`);
    return { output: 'h', value: 'h' };
  }
  letters.set('r', kvHeads, `kvHeads = ${kvHeads}`);
  letters.set('g', heads / kvHeads, `heads / kvHeads = ${heads / kvHeads}`);
  return { output: grouping === 'interleaved' ? 'g r' : 'r g', value: 'r' };
}

function pastLength(past: HeadConfig['past']): number {
  if (!past) return 0;
  const { shape } = past.K;
  if (shape.length < 3)
    throw new ConfigError(
      'past.K',
      `found shape ${formatShape(shape)}, expected (kvHeads, tokens, width)`,
    );
  return shape[shape.length - 2];
}

/** Queries of the same tokens stand where their keys do. */
function rotationOf(rope: Rope, id: 'K' | 'Q', isSame: boolean, firstPosition: number): Rotation {
  const { positions: keys, queryPositions = isSame ? keys : undefined } = rope;
  if (keys && !queryPositions && id === 'Q')
    throw new ConfigError('rope.positions', 'found no queryPositions, expected those of x′');
  const positions = id === 'K' ? keys : queryPositions;
  return { ...rope, firstPosition, positions, name: `pos_${id}` };
}

/** Keys that are no tokens. Throws ConfigError where a key has no value. */
export function nullKeys({ weights: { null_K: key, null_V: value }, zeroKey }: HeadConfig): number {
  if ((key === undefined) !== (value === undefined)) {
    const lacking = key ? 'null_V' : 'null_K';
    throw new ConfigError(`weights.${lacking}`, 'not given, and a null key needs its value');
  }
  return (key ? 1 : 0) + (zeroKey ? 1 : 0);
}

/** Adds the gate and what it lets through, where there is one; returns the id of what goes on. */
function addGate(
  graph: GraphBuilder,
  project: ReturnType<typeof projector>,
  at: string,
  { of, perHead, extents }: { of: NodeId; perHead: string; extents: Extents },
): NodeId {
  if (!graph.has('W_gate')) return of;
  const width = axisLabel(graph.axesOf('W_gate')[1]);
  project('gate', `${at} ${width}`, 'The logits of the gates, which its sigmoid opens or shuts.');
  const axes = axesOf(perHead);
  graph.node('Og', axes, gated(axes, graph.axesOf('gate'), extents), [of, 'gate']);
  return 'Og';
}

export function buildMultihead(config: HeadConfig): Graph {
  const letters = new Letters();
  const heads = headLetters(config, letters);
  const { query, kv } = heads;
  const { past, rope, qkNorm } = config;
  const earlier = pastLength(past);
  // With past keys, the new tokens are only some of the keys and have a letter of their own.
  const nulls = nullKeys(config);
  const token = past || nulls > 0 ? 't' : 'i';
  const inputs = inputNodes(config, letters, heads, token);
  const { b } = inputs;
  if (token === 't') {
    const origin = past ? `past.K ${formatShape(past.K.shape)} and the new tokens` : 'the tokens';
    letters.set('i', earlier + letters.extents[token] + nulls, origin);
  }
  fitRotatedPart(config, letters);
  if (past) {
    letters.set('p', earlier, `past.K shape ${formatShape(past.K.shape)}`);
    letters.fit('past.K', past.K, `${b}(${kv}) p a`);
    letters.fit('past.V', past.V, `${b}(${heads.value}) p v`);
  }
  const extents = letters.extents;
  const graph = new GraphBuilder(extents);
  inputs.addTo(graph);
  const order = config.axes === 'key-first' ? 'i j' : 'j i';
  addBiasTable(graph, config, letters, { heads: query, scores: `(${query}) ${order}` });
  const isSame = !config.xPrime && extents['j'] === extents[token];
  const project = projector(graph, config, inputs, extents);
  addPreNorm(graph, config, extents);
  addLatents(graph, config, project, { b, token, letters });
  const feature = config.weights.W_KR ? 'd' : 'a';
  project(
    'K',
    `${b}${token} (${kv} ${feature})`,
    'The keys of all heads: what each token offers to be found by.',
  );
  project(
    'Q',
    `${b}j (${query} ${feature})`,
    'The queries of all heads: what each output looks for.',
  );
  project(
    'V',
    `${b}${token} (${heads.value} v)`,
    'The values of all heads: what a token gives when it is attended to.',
  );

  /** From the split `${id}s` on: a norm after the rotation, then earlier tokens and null keys around it. */
  const finishSplit = (
    id: 'K' | 'Q' | 'V',
    { apart, all }: { apart: string; all: string },
    before?: Tensor,
  ): void => {
    const isLast = id === 'Q' || (!before && nulls === 0);
    const isNormed = id !== 'V' && qkNorm !== undefined && !graph.has(`${id}n`);
    const from = `${id}s`;
    const last = isNormed
      ? addQkNorm(
          graph,
          config,
          { id, from, axes: axesOf(apart), ...(isLast && { as: `${id}h` }) },
          extents,
        )
      : from;
    if (isLast) return;
    const learned = `null_${id}`;
    const own = graph.has(learned) ? { learned: graph.axesOf(learned) } : {};
    const around = { ...own, before, name: `past_${id}`, zero: config.zeroKey === true };
    const operation = extend(axesOf(all), axesOf(apart), extents, around);
    graph.node(`${id}h`, axesOf(all), operation, [last, ...('learned' in own ? [learned] : [])]);
  };

  /** Splits a projection into heads; keys and queries then turn with their position. */
  const split = (
    id: 'K' | 'Q' | 'V',
    at: string,
    of: string,
    width: string,
    before?: Tensor,
  ): void => {
    const merged = `${b}${at} (${of} ${width})`;
    const apart = `${b}(${of}) ${at} ${width}`;
    const isExtended = before !== undefined || nulls > 0;
    const all = isExtended ? `${b}(${of}) i ${width}` : apart;
    const place = id === 'V' ? undefined : qkNorm?.place;
    const source =
      id !== 'V' && place === 'before-rope'
        ? addQkNorm(graph, config, { id, from: id, axes: axesOf(merged) }, extents)
        : id;
    const steps: Operation[] = [
      rearrange(`${merged} -> ${apart}`, extents, 'Splits the features into heads.'),
    ];
    if (rope && id !== 'V') {
      steps.push(rotary(axesOf(apart), extents, rotationOf(rope, id, isSame, earlier)));
    }
    const isNull = id !== 'Q' && nulls > 0;
    if (place !== 'after-rope' && !isNull) {
      if (before) steps.push(prepend(axesOf(all), axesOf(apart), before, `past_${id}`));
      graph.node(`${id}h`, axesOf(id === 'Q' ? apart : all), compose(steps), [source]);
      return;
    }
    graph.node(`${id}s`, axesOf(apart), compose(steps), [source]);
    finishSplit(id, { apart, all }, before);
  };
  if (config.weights.W_KR) {
    const turn = (id: 'K' | 'Q', at: string, of: string): void => {
      const rotation = rope && rotationOf(rope, id, isSame, earlier);
      const isExtended = id === 'K' && (past !== undefined || nulls > 0);
      const as = qkNorm || isExtended ? `${id}s` : `${id}h`;
      addRotatedPart(graph, rotation, project, id, { as, b, at, heads: of, letters });
      const apart = `${b}(${of}) ${at} a`;
      const all = isExtended ? `${b}(${of}) i a` : apart;
      if (as === `${id}s`) finishSplit(id, { apart, all }, id === 'K' ? past?.K : undefined);
    };
    turn('K', token, kv);
    turn('Q', 'j', query);
  } else {
    split('K', token, kv, 'a', past?.K);
    split('Q', 'j', query, 'a');
  }
  split('V', token, heads.value, 'v', past?.V);

  const scores = `${b}(${query}) ${order}`;
  const similarity = 'How well each key fits each query, head by head: their dot product.';
  const fit = `${b}(${kv}) i a, ${b}(${query}) j a -> ${scores}`;
  graph.node('S', axesOf(scores), contraction(fit, extents, similarity), ['Kh', 'Qh']);
  const layout = { axes: axesOf(scores), extents, heads: query.split(' '), past: earlier, nulls };
  const all = addWeights(graph, config, layout);
  const mixed = `${b}(${heads.output}) ${order}`;
  const weights = addDifference(graph, config, all, { scores: mixed, extents });
  const perHead = `${b}(${heads.output}) j v`;
  const mix = `${b}(${heads.value}) i v, ${mixed} -> ${perHead}`;
  const summary = 'For each head and query, the mean of the values under its weights.';
  graph.node('O', axesOf(perHead), contraction(mix, extents, summary), ['Vh', weights]);

  const of = addHeadNorm(graph, config, axesOf(perHead), extents);
  const output = addGate(graph, project, `${b}j`, { of, perHead, extents });

  const merge = `${perHead} -> ${b}j (${heads.output} v)`;
  const merger = rearrange(merge, extents, 'Puts the heads side by side.');
  const merged = axesOf(`${b}j (${heads.output} v)`);
  const own = isBare(config) ? 'y' : 'ya';
  const finish = (axes: readonly AxisLetters[]): Graph => {
    if (own === 'ya') addAround(graph, config, axes, extents);
    addLoss(graph, config, axes, extents);
    return graph.build('multihead', inputs.selfAttention);
  };
  if (!config.weights.W_O) {
    graph.node(own, merged, merger, [output]);
    return finish(merged);
  }
  graph.node('C', merged, merger, [output]);
  const out = axesOf(`${b}j o`);
  const bias = config.weights.b_O ? ['b_O'] : [];
  const spec = `${b}j (${heads.output} v), (${heads.output} v) o${bias.length ? ', o' : ''} -> ${b}j o`;
  const mixing = contraction(spec, extents, 'The output: the heads mixed by W_O.');
  graph.node(own, out, mixing, ['C', 'W_O', ...bias]);
  return finish(out);
}
