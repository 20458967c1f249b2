// An operand that is none of the forms and comes of something unknown: what it should be makes its users right.
import { contentsOf } from '../../recorded/flow.ts';
import { sizeOf, type Tensor } from '../../../engine/tensor.ts';
import { keyOf } from '../../../compare/program/program.ts';
import { nodeOf } from '../../../engine/graph.ts';
import type { Entry } from '../../align/catalogue.ts';
import { rerunOf } from '../../expressions/rerun.ts';
import type { Field, Suspect } from '../suspects.ts';
import { isUsedRightly, rightAs } from './asWritten.ts';
import { type Blame, isOperand } from './common.ts';
import { callAtFault } from './calls.ts';

/** What is unknown is looked at in so many statements. */
const MOST_LOOKED_AT = 40;

/** An unknown operand in whose place a node that never came out makes the statement right. */
export function unknownOperand(field: Field, { event }: Pick<Suspect, 'event'>): Blame | null {
  const { recording, observed } = field;
  const rerun = rerunOf(recording);
  const made = rerun.asItWas(event);
  for (const operand of made?.operands ?? []) {
    const { standing, found, event: own } = observed[operand];
    const isUnknown = (standing === 'free' || standing === 'off') && found.length === 0;
    if (!isUnknown || sizeOf(own.shape) < 2 || !/float/.test(own.dtype)) continue;
    if (isUsedRightly(field, operand, [event])) continue;
    for (const entry of nodesLike(field, own.shape)) {
      const value: Tensor = { shape: own.shape, data: entry.data };
      const other = rerun.make(event, new Map([[operand, value]]));
      if (!other || isOperand(field, other.operands, other.value)) continue;
      if (!rightAs(field, event, other.value).some((each) => each.entry.key !== entry.key))
        continue;
      const { node, kind } = entry;
      const note = `${own.name} should be ${kind === 'gradient' ? 'd' : ''}${node} here`;
      const spoilt = spoiltIn(field, operand, value);
      return { event: spoilt ?? callAtFault(field, operand), note, node, kind };
    }
  }
  return null;
}

/**
 * The statement that changed entries of an array in place which were right, of all that changed it, whatever it was
 * multiplied by after that; null where none did.
 */
function spoiltIn({ recording }: Field, id: number, { data }: Tensor): number | null {
  const { events } = recording;
  let wanted = data;
  const [newest, ...earlier] = versionsBefore(recording, id);
  let at = newest;
  for (const previous of earlier) {
    const [own, before] = [at, previous].map((each) => recording.tensor(each)?.data);
    if (own?.length !== data.length || before?.length !== data.length) return null;
    const factor = factorBetween(before, own);
    if (factor === null) {
      const right = (all: Float64Array): number =>
        all.reduce((sum, value, k) => sum + (isNear(value, wanted[k]) ? 1 : 0), 0);
      return right(own) < right(before) ? (events[at].how === 'update' ? at : null) : null;
    }
    wanted = wanted.map((value) => value / factor);
    at = previous;
  }
  return null;
}

/** An array, and what it was before each statement that changed it. */
function versionsBefore({ events }: Field['recording'], id: number): number[] {
  const found = [id];
  for (const at of contentsOf(events, events[id].alias)) {
    if (events[at].how !== 'write') found.push(at);
    if (!/^(update|write)$/.test(events[at].how)) break;
  }
  return found;
}

const isNear = (one: number, other: number): boolean =>
  Math.abs(one - other) <= 1e-6 * Math.max(Math.abs(one), Math.abs(other));

/** By which number all of one array was multiplied; null where by none. */
function factorBetween(before: Float64Array, after: Float64Array): number | null {
  const at = before.findIndex((value) => value !== 0);
  const factor = at < 0 ? 0 : after[at] / before[at];
  if (factor === 0 || !Number.isFinite(factor)) return null;
  return before.every((value, k) => isNear(value * factor, after[k])) ? factor : null;
}

/** Nodes that never came out and that lie as an array of such a shape does. */
function nodesLike({ catalogue, covered }: Field, shape: readonly number[]): Entry[] {
  const axes = shape.filter((length) => length > 1).join();
  return catalogue.entries.filter(
    ({ role, key, lengths, kind, node }) =>
      role === 'node' &&
      !covered.has(key) &&
      (kind === 'value' ? /^[KQV]h?$/ : /^[yOC]$/).test(node) &&
      lengths.filter((length) => length > 1).join() === axes,
  );
}

/** Where the outputs are right and their gradient never comes out: the first statement that would be right with it. */
export function wrongUpstream(field: Field): Blame | null {
  const { covered, observed, catalogue, flow } = field;
  if (!covered.has('v:y') || covered.has('g:y')) return null;
  const size = sizeOf(nodeOf(catalogue.graph, 'y').shape);
  const key = keyOf('y', 'value');
  const end = observed.find(({ found }) => found.some(({ entry }) => entry.key === key));
  const isRight = (id: number): boolean =>
    observed[id].standing === 'right' && observed[id].found.length > 0;
  const isOfIt = (id: number): boolean =>
    sizeOf(observed[id].event.shape) === size && observed[id].found.length === 0;
  const looked = observed.filter(
    ({ event: { id, how }, standing }) =>
      id > (end?.event.id ?? 0) &&
      /^(bind|return|update|write)$/.test(how) &&
      standing === 'off' &&
      flow.sources[id].some(isRight) &&
      flow.sources[id].some(isOfIt),
  );
  for (const { event } of looked.slice(0, MOST_LOOKED_AT)) {
    const found = unknownOperand(field, { event: event.id });
    if (found?.kind === 'gradient') return found;
  }
  return null;
}
