// Which backward pass goes with a mistaken forward pass: its own derivative, one by hand, or that of a kernel.
import {
  type Graph,
  hasNode,
  nodeOf,
  type OperationNode,
  operationNodes,
} from '../../engine/graph.ts';
import { sameShape, type Tensor } from '../../engine/tensor.ts';
import { roles } from '../edits/edit.ts';
import { fibres } from './operations.ts';
import {
  type Given,
  type Key,
  keyOf,
  type Program,
  referenceProgram,
  type Rewrite,
  State,
  withContribution,
} from './program.ts';

/**
 * The weights that a kernel makes anew of its right scores and the L of its mistaken forward pass, exp(M − L). L is what
 * the largest weight of each row tells: M − log P.
 */
function recomputedWeights(graph: Graph, scores: Tensor, right: Tensor, weights: Tensor): Tensor {
  const data = new Float64Array(weights.data.length);
  const { starts, steps } = fibres(nodeOf(graph, 'P').axes, ['i'], graph.extents);
  for (const start of starts) {
    let most = start;
    for (const step of steps)
      if (weights.data[start + step] > weights.data[most]) most = start + step;
    const weight = weights.data[most];
    if (!(weight > 0)) continue;
    const L = scores.data[most] - Math.log(weight);
    for (const step of steps) data[start + step] = Math.exp(right.data[start + step] - L);
  }
  return { shape: weights.shape, data };
}

/** W (dP − D), D = Σ P dP = Σ O dO of the weights of the forward pass. */
function throughSoftmax(graph: Graph, W: Tensor, P: Tensor, dP: Tensor): Tensor {
  const data = new Float64Array(W.data.length);
  const { starts, steps } = fibres(nodeOf(graph, 'P').axes, ['i'], graph.extents);
  for (const start of starts) {
    let D = 0;
    for (const step of steps) D += P.data[start + step] * dP.data[start + step];
    for (const step of steps)
      data[start + step] = W.data[start + step] * (dP.data[start + step] - D);
  }
  return { shape: W.shape, data };
}

/**
 * The backward passes of kernels that make the weights anew: rightly; of right scores and the L of the forward pass; of
 * its scores too, where a query that sees no key has weights of 0 and an output that is no number.
 */
function ofKernels(byHand: Program, given: Given): Program[] {
  const { graph } = byHand;
  const { logits, weights } = roles(graph);
  // Weights that are dropped or given are not those that it recomputes.
  if (weights !== 'P' || given.values.has('P') || given.values.has(logits)) return [];
  if (!sameShape(nodeOf(graph, logits).shape, nodeOf(graph, 'P').shape)) return [];
  const right = new State(referenceProgram(graph), given);
  const ofScores = (source: (state: State) => State): Program =>
    withWeights(byHand, (state) =>
      recomputedWeights(graph, state.value(logits), source(state).value(logits), state.value('P')),
    );
  return [
    withWeights(byHand, () => right.value('P')),
    ofScores(() => right),
    ofScores((state) => state),
  ];
}

/** A backward pass that has other weights than the forward pass. */
function withWeights(byHand: Program, recomputed: (state: State) => Tensor): Program {
  const { graph } = byHand;
  const { output, values } = roles(graph);
  const { operation, inputs } = nodeOf(graph, output) as OperationNode;
  const slot = inputs.indexOf(values);
  const toValues: Rewrite = (_, state) => {
    const W = recomputed(state);
    const own = inputs.map((id) => (id === 'P' ? W : state.value(id)));
    return operation.vjp({ inputs: own, output: state.value(output) }, state.gradient(output))[
      slot
    ];
  };
  const toScores: Rewrite = (_, state) =>
    throughSoftmax(graph, recomputed(state), state.value('P'), state.gradient('P'));
  const recomputing = withContribution(
    withContribution(byHand, output, slot, toValues),
    'P',
    0,
    toScores,
  );
  // What is 0 need not be masked again; what is no number stays so.
  const unmasked: Rewrite = (_, state) => state.gradient('M');
  return hasNode(graph, 'M') ? withContribution(recomputing, 'M', 0, unmasked) : recomputing;
}

/**
 * A person's program so far, with the backward pass that explains the most of their gradients: the derivative of the
 * mistaken forward pass (autograd), the right one written by hand, or one that makes the weights anew.
 */
export function withBackwardPass(
  state: State,
  gradients: readonly Key[],
  explains: (state: State, key: Key) => boolean,
): State {
  const { program, given } = state;
  const reference = referenceProgram(program.graph);
  const changed = operationNodes(program.graph).filter(
    ({ id }) => program.forward.get(id) !== reference.forward.get(id),
  );
  if (changed.length === 0) return state;
  // What the changed steps pass back is what tells; all gradients where none of that is given.
  const near = new Set(changed.flatMap(({ inputs }) => inputs.map((id) => keyOf(id, 'gradient'))));
  const telling = gradients.filter((key) => near.has(key));
  const byHand: Program = { ...program, backward: reference.backward };
  const asked = telling.length > 0 ? telling : gradients;
  const count = (own: State): number => asked.filter((key) => explains(own, key)).length;
  let best = { state, count: count(state) };
  for (const other of [byHand, ...ofKernels(byHand, given)]) {
    if (best.count === asked.length) break;
    const own = new State(other, given);
    const explained = count(own);
    if (explained > best.count) best = { state: own, count: explained };
  }
  return best.state;
}
