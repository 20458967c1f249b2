// Outputs and gradients that a program names and never has whole: a path that was overwritten, tokens that were left out.
import { isUsedBeside } from './autograd.ts';
import { type Key, keyOf } from '../../../compare/program/program.ts';
import { sourcesOf } from '../../../compare/program/sources.ts';
import { nodeOf } from '../../../engine/graph.ts';
import { sizeOf } from '../../../engine/tensor.ts';
import type { Wrong } from '../localise.ts';
import { nodeNamed, type Observed, originalOf } from '../../align/observe.ts';
import { originOf } from '../blame/common.ts';
import { loopsAround } from '../../recorded/loops.ts';
import { type Event, isZeroAt } from '../../recorded/recording.ts';
import type { Field } from '../suspects.ts';

/**
 * Where no statement is seen to go wrong: the last tensor of the name and size of an output or a gradient of an input that
 * never comes out; null where there is none.
 */
export function unfinished(field: Field): Wrong | null {
  const { catalogue, covered, goals, observed } = field;
  const last = new Map<string, Observed>();
  for (const each of observed) {
    const found = each.event.how === 'argument' ? null : nodeNamed(each.event);
    if (found && isOfNode(field, each, found.node)) last.set(keyOf(found.node, found.kind), each);
  }
  for (const goal of goals) {
    const found = last.get(goal);
    if (covered.has(goal) || !found) continue;
    const node = goal.slice(2);
    const { shape } = nodeOf(catalogue.graph, node);
    const isWhole = sizeOf(found.event.shape) === sizeOf(shape) && sizeOf(shape) > 1;
    const isZero = isZeroAt(field.recording, found.event.id);
    if (!isWhole || (!isZero && !['off', 'partial', 'right'].includes(found.standing))) continue;
    const { name } = found.event;
    const id = isZero
      ? firstZero(field, found.event.id)
      : originalOf(field.recording, found.event.id);
    const kind = goal.startsWith('g:') ? 'gradient' : 'value';
    const loop = isZero ? idleLoop(field, field.recording.events[id]) : null;
    const note = isZero ? `${name} stays zero` : noteOf(name, found);
    return { event: id, seen: id, node, kind, note, ...(loop !== null && { statement: loop }) };
  }
  return null;
}

/** The first of the arrays of zeros that one was computed from. */
function firstZero(field: Field, id: number): number {
  const { recording, flow } = field;
  let at = originOf(field, id);
  for (;;) {
    const before = flow.sources[at].find(
      (source) => sizeOf(recording.events[source].shape) > 1 && isZeroAt(recording, source),
    );
    if (before === undefined || before >= at) return at;
    at = originOf(field, before);
  }
}

/** The loop that was to write to an array and never ran once. */
function idleLoop({ recording }: Field, { name, statement }: Event): number | null {
  const { statements, events } = recording;
  const own = statements[statement];
  const ran = new Set(events.map((each) => each.statement));
  const array = name.replace(/\[.*$/s, '');
  const write = statements.findIndex(
    ({ targets, function: of, line }, id) =>
      of === own.function &&
      line > own.line &&
      !ran.has(id) &&
      targets.some((target) => target === array || target.startsWith(`${array}[`)),
  );
  if (write < 0) return null;
  const isIdle = (loop: number): boolean =>
    statements.every(
      ({ line, function: of }, id) =>
        of !== own.function ||
        line <= statements[loop].line ||
        line > statements[write].line ||
        !ran.has(id),
    );
  return loopsAround(recording, write).find(isIdle) ?? null;
}

/**
 * Autograd's gradient is that of a node only where the tensor is that node, and goes into nothing else: a name may stand
 * for other layers' tokens.
 */
function isOfNode(field: Field, { event: { of } }: Observed, node: string): boolean {
  if (of === undefined) return true;
  const { found, pieces } = field.observed[of];
  const key = keyOf(node, 'value');
  return [...found, ...pieces].some(({ entry }) => entry.key === key) && !isUsedBeside(field, of);
}

/**
 * Outputs and gradients of which something was computed and that never come out: parts of them, some of their paths or
 * terms, or nothing but zeros where a backward pass wrote. A run with such a goal is not right, wherever it went wrong.
 */
export function shownInPart(field: Field, goals: readonly Key[] = field.goals): Wrong | null {
  for (const goal of goals) {
    if (field.covered.has(goal)) continue;
    const event = partlyShown(field, goal) ?? null;
    if (event === null) continue;
    const [best] = field.observed[event].found.filter(({ entry }) => entry.key === goal);
    const node = goal.slice(2);
    const kind = goal.startsWith('g:') ? 'gradient' : 'value';
    const name = kind === 'gradient' ? `d${node}` : node;
    const part = best.entry.role === 'node' ? 'some of its entries' : best.entry.title;
    const note = `${name} never comes out whole: the last that was computed for it is ${part}`;
    return { event, seen: event, node, kind, note };
  }
  return goals === field.goals ? onlyZeros(field) : null;
}

const isComputed = ({ event: { how } }: Observed): boolean =>
  /^(bind|update|write|loop-end|return)$/.test(how);

/** The last event that is a part of a goal, where all of them together are not what a program may hand on as they are. */
function partlyShown({ observed, recording, catalogue }: Field, goal: Key): number | null {
  const parts = observed.filter(
    (each) =>
      isComputed(each) &&
      !each.added &&
      each.found.some(({ entry }) => entry.key === goal) &&
      (each.standing === 'right' || each.standing === 'partial'),
  );
  const last = parts.at(-1);
  if (!last) return null;
  const paths = new Map<string, number>();
  for (const { event, found } of parts)
    for (const { entry } of found) {
      const [, path] = entry.key === goal ? (/^d\w+ through (\w+)$/.exec(entry.title) ?? []) : [];
      if (path !== undefined) paths.set(path, event.statement);
    }
  const needed = sourcesOf(catalogue.state.program, goal.slice(2));
  // Each path of its own: a function of queries, keys and values that are one and the same here.
  const isEach = needed.length > 1 && needed.every(({ from }) => paths.has(from));
  if (isEach && new Set(paths.values()).size === needed.length) return null;
  return originalOf(recording, last.event.id);
}

/** A gradient's array that was written and holds nothing but zeros, where no gradient of an input came out. */
function onlyZeros({ observed, goals, covered, catalogue }: Field): Wrong | null {
  if (!covered.has('v:y') || goals.some((goal) => goal.startsWith('g:') && covered.has(goal)))
    return null;
  const last = observed.findLast(({ event, standing }) => {
    const isWritten = event.how === 'update' || event.how === 'write';
    return isWritten && standing === 'neutral' && /(^|[._])(d|g|grad)/i.test(event.name);
  });
  if (!last) return null;
  const goal = goals.find((each) => each.startsWith('g:'));
  if (!goal) return null;
  const { id } = last.event;
  const node = nodeOf(catalogue.graph, goal.slice(2)).id;
  return { event: id, seen: id, node, kind: 'gradient', note: `${last.event.name} stays zero` };
}

function noteOf(name: string, { found }: Observed): string {
  const [part] = found;
  return part
    ? `in the end ${name} is ${part.entry.title} alone: something that belongs to it is missing or was overwritten`
    : `${name} is wrong in the end, though no single step was seen to go wrong: it lies here or between the last right line and this one`;
}
