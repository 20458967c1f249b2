// Of what is wrong by a setup that was inferred, what is of its attention and not of what stands around it.
import type { Catalogue } from '../align/catalogue.ts';
import type { Judged } from '../judge.ts';
import type { Localised, Wrong } from '../localise/localise.ts';
import type { Recording } from '../recorded/recording.ts';
import type { Inference } from './types.ts';

type Around = Pick<Inference, 'shared' | 'isInner' | 'inferred'>;

/** The mistakes that are none of what else the loss depends on, of a loss that is assumed, nor of what comes after an inner attention. */
export const ownMistakes = (
  recording: Recording,
  { localised, catalogue }: Judged,
  around: Around,
): readonly Wrong[] =>
  localised.wrong.filter(
    (each) =>
      !isShared(recording, each, around) &&
      !isOutside(localised, each, around) &&
      !isOfAssumedLoss(each, around) &&
      !isInOtherOrder(recording, catalogue, each),
  );

/** Whether it is right but for the order of whole sequences, such as of a batch that is sorted by length. */
function isInOtherOrder(
  recording: Recording,
  { entries }: Catalogue,
  { node, kind, seen }: Wrong,
): boolean {
  const key = `${kind === 'gradient' ? 'g' : 'v'}:${node}`;
  const right = entries.find((entry) => entry.role === 'node' && entry.key === key);
  const own = recording.tensor(seen)?.data;
  if (!right || right.letters[0] !== 'b' || own?.length !== right.data.length) return false;
  const [size] = right.strides;
  const isAt = (start: number, from: number): boolean => {
    for (let n = 0; n < size; n++)
      if (!(Math.abs(own[start + n] - right.data[from + n]) <= right.tolerance)) return false;
    return true;
  };
  let isMoved = false;
  const left = new Set(Array.from({ length: right.lengths[0] }, (_, n) => n * size));
  for (let start = 0; start < own.length; start += size) {
    const from = [...left].find((each) => isAt(start, each));
    if (from === undefined) return false;
    isMoved ||= from !== start;
    left.delete(from);
  }
  // In its own order it is wrong for its axes.
  return isMoved;
}

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

/** Whether it is the loss, of which nothing tells what it is. */
const isOfAssumedLoss = ({ node }: Wrong, { inferred }: Around): boolean =>
  node === 'f' && inferred.some(({ entry, sure }) => entry === 'loss' && !sure);
