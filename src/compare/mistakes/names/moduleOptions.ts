// Mistakes in the options of today's models: sinks, gates, biases and scales of the scores, two softmaxes.
import type { OperationNode } from '../../../engine/graph.ts';
import { hasNode, nodeOf } from '../../../engine/graph.ts';
import type { Site } from '../../edits/edit.ts';
import { familyOf, type Row, rowsOf } from '../table.ts';

const SINKS = rowsOf(`
P sink-left-out: the sink is left out of the denominator
  exp(logits) / sum_i(exp(logits))
P sink-not-exponentiated: the sink is added to the denominator as it is, not its exponential
  exp(logits) / (sinks + sum_i(exp(logits)))
P sink-is-one: a 1 stands in the denominator where exp(sink) belongs (softmax plus one)
  exp(logits) / (1 + sum_i(exp(logits)))
P sink-not-shifted: the maximum is taken from the scores and not from the sink
  e = exp(logits - finite(max_i(logits))); e / (exp(sinks) + sum_i(e))
P sink-scaled [scaled]: the sink is multiplied by the scale, as the scores are
  exp(logits) / (exp(scale * sinks) + sum_i(exp(logits)))
dlogits sink-row-term: the row term Σ P dP is divided by what the sink leaves: the weights do not sum to 1
  P * (dP - sum_i(P * dP) / sum_i(P))
`);

/** What comes to each query's sink, in the names of its sums. */
const SINK_GRADIENT = 'D = sum_i(P * dP); left = 1 - sum_i(P);';
const SINK_BACK = rowsOf(`
dsinks sink-gradient-sign: the gradient of the sinks has the wrong sign: a sink takes from all weights
  ALL(D * left)
dsinks sink-gradient-without-weight: the gradient of the sinks lacks the weight of the sink
  -ALL(D)
dsinks sink-gradient-of-last: the gradient of the sinks is of the last query only
  -last_j(REST(D * left))
dsinks sink-gradient-mean: the gradient of the sinks is averaged over the queries
  -mean_j(REST(D * left))
`);

const PLUS_ONE = rowsOf(`
P plus-one-left-out: the 1 of the denominator is left out
  exp(logits) / sum_i(exp(logits))
`);

/** O stands for what the gate is of. */
const GATE = rowsOf(`
Og gate-without-sigmoid: the logits of the gate multiply, without the sigmoid
  O * gate
Og gate-silu: SiLU stands in the place of the sigmoid: the logits multiply once more
  O * gate * sigmoid(gate)
Og gate-tanh: tanh stands in the place of the sigmoid
  O * tanh(gate)
Og gate-inverted: the gate shuts where it should open: sigmoid(−g), or 1 − sigmoid(g)
  O * sigmoid(-gate)
Og gate-left-out: the gate is left out
  O
Og gate-twice: the gate is applied twice
  O * sigmoid(gate)^2
dgate gate-slope-missing: the slope of the sigmoid is left out
  ALL(dOg * O)
dgate gate-slope-is-value: the sigmoid stands in the place of its slope: the factor 1 − σ is left out
  ALL(dOg * O * sigmoid(gate))
dgate gate-slope-is-value: 1 − σ stands in the place of the slope of the sigmoid: the factor σ is left out
  ALL(dOg * O * (1 - sigmoid(gate)))
dgate gate-gradient-of-gated: what comes out of the gate stands where what goes in belongs
  ALL(dOg * Og * sigmoid(gate) * (1 - sigmoid(gate)))
dO gate-backward-left-out: the gate is left out of the backward pass
  dOg
dO gate-backward-of-logits: the logits of the gate multiply in the backward pass, without the sigmoid
  dOg * gate
`);

const BIAS = rowsOf(`
Zb position-bias-before-scale [scaled]: the position bias is added before the scale
  scale * (S + B)
dB position-bias-gradient-scaled [scaled]: the gradient of the position bias has the scale, which only the scores have
  scale * ALL(dZb)
`);

const SCALES = rowsOf(`
Z head-scale-left-out [headScale temperature]: the scale of each head is left out
  scale * temperature * S
Z head-scale-left-out [headScale !temperature]: the scale of each head is left out
  scale * S
Z temperature-left-out [headScale temperature]: the temperature of each query is left out
  scale * headScale * S
Z temperature-left-out [temperature !headScale]: the temperature of each query is left out
  scale * S
Z temperature-divides [temperature !headScale]: the scores are divided by the temperature of their query
  scale * S / temperature
Z temperature-divides [headScale temperature]: the scores are divided by the temperature of their query
  scale * headScale * S / temperature
Z temperature-of-keys [temperature !headScale square]: the temperature goes with the keys, not with the queries
  scale * turned(temperature) * S
Z temperature-of-keys [headScale temperature square]: the temperature goes with the keys, not with the queries
  scale * headScale * turned(temperature) * S
dheadScale head-scale-gradient-unscaled [scaled temperature]: the gradient of the scale of each head lacks the fixed scale
  ALL(dZ * S * temperature)
dheadScale head-scale-gradient-unscaled [scaled !temperature]: the gradient of the scale of each head lacks the fixed scale
  ALL(dZ * S)
dheadScale head-scale-gradient-of-scaled: the gradient of the scale of each head is of the scaled scores
  ALL(dZ * Z)
`);

const PAIRS = rowsOf(`
Pdiff difference-added: λ times the second softmax is added, not subtracted
  at(s, 0, W) + lambda_full * at(s, 1, W)
Pdiff difference-without-lambda: λ is left out: the softmaxes are subtracted as they are
  at(s, 0, W) - at(s, 1, W)
Pdiff difference-exchanged: the two softmaxes of a head are exchanged
  at(s, 1, W) - lambda_full * at(s, 0, W)
Pdiff difference-exchanged: λ multiplies the first softmax, not the second
  lambda_full * at(s, 0, W) - at(s, 1, W)
Pdiff difference-left-out: the second softmax is left out
  at(s, 0, W)
lambda_full lambda-init-left-out: λ_init is left out
  exp(one) - exp(two)
lambda_full lambda-without-exponentials: the exponentials are left out of λ
  one - two + init
lambda_full lambda-init-only: λ is λ_init alone
  init
dlambda_full lambda-gradient-sign: the gradient of λ has the wrong sign: λ is subtracted
  ALL(dPdiff * at(s, 1, W))
dlambda_full lambda-gradient-of-first: the gradient of λ is of the first softmax
  -ALL(dPdiff * at(s, 0, W))
dlambda_q1 lambda-vector-without-exponential: the gradient of a vector of λ lacks the exponential of its pair
  dlambda_full * lambda_k1
dlambda_k1 lambda-vector-without-exponential: the gradient of a vector of λ lacks the exponential of its pair
  dlambda_full * lambda_q1
dlambda_q2 lambda-vector-without-exponential: the gradient of a vector of λ lacks the exponential of its pair
  -dlambda_full * lambda_k2
dlambda_k2 lambda-vector-without-exponential: the gradient of a vector of λ lacks the exponential of its pair
  -dlambda_full * lambda_q2
dlambda_q2 lambda-vector-sign: the gradient of a vector of λ’s second pair has the wrong sign: that pair is subtracted
  dlambda_full * exp(two) * lambda_k2
dlambda_k2 lambda-vector-sign: the gradient of a vector of λ’s second pair has the wrong sign: that pair is subtracted
  dlambda_full * exp(two) * lambda_q2
dW difference-gradient-same: both softmaxes get the gradient of the first: −λ of the second is left out
  dPdiff + 0 * s
dW difference-gradient-sign: the second softmax gets λ times the gradient: the minus is left out
  (1 - s + lambda_full * s) * dPdiff
dW difference-gradient-missing: the second softmax gets no gradient (detached)
  (1 - s) * dPdiff
Os head-factor-left-out: the factor 1 − λ_init is left out
  N
Os head-factor-is-init: λ_init stands in the place of 1 − λ_init
  init * N
`);
const PAIRS_HEAD = 'one = sum_a(lambda_q1 * lambda_k1); two = sum_a(lambda_q2 * lambda_k2);';

/** ALL(...) sums over what a tensor's own letters leave of the scores' or heads', REST(...) over that without queries. */
function withSums(site: Site, rows: readonly Row[], of: string, to: string): Row[] {
  const { graph } = site;
  const own = nodeOf(graph, to).axes.flat();
  const all = nodeOf(graph, of)
    .axes.flat()
    .filter((letter) => !own.includes(letter));
  const call = (letters: readonly string[]): string =>
    letters.length > 0 ? `sum_${letters.join('')}(` : '(';
  return rows.map((row) => ({
    ...row,
    formula: row.formula
      .replaceAll('ALL(', call(all))
      .replaceAll('REST(', call(all.filter((letter) => letter !== 'j' && letter !== 'i'))),
  }));
}

/** y = attention + input, wherever the sum stands. */
function ofResidual({ graph }: Site): Row[] {
  return graph.nodes.flatMap((node) => {
    if (node.kind !== 'operation' || node.operation.name !== 'residual') return [];
    const [attention, input] = node.inputs;
    return rowsOf(`
${node.id} residual-left-out: the residual connection is left out
  ${attention}
${node.id} residual-of-normed: the residual connection adds the input after its norm, not before
  ${attention} + xn@${node.id}
${node.id} residual-twice: the input is added twice
  ${attention} + 2 * ${input}@${node.id}
`);
  });
}

const inputsOf = ({ graph }: Site, id: string): readonly string[] =>
  (nodeOf(graph, id) as OperationNode).inputs;

/** `O` in a formula, for the node that it stands for. */
const renamedIn = (rows: readonly Row[], name: string, by: string): Row[] =>
  rows.map((row) => ({
    ...row,
    on: row.on.replace(new RegExp(`^(d?)${name}$`), `$1${by}`),
    formula: row.formula.replaceAll(new RegExp(`\\b(d?)${name}\\b`, 'g'), `$1${by}`),
  }));

function rowsFor(site: Site): Row[] {
  const { graph, config } = site;
  const has = (id: string): boolean => hasNode(graph, id);
  const softmax = (nodeOf(graph, 'P') as OperationNode).operation.name;
  const sinkSums = (rows: readonly Row[]): Row[] =>
    withSums(site, rows, 'P', 'sinks').map((row) => ({
      ...row,
      // Keys are summed in D.
      formula: `${SINK_GRADIENT} ${row.formula.replace(/sum_(\w+)\(D/, (_, letters: string) => {
        const rest = letters.replace('i', '');
        return rest ? `sum_${rest}(D` : '(D';
      })}`,
    }));
  const { differential } = config;
  const difference = has('Pdiff') ? inputsOf(site, 'Pdiff')[0] : '';
  const own = [
    ...ofResidual(site),
    ...(has('sinks') ? [...SINKS, ...sinkSums(SINK_BACK)] : []),
    ...(softmax === 'softmax plus one' ? PLUS_ONE : []),
    ...(has('gate')
      ? renamedIn(withSums(site, GATE, 'Og', 'gate'), 'O', inputsOf(site, 'Og')[0])
      : []),
    ...(config.positionBias?.kind === 'learned' && has('Zb') && has('Z')
      ? withSums(site, BIAS, 'Zb', 'B')
      : []),
    ...(has('Z') && config.softcap === undefined && (has('headScale') || has('temperature'))
      ? withSums(site, SCALES, 'Z', has('headScale') ? 'headScale' : 'temperature')
      : []),
    ...(differential
      ? withSums(
          site,
          renamedIn(renamedIn(PAIRS, 'W', difference), 'N', inputsOf(site, 'Os')[0]),
          'Pdiff',
          'lambda_full',
        ).map((row) => ({
          ...row,
          formula: `${PAIRS_HEAD} ${row.formula}`,
          numbers: { init: differential.lambdaInit },
        }))
      : []),
  ];
  return own;
}

/** Cheaper than what says the same of numbers alone: a factor, an operand. */
export const moduleOptions = familyOf((site) =>
  rowsFor(site).map((row) => ({ cost: 0.9, ...row })),
);
