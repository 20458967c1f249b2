// Right formulas have equal forms, which make other numbers of a mistaken forward pass: 1 − (Z / cap)² for 1 − tanh².
import type { HeadConfig } from '../../engine/config.ts';
import { Evaluator } from '../../engine/evaluate.ts';
import { type Formula, symbol } from '../../engine/formula.ts';
import {
  type Graph,
  hasNode,
  nodeOf,
  type NodeId,
  type OperationNode,
} from '../../engine/graph.ts';
import type { Tensor } from '../../engine/tensor.ts';
import { formsOf, rightFormula } from '../mistakes/forms.ts';
import { extentsOf, readOf } from '../mistakes/hunt.ts';
import { isMisfit, type Key, type State } from './program.ts';

/** Beyond, it takes long to try them. */
const MOST_ENTRIES = 100_000;

/** dM is 0 where a mask hides, since the weight is: it need not be masked. */
function pastTheMask(graph: Graph, id: NodeId): Formula[] {
  if (!hasNode(graph, 'M')) return [];
  const { inputs, axes } = nodeOf(graph, 'M') as OperationNode;
  return inputs[0] === id ? [symbol('dM', axes)] : [];
}

/** Whether any right form of a gradient's formula makes of the person's tensors what `isTheirs`. */
export function isOfAnotherForm(
  state: State,
  { softcap }: Pick<HeadConfig, 'softcap'>,
  key: Key,
  isTheirs: (made: Tensor) => boolean,
): boolean {
  const { graph } = state.program;
  const { id, axes, shape } = nodeOf(graph, key.slice(2));
  if (shape.reduce((product, length) => product * length, 1) > MOST_ENTRIES) return false;
  const evaluator = new Evaluator(readOf({ state, graph }), extentsOf({ graph }));
  const right = rightFormula(graph, id, 'gradient');
  const forms = right ? formsOf(graph, softcap, right, 'gradient', () => false) : [];
  return [...forms, ...pastTheMask(graph, id)].some((form) => {
    try {
      return isTheirs(evaluator.tensor(form, axes));
    } catch (error) {
      if (isMisfit(error)) return false;
      throw error;
    }
  });
}
