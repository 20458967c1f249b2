// A backward pass written beside autograd's, to be held against it: that autograd has its gradients right says nothing of
// what was computed by hand.
import { type Key, keyOf } from '../../compare/program/program.ts';
import type { NodeId } from '../../engine/graph.ts';
import { sizeOf } from '../../engine/tensor.ts';
import { isWhole } from '../align/align.ts';
import type { Catalogue } from '../align/catalogue.ts';
import { cone, type Flow, handedFrom } from '../recorded/flow.ts';
import { coveredKeys } from '../localise/goals.ts';
import { nodeNamed, type Observed } from '../align/observe.ts';
import type { Event, Recording } from '../recorded/recording.ts';

/** Gradients of so many nodes that lie within the attention are no accident. */
const LEAST = 2;

const AUTOGRAD = /\.grad\b|\bgrad\(|backward\(/;

/**
 * Keys that are covered by autograd alone, though the program computes by hand what it names as that gradient, or returns
 * something of its size from where it computes others by hand. `leads`: of each event whether it leads to something right.
 */
export function wrongByHand(
  recording: Recording,
  catalogue: Catalogue,
  observed: readonly Observed[],
  flow: Flow,
  leads: readonly boolean[],
): Set<Key> {
  const isOfAutograd = ({ how, statement }: Event): boolean =>
    how === 'gradient' || how === 'leaf' || AUTOGRAD.test(recording.statements[statement].text);
  const own = observed.filter(({ event: { id } }) =>
    [...handedFrom(recording, id)].every((each) => !isOfAutograd(recording.events[each])),
  );
  if (own.length === observed.length) return new Set();
  const inner = own.flatMap(({ event, found: [best] }) =>
    best?.entry.role === 'node' && isGradientWithin(best.entry.key) && isWhole(best)
      ? [{ id: event.id, key: best.entry.key }]
      : [],
  );
  if (new Set(inner.map(({ key }) => key)).size < LEAST) return new Set();
  const covered = coveredKeys(catalogue, own);
  const after = cone(
    flow,
    inner.map(({ id }) => id),
  );
  const { nodes } = catalogue.graph;
  const inputs = inputsByName(catalogue, observed);
  const frames = new Set(inner.map(({ id }) => recording.events[id].frame));
  const keys = own.flatMap(({ event, standing }): Key[] => {
    const isWrong = standing === 'off' || (standing === 'partial' && !leads[event.id]);
    if (!isWrong || !after.has(event.id)) return [];
    const named = nodeNamed(event) ?? ofInput(event.name, inputs);
    const isNamed = named?.kind === 'gradient' && standing === 'off';
    const isEnd = event.how === 'return' && frames.has(event.frame) && !leads[event.id];
    const size = sizeOf(event.shape);
    return nodes
      .filter(
        ({ id, kind, shape }) =>
          (isNamed && id === named.node) || (isEnd && kind === 'input' && sizeOf(shape) === size),
      )
      .map(({ id }) => keyOf(id, 'gradient'))
      .filter((key) => !covered.has(key));
  });
  return new Set(keys);
}

/** What the inputs of the setup are called by the program. */
function inputsByName({ graph }: Catalogue, observed: readonly Observed[]): Map<string, NodeId> {
  const inputs = new Set(graph.nodes.flatMap(({ id, kind }) => (kind === 'input' ? [id] : [])));
  return new Map(
    observed.flatMap(({ event, found: [best] }) =>
      best?.entry.role === 'node' && best.entry.kind === 'value' && inputs.has(best.entry.node)
        ? [[event.name, best.entry.node]]
        : [],
    ),
  );
}

/** The input of which a name says the gradient: `d_memory` where `memory` is one. */
function ofInput(
  name: string,
  inputs: ReadonlyMap<string, NodeId>,
): { readonly node: NodeId; readonly kind: 'gradient' } | null {
  const [, before, after] = /^(?:d|g|grad)_?(\w+)$|^(\w+?)_(?:d|g|grad)$/.exec(name) ?? [];
  const node = inputs.get(before ?? after ?? '');
  return node === undefined ? null : { node, kind: 'gradient' };
}

const isGradientWithin = (key: Key): boolean => key.startsWith('g:') && !/^g:[yf]$/.test(key);
