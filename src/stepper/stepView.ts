// What there is to see at one position: what was just computed from what, and what is next. A view of run + cursor.
import { type Binding, bindingAt, offsetAt } from '../engine/axes.ts';
import { backwardParts, forwardParts } from '../engine/equations.ts';
import { type Formula, type MathNode, toMath, toText } from '../engine/formula.ts';
import { type GraphNode, type NodeId, nodeOf } from '../engine/graph.ts';
import { type Path, pathShares } from '../engine/paths.ts';
import { accumulator, type Contribution, type Run } from '../engine/run.ts';
import { gradientTerms, operationOf, valueTerms } from '../engine/terms.ts';
import { add, indexOf, type Tensor } from '../engine/tensor.ts';
import { type Picture, pictureOf } from './picture.ts';
import {
  captionOf,
  contributionAt,
  type Level,
  levelOf,
  type Phase,
  type Position,
  tickOf,
  type Timeline,
} from './timeline.ts';

export interface NodeState {
  /** `current`: what this position is about. `waiting`: not computed yet. */
  readonly status: 'waiting' | 'computed' | 'current';
  /** Contributions that have arrived in the accumulator, of how many. */
  readonly received: number;
  readonly expected: number;
  /** The accumulator so far; null before the first contribution. */
  readonly gradient: Picture | null;
}

export interface TermView {
  /** "dS[1,0] · Q[0,2]" */
  readonly label: string;
  readonly factors: readonly number[];
  readonly product: number;
  /** "structure": the local Jacobian's entry is 0 because the output does not depend on this entry. */
  readonly zero: 'structure' | 'value' | null;
}

export interface TermsView {
  readonly terms: readonly TermView[];
  /** Terms not listed: too many to show. */
  readonly omitted: number;
  readonly total: number;
  /** The term the cursor is at. */
  readonly current: number | null;
}

/** Before + contribution = after, as pictures and at the selected entry. */
export interface AccumulationView {
  readonly before: Picture;
  readonly contribution: Picture;
  readonly after: Picture;
  readonly entry: {
    readonly before: number;
    readonly contribution: number;
    readonly after: number;
  };
  /** 1 for the first contribution into this accumulator, of `of`. */
  readonly ordinal: number;
  readonly of: number;
  readonly path: Path;
}

export interface PathView {
  readonly path: Path;
  readonly from: NodeId;
  /** In [0, 1]: the norm of this part over the sum of the parts' norms. */
  readonly share: number;
  /** This part of the selected entry. */
  readonly entry: number;
  readonly arrived: boolean;
}

export interface StepView {
  readonly tick: number;
  readonly ticks: number;
  readonly level: Level;
  readonly phase: Phase;
  /** "backward: y → P" */
  readonly caption: string;
  /** One sentence in plain words. */
  readonly sentence: string;
  /** What `over` does next; null at the end. */
  readonly next: string | null;
  readonly nodes: Readonly<Record<NodeId, NodeState>>;
  /** Edges in data's direction (operand to user) that this position is about. */
  readonly edges: readonly {
    readonly operand: NodeId;
    readonly user: NodeId;
    readonly slot: number;
  }[];
  /** The tensor looked at, and the selected entry in it. */
  readonly focus: {
    readonly node: NodeId;
    readonly kind: 'value' | 'gradient';
    readonly index: readonly number[];
  } | null;
  readonly formula: {
    readonly general: MathNode;
    readonly bound: MathNode;
    readonly text: string;
  } | null;
  /** Forward: the value just computed. */
  readonly value: { readonly picture: Picture; readonly entry: number } | null;
  readonly accumulation: AccumulationView | null;
  readonly terms: TermsView | null;
  readonly paths: readonly PathView[];
  /** Names of the equations' parts to mark. */
  readonly parts: readonly string[];
  readonly selection: Binding;
  /** -df/dx so far, one vector per token, where f is an energy and x are positions. */
  readonly forces: readonly Force[] | null;
}

/** A token's position and the force on it, in the plane of its first two coordinates. */
export interface Force {
  readonly at: readonly [number, number];
  readonly force: readonly [number, number];
}

export interface ViewOptions {
  readonly selection: Binding;
  readonly allHeads: boolean;
  /** f is an energy and x are positions: show forces. */
  readonly energy: boolean;
}

const THUMBNAIL = 24;
const DETAIL = 64;

/** How many contributions have been made at a position. */
export function contributionsDone(timeline: Timeline, { step, contribution }: Position): number {
  const before = timeline.steps
    .slice(0, step)
    .reduce((count, each) => count + each.contributions.length, 0);
  return (
    before + (contribution === null ? timeline.steps[step].contributions.length : contribution + 1)
  );
}

/** Terms behind the selected entry: what the walk's term level runs over. */
export function termCountAt(
  run: Run,
  timeline: Timeline,
  step: number,
  contribution: number | null,
  selection: Binding,
): number {
  const { phase, node } = timeline.steps[step];
  if (node === null) return 0;
  if (phase === 'forward') {
    return valueTerms(run, node, entryOffset(run, nodeOf(run.graph, node), selection))?.length ?? 0;
  }
  const current = contributionAt(timeline, { step, contribution, term: null });
  if (!current) return 0;
  return gradientTerms(run, current, entryOffset(run, nodeOf(run.graph, current.to), selection))
    .terms.length;
}

function entryOffset(run: Run, node: GraphNode, selection: Binding): number {
  const { extents } = run.graph;
  const clamped = Object.fromEntries(
    Object.entries(selection).map(([letter, at]) => [
      letter,
      Math.min(at, (extents[letter] ?? 1) - 1),
    ]),
  );
  return offsetAt(node.axes, extents, clamped);
}

const entryText = (name: string, index: readonly number[]): string =>
  index.length === 0 ? name : `${name}[${index.join(',')}]`;

/** Binds a backward formula's operand letters to the entry: in self-attention x's token is j on its way as query. */
function bindOperand(
  formula: Formula,
  node: GraphNode,
  offset: number,
  selection: Binding,
  run: Run,
): Binding {
  const own = bindingAt(node.axes, run.graph.extents, offset);
  if (formula.kind !== 'relation' || formula.left.kind !== 'symbol')
    return { ...selection, ...own };
  const renamed = formula.left.indices
    .flat()
    .map((letter, n) => [letter, own[node.axes.flat()[n]]] as const);
  return { ...selection, ...Object.fromEntries(renamed) };
}

const pathWords: Readonly<Record<Path, string>> = {
  value: 'as value',
  key: 'as key',
  query: 'as query',
  weights: 'through the weights',
  parameter: 'to a parameter',
  output: 'to the output',
};

export const wordsForPath = (path: Path): string => pathWords[path];

function nodeStates(
  run: Run,
  timeline: Timeline,
  position: Position,
  current: NodeId | null,
  options: ViewOptions,
): Record<NodeId, NodeState> {
  const { graph, values, contributions } = run;
  const done = contributions.slice(0, contributionsDone(timeline, position));
  const order = new Map(
    timeline.steps.map((step, n) => [step.phase === 'forward' ? step.node : '', n]),
  );
  return Object.fromEntries(
    graph.nodes.map((node): [NodeId, NodeState] => {
      const computed = node.kind === 'input' || (order.get(node.id) ?? 0) <= position.step;
      const arrived = done.filter(({ to }) => to === node.id).map(({ value }) => value);
      const total =
        node.id === 'f' && timeline.steps[position.step].phase === 'backward'
          ? run.gradients.get('f')!
          : sumOf(arrived);
      return [
        node.id,
        {
          status:
            node.id === current
              ? 'current'
              : computed && values.has(node.id)
                ? 'computed'
                : 'waiting',
          received: arrived.length,
          expected: contributions.filter(({ to }) => to === node.id).length,
          gradient: total && picture(run, node, total, options, THUMBNAIL),
        },
      ];
    }),
  );
}

function sumOf(parts: readonly Tensor[]): Tensor | null {
  return parts.length === 0 ? null : parts.slice(1).reduce(add, parts[0]);
}

export function picture(
  run: Run,
  node: GraphNode,
  value: Tensor,
  options: ViewOptions,
  most: number,
): Picture {
  const { extents } = run.graph;
  return pictureOf(value, {
    axes: node.axes,
    extents,
    binding: options.selection,
    allHeads: options.allHeads,
    most,
  });
}

/** Thumbnails of the values, which do not change along a run. */
export function valuePictures(run: Run, options: ViewOptions): Record<NodeId, Picture> {
  return Object.fromEntries(
    run.graph.nodes.map((node) => [
      node.id,
      picture(run, node, run.values.get(node.id)!, options, THUMBNAIL),
    ]),
  );
}

function backwardView(run: Run, position: Position, current: Contribution, options: ViewOptions) {
  const node = nodeOf(run.graph, current.to);
  const source = operationOf(run.graph, current.from);
  const offset = entryOffset(run, node, options.selection);
  const { before, after } = accumulator(run.contributions, current.index);
  const all = run.contributions.filter(({ to }) => to === current.to);
  const ordinal = all.findIndex(({ index }) => index === current.index) + 1;
  const names = { output: source.id, inputs: source.inputs };
  const formula = source.operation.formula(names).backward[current.slot];
  const writing = {
    binding: bindOperand(formula, node, offset, options.selection, run),
    extents: run.graph.extents,
  };
  const { terms, omitted, total } = gradientTerms(run, current, offset);
  const target = entryText(current.to, indexOf(node.shape, offset));
  const show = (value: Tensor): Picture => picture(run, node, value, options, DETAIL);
  const accumulation: AccumulationView = {
    before: show(before),
    contribution: show(current.value),
    after: show(after),
    entry: {
      before: before.data[offset],
      contribution: current.value.data[offset],
      after: after.data[offset],
    },
    ordinal,
    of: all.length,
    path: current.path,
  };
  const termsView: TermsView = {
    terms: terms.map(({ output, upstream, partial, product, zero }) => {
      const from = entryText(current.from, output);
      return {
        label: `d${from} · ∂${from}/∂${target}`,
        factors: [upstream, partial],
        product,
        zero,
      };
    }),
    omitted,
    total,
    current: position.term,
  };
  const paths = pathShares(run, current.to).map(({ contribution, share }): PathView => ({
    path: contribution.path,
    from: contribution.from,
    share,
    entry: contribution.value.data[offset],
    arrived: contribution.index <= current.index,
  }));
  const how =
    all.length === 1 ? 'its only contribution' : `contribution ${ordinal} of ${all.length}`;
  return {
    focus: { node: current.to, kind: 'gradient' as const, index: indexOf(node.shape, offset) },
    formula: {
      general: toMath(formula),
      bound: toMath(formula, writing),
      text: toText(formula, writing),
    },
    accumulation,
    terms: termsView,
    paths,
    sentence: `${current.from} passes its gradient on to ${current.to}, ${wordsForPath(current.path)}: ${how}.`,
  };
}

function forwardView(run: Run, position: Position, id: NodeId, options: ViewOptions) {
  const node = operationOf(run.graph, id);
  const value = run.values.get(id)!;
  const offset = entryOffset(run, node, options.selection);
  const { forward: formula } = node.operation.formula({ output: id, inputs: node.inputs });
  const writing = {
    binding: { ...options.selection, ...bindingAt(node.axes, run.graph.extents, offset) },
    extents: run.graph.extents,
  };
  const terms = valueTerms(run, id, offset);
  return {
    focus: { node: id, kind: 'value' as const, index: indexOf(node.shape, offset) },
    formula: {
      general: toMath(formula),
      bound: toMath(formula, writing),
      text: toText(formula, writing),
    },
    value: { picture: picture(run, node, value, options, DETAIL), entry: value.data[offset] },
    terms: terms && {
      terms: terms.map(({ factors, product }) => ({
        label: factors.map((factor) => entryText(factor.node, factor.index)).join(' · '),
        factors: factors.map((factor) => factor.value),
        product,
        zero: product === 0 ? ('value' as const) : null,
      })),
      omitted: 0,
      total: terms.reduce((sum, { product }) => sum + product, 0),
      current: position.term,
    },
    sentence: node.operation.summary,
  };
}

/** Forces on the tokens of the first batch entry from what has arrived in dx so far. */
function forcesAt(run: Run, timeline: Timeline, position: Position): Force[] | null {
  const x = run.values.get('x');
  if (!x || x.shape.length < 2) return null;
  const done = run.contributions.slice(0, contributionsDone(timeline, position));
  const gradient = sumOf(done.filter(({ to }) => to === 'x').map(({ value }) => value));
  const [tokens, width] = x.shape.slice(-2);
  return Array.from({ length: tokens }, (_, token): Force => {
    const pair = (values: ArrayLike<number> | undefined, sign: number): [number, number] => [
      sign * (values?.[token * width] ?? 0),
      width > 1 ? sign * (values?.[token * width + 1] ?? 0) : 0,
    ];
    return { at: pair(x.data, 1), force: pair(gradient?.data, -1) };
  });
}

/** Everything that the panel, the Variables view and the command line show at one position. */
export function viewAt(
  run: Run,
  timeline: Timeline,
  position: Position,
  options: ViewOptions,
): StepView {
  const { phase, node, contributions } = timeline.steps[position.step];
  const shown =
    position.contribution === null ? contributions : [contributions[position.contribution]];
  const current = contributionAt(timeline, position);
  const following = timeline.ticks[tickOf(timeline, position) + 1];
  const empty = {
    focus: null,
    formula: null,
    value: null,
    accumulation: null,
    terms: null,
    paths: [],
  };
  const own = current
    ? backwardView(run, position, current, options)
    : phase === 'forward'
      ? forwardView(run, position, node!, options)
      : { sentence: 'The inputs are given; nothing has been computed yet.' };
  const forwardEdges = phase === 'forward' ? operationOf(run.graph, node!).inputs : [];
  return {
    ...empty,
    ...own,
    tick: tickOf(timeline, position),
    ticks: timeline.ticks.length,
    level: levelOf(position),
    phase,
    caption: captionOf(timeline, position),
    next: following ? captionOf(timeline, following) : null,
    nodes: nodeStates(run, timeline, position, node, options),
    edges: [
      ...forwardEdges.map((operand, slot) => ({ operand, user: node!, slot })),
      ...shown.map(({ from, to, slot }) => ({ operand: to, user: from, slot })),
    ],
    parts:
      phase === 'forward'
        ? forwardParts(node!)
        : [...new Set(shown.flatMap(({ from, to }) => backwardParts(from, to)))],
    selection: options.selection,
    forces: options.energy ? forcesAt(run, timeline, position) : null,
  };
}
