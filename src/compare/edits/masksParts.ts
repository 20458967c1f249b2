// The masks that come of a right one whose parts are lost, joined wrongly, repeated in the wrong order, or of another kind.
import type { GraphNode } from '../../engine/graph.ts';
import type { Tensor } from '../../engine/tensor.ts';
import { FILL } from '../conventions.ts';
import type { Context } from './edit.ts';
import type { Add } from './maskLayout.ts';
import {
  causalPart,
  chunksPart,
  hiddenBy,
  type Part,
  partsInWords,
  partsOf,
  type Places,
  placesOf,
  prefixesOf,
  prefixPart,
  windowPart,
} from './maskParts.ts';

/** Entries beyond which a mask is not taken apart. */
const LARGEST = 2_000_000;

/** `right`: the setup's additive mask; variants are added to a mask that hides nothing else. */
export function partVariants(context: Context, node: GraphNode, right: Tensor, add: Add): void {
  if (right.data.length > LARGEST) return;
  const places = placesOf(context, node);
  const hidden = hiddenBy(right);
  if (!hidden.includes(1)) return;
  const hide = (hides: (at: number) => boolean): Tensor => ({
    shape: right.shape,
    data: right.data.map((value, at) => (hides(at) ? -Infinity : value <= FILL ? 0 : value)),
  });
  const isGiven = typeof context.config.mask === 'object';
  const parts = isGiven ? partsOf(places, hidden) : [];
  const all = partsInWords(parts);
  if (parts.length > 1) lost(parts, all, (hides) => hide(hides), add);
  if (isGiven) otherKinds(places, parts, hide, add);
  if (isGiven) otherLengths(places, parts, hide, add);
  if (isGiven) otherPrefixes(places, hidden, parts, hide, add);
  wrongOrder(places, hidden, hide, add);
}

/** A part of a joined mask that is not applied, and parts joined by AND of what they hide. */
function lost(
  parts: readonly Part[],
  all: string,
  hide: (hides: (at: number) => boolean) => Tensor,
  add: Add,
): void {
  for (const part of parts) {
    const rest = parts.filter((each) => each !== part);
    const left = partsInWords(rest);
    add(
      `mask-${part.id}-lost`,
      `the ${part.id} part of the mask is missing: only the ${left} mask is applied`,
      `The setup’s mask hides what is hidden by ${all}; yours hides only what ${left} hides.`,
      `hidden = ${left}, without ${part.words}`,
      () => hide((at) => rest.some(({ hides }) => hides(at))),
      0.96,
    );
  }
  add(
    'mask-parts-joined-by-or',
    `the parts of the mask (${all}) are joined the wrong way: a key is hidden only where all hide it`,
    'A key is seen where every part lets it be seen; here one is enough.',
    `hidden = ${parts.map(({ words }) => words).join(' AND ')}`,
    () => hide((at) => parts.every(({ hides }) => hides(at))),
    1.05,
  );
}

/** A window where chunks are meant, and chunks where a window is; a causal mask where the given one is something else. */
function otherKinds(
  places: Places,
  parts: readonly Part[],
  hide: (hides: (at: number) => boolean) => Tensor,
  add: Add,
): void {
  const known = parts.find(({ id }) => id === 'window' || id === 'chunks');
  if (known?.size === undefined) return;
  const other = (known.id === 'window' ? chunksPart : windowPart)(places, known.size);
  const rest = parts.filter((each) => each !== known);
  const causal = rest.some(({ id }) => id === 'causal') ? [] : [causalPart(places)];
  for (const more of [[], causal]) {
    if (more === causal && causal.length === 0) continue;
    const own = [...rest, ...more, other];
    add(
      'mask-window-for-chunks',
      `the mask is ${partsInWords([...more, other])} where the setup’s is ${known.words}`,
      'A window moves with its query; chunks stand still: at the end of a chunk both see the same keys, at its beginning they do not.',
      `hidden = ${partsInWords(own)}`,
      () => hide((at) => own.some(({ hides }) => hides(at))),
      1.05,
    );
  }
}

/** A prefix that is one too long or too short, or left out: causal from the first key on. */
function otherPrefixes(
  places: Places,
  hidden: Uint8Array,
  parts: readonly Part[],
  hide: (hides: (at: number) => boolean) => Tensor,
  add: Add,
): void {
  const own = parts.find(({ id }) => id === 'prefix');
  if (!own) return;
  const rest = parts.filter((part) => part !== own);
  const lengths = prefixesOf(places, hidden);
  const use = (id: string, title: string, wrong: string, other: readonly number[]): void => {
    const part = prefixPart(places, other);
    add(
      id,
      title,
      'Keys of the prefix are seen by all queries, those behind it only by the queries at and after their place.',
      wrong,
      () => hide((at) => part.hides(at) || rest.some(({ hides }) => hides(at))),
      0.97,
    );
  };
  for (const by of [1, -1])
    use(
      'mask-prefix-length',
      `the prefix of the mask is one key too ${by > 0 ? 'long' : 'short'}: ${lengths.map((length) => length + by).join(', ')} instead of ${lengths.join(', ')}`,
      `hidden = i > j and i >= prefix ${by > 0 ? '+' : '−'} 1`,
      lengths.map((length) => length + by),
    );
  use(
    'mask-prefix-lost',
    'the prefix of the mask is missing: it is causal from the first key on',
    'hidden = i > j',
    lengths.map(() => 0),
  );
}

/** Padding that begins one key too late or too early, or ends so. */
function otherLengths(
  places: Places,
  parts: readonly Part[],
  hide: (hides: (at: number) => boolean) => Tensor,
  add: Add,
): void {
  const padding = parts.find(({ id }) => id === 'padding');
  if (!padding) return;
  const { batch, head, heads, key, keys, batches } = places;
  const own = new Uint8Array(batches * heads * keys);
  const slot = (at: number): number => (batch[at] * heads + head[at]) * keys + key[at];
  for (let at = 0; at < key.length; at++) if (padding.hides(at)) own[slot(at)] = 1;
  const rest = parts.filter((part) => part !== padding);
  const isEdge = (to: number, is: number, by: number): boolean => {
    const beside = (to % keys) + by;
    return beside >= 0 && beside < keys ? own[to + by] === is : false;
  };
  const changes = [
    ['one key less than', (to: number) => own[to] === 1 && !isEdge(to, 0, -1), 'too late'],
    ['one key less than', (to: number) => own[to] === 1 && !isEdge(to, 0, 1), 'too early'],
    ['one key more than', (to: number) => own[to] === 1 || isEdge(to, 1, 1), 'too early'],
    ['one key more than', (to: number) => own[to] === 1 || isEdge(to, 1, -1), 'too late'],
  ] as const;
  for (const [words, hides, when] of changes) {
    const changed = Uint8Array.from(own, (_, to) => Number(hides(to)));
    if (changed.every((value, to) => value === own[to])) continue;
    const keysOff = [...new Set([...changed.keys()].filter((to) => changed[to] !== own[to]))].map(
      (to) => to % keys,
    );
    const which = [...new Set(keysOff)].slice(0, 4).join(', ');
    const is = words.includes('less') ? 'seen (it leaks)' : 'hidden';
    add(
      'mask-padding-length',
      `the padding mask hides ${words} it should: key ${which} is ${is}`,
      `The boundary between tokens and padding is off by one: it ${words.includes('less') === (when === 'too late') ? 'begins' : 'ends'} ${when}.`,
      'hidden = key >= length ± 1',
      () => hide((at) => changed[slot(at)] === 1 || rest.some((part) => part.hides(at))),
      1.05,
    );
  }
}

/** The masks of the batch entries (or heads), repeated for every head (or batch entry) in the wrong order. */
function wrongOrder(
  places: Places,
  hidden: Uint8Array,
  hide: (hides: (at: number) => boolean) => Tensor,
  add: Add,
): void {
  const { batches, heads, batch, head, key, query, keys, queries } = places;
  if (batches < 2 || heads < 2) return;
  const cells = keys * queries;
  const slices = Array.from({ length: batches * heads }, () => new Uint8Array(cells));
  for (let at = 0; at < hidden.length; at++)
    slices[batch[at] * heads + head[at]][query[at] * keys + key[at]] = hidden[at];
  const isSame = (one: number, other: number): boolean =>
    slices[one].every((value, cell) => value === slices[other][cell]);
  const everyBatch = (of: (b: number, h: number) => boolean): boolean =>
    slices.every((_, n) => of(Math.floor(n / heads), n % heads));
  const isOfBatch = everyBatch((b, h) => isSame(b * heads + h, b * heads));
  const isOfHead = everyBatch((b, h) => isSame(b * heads + h, h));
  if (isOfBatch === isOfHead) return;
  const source = (n: number): number =>
    isOfBatch ? (n % batches) * heads : Math.floor(n / batches) % heads;
  const moved = slices.findIndex((_, n) => !isSame(source(n), n));
  if (moved < 0) return;
  const [what, whose] = isOfBatch
    ? ['batch entry', Math.floor(source(moved) / heads)]
    : ['head', source(moved)];
  add(
    'mask-repeat-order',
    `the mask is repeated over batch × heads in the wrong order: batch entry ${Math.floor(moved / heads)}, head ${moved % heads} has the mask of ${what} ${whose}`,
    isOfBatch
      ? `There is one mask per batch entry: head by head it must stand ${heads} times in a row (repeat_interleave), but all ${batches} are laid down in turn (repeat, tile).`
      : `There is one mask per head: all ${heads} must be laid down in turn for each batch entry (repeat, tile), but each stands ${batches} times in a row (repeat_interleave).`,
    isOfBatch
      ? `mask[b, h] = mask of batch entry (b · ${heads} + h) mod ${batches}`
      : `mask[b, h] = mask of head floor((b · ${heads} + h) / ${batches})`,
    () =>
      hide((at) => {
        const own = source(batch[at] * heads + head[at]);
        return slices[own][query[at] * keys + key[at]] === 1;
      }),
    0.98,
  );
}
