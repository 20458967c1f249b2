// Loops that end before the last entries of the array that they fill: all that they reach is right.
import { contentsOf } from '../../recorded/flow.ts';
import { isReordered, tellingOf } from '../../align/align.ts';
import { loopsAround } from '../../recorded/loops.ts';
import type { Event } from '../../recorded/recording.ts';
import type { Mistaken } from '../names/mistaken.ts';
import type { Field } from '../suspects.ts';

/** Of gradients that never come out. */
export function cutShort(field: Field): Mistaken[] {
  const { recording, aligner, covered, goals } = field;
  const found: Mistaken[] = [];
  for (const end of recording.events) {
    const tensor = end.how === 'loop-end' ? recording.tensor(end.id) : null;
    if (!tensor || tensor.shape.length === 0) continue;
    const { writes, reached } = rowsOf(field, end);
    const [length, ...rest] = tensor.shape;
    const isFirst = reached.size > 1 && Math.max(...reached) === reached.size - 1;
    if (!isFirst || reached.size >= length) continue;
    const size = tensor.data.length / length;
    if (tensor.data.subarray(reached.size * size).some((value) => value !== 0)) continue;
    const part = {
      shape: [reached.size, ...rest],
      data: tensor.data.slice(0, reached.size * size),
    };
    const best = aligner
      .align(part, tellingOf(part))
      .find(
        (each) =>
          each.entry.role === 'node' &&
          each.entry.data.length === tensor.data.length &&
          goals.includes(each.entry.key) &&
          !covered.has(each.entry.key) &&
          !isReordered(each),
      );
    const loop = best && loopOver(field, writes);
    if (!best || loop === undefined) continue;
    const { node, kind } = best.entry;
    const name = kind === 'gradient' ? `d${node}` : node;
    const note = `the loop reaches ${reached.size} of ${length} rows of ${name}`;
    found.push({ event: writes[0].id, statement: loop, node, kind, note });
  }
  return found;
}

/** The writes into an array by whole numbers, and which of its first axis they reach; none where others write to it too. */
function rowsOf({ recording }: Field, { alias }: Event): { writes: Event[]; reached: Set<number> } {
  const { events } = recording;
  const writes: Event[] = [];
  const reached = new Set<number>();
  for (const at of contentsOf(events, alias)) {
    const { how, index } = events[at];
    if (how === 'bind') break;
    // The whole of the array after a part of it was written.
    if (how !== 'write') continue;
    const [row] = index === 'fancy' ? [] : (index ?? []);
    if (typeof row !== 'number') return { writes: [], reached: new Set() };
    reached.add(row);
    writes.unshift(events[at]);
  }
  return { writes, reached };
}

/** The loop whose variable picks the row. */
function loopOver({ recording }: Field, writes: readonly Event[]): number | undefined {
  const { statements } = recording;
  const loops = writes.map(({ statement, name }) => {
    const [, row] = /\[\s*(\w+)\s*[\],]/.exec(name) ?? [];
    return loopsAround(recording, statement).find((loop) =>
      statements[loop].targets.includes(row ?? ''),
    );
  });
  return loops.every((loop) => loop === loops[0]) ? loops[0] : undefined;
}
