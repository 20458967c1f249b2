// Random slips in the formulas that the engine shows, for the held-out board: nothing of src/compare/mistakes is used.
import type { AxisLetters } from '../../src/engine/axes.ts';
import { Evaluator, evaluateRelation, type Operand, type Read } from '../../src/engine/evaluate.ts';
import type { Formula } from '../../src/engine/formula.ts';
import { toText } from '../../src/engine/formula.ts';
import { type Graph, operationNodes } from '../../src/engine/graph.ts';
import { largestMagnitude, type Tensor } from '../../src/engine/tensor.ts';
import { causalOrder } from '../../src/compare/judge/causalOrder.ts';
import {
  isMisfit,
  NOTHING_GIVEN,
  type Program,
  referenceProgram,
  State,
  withContribution,
  withStep,
} from '../../src/compare/program/program.ts';

type Random = () => number;

export interface Planted {
  readonly node: string;
  readonly key: string;
  readonly formula: Formula;
  readonly right: Formula;
  readonly what: string;
  /** Name and tensor of every node. */
  readonly trace: readonly { name: string; tensor: Tensor }[];
}

const pickFrom = <Item>(random: Random, list: readonly Item[]): Item =>
  list[Math.floor(random() * list.length)];

function isFormula(value: unknown): value is Formula {
  return typeof value === 'object' && value !== null && 'kind' in value;
}

/** Where the sub-formulas stand: paths of keys into the data. */
function pathsOf(formula: Formula, path: (string | number)[] = []): (string | number)[][] {
  const own = [path];
  for (const [key, value] of Object.entries(formula)) {
    if (formula.kind === 'relation' && key === 'left') continue;
    if (isFormula(value)) own.push(...pathsOf(value, [...path, key]));
    if (Array.isArray(value))
      value.forEach((each: unknown, n) => {
        if (isFormula(each)) own.push(...pathsOf(each, [...path, key, n]));
      });
  }
  return own;
}

function at(formula: unknown, path: readonly (string | number)[]): Formula {
  return path.reduce<unknown>(
    (own, key) => (own as Record<string, unknown>)[key],
    formula,
  ) as Formula;
}

function put(formula: Formula, path: readonly (string | number)[], by: Formula): Formula {
  const copy = structuredClone(formula);
  if (path.length === 0) return by;
  const parent = at(copy, path.slice(0, -1)) as unknown as Record<string, unknown>;
  parent[path[path.length - 1]] = by;
  return copy;
}

const number = (value: number): Formula => ({ kind: 'number', value });

/** What a random slip makes of one sub-formula; null where none of this kind is possible. */
type Slip = (random: Random, own: Formula, graph: Graph, isForward: boolean) => Formula | null;

const SLIPS: Readonly<Record<string, Slip>> = {
  operand(random, own, graph, isForward) {
    if (own.kind !== 'symbol') return null;
    const node = graph.nodes.find(({ id }) => id === own.name || `d${id}` === own.name);
    if (!node) return null;
    const names = graph.nodes
      .filter(
        ({ shape, axes }) => shape.join() === node.shape.join() && axes.join() === node.axes.join(),
      )
      .flatMap(({ id }) => (isForward ? [id] : [id, `d${id}`]))
      .filter((name) => name !== own.name);
    return names.length === 0 ? null : { ...own, name: pickFrom(random, names) };
  },
  transposed(_, own, graph) {
    if (own.kind !== 'symbol' || own.indices.length < 2) return null;
    const last = own.indices.slice(-2);
    const [a, b] = last;
    const length = (axis: AxisLetters): number =>
      axis.reduce((n, letter) => n * (graph.extents[letter === 'l' ? 'i' : letter] ?? 0), 1);
    if (length(a) !== length(b) || a.length !== 1 || b.length !== 1 || length(a) < 2) return null;
    return { ...own, indices: [...own.indices.slice(0, -2), b, a] };
  },
  drop(random, own) {
    if (own.kind === 'product' && own.factors.length > 1) {
      const n = Math.floor(random() * own.factors.length);
      return { ...own, factors: own.factors.filter((_, m) => m !== n) };
    }
    if (own.kind === 'add' && own.terms.length > 1) {
      const n = Math.floor(random() * own.terms.length);
      return { ...own, terms: own.terms.filter((_, m) => m !== n) };
    }
    if (own.kind === 'subtract') return random() < 0.7 ? own.left : own.right;
    if (own.kind === 'call') return own.argument;
    if (own.kind === 'power') return own.base;
    return null;
  },
  sign(_, own) {
    if (own.kind === 'subtract') return { kind: 'add', terms: [own.left, own.right] };
    if (own.kind === 'symbol' || own.kind === 'sum')
      return { kind: 'product', factors: [number(-1), own] };
    return null;
  },
  inverse(_, own) {
    if (own.kind === 'fraction') return { kind: 'fraction', top: own.bottom, bottom: own.top };
    if (own.kind === 'number' && own.value !== 0) return number(1 / own.value);
    return null;
  },
  reduction(random, own) {
    if (own.kind !== 'sum') return null;
    return {
      kind: 'reduce',
      how: pickFrom(random, ['mean', 'max', 'last', 'first']),
      over: own.over,
      body: own.body,
    };
  },
  index(random, own, graph) {
    if (own.kind !== 'symbol') return null;
    const letters = own.indices.flat().filter((letter) => (graph.extents[letter] ?? 1) > 1);
    if (letters.length === 0) return null;
    const letter = pickFrom(random, letters);
    const place: Formula = { kind: 'at', letter };
    const source = pickFrom<Formula>(random, [
      { kind: 'subtract', left: place, right: number(1) },
      { kind: 'add', terms: [place, number(1)] },
      { kind: 'subtract', left: number(graph.extents[letter] - 1), right: place },
      number(graph.extents[letter] - 1),
    ]);
    return { kind: 'index', letter, source, body: own };
  },
  function(random, own) {
    if (own.kind === 'call') {
      const names = ['exp', 'tanh', 'sin', 'abs'].filter((name) => name !== own.name);
      return { ...own, name: pickFrom(random, names) };
    }
    if (own.kind !== 'symbol') return null;
    if (random() < 0.5) return { kind: 'power', base: own, exponent: number(2) };
    return { kind: 'call', name: pickFrom(random, ['exp', 'tanh', 'abs']), argument: own };
  },
  factor(random, own, graph) {
    if (own.kind !== 'symbol' && own.kind !== 'sum' && own.kind !== 'subtract') return null;
    const width = graph.extents['a'] ?? 2;
    const value = pickFrom(random, [
      2,
      0.5,
      Math.sqrt(width),
      1 / Math.sqrt(width),
      graph.extents['i'],
      3,
    ]);
    return value === 1 ? null : { kind: 'product', factors: [number(value), own] };
  },
  squared(random, own) {
    if (own.kind !== 'product') return null;
    return { ...own, factors: [...own.factors, pickFrom(random, own.factors)] };
  },
};

/** One slip at a random place; null where the one that was drawn is not possible there. */
function slipped(
  random: Random,
  formula: Formula,
  graph: Graph,
  isForward: boolean,
): [Formula, string] | null {
  const path = pickFrom(
    random,
    pathsOf(formula).filter((each) => each[0] === 'right'),
  );
  const name = pickFrom(random, Object.keys(SLIPS));
  const by = SLIPS[name](random, at(formula, path), graph, isForward);
  return by && [put(formula, path, by), name];
}

function readFrom(state: State, graph: Graph): Read {
  const known = new Map<string, Operand>();
  for (const { id, operation, inputs } of operationNodes(graph))
    for (const [name, operand] of Object.entries(
      operation.formula({ output: id, inputs }).given ?? {},
    ))
      known.set(name, operand);
  return (name) => {
    const value = graph.nodes.find(({ id }) => id === name);
    if (value) return { axes: value.axes, tensor: state.value(name) };
    const gradient = graph.nodes.find(({ id }) => `d${id}` === name);
    return gradient
      ? { axes: gradient.axes, tensor: state.gradient(gradient.id) }
      : known.get(name);
  };
}

/** A formula's tensor from those of a state. */
export function made(formula: Formula, state: State, graph: Graph): Tensor {
  return evaluateRelation(
    formula,
    new Evaluator(readFrom(state, graph), { ...graph.extents, l: graph.extents.i }),
  );
}

/** A program of a graph in which so many random slips are made in one formula; null where the draw is not possible. */
export function planted(random: Random, graph: Graph, slips: number): Planted | null {
  const reference = referenceProgram(graph);
  const right = new State(reference);
  const node = pickFrom(
    random,
    operationNodes(graph).filter(({ id }) => id !== 'f'),
  );
  const { forward, backward } = node.operation.formula({ output: node.id, inputs: node.inputs });
  const slot = Math.floor(random() * (backward.length + 1)) - 1;
  let formula = slot < 0 ? forward : backward[slot];
  const whole = formula;
  const names: string[] = [];
  for (let n = 0; n < slips; n++) {
    const next = slipped(random, formula, graph, slot < 0);
    if (!next) return null;
    formula = next[0];
    names.push(next[1]);
  }
  const program = withSlip(reference, node, slot, formula, graph);
  const wrong = new State(program, NOTHING_GIVEN);
  const target = slot < 0 ? node.id : node.inputs[slot];
  const key = `${slot < 0 ? 'v' : 'g'}:${target}`;
  try {
    const [own, expected] = [wrong.predict(key), right.predict(key)];
    const scale = largestMagnitude(expected) || 1;
    if (!own.data.every(Number.isFinite) || largestMagnitude(own) > 1e4 * scale) return null;
    const off = own.data.reduce(
      (most, each, n) => Math.max(most, Math.abs(each - expected.data[n])),
      0,
    );
    if (off < 1e-3 * scale || largestMagnitude(own) < 1e-6 * scale) return null;
    const trace = causalOrder(graph).map((each) => ({
      name: each.startsWith('v:') ? each.slice(2) : `d${each.slice(2)}`,
      tensor: wrong.predict(each),
    }));
    const what = `${names.join('+')}: ${toText(formula)}`;
    return { node: target, key, formula, right: whole, what, trace };
  } catch (error) {
    if (isMisfit(error)) return null;
    throw error;
  }
}

function withSlip(
  program: Program,
  node: ReturnType<typeof operationNodes>[number],
  slot: number,
  formula: Formula,
  graph: Graph,
): Program {
  if (slot >= 0)
    return withContribution(program, node.id, slot, (_, state) => made(formula, state, graph));
  const ids = graph.nodes.map(({ id }) => id);
  const used = ids.filter((id) =>
    JSON.stringify((formula as { right?: Formula }).right).includes(`"name":"${id}"`),
  );
  const step = {
    inputs: used,
    operation: {
      ...node.operation,
      forward: (inputs: readonly Tensor[]) => {
        const read = readFrom(new State(referenceProgram(graph)), graph);
        const own: Read = (name) => {
          const n = used.indexOf(name);
          return n < 0
            ? read(name)
            : { axes: graph.nodes.find(({ id }) => id === name)!.axes, tensor: inputs[n] };
        };
        return evaluateRelation(
          formula,
          new Evaluator(own, { ...graph.extents, l: graph.extents.i }),
        );
      },
    },
  };
  return withStep(program, node.id, step, true);
}
