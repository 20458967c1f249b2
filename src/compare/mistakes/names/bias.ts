// Biases: missing, added twice, subtracted, added before the product, another one.
import { type Graph, nodeOf, type OperationNode } from '../../../engine/graph.ts';
import { scaleFactor } from '../../../engine/heads/weights.ts';
import { map } from '../../../engine/tensor.ts';
import { type Family, operationAt, type Site } from '../../edits/edit.ts';
import { shareOf } from '../../edits/solve.ts';
import { shortNumber } from '../../search/constants.ts';
import { editsOf, type Row, rowsOf } from '../table.ts';

/** OWN = X W + B. */
const BIASES = rowsOf(`
OWN bias-missing: the bias B is missing
  B := 0 * B
  : OWN = without B
OWN bias-twice: the bias B is added twice
  B := 2 * B
  : OWN = with 2 B
OWN bias-subtracted: the bias B is subtracted
  B := -B
  : OWN = with − B
OWN bias-before-product 1.2: the bias B is added to X before the product
  B := sum_FEATURE(B@X * W)
  : OWN = (X + B) W
`);

/** Any factor, as the tensor tells it. */
const FACTOR = rowsOf(`
OWN bias-factor: the bias B is added {factor} times{meaning}
  B := factor * B
  : OWN = with {factor} B
`);

/** A row in the words of a projection. */
function named(row: Row, { id, inputs: [X, W, B] }: OperationNode, graph: Graph): Row {
  const feature = nodeOf(graph, X).axes.at(-1)!.join('');
  const words: Readonly<Record<string, string>> = {
    OWN: id,
    X,
    W,
    B,
    sum_FEATURE: `sum_${feature}`,
  };
  const put = (text: string): string =>
    text.replaceAll(/\b(OWN|X|W|B|sum_FEATURE)\b/g, (name) => words[name]);
  const wrong = put(row.wrong!);
  const why = `${id} comes out exactly as ${wrong.replace(`${id} = `, '')}.`;
  return { ...row, on: id, wrong, why, title: put(row.title), formula: put(row.formula) };
}

export const bias: Family = (site) => {
  const own = operationAt(site);
  if (site.kind !== 'value' || own?.inputs.length !== 3) return [];
  return editsOf(site, [
    ...(own.id === 'K' ? [allMissing(site)] : []),
    ...solved(site, own),
    ...BIASES.map((row) => named(row, own, site.graph)),
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
  return FACTOR.map((row) => {
    const put = (text: string): string =>
      text.replace('{factor}', shortNumber(value)).replace('{meaning}', meaning);
    const said = { ...row, title: put(row.title), wrong: put(row.wrong!) };
    return { ...named(said, own, graph), numbers: { factor: value } };
  });
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
