// Where autograd's gradients go wrong although the forward pass is right: a detach, a part that needs no gradient.
import type { Key } from '../compare/program.ts';
import type { Wrong } from './localise.ts';
import type { Observed } from './observe.ts';
import { originalOf } from './observe.ts';
import type { Event } from './recording.ts';
import type { Field } from './suspects.ts';

type Passing = 'right' | 'wrong' | 'none';

/** The gradient that was recorded of an event or of another name of it. */
function gradientsOf({ recording, observed }: Field): Map<number, Observed> {
  const found = new Map<number, Observed>();
  for (const each of observed) {
    const { how, of } = each.event;
    if (how !== 'gradient' || of === undefined) continue;
    found.set(of, each);
    // A copy elsewhere in the program is another tensor; an alias is not.
    for (let at = recording.events[of].alias; at !== undefined; at = recording.events[at].alias)
      if (!found.has(at)) found.set(at, each);
  }
  return found;
}

/**
 * The statement that loses or spoils a gradient: what it makes has a right gradient, or needs none although it is computed
 * from something that does, and one of its operands has a wrong gradient or none. The last one of the forward pass is the
 * first of the backward pass.
 */
export function autogradSuspect(field: Field, missing: readonly Key[]): Wrong | null {
  const { recording, observed, flow } = field;
  const { events } = recording;
  const gradients = gradientsOf(field);
  if (gradients.size === 0) return null;
  const passing = (event: Event): Passing => {
    const gradient = gradients.get(event.id);
    if (!gradient) return 'none';
    const { standing, found } = gradient;
    if (standing === 'neutral') return 'right';
    const nodes = observed[event.id].found.map(({ entry }) => entry.node);
    // Of what is no node itself, such as queries that are scaled beforehand.
    const isForm = observed[event.id].found.every(({ entry }) => entry.role !== 'node');
    if (standing !== 'right') return standing === 'partial' && isForm ? 'right' : 'wrong';
    const fits = nodes.length === 0 || found.some(({ entry }) => nodes.includes(entry.node));
    return fits ? 'right' : 'wrong';
  };
  for (let id = events.length - 1; id >= 0; id--) {
    const event = events[id];
    const own = observed[id];
    if (event.requiresGrad !== true || event.how === 'gradient' || own.standing !== 'right') continue;
    if (passing(event) === 'right') continue;
    const users = flow.users[id].filter((user) => isComputed(field, user) && observed[user].standing === 'right');
    const loser = users.find((user) => {
      const other = events[user];
      return other.requiresGrad === true ? passing(other) === 'right' : isUsed(field, user, gradients);
    });
    if (loser === undefined) continue;
    const { entry } = own.found[0] ?? own.pieces[0] ?? {};
    const what = passing(event) === 'none' ? 'gets no gradient' : 'gets another gradient than it should';
    const note = `${event.name} ${what}: it is lost here`;
    return { event: loser, node: entry?.node ?? null, kind: 'gradient', note, seen: loser };
  }
  void missing;
  return null;
}

const isComputed = ({ recording }: Field, id: number): boolean => {
  const { events } = recording;
  const { how, same } = events[id];
  return how !== 'gradient' && how !== 'leaf' && how !== 'argument' && (same === undefined || originalOf(recording, id) === id);
};

/** Whether something that has a gradient was computed from it. */
function isUsed({ flow }: Field, id: number, gradients: ReadonlyMap<number, Observed>): boolean {
  return flow.users[id].some((user) => gradients.has(user));
}
