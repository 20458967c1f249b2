// The same attention in another run of the same program: with another seed, other arguments, other sizes.
import type { HeadConfig } from '../../engine/config.ts';
import { sameShape, type Tensor } from '../../engine/tensor.ts';
import type { Event, Recording } from '../recorded/recording.ts';
import { eventKeys } from './entries/builder.ts';
import { meant } from './meant.ts';
import { gather } from './values/layout.ts';
import type { Binding, EventKey, Inference } from './types.ts';
import { withTensors } from './withTensors.ts';

type Mutable<T> = { -readonly [Key in keyof T]: T[Key] };

/** What is known of a setup: of a given one there are no bindings. */
export type Known = Pick<Inference, 'config' | 'bindings'>;

/**
 * The setup of another run. Where all that it is bound to is there in the same shapes, tensors are read there;
 * else the setup is inferred anew, and what no size decides is taken from the known one. Null where neither can be.
 */
export function rebind(known: Known, recording: Recording): HeadConfig | null {
  const bound = rebound(known, recording);
  if (bound) return bound;
  const found = meant(recording)?.found.config;
  return found ? withChoices(found, known.config) : null;
}

/** The setup with the tensors of another run; null where it is not there in the same shapes. */
export function rebound(known: Known, recording: Recording): HeadConfig | null {
  const tensors = isComplete(known) ? boundTensors(known.bindings, recording) : null;
  return tensors && withTensors(known.config, tensors);
}

/** The tensors of a setup: each must be bound for another run to be read by bindings alone. */
function isComplete({ config, bindings }: Known): boolean {
  const entries = new Set(bindings.map(({ entry }) => entry));
  return tensorEntries(config).every((entry) => entries.has(entry));
}

function tensorEntries({
  x,
  xPrime,
  xValue,
  weights,
  start,
  past,
  mask,
  dropout,
  loss,
  alibi,
}: HeadConfig): string[] {
  const given = (at: string, all: object | undefined): string[] =>
    Object.entries(all ?? {}).flatMap(([key, value]) =>
      value === undefined ? [] : [`${at}${key}`],
    );
  return [
    ...given('', { x, xPrime, xValue }),
    ...given('weights.', weights),
    ...given('start.', start),
    ...given('past.', past),
    ...(typeof mask === 'object' ? ['mask'] : []),
    ...(typeof alibi === 'object' ? ['alibi'] : []),
    ...(dropout ? ['dropout.keep'] : []),
    ...(loss.kind === 'upstream' ? ['loss.upstream'] : []),
    ...(loss.kind === 'target' ? ['loss.target'] : []),
    ...(loss.kind === 'expression' ? given('loss.constants.', loss.constants) : []),
  ];
}

const nameOf = ({ file, statement, name, how, occurrence }: EventKey): string =>
  `${file} ${statement} ${how} ${name} ${occurrence}`;

/** Null where an event is missing, was left out, or has another shape. */
function boundTensors(
  bindings: readonly Binding[],
  recording: Recording,
): Map<string, Tensor> | null {
  if (bindings.length === 0) return null;
  const events = new Map<string, Event>();
  for (const [event, key] of eventKeys(recording)) events.set(nameOf(key), event);
  const found = new Map<string, Tensor>();
  for (const { entry, keys, grid, shape, layout } of bindings) {
    const pieces = keys.map((key) => {
      const event = events.get(nameOf(key));
      return event ? recording.tensor(event.id) : null;
    });
    const piece = shape.slice(grid.length);
    if (!pieces.every((each) => each !== null && sameShape(each.shape, piece))) return null;
    found.set(entry, gather(sideBySide(pieces as Tensor[], shape), layout));
  }
  return found;
}

function sideBySide(pieces: readonly Tensor[], shape: readonly number[]): Tensor {
  const [first] = pieces;
  if (pieces.length === 1) return { shape, data: first.data };
  const data = new Float64Array(pieces.length * first.data.length);
  pieces.forEach((piece, n) => data.set(piece.data, n * first.data.length));
  return { shape, data };
}

/** What was inferred, with what no size decides as it was chosen. */
export function withChoices(found: HeadConfig, chosen: HeadConfig): HeadConfig {
  const result: Mutable<HeadConfig> = { ...found };
  if (typeof chosen.mask === 'string') result.mask = chosen.mask;
  if (chosen.scale === undefined) delete result.scale;
  else result.scale = chosen.scale;
  if (chosen.softcap === undefined) delete result.softcap;
  if (chosen.rope) result.rope = chosen.rope;
  else delete result.rope;
  if (chosen.window === undefined) delete result.window;
  return result;
}
