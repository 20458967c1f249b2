// A backward pass written beside autograd's, to be held against it: that autograd has its gradients right says nothing of
// what was computed by hand.
import { type Key, keyOf } from '../../compare/program/program.ts';
import { isWhole } from '../align/align.ts';
import type { Catalogue } from '../align/catalogue.ts';
import { cone, type Flow } from '../recorded/flow.ts';
import { coveredKeys } from '../localise/goals.ts';
import { nodeNamed, type Observed } from '../align/observe.ts';
import type { Recording } from '../recorded/recording.ts';

/** Gradients of so many nodes that lie within the attention are no accident. */
const LEAST = 2;

const AUTOGRAD = /\.grad\b|\bgrad\(|backward\(/;

/** Keys that are covered by autograd alone, though the program computes by hand what it names as that gradient. */
export function wrongByHand(
  recording: Recording,
  catalogue: Catalogue,
  observed: readonly Observed[],
  flow: Flow,
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
  const keys = own.flatMap(({ event, standing }): Key[] => {
    if (standing !== 'off' || !after.has(event.id)) return [];
    const named = nodeNamed(event);
    const node = catalogue.graph.nodes.find(({ id }) => id === named?.node);
    if (named?.kind !== 'gradient' || !node) return [];
    const key = keyOf(node.id, 'gradient');
    return covered.has(key) ? [] : [key];
  });
  return new Set(keys);
}

const isGradientWithin = (key: Key): boolean => key.startsWith('g:') && !/^g:[yf]$/.test(key);
