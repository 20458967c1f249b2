// Each row of the dictionary of names, found among the mutants of the right formulas.
import { FLOAT64 } from '../../src/compare/reference/dtypes.ts';
import type { Site } from '../../src/compare/edits/edit.ts';
import { formsOf, rightFormula } from '../../src/compare/mistakes/forms.ts';
import { extentsOf, readOf } from '../../src/compare/mistakes/hunt.ts';
import { mutants } from '../../src/compare/mistakes/mutants.ts';
import { type NamedMistake, NAMES, nameOf } from '../../src/compare/mistakes/names/names.ts';
import { scopeOf } from '../../src/compare/mistakes/scope.ts';
import { keyOf, referenceProgram, State } from '../../src/compare/program/program.ts';
import { dependentsOf } from '../../src/compare/search/reach.ts';
import type { HeadConfig } from '../../src/engine/config.ts';
import { Evaluator } from '../../src/engine/evaluate.ts';
import { equals, type Formula, symbol } from '../../src/engine/formula.ts';
import { nodeOf } from '../../src/engine/graph.ts';
import { buildGraph } from '../../src/engine/heads/build.ts';
import { type Tensor, tensor } from '../../src/engine/tensor.ts';
import { generator } from '../conformance/draw.mjs';

function filled(shape: number[], seed: number): Tensor {
  const random = generator(seed);
  const size = shape.reduce((product, length) => product * length, 1);
  return tensor(
    shape,
    Array.from({ length: size }, () => 2 * random() - 1),
  );
}

const common = { mask: 'none', loss: { kind: 'half-squared-norm' }, axes: 'query-first' } as const;

/** Five tokens, and as many queries, so that queries have keys of their own. */
const single: HeadConfig = {
  ...{ ...common, head: 'qkv', heads: 1, kvHeads: 1, x: filled([5, 3], 1) },
  weights: { W_K: filled([3, 2], 2), W_Q: filled([3, 2], 3), W_V: filled([3, 7], 4) },
};
const SETUPS: Readonly<Record<NamedMistake['shown']['setup'], HeadConfig>> = {
  plain: single,
  causal: { ...single, mask: 'causal' },
  softcap: { ...single, softcap: 1.5 },
  heads: {
    ...{ ...common, head: 'multihead', heads: 2, kvHeads: 2, mask: 'causal', x: filled([4, 3], 1) },
    weights: { W_K: filled([3, 4], 2), W_Q: filled([3, 4], 3), W_V: filled([3, 6], 4) },
  },
};

export interface Placed {
  readonly row: NamedMistake;
  readonly wrong: Formula;
  readonly right: Formula;
  readonly state: State;
  /** What the wrong formula makes. */
  readonly made: Tensor;
}

/** The first mutant that has the row's name, in its setup. */
export function placed(row: NamedMistake): Placed | null {
  const { tensor: name, setup } = row.shown;
  const config = SETUPS[setup];
  const graph = buildGraph(config);
  const state = new State(referenceProgram(graph));
  const kind = name.startsWith('d') ? 'gradient' : 'value';
  const node = nodeOf(graph, kind === 'gradient' ? name.slice(1) : name);
  const key = keyOf(node.id, kind);
  const site: Site = {
    ...{ config, graph, type: FLOAT64, state, node, kind, ratio: null, deviation: 1 },
    ...{ precision: 1e-12, goal: { key, user: state.predict(key), look: (each: Tensor) => each } },
  };
  const later = dependentsOf(key, referenceProgram(graph));
  const scope = scopeOf(site, (each) => later.has(each));
  const left = symbol(name, node.axes);
  const evaluator = new Evaluator(readOf(site), extentsOf(site));
  const forms = formsOf(
    graph,
    config.softcap,
    rightFormula(graph, node.id, kind)!,
    kind,
    () => false,
  );
  for (const form of forms) {
    for (const { formula, slip } of mutants(form, scope)) {
      if (nameOf({ node: node.id, kind, slips: [slip] }) !== row) continue;
      const [wrong, right] = [formula, forms[0]].map((each) => equals(left, each));
      return { row, wrong, right, state, made: evaluator.tensor(formula, node.axes) };
    }
  }
  return null;
}

export const allPlaced = (): (Placed | null)[] => NAMES.map(placed);
