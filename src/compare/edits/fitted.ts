// One number of the setup taken for another: the value that reproduces the person's tensor, wherever that stands.
import { ConfigError, type HeadConfig } from '../../engine/config.ts';
import { hasNode, nodeOf, type NodeId, type OperationNode } from '../../engine/graph.ts';
import { buildGraph } from '../../engine/heads/build.ts';
import { alibiSlopes } from '../../engine/heads/mask.ts';
import { scaleFactor } from '../../engine/heads/weights.ts';
import { largestMagnitude, sameShape, sizeOf, type Tensor } from '../../engine/tensor.ts';
import { namesOf, shortNumber } from '../search/constants.ts';
import { difference } from '../judge/judge.ts';
import { onOperand, times } from '../program/operations.ts';
import { formulaOperation } from '../program/transforms/formulaOperation.ts';
import { isMisfit, type Program, type StepOperation, withStep } from '../program/program.ts';
import { type Edit, type Family, roles, type Site } from './edit.ts';
import { SMALL } from '../mistakes/names/kernels.ts';
import { makeEdit, type Say } from './make.ts';
import { shareOf } from './solve.ts';

interface Parameter {
  readonly say: (value: number) => Pick<Say, 'id' | 'title' | 'cost'>;
  /** What it should be; where the search begins. */
  readonly right: number;
  /** The steps that it is in. */
  readonly steps: readonly NodeId[];
  /** A value so small that what it changes is proportional to it; where the right value is 0. */
  readonly small?: number;
  readonly operations: (value: number) => readonly StepOperation[];
}

/** A fit of one number needs more entries than that to be no chance. */
const ENOUGH = 8;
const STARTS = [0, Math.LN2, -Math.LN2, 1.6, -1.6];
const MOST_STEPS = 12;
/** From the smallest eps in use to the largest base. */
const MOST_LOGARITHM = 32;
/** Of the logarithm of the number. */
const SLOPE_STEP = 1e-5;

export const fitted: Family = (site) => {
  const { node, kind, goal, graph } = site;
  if (kind !== 'value' || goal.user.data.length < ENOUGH) return [];
  if (graph.nodes.some(({ shape }) => sizeOf(shape) > SMALL)) return [];
  return parametersOf(site)
    .filter(({ steps }) => steps[0] === node.id)
    .flatMap((parameter) => {
      const value = fit(site, parameter);
      return value === null ? [] : [editOf(site, parameter, value)];
    });
};

const UNWANTED = 'softcap-unwanted';

type Option = readonly [
  id: string,
  name: string,
  right: number | null | undefined | false,
  steps: readonly NodeId[],
  change: (value: number) => Partial<HeadConfig>,
];

/** The numbers of a setup. */
function optionsOf({ config, graph }: Site): Option[] {
  const { rope, dropout, heads } = config;
  const hasAlibi = config.alibi === true;
  const slopes = alibiSlopes(heads);
  const withSlopes = (of: (slope: number, head: number) => number): Partial<HeadConfig> => ({
    alibi: { shape: [heads], data: slopes.map(of) },
  });
  const exponent = -Math.log2(slopes[0]);
  const name = 'the exponent by which the ALiBi slopes fall';
  const scale = scaleFactor(config, graph.extents['a']);
  return [
    ['scale-value', 'the scale', scale, ['Z'], (value) => ({ scale: value })],
    [
      ...([config.softcap === undefined ? UNWANTED : 'softcap-value', 'the softcap'] as const),
      ...([config.softcap ?? 30, ['Z'], (value: number) => ({ softcap: value })] as const),
    ],
    [
      ...(['rope-base', 'the base of the rotation', rope?.base, ['Kh', 'Qh']] as const),
      (base) => ({ rope: { ...rope!, base } }),
    ],
    [
      ...(['dropout-rate', 'p of the dropout', dropout?.p, ['Pd']] as const),
      (p) => ({ dropout: { ...dropout!, p: Math.min(p, 0.999) } }),
    ],
    [
      ...(['alibi-slopes', name, hasAlibi && exponent, ['M']] as const),
      (value) => withSlopes((_, head) => 2 ** (-value * (head + 1))),
    ],
    [
      ...(['alibi-factor', 'a factor on all ALiBi slopes', hasAlibi && 1, ['M']] as const),
      (value) => withSlopes((slope) => slope * value),
    ],
  ];
}

function parametersOf(site: Site): Parameter[] {
  const { config, graph } = site;
  const options = optionsOf(site).flatMap(([id, name, right, steps, change]): Parameter[] => {
    if (typeof right !== 'number' || steps.some((step) => !hasNode(graph, step))) return [];
    return [
      {
        ...{ right, steps },
        say: (value) =>
          id === UNWANTED
            ? {
                id,
                title: `a softcap of ${value} (tanh) is applied that the setup does not ask for`,
              }
            : { id, title: `${name} is ${value} instead of ${shortNumber(right)}` },
        /** Of the graph of a changed setup. */
        operations: (value) => {
          const other = buildGraph({ ...config, ...change(value) });
          return steps.map((step) => (nodeOf(other, step) as OperationNode).operation);
        },
      },
    ];
  });
  return [...options, temperature(site), ...denominators(site), ...scaledInput(site)];
}

/** Of a softmax's base. */
const BASES: readonly (readonly [number, string, string])[] = [
  [Math.LN2, 'softmax-of-base-2', 'powers of 2 (exp2) instead of exponentials, without log2(e)'],
  [Math.LN10, 'softmax-of-base-10', 'powers of 10 instead of exponentials'],
  [Math.LOG2E, 'softmax-of-base-2', 'exp(log2(e) · scores): the factor log2(e) without exp2'],
];

/** The scores times a number. */
function temperature(site: Site): Parameter {
  const { logits } = roles(site.graph);
  return {
    ...{ right: 1, steps: ['P'] },
    say: (value) => {
      const base = BASES.find(([each]) => Math.abs(value / each - 1) < 1e-3);
      if (base) return { id: base[1], title: base[2] };
      const [name] = namesOf(value, site, logits, 'value', 1e-6);
      const other = `a temperature of ${shortNumber(1 / value)} that does not belong here`;
      const title = `softmax of ${shortNumber(value)} · ${logits}: ${name?.meaning ?? other}`;
      // The setup's own scale is the likelier number.
      return { id: 'softmax-temperature', title, cost: 1.55 };
    },
    operations: (value) => [
      onOperand((nodeOf(site.graph, 'P') as OperationNode).operation, 0, times(value)),
    ],
  };
}

/** A term in the softmax's denominator, before or after the maximum is subtracted. */
const denominators = ({ graph }: Site): Parameter[] =>
  [false, true].map((late) => ({
    say: (value) => ({
      id: 'softmax-denominator-eps',
      title: `an eps of ${value} is added to the denominator of the softmax${late ? ', after the maximum is subtracted' : ''}`,
    }),
    ...{ right: 0.1, small: 1e-8, steps: ['P'] },
    operations: (extra) => {
      const shifted = late ? 'X - finite(max_k(X))' : 'X';
      const text = `e = exp(${shifted}); e / (${extra} + sum_k(e))`;
      return [formulaOperation('softmax', text, nodeOf(graph, 'P').axes, graph.extents, ['i'])];
    },
  }));

/** x (in self-attention all that is made of it) times a number. */
function scaledInput({ graph, state }: Site): Parameter[] {
  const steps = ['K', 'Q', 'V'].filter((id) => state.program.forward.get(id)?.inputs[0] === 'x');
  if (steps.length === 0) return [];
  const operationOf = (id: NodeId): StepOperation => (nodeOf(graph, id) as OperationNode).operation;
  return [
    {
      say: (value) => ({
        id: 'input-scaled',
        title: `x is multiplied by ${value} before the projections`,
      }),
      ...{ right: 1, steps },
      operations: (value) => steps.map((id) => onOperand(operationOf(id), 0, times(value))),
    },
  ];
}

function editOf(site: Site, parameter: Parameter, value: number): Edit {
  const { say, steps, operations } = parameter;
  return makeEdit(
    site,
    steps[0],
    'value',
    {
      cost: 1.5,
      ...say(value),
      why: `All ${site.goal.user.data.length} entries of the first wrong tensor come out with this one number, which was fitted to them.`,
      wrong: say(value).title,
    },
    (program: Program) => {
      const own = operations(value);
      return steps.reduce(
        (changed, step, n) =>
          withStep(changed, step, {
            operation: own[n],
            inputs: program.forward.get(step)!.inputs,
          }),
        program,
      );
    },
  );
}

/** Gauss and Newton's method for the logarithm of one number; null where none reproduces the goal. */
function fit(site: Site, parameter: Parameter): number | null {
  const { goal, state, precision } = site;
  const { user, key, look } = goal;
  const { right, small } = parameter;
  const predict = (value: number): Tensor | null => {
    try {
      const edited = state.under(editOf(site, parameter, value).apply(state.program));
      const found = edited.reaches(key) ? edited.predict(key) : null;
      return found && sameShape(found.shape, user.shape) ? look(found) : null;
    } catch (error) {
      // Not every value makes a setup.
      if (error instanceof ConfigError || isMisfit(error)) return null;
      throw error;
    }
  };
  const accepted = precision * (largestMagnitude(user) || 1);
  const isExact = (value: number): boolean => {
    const found = predict(value);
    return found !== null && difference(found, user).maxAbs <= accepted;
  };
  const some = small === undefined ? null : predict(small);
  const first = small! * ((some && shareOf(user, look(state.predict(key)), some)) ?? NaN);
  for (const start of [...(first > 0 ? [Math.log(first / right)] : []), ...STARTS]) {
    const value = right * Math.exp(descent(start, (t) => predict(right * Math.exp(t)), user));
    if (!Number.isFinite(value) || !isExact(value)) continue;
    if (Math.abs(value / right - 1) < 1e-9) return null;
    const digits = Array.from({ length: 16 }, (_, n) => Number(value.toPrecision(n + 1)));
    return digits.find(isExact) ?? value;
  }
  return null;
}

function descent(start: number, predict: (t: number) => Tensor | null, user: Tensor): number {
  let t = start;
  for (let step = 0; step < MOST_STEPS; step++) {
    const here = predict(t);
    const there = here && predict(t + SLOPE_STEP);
    const steps = there && shareOf(user, here, there);
    if (steps === null) break;
    const change = Math.max(-1, Math.min(1, steps * SLOPE_STEP));
    t += change;
    if (!(Math.abs(t) < MOST_LOGARITHM) || Math.abs(change) < 1e-9) break;
  }
  return t;
}
