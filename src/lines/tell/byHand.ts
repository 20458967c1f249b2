// A backward pass written beside autograd's, to be held against it: that autograd has its gradients right says nothing of
// what was computed by hand.
import { type Key, keyOf } from '../../compare/program/program.ts';
import type { NodeId } from '../../engine/graph.ts';
import { sizeOf } from '../../engine/tensor.ts';
import { isWhole } from '../align/align.ts';
import type { Catalogue } from '../align/catalogue.ts';
import { cone, type Flow, handedFrom } from '../recorded/flow.ts';
import { coveredKeys } from '../localise/goals.ts';
import { inputsByName, ofWhich } from '../localise/names/ofInputs.ts';
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
  const isInput = new Set(nodes.flatMap(({ id, kind }) => (kind === 'input' ? [id] : [])));
  const inputs = inputsByName(observed, ({ node }) => isInput.has(node));
  /** What a name says that it is the gradient of: of a node, or of what the program calls an input. */
  const ofName = (event: Event): NodeId | undefined => {
    const named = nodeNamed(event);
    if (named) return named.kind === 'gradient' ? named.node : undefined;
    return inputs.get(ofWhich(event.name, true) ?? '')?.node;
  };
  const frames = new Set(inner.map(({ id }) => recording.events[id].frame));
  const keys = own.flatMap(({ event, standing }): Key[] => {
    const isWrong = standing === 'off' || (standing === 'partial' && !leads[event.id]);
    if (!isWrong || !after.has(event.id)) return [];
    const named = standing === 'off' ? ofName(event) : undefined;
    const isEnd = event.how === 'return' && frames.has(event.frame) && !leads[event.id];
    const size = sizeOf(event.shape);
    return nodes
      .filter(
        ({ id, kind, shape }) =>
          id === named || (isEnd && kind === 'input' && sizeOf(shape) === size),
      )
      .map(({ id }) => keyOf(id, 'gradient'))
      .filter((key) => !covered.has(key));
  });
  return new Set(keys);
}

const isGradientWithin = (key: Key): boolean => key.startsWith('g:') && !/^g:[yf]$/.test(key);
