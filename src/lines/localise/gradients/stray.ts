// Arrays to which gradients of several things are added: one of them was meant for another array, or two names are of one.
import type { Key } from '../../../compare/program/program.ts';
import type { Mistaken } from '../names/mistaken.ts';
import { nodeNamed } from '../../align/observe.ts';
import type { Event } from '../../recorded/recording.ts';
import type { Field } from '../suspects.ts';
import { Arrays } from '../../recorded/versions.ts';

/** What a statement adds to an array. */
interface Addition {
  readonly event: Event;
  readonly keys: readonly Key[];
}

/** For each array, the first addition of each statement. */
function additionsOf(
  { recording, observed, goals }: Field,
  arrays: Arrays,
): Map<number, Map<number, Addition>> {
  const found = new Map<number, Map<number, Addition>>();
  for (const { event, found: forms, added, standing } of observed) {
    arrays.take(event);
    if (event.how !== 'update' || recording.statements[event.statement].kind !== 'augmented')
      continue;
    if (!added && standing !== 'partial' && standing !== 'right') continue;
    const keys = forms.map(({ entry }) => entry.key).filter((key) => goals.includes(key));
    if (keys.length === 0) continue;
    const root = arrays.rootOf(event.id);
    const own = found.get(root) ?? new Map<number, Addition>();
    if (!own.has(event.statement)) own.set(event.statement, { event, keys });
    found.set(root, own);
  }
  return found;
}

const letterOf = (text: string): string => text.replace(/^.:/, '').replace(/^[Wb]_/, '')[0] ?? '';

/** "['wq']" of "self.grads['wq']" and of "g['wq']". */
const lastOf = (name: string): string => /(\[[^\]]*\]|\w+)$/.exec(name)?.[1] ?? name;

/** Of gradients that never come out, where something else is added to them. */
export function strayAdditions(field: Field): Mistaken[] {
  const { covered, recording } = field;
  const arrays = new Arrays(recording);
  const mistaken: Mistaken[] = [];
  for (const [root, additions] of additionsOf(field, arrays)) {
    const all = [...additions.values()];
    const [first] = all;
    const other = all.find(({ keys }) => !keys.some((key) => first.keys.includes(key)));
    if (!other || [...first.keys, ...other.keys].every((key) => covered.has(key))) continue;
    const [node, kind] = [other.keys[0].slice(2), 'gradient' as const];
    if (other.event.name !== first.event.name) {
      const shared = [first, other].map(({ event: { name } }) =>
        recording.events.find(
          (each) =>
            each.how === 'bind' &&
            arrays.rootOf(each.id) === root &&
            lastOf(each.name) === lastOf(name),
        ),
      );
      const event = Math.max(...shared.map((each) => each?.id ?? root));
      if (recording.events[event].how !== 'bind') continue;
      const names = `${first.event.name} and ${other.event.name}`;
      const note = `${names} are one and the same array`;
      mistaken.push({ event, since: first.event.id, node, kind, note });
      continue;
    }
    const named = nodeNamed(other.event);
    const isOfName = ({ keys }: Addition): boolean =>
      named !== null && keys.some((key) => letterOf(key) === letterOf(named.node));
    const stray = isOfName(other) && !isOfName(first) ? first : other;
    const [own] = (stray === first ? other : first).keys;
    const note = `d${stray.keys[0].slice(2)} is added to d${own.slice(2)}`;
    mistaken.push({ event: stray.event.id, node: stray.keys[0].slice(2), kind, note });
  }
  return mistaken;
}
