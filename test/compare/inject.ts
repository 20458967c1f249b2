// Mistakes injected by editing operations: any edit of any family, at any node of any random setup.
import type { Context, Edit } from '../../src/compare/edits/edit.ts';
import { FAMILIES } from '../../src/compare/edits/families.ts';
import { causalOrder } from '../../src/compare/judge/causalOrder.ts';
import type { CheckInput } from '../../src/compare/check.ts';
import { FLOAT64 } from '../../src/compare/reference/dtypes.ts';
import { difference } from '../../src/compare/judge/judge.ts';
import {
  type Key,
  keyOf,
  NOTHING_GIVEN,
  referenceProgram,
  State,
} from '../../src/compare/program/program.ts';
import type { HeadConfig } from '../../src/engine/config.ts';
import type { Graph } from '../../src/engine/graph.ts';
import { largestMagnitude, type Tensor, zeros } from '../../src/engine/tensor.ts';
import { resolveName } from '../../src/formats/nodeNames.ts';

export interface Injected {
  readonly edit: Edit;
  readonly input: CheckInput;
  /** The first tensor in causal order that the mistake changes. */
  readonly first: Key | undefined;
  /** All of them. */
  readonly changed: readonly Key[];
}

/** All edits at all places of a graph. */
export function allEdits(config: HeadConfig, graph: Graph): Edit[] {
  const state = new State(referenceProgram(graph));
  const context: Context = { config, graph, type: FLOAT64, state };
  for (const key of causalOrder(graph)) state.predict(key);
  return graph.nodes.flatMap((node) =>
    (['value', 'gradient'] as const).flatMap((kind) =>
      FAMILIES.flatMap((family) =>
        family({
          ...{ ...context, node, kind, ratio: null, deviation: 1, precision: 1e-12 },
          goal: { key: keyOf(node.id, kind), user: zeros([]), look: (tensor) => tensor },
        }),
      ),
    ),
  );
}

/** What a person with this mistake has: all nodes, or those that `given` accepts. */
export function inject(
  config: HeadConfig,
  graph: Graph,
  edit: Edit,
  given: (key: Key) => boolean,
): Injected {
  const right = new State(referenceProgram(graph), NOTHING_GIVEN);
  const wrong = new State(edit.apply(referenceProgram(graph)), NOTHING_GIVEN);
  const keys = causalOrder(graph).filter(given);
  const differs = (key: Key): boolean => {
    const [a, b]: [Tensor, Tensor] = [wrong.predict(key), right.predict(key)];
    return difference(a, b).maxAbs > 1e-7 * (largestMagnitude(b) || 1);
  };
  const changed = keys.filter(differs);
  const trace = keys.map((key) => ({
    name: key.startsWith('v:') ? key.slice(2) : `d${key.slice(2)}`,
    dtype: 'float64' as const,
    tensor: wrong.predict(key),
  }));
  return {
    edit,
    first: changed[0],
    changed,
    input: { config, graph, trace, names: {}, resolve: resolveName },
  };
}
