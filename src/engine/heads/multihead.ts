// The attention module of the Transformer: heads, grouped KV heads, biases, W_O, RoPE, past keys and values.
import { type AxisLetters, parseSpec } from '../axes.ts';
import { ConfigError, type HeadConfig } from '../config.ts';
import { GraphBuilder, type Graph } from '../graph.ts';
import type { Operation } from '../operation.ts';
import { compose } from '../ops/compose.ts';
import { contraction } from '../ops/contraction.ts';
import { prepend, rearrange, rotary } from '../ops/layout.ts';
import { formatShape, type Tensor } from '../tensor.ts';
import { inputNodes, projector } from './inputs.ts';
import { Letters } from './letters.ts';
import { addQkNorm } from './norms.ts';
import { addLoss } from './output.ts';
import { addWeights } from './weights.ts';

const axesOf = (spec: string): AxisLetters[] => parseSpec(spec)[0];

/** Query head h uses KV head floor(h * kvHeads / H): the heads are (kv head r, member g of its group). */
function headLetters(
  { heads, kvHeads }: HeadConfig,
  letters: Letters,
): { query: string; kv: string } {
  if (heads % kvHeads !== 0) {
    throw new ConfigError('kvHeads', `found ${kvHeads}, expected a divisor of heads = ${heads}`);
  }
  if (heads === kvHeads) {
    letters.set('h', heads, `heads = ${heads}`);
    return { query: 'h', kv: 'h' };
  }
  letters.set('r', kvHeads, `kvHeads = ${kvHeads}`);
  letters.set('g', heads / kvHeads, `heads / kvHeads = ${heads / kvHeads}`);
  return { query: 'r g', kv: 'r' };
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

export function buildMultihead(config: HeadConfig): Graph {
  const letters = new Letters();
  const { query, kv } = headLetters(config, letters);
  const { past, rope, qkNorm } = config;
  const earlier = pastLength(past);
  // With past keys, the new tokens are only some of the keys and have a letter of their own.
  const token = past ? 't' : 'i';
  const inputs = inputNodes(config, letters, { query, kv }, token);
  const { b } = inputs;
  if (past) {
    letters.set(
      'i',
      earlier + letters.extents[token],
      `past.K ${formatShape(past.K.shape)} and the new tokens`,
    );
    letters.set('p', earlier, `past.K shape ${formatShape(past.K.shape)}`);
    letters.fit('past.K', past.K, `${b}${kv} p a`);
    letters.fit('past.V', past.V, `${b}${kv} p v`);
  }
  const extents = letters.extents;
  if (rope && extents['a'] % 2 !== 0) {
    throw new ConfigError(
      'rope',
      `found keys of width ${extents['a']}, expected an even width: features turn in pairs`,
    );
  }
  const graph = new GraphBuilder(extents);
  inputs.addTo(graph);
  const project = projector(graph, config, inputs, extents);
  project(
    'K',
    `${b}${token} (${kv} a)`,
    'The keys of all heads: what each token offers to be found by.',
  );
  project('Q', `${b}j (${query} a)`, 'The queries of all heads: what each output looks for.');
  project(
    'V',
    `${b}${token} (${kv} v)`,
    'The values of all heads: what a token gives when it is attended to.',
  );

  /** Splits a projection into heads; keys and queries then turn with their position. */
  const split = (
    id: 'K' | 'Q' | 'V',
    at: string,
    heads: string,
    width: string,
    before?: Tensor,
  ): void => {
    const merged = `${b}${at} (${heads} ${width})`;
    const apart = `${b}(${heads}) ${at} ${width}`;
    const all = before ? `${b}(${heads}) i ${width}` : apart;
    const normed = id === 'V' ? undefined : qkNorm?.place;
    const source =
      id !== 'V' && normed === 'before-rope'
        ? addQkNorm(graph, config, { id, from: id, axes: axesOf(merged) }, extents)
        : id;
    const steps: Operation[] = [
      rearrange(`${merged} -> ${apart}`, extents, 'Splits the features into heads.'),
    ];
    if (rope && id !== 'V') {
      const firstPosition = earlier;
      steps.push(rotary(axesOf(apart), extents, { ...rope, firstPosition }));
    }
    const prepending = before ? [prepend(axesOf(all), axesOf(apart), before, `past_${id}`)] : [];
    if (id === 'V' || normed !== 'after-rope') {
      graph.node(`${id}h`, axesOf(all), compose([...steps, ...prepending]), [source]);
      return;
    }
    graph.node(`${id}s`, axesOf(apart), compose(steps), [source]);
    const as = before ? `${id}n` : `${id}h`;
    addQkNorm(graph, config, { id, from: `${id}s`, axes: axesOf(apart), as }, extents);
    if (before) graph.node(`${id}h`, axesOf(all), compose(prepending), [as]);
  };
  split('K', token, kv, 'a', past?.K);
  split('Q', 'j', query, 'a');
  split('V', token, kv, 'v', past?.V);

  const order = config.axes === 'key-first' ? 'i j' : 'j i';
  const scores = `${b}(${query}) ${order}`;
  const similarity = 'How well each key fits each query, head by head: their dot product.';
  const fit = `${b}(${kv}) i a, ${b}(${query}) j a -> ${scores}`;
  graph.node('S', axesOf(scores), contraction(fit, extents, similarity), ['Kh', 'Qh']);
  const layout = { axes: axesOf(scores), extents, heads: query.split(' '), past: earlier };
  const weights = addWeights(graph, config, layout);
  const perHead = `${b}(${query}) j v`;
  const mix = `${b}(${kv}) i v, ${scores} -> ${perHead}`;
  const summary = 'For each head and query, the mean of the values under its weights.';
  graph.node('O', axesOf(perHead), contraction(mix, extents, summary), ['Vh', weights]);

  const merge = `${perHead} -> ${b}j (${query} v)`;
  const merging = rearrange(merge, extents, 'Puts the heads side by side.');
  const merged = axesOf(`${b}j (${query} v)`);
  if (!config.weights.W_O) {
    graph.node('y', merged, merging, ['O']);
    addLoss(graph, config, merged, extents);
    return graph.build('multihead', inputs.selfAttention);
  }
  graph.node('C', merged, merging, ['O']);
  const out = axesOf(`${b}j o`);
  const bias = config.weights.b_O ? ['b_O'] : [];
  const spec = `${b}j (${query} v), (${query} v) o${bias.length ? ', o' : ''} -> ${b}j o`;
  graph.node('y', out, contraction(spec, extents, 'The output: the heads mixed by W_O.'), [
    'C',
    'W_O',
    ...bias,
  ]);
  addLoss(graph, config, out, extents);
  return graph.build('multihead', inputs.selfAttention);
}
