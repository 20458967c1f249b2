// Whether a person keeps weights, or their gradients, as (out, in): one convention for all of them.
import type { NodeId } from '../../engine/graph.ts';
import type { Tensor } from '../../engine/tensor.ts';
import { type Key, keyOf, type Kind } from '../program/program.ts';
import { type Fit, FITS } from '../judge/readings.ts';

/** What one weight says: kept (in, out), as here; (out, in); nothing. */
type Orientation = 'in-out' | 'out-in' | 'unknown';

/** A weight or its gradient as it is found in a trace. */
interface Oriented {
  readonly node: NodeId;
  readonly kind: Kind;
  readonly tensor: Tensor;
  readonly layout: string;
  readonly fit: Fit;
  readonly other?: unknown;
}

/** A wrong gradient still resembles the right one in its own orientation, and hardly in the other. */
const RESEMBLES = 0.5;
const TIMES = 2;

export const OUT_IN =
  'The gradients of all weights are (out, in), as torch.nn.Linear keeps them: compared as (in, out).';

export const isWeight = (node: NodeId): boolean => node.startsWith('W_');

/** (out, in) as (in, out), or the other way round. */
export function transposed({ shape, data }: Tensor): Tensor {
  const [rows, columns] = shape;
  const out = new Float64Array(data.length);
  for (let row = 0; row < rows; row++)
    for (let column = 0; column < columns; column++)
      out[column * rows + row] = data[row * columns + column];
  return { shape: [columns, rows], data: out };
}

/** Of a square matrix that is right in neither orientation. */
function resemblance(user: Tensor, right: Tensor): Orientation {
  const chance = 4 / Math.sqrt(user.data.length);
  const own = cosine(user, right);
  const other = cosine(transposed(user), right);
  const [more, less] = own > other ? [own, other] : [other, own];
  if (!(more >= Math.max(RESEMBLES, chance) && more >= TIMES * less)) return 'unknown';
  return own > other ? 'in-out' : 'out-in';
}

function cosine(a: Tensor, b: Tensor): number {
  let [dot, squareA, squareB] = [0, 0, 0];
  for (let at = 0; at < a.data.length; at++) {
    dot += a.data[at] * b.data[at];
    squareA += a.data[at] ** 2;
    squareB += b.data[at] ** 2;
  }
  return Math.abs(dot) / Math.sqrt(squareA * squareB);
}

/**
 * Whether all are kept (out, in): none says otherwise. One alone among gradients may be a mistake; a weight is the
 * setup's own.
 */
function areOutIn(votes: readonly Orientation[], kind: 'value' | 'gradient'): boolean {
  const few = kind === 'value' ? 1 : 2;
  return votes.includes('out-in') && !votes.includes('in-out') && votes.length >= few;
}

/** The weights, or their gradients, turned to (in, out) where all that tell are kept (out, in). */
export function orient<T extends Oriented>(
  placed: readonly T[],
  right: (key: Key) => Tensor,
): { placed: readonly T[]; isOutIn: boolean } {
  const isMatrix = ({ node, tensor }: Oriented): boolean =>
    isWeight(node) && tensor.shape.length === 2 && tensor.data.length > 1;
  const turned = (kind: Kind): boolean => {
    const own = placed.filter((each) => each.kind === kind && isMatrix(each));
    return areOutIn(
      own.map((each) => orientationOf(each, right)),
      kind,
    );
  };
  const is = { value: turned('value'), gradient: turned('gradient') };
  const turn = (each: T): T => {
    if (!is[each.kind] || !isMatrix(each) || each.layout !== '') return each;
    const tensor = transposed(each.tensor);
    return { ...each, tensor, layout: 'kept (out, in)', other: undefined };
  };
  return { placed: placed.map(turn), isOutIn: is.gradient };
}

function orientationOf(each: Oriented, right: (key: Key) => Tensor): Orientation {
  const { node, kind, tensor, layout, fit } = each;
  // Of a row or column nothing can be told.
  if (tensor.shape.includes(1)) return 'unknown';
  if (layout !== '') return layout.startsWith('axes in the order') ? 'out-in' : 'in-out';
  if (tensor.shape[0] !== tensor.shape[1]) return 'in-out';
  const own = resemblance(tensor, right(keyOf(node, kind)));
  // A symmetric one, or zeros, may be kept either way.
  return fit === FITS.not || own === 'unknown' ? own : 'in-out';
}
