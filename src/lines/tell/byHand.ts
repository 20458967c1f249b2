// A backward pass written beside autograd's, to be held against it: that autograd has its gradients right says nothing of
// what was computed by hand.
import { type Key, keyOf } from '../../compare/program/program.ts';
import { sizeOf } from '../../engine/tensor.ts';
import { isWhole } from '../align/align.ts';
import type { Catalogue } from '../align/catalogue.ts';
import { cone, type Flow } from '../recorded/flow.ts';
import { coveredKeys } from '../localise/goals.ts';
import { nodeNamed, type Observed } from '../align/observe.ts';
import type { Recording } from '../recorded/recording.ts';

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
  const own = observed.filter(({ event: { how, statement } }) => {
    if (how === 'gradient' || how === 'leaf') return false;
    return !AUTOGRAD.test(recording.statements[statement].text);
  });
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
  const frames = new Set(inner.map(({ id }) => recording.events[id].frame));
  const keys = own.flatMap(({ event, standing }): Key[] => {
    const isWrong = standing === 'off' || (standing === 'partial' && !leads[event.id]);
    if (!isWrong || !after.has(event.id)) return [];
    const named = nodeNamed(event);
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

const isGradientWithin = (key: Key): boolean => key.startsWith('g:') && !/^g:[yf]$/.test(key);
