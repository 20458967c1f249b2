// Calls of one function with other arguments than those it is judged by: a gradient check calls a backward pass with each
// unit vector.
import { type Key, keyOf } from '../../compare/program/program.ts';
import { nodeNamed, type Observed } from '../align/observe.ts';
import type { Event } from '../recorded/recording.ts';

const isRight = ({ standing }: Observed): boolean => standing === 'right' || standing === 'partial';

/**
 * Tells of an event whether its statement gave the gradient that it is named after in an earlier call, of whose arguments
 * this call was given one that is none of the attention's tensors.
 */
export function otherCalls(observed: readonly Observed[]): (event: Event) => boolean {
  const byPlace = new Map<string, Observed[]>();
  const given = new Map<number, Observed[]>();
  const add = <K>(map: Map<K, Observed[]>, key: K, each: Observed): void => {
    const own = map.get(key);
    if (own) own.push(each);
    else map.set(key, [each]);
  };
  for (const each of observed) {
    const { how, frame, statement, name, shape } = each.event;
    if (how === 'argument') {
      if (shape.length > 0) add(given, frame, each);
    } else if (each.standing === 'right') add(byPlace, `${statement} ${name}`, each);
  }
  return (event) => {
    const { id, frame, statement, name } = event;
    const named = nodeNamed(event);
    if (named?.kind !== 'gradient') return false;
    const key: Key = keyOf(named.node, 'gradient');
    return (byPlace.get(`${statement} ${name}`) ?? []).some((right) => {
      if (right.event.frame === frame || right.event.id > id) return false;
      if (!right.found.some(({ entry }) => entry.key === key)) return false;
      const before = given.get(right.event.frame) ?? [];
      return (given.get(frame) ?? []).some(
        (argument) =>
          !isRight(argument) &&
          before.some((other) => other.event.name === argument.event.name && isRight(other)),
      );
    });
  };
}
