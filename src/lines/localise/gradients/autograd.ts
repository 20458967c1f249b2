// Where autograd's gradients go wrong although the forward pass is right: a detach, a part that needs no gradient.
import { keyOf } from '../../../compare/program/program.ts';
import { nodeOf } from '../../../engine/graph.ts';
import type { Wrong } from '../localise.ts';
import type { Observed } from '../../align/observe.ts';
import { followed, cone, tellingEvent } from '../../recorded/flow.ts';
import type { Event } from '../../recorded/recording.ts';
import type { Field } from '../suspects.ts';

type Passing = 'right' | 'wrong' | 'none';

/** The first event of the tensor that an event is another name of: what it holds is the same. */
const rootOf = ({ recording: { events } }: Field, id: number): number =>
  followed(events, id, ({ same }) => same !== undefined);

/** The first event of the object that an event tells of: what it holds may have changed since. */
const objectOf = ({ recording: { events } }: Field, id: number): number => followed(events, id);

/**
 * Whether a tensor goes into something beside the attention, as where the input is added to the output: its gradient then
 * is the sum of more than the attention passes on.
 */
export function isUsedBeside(field: Field, id: number): boolean {
  const { recording, observed, flow, leads } = field;
  const root = rootOf(field, id);
  const isBeside = (user: number): boolean => {
    const { how, requiresGrad, shape } = recording.events[user];
    const { standing } = observed[user];
    if (how === 'gradient' || how === 'leaf' || requiresGrad !== true || leads[user]) return false;
    return shape.length > 0 && (standing === 'off' || standing === 'free');
  };
  return recording.events.some(
    (event) => rootOf(field, event.id) === root && flow.users[event.id].some(isBeside),
  );
}

/** The gradients that were recorded, by the first events of their tensors. */
function gradientsOf(field: Field): Map<number, Observed> {
  const found = new Map<number, Observed>();
  for (const each of field.observed) {
    const { how, of } = each.event;
    if (how === 'gradient' && of !== undefined) found.set(rootOf(field, of), each);
  }
  return found;
}

/** Leaves whose .grad is right in the end, whatever each of several backward passes gave it: micro batches add up. */
const rightWholes = (field: Field): ReadonlySet<number> =>
  new Set(
    field.observed.flatMap(({ event: { how, of }, standing }) =>
      how === 'leaf' && of !== undefined && standing === 'right' ? [objectOf(field, of)] : [],
    ),
  );

/**
 * The statement that loses or spoils a gradient: what it makes has a right gradient, or needs none although it is computed
 * from something that does, and one of its operands has a wrong gradient or none. The last one of the forward pass is the
 * first of the backward pass.
 */
export function autogradSuspect(field: Field): Wrong | null {
  return lost(field, 'none') ?? lost(field, 'wrong');
}

function lost(field: Field, sought: Passing): Wrong | null {
  const { recording, observed, flow } = field;
  const { events } = recording;
  const gradients = gradientsOf(field);
  if (gradients.size === 0) return null;
  // What an autograd.Function computes inside is outside the graph, and its backward is a function like any other.
  const { functions } = recording;
  const isOwn = functions.some(
    ({ name }) =>
      name.endsWith('.backward') &&
      functions.some((other) => other.name === name.replace(/backward$/, 'forward')),
  );
  const { logits } = field.catalogue.parts;
  const wholes = rightWholes(field);
  const passing = (event: Event): Passing => {
    const gradient = gradients.get(rootOf(field, event.id));
    if (!gradient) return isAskedFor(field, event) ? 'right' : 'none';
    if (wholes.has(objectOf(field, event.id))) return 'right';
    const { standing, found } = gradient;
    if (standing === 'neutral') return 'right';
    const nodes = observed[event.id].found.flatMap(({ entry }) =>
      // What lies within the softmax may have the gradient of the logits: they differ by a number for each row.
      entry.node === 'P' && entry.role === 'form' ? ['P', 'Z', logits] : [entry.node],
    );
    // Of what is no node itself, such as queries that are scaled beforehand.
    const isForm = observed[event.id].found.every(({ entry }) => entry.role !== 'node');
    if (standing !== 'right') return standing === 'partial' && isForm ? 'right' : 'wrong';
    const fits = nodes.length === 0 || found.some(({ entry }) => nodes.includes(entry.node));
    return fits ? 'right' : 'wrong';
  };
  for (let id = events.length - 1; id >= 0; id--) {
    const event = events[id];
    const own = observed[id];
    if (event.requiresGrad !== true || event.how === 'gradient' || own.standing !== 'right')
      continue;
    if (passing(event) !== sought) continue;
    if (sought === 'wrong' && isUsedBeside(field, id)) continue;
    const present = pathsOf(gradients.get(rootOf(field, id)));
    const loser = flow.users[id].find((user) => {
      const other = events[user];
      // A size is computed from no number of it.
      if (other.how === 'gradient' || other.how === 'leaf' || isNumber(other)) return false;
      if (observed[user].found.some(({ entry }) => present.has(entry.node))) return false;
      const isLoss = other.shape.length === 0;
      if (observed[user].standing !== 'right' && !isLoss) return false;
      if (other.requiresGrad !== true) return !isOwn && isUsed(field, user, gradients);
      return rootOf(field, user) !== rootOf(field, id) && passing(other) === 'right';
    });
    if (loser === undefined) continue;
    const { entry } = own.found[0] ?? own.pieces[0] ?? {};
    const note =
      passing(event) === 'none'
        ? `no gradient comes back to ${event.name}: it is cut off here`
        : `the gradient that comes back to ${event.name} is wrong: it is changed here`;
    const place = tellingEvent(recording, loser);
    return { event: place, node: entry?.node ?? null, kind: 'gradient', note, seen: place };
  }
  return null;
}

/** Whether the gradient of a weight is computed all the same, as what `torch.autograd.grad` gives. */
const isAskedFor = ({ catalogue, covered, observed }: Field, { id }: Event): boolean =>
  observed[id].found.some(
    ({ entry: { node } }) =>
      nodeOf(catalogue.graph, node).kind === 'input' && covered.has(keyOf(node, 'gradient')),
  );

const isNumber = ({ dtype }: Event): boolean => /^(int|bool|float)$/.test(dtype);

/** By which of the paths something comes that lacks others. */
function pathsOf(gradient: Observed | undefined): Set<string> {
  const [, names = ''] = / through ([\w ]+)$/.exec(gradient?.found[0]?.entry.title ?? '') ?? [];
  return new Set(names.split(' and ').flatMap((name) => [name, `${name}h`]));
}

/** Whether something that has a gradient was computed from it. */
function isUsed(field: Field, id: number, gradients: ReadonlyMap<number, Observed>): boolean {
  return [...cone(field.flow, [id])].some((user) => gradients.has(rootOf(field, user)));
}

/** Gradients that are right as autograd passes them and not as they stand in .grad: added up over several passes. */
export function accumulated(field: Field): Wrong | null {
  const { recording, observed, covered } = field;
  const { events, statements } = recording;
  if (!covered.has('v:y')) return null;
  const sums = observed.filter(
    ({ event: { how, of }, standing }) =>
      how === 'leaf' && of !== undefined && standing === 'off' && !isUsedBeside(field, of),
  );
  const passed = (of: number): boolean =>
    observed.some(
      ({ event, standing }) => event.how === 'gradient' && event.of === of && standing === 'right',
    );
  const names = new Set(
    observed.flatMap(({ event, standing }) =>
      event.how === 'gradient' && standing === 'right' ? [event.name] : [],
    ),
  );
  const sum = sums.find(({ event }) => passed(event.of!) || names.has(event.name));
  if (!sum) return null;
  const passes = statements.flatMap(({ text }, id) => (/\.backward\(/.test(text) ? [id] : []));
  const [kept] = passes.filter((id) => statements[id].text.includes('retain_graph'));
  const statement = kept ?? passes[passes.length - 1];
  if (statement === undefined) return null;
  const { entry } = observed[events[sum.event.of!].id].found[0] ?? {};
  const note = `${sum.event.name} is the sum of several backward passes`;
  const { id } = sum.event;
  return { event: id, statement, node: entry?.node ?? null, kind: 'gradient', note, seen: id };
}
