// What the program calls its inputs, and which of them a name says the gradient of.
import type { NodeId } from '../../../engine/graph.ts';
import { isWhole } from '../../align/align.ts';
import type { Entry } from '../../align/catalogue.ts';
import type { Observed } from '../../align/observe.ts';

export interface NamedInput {
  readonly node: NodeId;
  readonly shape: readonly number[];
}

/** Whole values of nodes by the names that they were first given. */
export function inputsByName(
  observed: readonly Observed[],
  isInput: (entry: Entry) => boolean,
): Map<string, NamedInput> {
  const inputs = new Map<string, NamedInput>();
  for (const { event, found } of observed)
    for (const each of found) {
      const { role, kind, node } = each.entry;
      const isOne = role === 'node' && kind === 'value' && isInput(each.entry);
      if (isOne && isWhole(each) && !inputs.has(event.name))
        inputs.set(event.name, { node, shape: event.shape });
    }
  return inputs;
}

const GRADIENT = /^(?:d_?|grad_)(\w+)$|^(\w+)_grad$/;
/** Short ones too: they say it only where gradients are known to be computed by hand. */
const SHORT = /^(?:d|g|grad)_?(\w+)$|^(\w+?)_(?:d|g|grad)$/;

/** The name without what says that it is a gradient; null where nothing does. */
export function ofWhich(name: string, isByHand = false): string | null {
  const [, after, before] = (isByHand ? SHORT : GRADIENT).exec(name) ?? [];
  return after ?? before ?? null;
}
