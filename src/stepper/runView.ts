// What there is to see of a run as a whole, the same at every step.
import { axisLabel, axisName, type Extents } from '../engine/axes.ts';
import { equations } from '../engine/equations.ts';
import { type MathNode, toMath } from '../engine/mathml.ts';
import type { GraphNode, NodeId } from '../engine/graph.ts';
import { PARAMETERS } from '../engine/heads/parameters.ts';
import { isWeight } from '../engine/nodes.ts';
import type { Run } from '../engine/run.ts';
import type { Picture } from './picture.ts';
import { valuePictures } from './nodePicture.ts';
import type { ViewOptions } from './stepView.ts';
import { captionOf, type Timeline } from './timeline.ts';

/** A node without its numbers. */
export interface NodeOutline {
  readonly id: NodeId;
  readonly kind: 'input' | 'operation';
  /** Operands in order; the same id may stand twice. */
  readonly inputs: readonly NodeId[];
  readonly shape: readonly number[];
  /** "query j", one per axis of `shape`. */
  readonly axes: readonly string[];
  /** What the operation does, in plain words; what the input is. */
  readonly summary: string;
}

export interface NodeView extends NodeOutline {
  readonly value: Picture;
}

export interface EquationView {
  readonly number: string;
  readonly title: string;
  /** What its symbols are called in the graph, where that is something else. */
  readonly note: string;
  readonly math: MathNode;
}

export interface RunView {
  readonly title: string;
  readonly description: string;
  /** In the order of computation. */
  readonly nodes: readonly NodeView[];
  readonly equations: readonly EquationView[];
  readonly extents: Extents;
  /** Captions of the slider's places, in order. */
  readonly ticks: readonly string[];
  /** Index of the first backward tick. */
  readonly backwardFrom: number;
  /** Query heads; 1 where there is no head axis. */
  readonly heads: number;
  readonly selfAttention: boolean;
  readonly notices: readonly string[];
  readonly breakpoints: readonly NodeId[];
}

const inputSummaries: Readonly<Record<NodeId, string>> = {
  x: "The tokens on the keys' side.",
  xPrime: "The tokens on the queries' side (x′ in the equations).",
  xValue: 'The tokens that values are made from.',
  temperature: 'A factor on the scores of each query.',
  K: 'The keys, given.',
  Q: 'The queries, given.',
  V: 'The values, given.',
};

const inputSummary = (id: NodeId): string =>
  isWeight(id) ? PARAMETERS[id].what : inputSummaries[id];

export function nodeOutline(node: GraphNode, selfAttention: boolean): NodeOutline {
  const isInput = node.kind === 'input';
  const both = node.id === 'x' && selfAttention;
  return {
    id: node.id,
    kind: node.kind,
    inputs: isInput ? [] : node.inputs,
    shape: node.shape,
    axes: node.axes.map((axis) => `${axisName(axis)} ${axisLabel(axis)}`),
    summary: both
      ? 'The tokens, on both sides: self-attention.'
      : isInput
        ? inputSummary(node.id)
        : node.operation.summary,
  };
}

export function runView(
  run: Run,
  timeline: Timeline,
  options: ViewOptions,
  about: { title: string; description: string; breakpoints: ReadonlySet<NodeId> },
): RunView {
  const { graph } = run;
  const pictures = valuePictures(run, options);
  const { h = 1, r = 1, g = 1 } = graph.extents;
  return {
    title: about.title,
    description: about.description,
    nodes: graph.nodes.map((node) => ({
      ...nodeOutline(node, graph.selfAttention),
      value: pictures[node.id],
    })),
    equations: equations(graph).map(({ number, title, note, formula }) => ({
      number,
      title,
      note,
      math: toMath(formula),
    })),
    extents: graph.extents,
    ticks: timeline.ticks.map((tick) => captionOf(timeline, tick)),
    backwardFrom: timeline.ticks.findIndex(({ step }) => timeline.steps[step].phase === 'backward'),
    heads: h * r * g,
    selfAttention: graph.selfAttention,
    notices: run.notices.map(({ message }) => message),
    breakpoints: [...about.breakpoints],
  };
}
