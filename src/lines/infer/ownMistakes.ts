// Of what is wrong by a setup that was inferred, what is of its attention and not of what stands around it.
import type { Localised, Wrong } from '../localise/localise.ts';
import type { Recording } from '../recorded/recording.ts';
import type { Inference } from './types.ts';

type Around = Pick<Inference, 'shared' | 'isInner'>;

/** The mistakes that are none of what else the loss depends on, nor of what comes after an inner attention. */
export const ownMistakes = (
  recording: Recording,
  localised: Localised,
  around: Around,
): readonly Wrong[] =>
  localised.wrong.filter(
    (each) => !isShared(recording, each, around) && !isOutside(localised, each, around),
  );

/** Whether PyTorch added up a gradient from more than this attention. */
const isShared = ({ events }: Recording, { node, kind }: Wrong, { shared }: Around): boolean =>
  kind === 'gradient' &&
  node !== null &&
  shared.includes(node) &&
  events.some(({ how }) => how === 'gradient');

/** Whether it is of what stands around the attention, of which the setup says nothing. */
const isOutside = (
  { observed, flow }: Localised,
  { node, kind, seen }: Wrong,
  { isInner }: Around,
): boolean =>
  isInner &&
  (node === 'f' ||
    (kind === 'gradient' && (node === 'x' || node === 'xPrime')) ||
    flow.sources[seen].some((id) => observed[id].found.some(({ entry }) => entry.key === 'v:y')));
