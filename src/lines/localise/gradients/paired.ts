// Objects that hold a value and its gradient, as those of a small engine do: the gradient is that of the next node.
import { followed } from '../../recorded/flow.ts';
import type { Mistaken } from '../names/mistaken.ts';
import type { Observed } from '../../align/observe.ts';
import { originOf } from '../blame/common.ts';
import type { Field } from '../suspects.ts';

const PAIR = /^(.*)\.(data|value|grad)$/s;

/** Nodes that something right is as a whole, of that kind. */
const nodesOf = ({ found, standing }: Observed, kind: 'value' | 'gradient'): string[] =>
  standing === 'right'
    ? found.flatMap(({ entry }) =>
        entry.role === 'node' && entry.kind === kind ? [entry.node] : [],
      )
    : [];

/** Where a gradient that never comes out was to be written, and that of another node was. */
export function exchangedPairs(field: Field): Mistaken[] {
  const { recording, observed, covered } = field;
  const { events } = recording;
  const values = new Map<string, Observed>();
  const found = new Map<number, Mistaken>();
  for (const each of observed) {
    const { name, frame, id } = each.event;
    const [, owner, what] = PAIR.exec(name) ?? [];
    if (owner === undefined) continue;
    const key = `${frame} ${owner}`;
    if (what !== 'grad') {
      values.set(key, each);
      continue;
    }
    const value = values.get(key);
    const own = value ? nodesOf(value, 'value') : [];
    const is = nodesOf(each, 'gradient');
    const isOther = own.length > 0 && is.length > 0 && !is.some((node) => own.includes(node));
    if (!isOther || own.some((node) => covered.has(`g:${node}`))) continue;
    const root = followed(events, id);
    const isLast = !events.some(
      (other) => other.id > id && other.how === 'update' && followed(events, other.id) === root,
    );
    const at = originOf(field, id);
    if (!isLast || events[at].how !== 'update') continue;
    const [node] = own;
    const note = `${name} is d${is[0]}, that of ${owner}.${value!.event.name.split('.').at(-1)} is d${node}`;
    if (!found.has(at)) found.set(at, { event: at, node, kind: 'gradient', note });
  }
  return [...found.values()];
}
