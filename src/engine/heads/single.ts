// The heads `kq` (the exercise: y_j = sum_i x_i p_ij, no value projection) and `qkv` (with one).
import { parseSpec } from '../axes.ts';
import type { HeadConfig } from '../config.ts';
import { GraphBuilder, type Graph } from '../graph.ts';
import { contraction } from '../ops/contraction.ts';
import { given, inputNodes, projector } from './inputs.ts';
import { Letters } from './letters.ts';
import { addQkNorm } from './norms.ts';
import { addLoss } from './output.ts';
import { addWeights } from './weights.ts';

export function buildSingle(config: HeadConfig, mostEntries: number): Graph {
  const letters = new Letters();
  const inputs = inputNodes(config, letters, { query: '', kv: '', value: '', output: '' }, 'i');
  const { b, features } = inputs;
  const extents = letters.extents;
  const graph = new GraphBuilder(extents, mostEntries);
  inputs.addTo(graph);
  const project = projector(graph, config, inputs, extents);
  project('K', `${b}i a`, 'The keys: what each token offers to be found by.');
  project('Q', `${b}j a`, 'The queries: what each output looks for.');
  if (config.head === 'qkv')
    project('V', `${b}i v`, 'The values: what each token gives when it is attended to.');

  const order = config.axes === 'key-first' ? 'i j' : 'j i';
  const [scoreAxes] = parseSpec(`${b}${order}`);
  const similarity = 'How well each key fits each query: their dot product.';
  const met = (['K', 'Q'] as const).map((id) =>
    addQkNorm(graph, config, { id, from: id, axes: graph.axesOf(id) }, extents),
  );
  const fit = `${b}i a, ${b}j a -> ${b}${order}`;
  graph.node('S', scoreAxes, contraction(fit, extents, similarity), met);
  const weights = addWeights(graph, config, {
    axes: scoreAxes,
    extents,
    heads: [],
    past: 0,
    nulls: 0,
  });

  const [content, feature] = config.head === 'qkv' ? ['V', 'v'] : ['x', features.x];
  if (config.head === 'kq') given(config, 'x');
  const [outAxes] = parseSpec(`${b}j ${feature}`);
  const mix = `${b}i ${feature}, ${b}${order} -> ${b}j ${feature}`;
  const summary = 'The output: for each query, the mean of the values under its weights.';
  graph.node('y', outAxes, contraction(mix, extents, summary), [content, weights]);
  addLoss(graph, config, outAxes, extents);
  return graph.build(config.head, inputs.selfAttention);
}
