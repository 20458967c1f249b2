// Whose fault a wrong result is: its own statement's, or that of an operand which is not what it is taken for.
import { strides, type Tensor } from '../engine/tensor.ts';
import type { Alignment, Range } from './align.ts';
import { handedOn } from './flow.ts';
import { misnamedOperand } from './mistaken.ts';
import { offsetsIn } from './lettered.ts';
import type { Catalogue, Entry } from './catalogue.ts';
import type { Key } from '../compare/program.ts';
import { replaced, Supposed } from './hypothesis.ts';
import type { Field, Suspect } from './suspects.ts';

export interface Blame {
  readonly event: number;
  readonly note: string;
}

/** Weighs nothing in a softmax. */
const MASKED = -50;

/** Nodes that a tensor may have been taken for, which is right as the node or form before them. */
function takenFor({ catalogue }: Field, { entry }: Alignment): Key[] {
  const { graph, parts } = catalogue;
  const { key, node, role } = entry;
  const has = (id: string): boolean => graph.nodes.some((each) => each.id === id);
  const next: Record<string, string> = {
    'v:S': has('Z') ? 'v:Z' : 'v:M',
    'v:Z': 'v:M',
    'v:Q': 'v:Qh',
    'v:K': 'v:Kh',
    'v:P': 'v:Pd',
    'g:Z': 'g:S',
    'g:M': 'g:S',
    'g:P': `g:${parts.logits}`,
    'g:Pd': 'g:P',
    'g:Qh': 'g:Q',
    'g:Kh': 'g:K',
    'v:y': 'g:y',
  };
  const keys = role === 'node' ? [next[key] ?? ''] : [key, next[key] ?? ''];
  void node;
  return keys.filter((each) => each !== '' && has(each.slice(2)));
}

/**
 * An operand that is right, but not yet what its users take it for: all that was computed from it goes wrong, and is what
 * a right program makes of it if it stands for the next node.
 */
function unfinishedOperand(field: Field, { event }: Suspect): Blame | null {
  const { recording, observed, flow, catalogue } = field;
  // Of what is joined of several, each.
  const operands = flow.sources[event].flatMap((source) =>
    observed[source].pieces.length > 0 ? flow.sources[source] : [source],
  );
  for (const source of operands) {
    const { found, standing } = observed[source];
    if (standing !== 'right' && standing !== 'partial') continue;
    const users = usersOf(field, source);
    if (users.some((user) => observed[user].standing === 'right' && !isSame(field, user, source)))
      continue;
    const tensor = recording.tensor(source);
    const result = recording.tensor(event);
    if (!tensor || !result) continue;
    for (const alignment of found) {
      for (const key of takenFor(field, alignment)) {
        const own = replaced(catalogue, key, tensor, alignment);
        const { tolerance } = alignment.entry;
        if (!own || isNearly(own, catalogue.state.predict(key), tolerance)) continue;
        // Logits that no mask was applied to: the statement that should have done it is the user's.
        const before = catalogue.state.predict(alignment.entry.key);
        if (key === 'v:M' && isNearly(own, before, tolerance)) continue;
        // Of what is joined with others the whole is not looked at.
        const isJoined = !flow.sources[event].includes(source);
        if (
          isJoined ? !isRotated(alignment, key) : !new Supposed(catalogue, key, own).makes(result)
        )
          continue;
        const name = key.startsWith('v:') ? key.slice(2) : `d${key.slice(2)}`;
        const note = `${alignment.entry.title} is used as ${name}`;
        const stated = isRotated(alignment, key)
          ? passedAt(field, source, event)
          : statedAt(field, source, alignment.entry, recording.events[event].frame);
        return { event: stated ?? event, note };
      }
    }
  }
  return null;
}

const isNearly = (a: Tensor, b: Tensor, tolerance: number): boolean =>
  a.data.every((value, at) => value === b.data[at] || Math.abs(value - b.data[at]) <= tolerance);

/** Everything that was computed from a tensor, under whatever name it was handed on. */
function usersOf({ recording, flow }: Field, id: number): number[] {
  const found: number[] = [];
  const queue = [id];
  for (const each of queue)
    for (const user of flow.users[each]) {
      if (handedOn(recording, recording.events[user]) === null) found.push(user);
      else queue.push(user);
    }
  return found;
}

/** Whether an event is of the same form as another: reshaped, no more. */
const isSame = ({ observed }: Field, one: number, other: number): boolean => {
  const keys = new Set(observed[other].found.map(({ entry }) => entry.key));
  return observed[one].found.some(({ entry }) => keys.has(entry.key));
};

/** Where a tensor got the name by which it is used: a statement that only names it anew, or the one that made it. */
function statedAt(field: Field, id: number, { key, title }: Entry, frame: number): number | null {
  const { recording, observed, flow } = field;
  let at = id;
  for (;;) {
    const event = recording.events[at];
    // What a function is given it has to finish itself.
    if (event.how === 'argument' && event.frame === frame) return null;
    const from = handedOn(recording, event);
    if (from === null) {
      // Only laid out anew, or masked: it was made before.
      const tensor = recording.tensor(at);
      const isAnew = (source: number): boolean =>
        observed[source].found.some(({ entry }) => entry.key === key && entry.title === title) &&
        (isHiding(tensor) || isSameSum(tensor, recording.tensor(source)));
      const before = flow.sources[at].flatMap((source) =>
        observed[source].standing === 'neutral' ? flow.sources[source] : [source],
      );
      const same = before.find(isAnew);
      if (same === undefined) return at;
      at = same;
      continue;
    }
    const { kind, text } = recording.statements[event.statement];
    if (kind === 'assign' && event.how === 'bind' && /^[\w.]+\s*=\s*[\w.]+$/.test(text.trim()))
      return at;
    at = from;
  }
}

/** Where a table of positions (RoPE, ALiBi) goes wrong, of which nothing that is computed tells. */
function wrongTable(
  { observed, flow, catalogue, recording }: Field,
  { event }: Suspect,
): Blame | null {
  const { rope, alibi } = catalogue.config;
  if (!rope && !alibi) return null;
  const found: number[] = [];
  const seen = new Set([event]);
  const queue = [...flow.sources[event]];
  for (const source of queue) {
    if (seen.has(source)) continue;
    seen.add(source);
    const { standing } = observed[source];
    if (standing === 'free') found.push(source);
    if (standing === 'free' || standing === 'neutral') queue.push(...flow.sources[source]);
  }
  if (found.length === 0) return null;
  const first = Math.min(...found);
  return {
    event: first,
    note: `${recording.events[first].name} is not the table that it should be`,
  };
}

/** Queries, keys and values that are joined in another order than those that they meet. */
function otherOrder({ observed, flow, recording }: Field, { event }: Suspect): Blame | null {
  const joined = flow.sources[event].filter((source) => observed[source].pieces.length > 1);
  const orderOf = (id: number): string =>
    observed[id].pieces.map(({ entry }) => entry.node.replace(/^[Wb]_|h$/g, '')).join(' ');
  const orders = new Set(joined.map(orderOf));
  if (orders.size < 2) return null;
  const made = joined.filter(
    (id) => !recording.events[id].how.startsWith('leaf') && flow.sources[id].length > 1,
  );
  const last = made[made.length - 1];
  if (last === undefined) return null;
  return { event: last, note: `the order is ${orderOf(last)} here and another one there` };
}

/** A function that does right when it is called from elsewhere: the call is to blame. */
function wrongCall(field: Field, { event }: Suspect): Blame | null {
  const { recording, observed } = field;
  const { events } = recording;
  const own = events[event];
  if (own.frame === 0) return null;
  const caller = callOf(recording, own.frame);
  if (caller === null) return null;
  const others = events.filter(
    (other) =>
      other.statement === own.statement &&
      other.frame !== own.frame &&
      other.name === own.name &&
      other.how === own.how,
  );
  const isElsewhere = others.some((other) => {
    const from = callOf(recording, other.frame);
    return (
      from !== null &&
      events[from].statement !== events[caller].statement &&
      observed[other.id].standing === 'right'
    );
  });
  return isElsewhere
    ? { event: caller, note: `what is called here is right when it is called elsewhere` }
    : null;
}

/** The event of the statement that called a function: it reads what the function returned. */
function callOf({ events }: Field['recording'], frame: number): number | null {
  const caller = events.find(
    (other) =>
      other.frame !== frame &&
      other.how !== 'gradient' &&
      other.reads.some((read) => events[read].frame === frame && events[read].how === 'return'),
  );
  return caller?.id ?? null;
}

/** Before and after their rotation: both are right in themselves. */
const ROTATED = /^(v:[QK]|g:[QK]h)$/;
const isRotated = ({ entry }: Alignment, key: Key): boolean =>
  ROTATED.test(entry.key) && key !== entry.key;

/** The return or the naming by which the one was passed for the other; null if its user took it itself. */
function passedAt({ recording }: Field, id: number, user: number): number | null {
  const { events, statements } = recording;
  let at: number | null = id;
  while (at !== null) {
    const event: Field['recording']['events'][number] = events[at];
    const { kind, text } = statements[event.statement];
    const isNaming =
      kind === 'assign' && event.how === 'bind' && /^[\w.]+\s*=\s*[\w.]+$/.test(text.trim());
    if (event.how === 'return' || isNaming)
      return event.frame === events[user].frame || event.how === 'return' || isNaming ? at : null;
    at = handedOn(recording, event);
  }
  return null;
}

/** An operand whose axes are in another order than its fellows', or whose heads are grouped otherwise. */
function oddLayout(field: Field, { event }: Suspect): Blame | null {
  const { recording, observed, flow } = field;
  const patterns = flow.sources[event].flatMap((source) => {
    const [best] = observed[source].found;
    if (!best || best.axes.length < 3 || !/^[vg]:[QKV]h?$/.test(best.entry.key)) return [];
    const letters = best.axes.flat();
    const pattern = best.axes
      .map((axis) =>
        axis.some((each) => /[ijt]/.test(each))
          ? 't'
          : axis.some((each) => /[bhrg]/.test(each))
            ? 'n'
            : 'f',
      )
      .join('');
    const isRegrouped =
      letters.includes('r') && letters.includes('g') && letters.indexOf('g') < letters.indexOf('r');
    return [{ source, pattern, isRegrouped, shape: recording.events[source].shape.join() }];
  });
  const regrouped = patterns.find(({ isRegrouped }) => isRegrouped);
  if (regrouped)
    return {
      event: originOf(field, regrouped.source),
      note: 'the query heads are grouped in another order',
    };
  const odd = patterns.find(
    ({ pattern, shape }) =>
      pattern.startsWith('t') &&
      patterns.some((other) => other.pattern.startsWith('n') && other.shape === shape),
  );
  return odd
    ? {
        event: originOf(field, odd.source),
        note: 'its axes are in another order than those of what it meets',
      }
    : null;
}

/** A number that all its users go wrong with, and that is none of those that attention has. */
function wrongNumber(
  { recording, observed, flow, catalogue }: Field,
  { event }: Suspect,
): Blame | null {
  const { events } = recording;
  const { parts, config } = catalogue;
  const { scale } = parts;
  const width = parts.extents['a'] ?? 1;
  const known = [
    scale,
    1 / scale,
    Math.sqrt(width),
    1 / Math.sqrt(width),
    scale * Math.LOG2E,
    config.softcap ?? scale,
  ];
  for (const source of flow.sources[event]) {
    const { value, dtype } = events[source];
    if (dtype !== 'float' || value === undefined || Number.isInteger(value * 4)) continue;
    if (known.some((each) => Math.abs(value - each) <= 1e-6 * Math.abs(each))) continue;
    const users: number[] = [];
    const queue = [source];
    for (const each of queue)
      for (const user of flow.users[each])
        if (handedOn(recording, events[user]) === null) users.push(user);
        else queue.push(user);
    const isElsewhere = users.some((user) => observed[user].standing === 'right');
    if (isElsewhere) continue;
    let at = source;
    for (
      let from = handedOn(recording, events[at]);
      from !== null;
      from = handedOn(recording, events[at])
    )
      at = from;
    return { event: at, note: `${events[source].name} is ${value}` };
  }
  return null;
}

function isSameSum(a: Tensor | null, b: Tensor | null): boolean {
  if (!a || !b || a.data.length !== b.data.length) return false;
  const sum = ({ data }: Tensor): number =>
    data.reduce((total, value) => total + (value > MASKED ? value : 0), 0);
  const size = a.data.reduce(
    (most, value) => Math.max(most, Math.abs(value) < Infinity ? Math.abs(value) : 0),
    0,
  );
  return Math.abs(sum(a) - sum(b)) <= 1e-6 * size;
}

const isHiding = (tensor: Tensor | null): boolean =>
  tensor?.data.some((value) => value <= MASKED) ?? false;

export function blameOf(field: Field, suspect: Suspect): Blame {
  return (
    wrongMask(field, suspect) ??
    misnamedOperand(field, suspect.event) ??
    oddLayout(field, suspect) ??
    wrongNumber(field, suspect) ??
    unfinishedOperand(field, suspect) ??
    wrongTable(field, suspect) ??
    otherOrder(field, suspect) ??
    wrongCall(field, suspect) ??
    staleOperand(field, suspect) ?? { event: suspect.event, note: '' }
  );
}

/** The event that was computed, of one that is handed on. */
function originOf({ recording }: Field, id: number): number {
  let at = id;
  for (let from = handedOn(recording, recording.events[at]); from !== null;) {
    at = from;
    from = handedOn(recording, recording.events[at]);
  }
  return at;
}

/** Sources that are masks, through other names and through what tells nothing. */
function masksOf(field: Field, id: number): number[] {
  const { observed, flow } = field;
  const found: number[] = [];
  const seen = new Set<number>();
  const queue = [...flow.sources[id]];
  for (const source of queue) {
    if (seen.has(source)) continue;
    seen.add(source);
    const { standing, isMask, event } = observed[source];
    if (standing !== 'neutral') continue;
    const isHiding = event.how === 'write' && event.dtype !== 'bool';
    if (isMask || isHiding) found.push(source);
    queue.push(...flow.sources[source]);
  }
  return found;
}

/** The earliest of the masks that a mask was made from which hides other keys than it should; null if itself does not. */
function originOfMask(
  field: Field,
  masks: readonly number[],
  isWrong: (id: number) => boolean,
): number | null {
  const wrong = masks.filter(isWrong).sort((a, b) => a - b);
  return wrong.length > 0 ? originOf(field, wrong[0]) : null;
}

/** For each entry of a tensor that is aligned so, its offset among all entries with the letters `inner`. */
function offsetsOf(
  { axes, ranges, entry }: Alignment,
  shape: readonly number[],
  inner: readonly string[],
  extents: Readonly<Record<string, number>>,
): Int32Array {
  const steps = new Map<string, number>();
  let stride = 1;
  for (const letter of [...inner].reverse()) {
    steps.set(letter, stride);
    stride *= extents[letter];
  }
  const stepOf = (letter: string): number => steps.get(letter) ?? 0;
  let base = 0;
  const along = new Set(axes.flat());
  for (const letter of entry.letters) {
    const { start } = ranges.get(letter)!;
    if (!along.has(letter)) base += start * stepOf(letter);
  }
  const perAxis = shape.map((length, axis) =>
    Int32Array.from({ length }, (_, n) => {
      let rest = n;
      let offset = 0;
      for (const letter of [...axes[axis]].reverse()) {
        const { start, step, count } = ranges.get(letter)!;
        offset += (start + (rest % count) * step) * stepOf(letter);
        rest = Math.floor(rest / count);
      }
      return offset;
    }),
  );
  let all = Int32Array.of(base);
  for (const table of perAxis) {
    const next = new Int32Array(all.length * table.length);
    all.forEach((value, at) => {
      for (let n = 0; n < table.length; n++) next[at * table.length + n] = value + table[n];
    });
    all = next;
  }
  return all;
}

/** Logits that are right but for which of them are hidden: the mask is to blame, unless it is right. */
function wrongMask(field: Field, { event }: Suspect): Blame | null {
  const { recording, observed, flow, catalogue } = field;
  const { visible, parts } = catalogue;
  const tensor = recording.tensor(event);
  if (!tensor || !tensor.data.some((value) => value <= MASKED)) return null;
  const sources = flow.sources[event].flatMap((source) =>
    observed[source].standing === 'neutral' ? [source, ...flow.sources[source]] : [source],
  );
  for (const source of sources) {
    const scores = observed[source].found.find(({ entry }) => /^v:[SZM]$/.test(entry.key));
    const before = recording.tensor(source);
    if (!scores || !before || before.data.length !== tensor.data.length) continue;
    const { shape } = recording.events[source];
    const where = visible ? offsetsOf(scores, shape, visible.letters, parts.extents) : null;
    const shouldBe = Uint8Array.from(tensor.data, (_, at) =>
      where ? visible!.data[where[at]] : 1,
    );
    let isOther = false;
    for (let at = 0; at < tensor.data.length; at++) {
      const isSeen = tensor.data[at] > MASKED;
      if (isSeen !== (shouldBe[at] === 1)) isOther = true;
      if (isSeen && shouldBe[at] === 1 && tensor.data[at] !== before.data[at]) return null;
    }
    if (!isOther) return null;
    const masks = masksOf(field, event);
    const isWrong = (id: number): boolean => {
      const mask = recording.tensor(id);
      return hidesOther(mask, shouldBe, shape) && !isPadding(mask, catalogue);
    };
    const origin = originOfMask(field, masks, isWrong);
    return { event: origin ?? event, note: 'the mask hides other keys than it should' };
  }
  return null;
}

/** Whether a mask of 0 and 1 is neither `shouldBe` nor its complement, under NumPy's broadcasting. */
function hidesOther(mask: Tensor | null, shouldBe: Uint8Array, shape: readonly number[]): boolean {
  if (!mask || mask.data.length < 2) return false;
  const full = Array.from({ length: shape.length }, (_, axis) => {
    const own = axis - (shape.length - mask.shape.length);
    return own < 0 ? 1 : mask.shape[own];
  });
  // Parts of what was made for longer inputs are taken from its beginning.
  if (
    mask.shape.length > shape.length ||
    full.some((length, axis) => length !== 1 && length < shape[axis])
  )
    return true;
  const steps = strides(full);
  let [isSame, isComplement] = [true, true];
  for (let at = 0; at < shouldBe.length; at++) {
    let rest = at;
    let from = 0;
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      if (full[axis] !== 1) from += (rest % shape[axis]) * steps[axis];
      rest = Math.floor(rest / shape[axis]);
    }
    const isSet = mask.data[from] !== 0;
    if (isSet !== (shouldBe[at] === 1)) isSame = false;
    if (isSet === (shouldBe[at] === 1)) isComplement = false;
  }
  return !isSame && !isComplement;
}

/** Whether a mask tells, of some letters, which keys are seen: keys of each sequence, keys alone. */
function isPadding(mask: Tensor | null, { visible, parts }: Catalogue): boolean {
  if (!mask || !visible) return false;
  const { letters, data } = visible;
  const shape = mask.shape.filter((length) => length !== 1);
  const chosen: string[] = [];
  const matches = (): boolean => {
    const fold = offsetsIn(letters, chosen, parts.extents);
    const seen = new Uint8Array(mask.data.length);
    data.forEach((value, at) => {
      if (value) seen[fold[at]] = 1;
    });
    const same = mask.data.every((value, at) => (value !== 0) === (seen[at] === 1));
    return same || mask.data.every((value, at) => (value !== 0) !== (seen[at] === 1));
  };
  const choose = (axis: number): boolean =>
    axis === shape.length
      ? matches()
      : letters.some((letter) => {
          if (chosen.includes(letter) || parts.extents[letter] !== shape[axis]) return false;
          chosen[axis] = letter;
          const found = choose(axis + 1);
          chosen.length = axis;
          return found;
        });
  return choose(0);
}

const LOOPED = /^[bhrgij]$/;

function fixedLetters({ found: [best] }: Field['observed'][number]): Map<string, number> {
  const fixed = new Map<string, number>();
  if (!best) return fixed;
  best.entry.letters.forEach((letter, n) => {
    const range: Range = best.ranges.get(letter)!;
    if (LOOPED.test(letter) && range.count === 1 && best.entry.lengths[n] > 1)
      fixed.set(letter, range.start);
  });
  return fixed;
}

/** An operand of another head or sequence than the rest, the same as in the iteration before: it was not updated. */
function staleOperand(field: Field, { event }: Suspect): Blame | null {
  const { recording, observed, flow } = field;
  const { events } = recording;
  const sources = flow.sources[event].filter((source) => observed[source].standing === 'right');
  for (const letter of ['h', 'r', 'g', 'b', 'j', 'i']) {
    const places = sources.flatMap((source) => {
      const value = fixedLetters(observed[source]).get(letter);
      return value === undefined ? [] : [{ source, value }];
    });
    if (new Set(places.map(({ value }) => value)).size < 2) continue;
    for (const { source, value } of places) {
      const own = events[source];
      if (own.loops.length === 0 || handedOn(recording, own) !== null) continue;
      const isRepeated = events.some(
        (other) =>
          other.id < source &&
          other.statement === own.statement &&
          other.name === own.name &&
          other.frame === own.frame &&
          other.loops.join() !== own.loops.join() &&
          fixedLetters(observed[other.id]).get(letter) === value,
      );
      if (!isRepeated) continue;
      const what = { b: 'sequence', i: 'key', j: 'query' }[letter] ?? 'head';
      return {
        event: source,
        note: `${own.name} is that of ${what} ${value}, as in an earlier iteration`,
      };
    }
  }
  return null;
}
