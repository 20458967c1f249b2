// Gradients of what is joined of queries, keys and values, that are laid out otherwise than it is.
import type { Observed } from '../../align/observe.ts';
import type { Piece } from '../../align/pieces.ts';
import { followed } from '../../recorded/flow.ts';
import type { Recording } from '../../recorded/recording.ts';
import type { Field } from '../suspects.ts';

/** "Q", of weights and biases too. */
const letterOf = ({ entry }: Piece): string => entry.node.replace(/^[Wb]_|h$/g, '');

/** Whether one joins what the other joins, or some of it: what is nothing but rounding has no letter. */
const isOfSort = (pieces: readonly Piece[], whole: readonly Piece[]): boolean =>
  pieces[0].width === whole[0].width &&
  pieces.every((piece) => whole.some((each) => letterOf(each) === letterOf(piece)));

const isLaidOutAs = (pieces: readonly Piece[], whole: readonly Piece[]): boolean =>
  pieces[0].outside === whole[0].outside &&
  pieces.every((piece) =>
    whole.some((each) => letterOf(each) === letterOf(piece) && each.place === piece.place),
  );

/** Joined gradients in a layout in which none of what they are gradients of lies are no right ones. */
export function withoutOtherLayouts(observed: readonly Observed[]): Observed[] {
  const layouts = new Map<string, readonly Piece[]>();
  for (const { pieces } of observed) {
    if (pieces.length < 2 || pieces[0].entry.kind !== 'value') continue;
    const [{ width, outside }] = pieces;
    const places = pieces.map((piece) => `${letterOf(piece)}${piece.place}`);
    layouts.set(`${width} ${outside} ${places.join(' ')}`, pieces);
  }
  return observed.map((each) => {
    const { pieces } = each;
    if (pieces.length < 2 || pieces[0].entry.kind !== 'gradient') return each;
    const known = [...layouts.values()].filter((whole) => isOfSort(pieces, whole));
    if (known.length === 0 || known.some((whole) => isLaidOutAs(pieces, whole))) return each;
    return { ...each, standing: 'off', pieces: [], otherwise: pieces };
  });
}

const VIEW =
  /\.(reshape|view|transpose|permute|swapaxes|unbind|unflatten|T)\b|\b(np|torch)\.\w*split\(|\]$/;

/** The first event of an array, and those of its views: what is written through one is in the others. */
export function sharedWith({ statements, events }: Recording, id: number): number[] {
  const own = followed(events, id);
  const found = new Set([own]);
  for (const { id: other, how, reads, statement } of events)
    if (how === 'bind' && reads.some((read) => found.has(followed(events, read))))
      if (VIEW.test(statements[statement].text.trim())) found.add(followed(events, other));
  return [...found];
}

const WRITTEN = new Set(['update', 'write', 'loop-end']);

/**
 * Whether a gradient that is laid out otherwise is what the program ends with: of the shape of what it is the gradient of,
 * and nothing but numbers are computed from it, or from views of it.
 */
export function isLeftOtherwise({ observed, flow, recording }: Field, id: number): boolean {
  const { events } = recording;
  const { otherwise, event } = observed[id];
  if (!otherwise) return false;
  const shape = event.shape.join();
  const isOfShape = observed.some(
    ({ pieces, event: other }) => pieces[0]?.entry.kind === 'value' && other.shape.join() === shape,
  );
  const memory = new Set(sharedWith(recording, id));
  const isInside = (other: number): boolean => memory.has(followed(events, other));
  return (
    isOfShape &&
    events
      .filter((each) => (each.id >= id || WRITTEN.has(each.how)) && isInside(each.id))
      .every((end) =>
        flow.users[end.id].every((user) => events[user].shape.length === 0 || isInside(user)),
      )
  );
}
