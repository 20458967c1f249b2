// Biases: missing, added twice, subtracted, added before the product, another one.
import { type Graph, nodeOf, type OperationNode } from '../../../engine/graph.ts';
import { scaleFactor } from '../../../engine/heads/weights.ts';
import { map } from '../../../engine/tensor.ts';
import { type Family, operationAt, type Site } from '../../edits/edit.ts';
import { shareOf } from '../../edits/solve.ts';
import { shortNumber } from '../../search/constants.ts';
import { editsOf, type Row, rowsOf, type Words, withWords } from '../table.ts';

/** {own} = {X} {W} + {B}; what is shown is what {own} is instead. */
const BIASES = rowsOf(`
{own} bias-missing: the bias {B} is missing
  {B} := 0 * {B}
  : without {B}
{own} bias-twice: the bias {B} is added twice
  {B} := 2 * {B}
  : with 2 {B}
{own} bias-subtracted: the bias {B} is subtracted
  {B} := -{B}
  : with − {B}
{own} bias-before-product 1.2: the bias {B} is added to {X} before the product
  {B} := sum_{feature}({B}@{X} * {W})
  : ({X} + {B}) {W}
`);

/** Any factor, as the tensor tells it. */
const FACTOR = rowsOf(`
{own} bias-factor: the bias {B} is added {times} times{meaning}
  {B} := factor * {B}
  : with {times} {B}
`);

/** Rows in the words of a projection. */
const worded = (
  rows: readonly Row[],
  own: OperationNode,
  graph: Graph,
  more: Words = {},
): Row[] => {
  const [X, W, B] = own.inputs;
  const feature = nodeOf(graph, X).axes.at(-1)!.join('');
  return withWords(rows, { own: own.id, X, W, B, feature, ...more }).map((row) => ({
    ...{ ...row, wrong: `${own.id} = ${row.wrong}` },
    why: `${own.id} comes out exactly as ${row.wrong}.`,
  }));
};

export const bias: Family = (site) => {
  const own = operationAt(site);
  if (site.kind !== 'value' || own?.inputs.length !== 3) return [];
  return editsOf(site, [
    ...(own.id === 'K' ? [allMissing(site)] : []),
    ...solved(site, own),
    ...worded(BIASES, own, site.graph),
  ]);
};

/** What is too much is proportional to the bias. */
function solved({ target, state, precision, config, graph }: Site, own: OperationNode): Row[] {
  if (!target) return [];
  const { user, predicted } = target;
  const added = state.value(own.inputs[2]).data;
  const without = map(predicted, (value, at) => value - added[at % added.length]);
  const factor = shareOf(user, without, predicted) ?? NaN;
  const isKnown = [0, 1, 2, -1].some((each) => Math.abs(factor - each) < 100 * precision);
  if (!Number.isFinite(factor) || isKnown) return [];
  const usual: readonly (readonly [number, string])[] = [
    [scaleFactor(config, graph.extents['a']) ?? 1, ' (the scale: the bias is scaled too)'],
    [config.heads, ` (once per head: ${config.heads} times)`],
  ];
  const [value, meaning] = usual.find(([each]) => Math.abs(factor / each - 1) < 1e-4) ?? [
    factor,
    '',
  ];
  const words = { times: shortNumber(value), meaning };
  return worded(FACTOR, own, graph, words).map((row) => ({ ...row, numbers: { factor: value } }));
}

/** No projection adds its bias. */
function allMissing({ graph }: Site): Row {
  const lines = graph.nodes.flatMap((node) => {
    const b = node.kind === 'operation' ? node.inputs[2] : undefined;
    const isBias = b?.startsWith('b_') && nodeOf(graph, b).kind === 'input';
    return isBias ? [`${node.id}: ${b} := 0 * ${b}`] : [];
  });
  return {
    ...{ on: 'K', id: 'biases-missing', cost: 1.1, formula: lines.join('\n') },
    title: 'the biases of all projections are missing',
    why: 'All products come out without their bias (bias=False, or weights loaded without it).',
    wrong: 'K = x W_K, Q = x′ W_Q, V = x W_V, y = C W_O',
  };
}
