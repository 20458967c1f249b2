// Mistakes in the options of today's models that are more than one slip of a formula: norms, sinks, residuals, two softmaxes.
import { isOfHeads } from '../../../engine/axes.ts';
import type { HeadConfig, Norm } from '../../../engine/config.ts';
import { nullKeys } from '../../../engine/heads/multihead.ts';
import { type Graph, hasNode, nodeOf, type OperationNode } from '../../../engine/graph.ts';
import type { Site } from '../../edits/edit.ts';
import { familyOf, type Row, rowsOf, withWords } from '../table.ts';

/** x is normed to y over the letters {s}: `square` is their mean square, X what is divided by its root. */
const NORMS = rowsOf(`
{y} norm-gain-offset [gamma]: the gain is {offset}, not {gain}
  {offset} * X / sqrt(square + eps){bias}
{y} norm-gain-left-out [gamma]: the gain {gamma} is left out
  X / sqrt(square + eps){bias}
{y} norm-of-sum: the sum of the squares is taken, not their mean
  {gain} * X / sqrt(count * square + eps){bias}
{y} norm-without-root: the mean square divides, not its root
  {gain} * X / (square + eps){bias}
{y} norm-not-centred [centred]: the mean is not subtracted from what is divided
  {gain} * {x} / sqrt(square + eps){bias}
{y} norm-of-sample [centred]: the variance is that of n − 1
  {gain} * X / sqrt(square * count / (count - 1) + eps){bias}
{y} norm-eps-outside-root: eps is added outside of the root, not inside
  {gain} * X / (sqrt(square) + eps){bias}
{y} norm-eps-left-out: eps is left out
  {gain} * X / sqrt(square){bias}
{y} norm-eps-other [E] 1.05: eps is {E}, not {eps}
  {gain} * X / sqrt(square + {E}){bias}
{y} norm-wrong-axis [others]: the mean is over {words}
  {gain} * X / sqrt(mean_{others}(X^2) + eps){bias}
`);

/** For ones that people write or that are another library's own. */
const OTHER_EPS = [1e-3, 1e-5, 1e-6, 1e-8, 1e-12];

function normOf(config: HeadConfig, id: string): Norm | undefined {
  if (/^[KQ]/.test(id)) return config.qkNorm;
  if (id.startsWith('c')) return config.latentNorm ?? { kind: 'rms', eps: 1e-6 };
  if (id === 'On') return config.differential?.norm;
  const { preNorm, outputNorm, postNorm } = config.block ?? {};
  return { xn: preNorm, yn: outputNorm }[id] ?? postNorm ?? outputNorm;
}

const operationsOf = ({ nodes }: Graph): OperationNode[] =>
  nodes.filter((node) => node.kind === 'operation');

function ofNorm({ graph, config }: Site, { id: y, inputs, axes }: OperationNode): Row[] {
  const own = normOf(config, y);
  if (!own) return [];
  const [x, ...parameters] = inputs;
  const gamma = parameters.find((each) => each.startsWith('gamma'));
  const beta = parameters.find((each) => each.startsWith('beta'));
  const letters = axes.flat();
  const feature = letters.at(-1)!;
  const isAll = /^[KQ]/.test(y) && config.qkNorm?.over === 'all';
  const over = isAll ? letters.filter((each) => isOfHeads(each) || each === feature) : [feature];
  const s = over.join('');
  const count = over.reduce((n, letter) => n * graph.extents[letter], 1);
  const shifted = gamma === undefined ? '1' : `(1 + ${gamma})`;
  const words = {
    ...{ y, x, gamma, eps: own.eps, centred: own.kind === 'layer' },
    gain: own.unitOffset ? shifted : (gamma ?? '1'),
    offset: own.unitOffset ? gamma : shifted,
    bias: beta === undefined ? '' : ` + ${beta}`,
  };
  const rest = letters.filter((each) => !over.includes(each) && graph.extents[each] > 1);
  const others = rest.map((letter) =>
    isOfHeads(letter)
      ? { others: letter + s, words: 'all heads, not over the features of each' }
      : {
          others: letter,
          words: `the ${letter === 'b' ? 'batch' : 'tokens'}, not over the features`,
        },
  );
  const fewer = isAll ? [{ others: feature, words: 'the features of each head, not of all' }] : [];
  const eps = OTHER_EPS.filter((E) => E !== own.eps).map((E) => ({ E }));
  const all = [{}, ...others, ...fewer, ...eps];
  const mean = own.kind === 'layer' ? ` - sum_${s}(${x}) / count` : '';
  return all.flatMap((each) => {
    const isOne = Object.keys(each).length === 0;
    const needs = { ...words, E: undefined, others: undefined, ...each };
    return withWords(
      NORMS.filter((row) => isOne === !/[{](E|others)[}]/.test(row.formula)),
      needs,
    ).map((row) => ({
      ...row,
      numbers: { count, eps: own.eps },
      formula: `X = ${x}${mean}; square = sum_${s}(X^2) / count; ${row.formula}`,
    }));
  });
}

/** y = attention + input, wherever the sum stands. */
const RESIDUAL = rowsOf(`
{y} residual-of-normed: the residual connection adds the input after its norm, not before
  {attention} + xn@{y}
`);

const SINKS = rowsOf(`
P sink-left-out: the sink is left out of the denominator
  exp(logits) / sum_i(exp(logits))
P sink-not-exponentiated: the sink is added to the denominator as it is, not its exponential
  exp(logits) / (sinks + sum_i(exp(logits)))
P sink-is-one: a 1 stands in the denominator where exp(sink) belongs (softmax plus one)
  exp(logits) / (1 + sum_i(exp(logits)))
P sink-not-shifted: the maximum is taken from the scores and not from the sink
  e = exp(logits - finite(max_i(logits))); e / (exp(sinks) + sum_i(e))
`);

/** What a setup has and a program lacks. */
const LEFT_OUT = rowsOf(`
Z head-scale-missing [headScale]: the scale of each head is left out
  headScale := 1
Z temperature-missing [temperature]: the temperature of each query is left out
  temperature := 1
P null-key-missing: the keys beside those of the tokens (null_K, or zeros) are left out: {nulls}
  logits := logits + hide(n - nulls <= i)
`);

const PLUS_ONE = rowsOf(`
P plus-one-left-out: the 1 of the denominator is left out
  exp(logits) / sum_i(exp(logits))
`);

/** W: the two softmaxes of a head. */
const PAIRS = rowsOf(`
Pdiff difference-without-lambda: λ is left out: the softmaxes are subtracted as they are
  at(s, 0, W) - at(s, 1, W)
lambda_full lambda-init-left-out: λ_init is left out
  exp(sum_a(lambda_q1 * lambda_k1)) - exp(sum_a(lambda_q2 * lambda_k2))
lambda_full lambda-init-only: λ is λ_init alone
  init
`);

/** Cheaper than what says the same of numbers alone: a factor, an operand. */
export const options = familyOf((site): Row[] => {
  const { graph, config } = site;
  const operations = operationsOf(graph);
  const nulls = nullKeys(config);
  const pair = operations.find(({ id }) => id === 'Pdiff')?.inputs[0] ?? '';
  const rows = [
    ...operations
      .filter(({ operation }) => operation.name.endsWith(' norm'))
      .flatMap((node) => ofNorm(site, node)),
    ...operations
      .filter(({ operation }) => operation.name === 'residual')
      .flatMap(({ id, inputs: [attention] }) => withWords(RESIDUAL, { y: id, attention })),
    ...(hasNode(graph, 'sinks') ? SINKS : []),
    ...LEFT_OUT.filter(({ on }) => on === 'Z' || nulls > 0).map((row) => ({
      ...{ ...row, numbers: { nulls } },
    })),
    ...((nodeOf(graph, 'P') as OperationNode).operation.name === 'softmax plus one'
      ? PLUS_ONE
      : []),
    ...PAIRS.filter(() => config.differential !== undefined).map((row) => ({
      ...row,
      formula: row.formula.replaceAll('W', pair),
      numbers: { init: config.differential!.lambdaInit },
    })),
  ];
  return rows.map((row) => ({ cost: 0.9, ...row }));
});
