// What there is to see of each line beside its verdict: the formula, and of a wrong one the numbers; and what the panel is given.
import { layoutsOf } from '../compare/align/layouts.ts';
import { type Kind, keyOf, referenceProgram, State } from '../compare/program/program.ts';
import { toText } from '../engine/formula.ts';
import {
  type Graph,
  type NodeId,
  hasNode,
  nodeOf,
  operationNodes,
  tensorName,
} from '../engine/graph.ts';
import { largestMagnitude, sizeOf, strides, type Tensor, tensor } from '../engine/tensor.ts';
import { isDType } from '../formats/dtype.ts';
import type { NamedTensor } from '../formats/namedTensor.ts';
import { type Alignment, isReordered, isWhole } from '../lines/align/align.ts';
import { handedOn } from '../lines/recorded/flow.ts';
import type { Event, Recording } from '../lines/recorded/recording.ts';
import { nodeNamed } from '../lines/align/observe.ts';
import { type Line, linesWithEvents } from '../lines/tell/result.ts';
import type { Answer } from './answer.ts';
import { type Grids, gridsOf, partOf } from './grid.ts';

export interface Detail {
  readonly line: Line;
  /** The node that it is, or of a consequence that its name says. */
  readonly place: Place | null;
  /** Whether the statement makes it, rather than hands it on: as a parameter, an element, under another name. */
  readonly computes: boolean;
  /** One for each contribution to a gradient. */
  readonly formulas: readonly string[];
  readonly grids: Grids | null;
}

export interface Place {
  readonly node: NodeId;
  readonly kind: Kind;
}

/** Of a node's value, or of what its gradient is the sum of. */
function formulasOf(graph: Graph, id: NodeId, kind: Kind): string[] {
  if (kind === 'value') {
    const node = nodeOf(graph, id);
    if (node.kind === 'input') return [];
    return [toText(node.operation.formula({ output: id, inputs: node.inputs }).forward)];
  }
  return operationNodes(graph).flatMap(({ id: output, inputs, operation }) => {
    const { backward } = operation.formula({ output, inputs });
    return inputs.flatMap((input, slot) => (input === id ? [toText(backward[slot])] : []));
  });
}

/** How far a tensor is from another one of its shape, all entries together. */
const distance = (a: Tensor, b: Tensor): number =>
  a.data.reduce((sum, value, at) => sum + (Math.abs(value - b.data[at]) || 0), 0);

/**
 * A tensor in the shape and axis order of its node; null where it has no such layout. Of several the one nearest to the
 * reference, but never another order of axes where the shape is the node's own: that may be the mistake.
 */
function asNode({ graph, judged }: Answer, { node, kind }: Place, own: Tensor): Tensor | null {
  const reference = judged.catalogue.state.predict(keyOf(node, kind));
  if (own.data.length !== reference.data.length) return null;
  const read = layoutsOf(own.shape, nodeOf(graph, node).axes, graph.extents)
    .filter(({ ambiguous }) => !ambiguous)
    .flatMap((layout) => layout.undo(own, kind) ?? []);
  const off = read.map((each) => distance(each, reference));
  return read[off.indexOf(Math.min(...off))] ?? null;
}

/** Where a scalar was written into an array, the array as the loop left it. */
function wholeEvent({ events }: Recording, event: Event): Event {
  if (event.how !== 'write') return event;
  const end = events.find(
    ({ id, how, name, frame, statement }) =>
      id > event.id &&
      how === 'loop-end' &&
      frame === event.frame &&
      (statement === event.statement || event.name.startsWith(name)),
  );
  return end ?? event;
}

function gridsAt(
  recording: Recording,
  answer: Answer,
  place: Place | null,
  event: Event,
): Grids | null {
  const shown = wholeEvent(recording, event);
  const own = recording.tensor(shown.id);
  if (!own) return null;
  if (!place) return gridsOf(own, null);
  const reference = answer.judged.catalogue.state.predict(keyOf(place.node, place.kind));
  if (own.data.length !== reference.data.length)
    return gridsOf(own, partOf(reference, own, shown.loops));
  const placed = asNode(answer, place, own);
  return placed ? gridsOf(placed, reference) : gridsOf(own, null);
}

/** Of a line its node; of a consequence the one that it is. */
type Places = (line: Line, event: number) => Place | null;

/** Nodes as the wrong tensors make them; null where none of these is a whole node. */
function followed(recording: Recording, answer: Answer): State | null {
  const { graph, judged } = answer;
  const [values, gradients] = [new Map<NodeId, Tensor>(), new Map<NodeId, Tensor>()];
  for (const { event, node, kind } of (answer.told ?? judged.localised).wrong) {
    const own = node !== null && kind !== 'other' ? recording.tensor(event) : null;
    const placed = own && asNode(answer, { node: node!, kind: kind as Kind }, own);
    if (placed) (kind === 'value' ? values : gradients).set(node!, placed);
  }
  return values.size + gradients.size > 0
    ? new State(referenceProgram(graph), { values, gradients })
    : null;
}

/** A few units in the last place of the program's numbers, after several steps. */
const UNITS = 500;
const [LEAST, MOST] = [1e-7, 0.05];

/**
 * What a consequence is, its name says alone at first: a y may be still to be projected, a gradient still to be added to.
 * It is that node where it is what the wrong tensors make of it.
 */
function placesOf(recording: Recording, answer: Answer): Places {
  const { graph, judged } = answer;
  const { epsilon } = judged.catalogue.type;
  const share = Math.min(MOST, Math.max(LEAST, UNITS * epsilon));
  const state = followed(recording, answer);
  const isMade = (place: Place, own: Tensor): boolean => {
    const placed = asNode(answer, place, own);
    if (!state || !placed) return false;
    const made = state.predict(keyOf(place.node, place.kind));
    const most = largestMagnitude(made);
    return made.data.every((value, at) => {
      const off = Math.abs(value - placed.data[at]);
      return off <= share * most || Object.is(value, placed.data[at]);
    });
  };
  return ({ node, kind, status }, event) => {
    if (node !== null && kind !== 'other') return { node, kind };
    const named = status === 'consequence' ? nodeNamed(recording.events[event]) : null;
    const own = named && hasNode(graph, named.node) ? recording.tensor(event) : null;
    return named && own && isMade(named, own) ? named : null;
  };
}

/** What a function gave back is made by its call, too. */
function computes(recording: Recording, event: Event): boolean {
  if (event.how === 'argument') return false;
  const from = handedOn(recording, event);
  if (from === null) return true;
  const isCall = recording.events[from].how === 'return' && event.how !== 'return';
  return isCall && !/\[\d+\]$/.test(event.name);
}

/** In the order of the answer's lines. */
export function detailsOf(recording: Recording, answer: Answer): Detail[] {
  const localised = answer.told ?? answer.judged.localised;
  const places = placesOf(recording, answer);
  return linesWithEvents(recording, localised).map(({ line, event }) => {
    const own = recording.events[event];
    const place = places(line, event);
    return {
      ...{ line, place, computes: computes(recording, own) },
      formulas: place ? formulasOf(answer.graph, place.node, place.kind) : [],
      grids: line.status === 'diverges' ? gridsAt(recording, answer, place, own) : null,
    };
  });
}

/** A tensor that is all of a node, in the node's axis order. */
export function gathered(graph: Graph, own: Tensor, { entry, axes }: Alignment): Tensor {
  const { letters, lengths } = entry;
  const steps = strides(own.shape);
  const stepOf = new Map<string, number>();
  axes.forEach((along, axis) => {
    let step = steps[axis];
    for (const letter of [...along].reverse()) {
      stepOf.set(letter, step);
      step *= lengths[letters.indexOf(letter)];
    }
  });
  const data = new Float64Array(sizeOf(lengths));
  let filled = 0;
  const fill = (n: number, at: number): void => {
    if (n === letters.length) {
      data[filled++] = own.data[at];
      return;
    }
    const step = stepOf.get(letters[n]) ?? 0;
    for (let k = 0; k < lengths[n]; k++) fill(n + 1, at + k * step);
  };
  fill(0, 0);
  return tensor(nodeOf(graph, entry.node).shape, data);
}

/** Entries that are sent to the panel, together. */
const MOST_ENTRIES = 2_000_000;

/** The person's tensors of the nodes, in the nodes' shapes, for the panel to hold against its own. */
export function tensorsOf(recording: Recording, answer: Answer): NamedTensor[] {
  const { graph, judged } = answer;
  const localised = answer.told ?? judged.localised;
  const { observed, wrong } = localised;
  const found = new Map<string, NamedTensor>();
  const later: [Place, Event, Tensor][] = [];
  const places = placesOf(recording, answer);
  let entries = 0;
  const add = (name: string, { dtype }: Event, own: Tensor): void => {
    entries += own.data.length;
    if (entries > MOST_ENTRIES) return;
    found.set(name, { name, dtype: isDType(dtype) ? dtype : 'float64', tensor: own });
  };
  for (const { event, node, kind } of wrong) {
    const own = recording.tensor(event);
    if (node === null || kind === 'other' || !own) continue;
    const placed = asNode(answer, { node, kind }, own);
    if (placed) add(tensorName(node, kind), recording.events[event], placed);
  }
  for (const { line, event } of linesWithEvents(recording, localised)) {
    const place = places(line, event);
    const own = line.status === 'consequence' && place ? recording.tensor(event) : null;
    const placed = own && place && asNode(answer, place, own);
    if (placed) later.push([place, recording.events[event], placed]);
  }
  for (const { event, found: alignments } of observed)
    for (const alignment of alignments) {
      const { role, node, kind } = alignment.entry;
      const name = tensorName(node, kind);
      const isAll = role === 'node' && isWhole(alignment) && !isReordered(alignment);
      const own = isAll && !found.has(name) ? recording.tensor(event.id) : null;
      if (own) add(name, event, gathered(graph, own, alignment));
    }
  for (const [{ node, kind }, event, own] of later)
    if (!found.has(tensorName(node, kind))) add(tensorName(node, kind), event, own);
  return [...found.values()];
}
