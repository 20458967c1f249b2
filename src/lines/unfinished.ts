// Outputs and gradients that a program names and never has whole: a path that was overwritten, tokens that were left out.
import { keyOf } from '../compare/program.ts';
import { nodeOf } from '../engine/graph.ts';
import { sizeOf } from '../engine/tensor.ts';
import type { Wrong } from './localise.ts';
import { nodeNamed, type Observed, originalOf } from './observe.ts';
import type { Field } from './suspects.ts';

/**
 * Where no statement is seen to go wrong: the last tensor of the name and size of an output or a gradient of an input that
 * never comes out; null where there is none.
 */
export function unfinished(field: Field): Wrong | null {
  const { catalogue, covered, goals, observed } = field;
  const last = new Map<string, Observed>();
  for (const each of observed) {
    const found = each.event.how === 'argument' ? null : nodeNamed(each.event);
    if (found) last.set(keyOf(found.node, found.kind), each);
  }
  for (const goal of goals) {
    const found = last.get(goal);
    if (covered.has(goal) || !found) continue;
    const node = goal.slice(2);
    const { shape } = nodeOf(catalogue.graph, node);
    const isWhole = sizeOf(found.event.shape) === sizeOf(shape) && sizeOf(shape) > 1;
    if (!isWhole || !['off', 'partial', 'right'].includes(found.standing)) continue;
    const { name } = found.event;
    const id = originalOf(field.recording, found.event.id);
    const kind = goal.startsWith('g:') ? 'gradient' : 'value';
    return { event: id, seen: id, node, kind, note: noteOf(name, found) };
  }
  return null;
}

function noteOf(name: string, { found }: Observed): string {
  const [part] = found;
  return part
    ? `in the end ${name} is ${part.entry.title} alone: something that belongs to it is missing or was overwritten`
    : `${name} is wrong in the end, though no single step was seen to go wrong: it lies here or between the last right line and this one`;
}
