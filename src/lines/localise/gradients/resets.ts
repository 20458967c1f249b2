// Sums that begin anew in another loop than they should: what is added between is right together.
import { sizeOf, type Tensor } from '../../../engine/tensor.ts';
import { isReordered, tellingOf } from '../../align/align.ts';
import type { Mistaken } from '../names/mistaken.ts';
import type { Event, Recording } from '../../recorded/recording.ts';
import type { Field } from '../suspects.ts';

interface Step {
  readonly event: Event;
  readonly change: Float64Array;
}

/** Names to which a statement adds in loops and that are given a number, or one number throughout, by another one. */
export function misplacedResets(field: Field): Mistaken[] {
  const found: Mistaken[] = [];
  for (const [steps, resets] of sumsOf(field.recording)) {
    const [{ event: first }] = steps;
    const begin = resets.findLast(({ id }) => id < first.id);
    if (!begin || begin.loops.length > first.loops.length) continue;
    for (let depth = 0; depth <= first.loops.length; depth++) {
      if (depth === begin.loops.length) continue;
      const together = added(steps, depth);
      if (!together) continue;
      const [best] = field.aligner
        .align(together, tellingOf(together))
        .filter((each) => each.entry.role !== 'partial' && !isReordered(each));
      if (!best || isRightAsItIs(field, steps)) continue;
      const where = depth < begin.loops.length ? 'in too many iterations' : 'in too few iterations';
      const { node, kind } = best.entry;
      const note = `${first.name} begins anew ${where}: ${best.entry.title} is summed from there to there`;
      found.push({ event: begin.id, node, kind, note });
      break;
    }
  }
  return found;
}

/** For each name in a call: what each step adds, and where it is set. */
function sumsOf(recording: Recording): [Step[], Event[]][] {
  const groups = new Map<
    string,
    { steps: Step[]; resets: Event[]; last: Event | null; isPlain: boolean }
  >();
  for (const event of recording.events) {
    const { frame, name, how, statement, loops, id } = event;
    if (how !== 'bind' && how !== 'update') continue;
    const { kind, text } = recording.statements[statement];
    const key = `${frame} ${name}`;
    const group = groups.get(key) ?? { steps: [], resets: [], last: null, isPlain: true };
    groups.set(key, group);
    const isSum = kind === 'augmented' && /[^*/@%]\s*\+=/.test(text);
    const own = contentOf(recording, event);
    const before = group.last && contentOf(recording, group.last);
    if (isSum && own && before?.length === own.length && loops.length > 0)
      group.steps.push({ event, change: own.map((value, at) => value - before[at]) });
    else if (kind === 'assign' && own?.every((value) => value === own[0])) group.resets.push(event);
    else group.isPlain = false;
    group.last = recording.events[id];
  }
  return [...groups.values()].flatMap(({ steps, resets, isPlain }): [Step[], Event[]][] => {
    const statements = new Set(steps.map(({ event }) => event.statement));
    const sets = new Set(resets.map(({ statement }) => statement));
    return isPlain && statements.size === 1 && sets.size === 1 ? [[steps, resets]] : [];
  });
}

const contentOf = (recording: Recording, { id, value }: Event): Float64Array | null =>
  value !== undefined ? Float64Array.of(value) : (recording.tensor(id)?.data ?? null);

/** What is added within each iteration of the outer loops, one below the other; null where there is one alone. */
function added(steps: readonly Step[], depth: number): Tensor | null {
  const sums = new Map<string, Float64Array>();
  for (const { event, change } of steps) {
    const key = event.loops.slice(0, depth).join();
    const sum = sums.get(key) ?? new Float64Array(change.length);
    if (sum.length !== change.length) return null;
    sums.set(
      key,
      sum.map((value, at) => value + change[at]),
    );
  }
  const shape = [sums.size, ...(steps[0].change.length > 1 ? [steps[0].change.length] : [])];
  if (sizeOf(shape) < 3) return null;
  return { shape, data: Float64Array.from([...sums.values()].flatMap((sum) => [...sum])) };
}

/** Whether the last of each run of additions is right. */
function isRightAsItIs({ observed, sweeps }: Field, steps: readonly Step[]): boolean {
  const { id } = steps.at(-1)!.event;
  const all = sweeps.get(id)?.found ?? [];
  return observed[id].standing === 'right' || all.some(({ entry }) => entry.role !== 'partial');
}
