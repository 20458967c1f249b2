// Operands that are right in themselves, and not the ones that belong here: of another head, order, number, table.
import type { Alignment, Range } from '../../align/align.ts';
import { handedOn, tellingEvent } from '../../recorded/flow.ts';
import { oneOfGroup } from '../names/picked.ts';
import { loopsAround } from '../../recorded/loops.ts';
import type { Field, Suspect } from '../suspects.ts';
import { type Blame, originOf } from './common.ts';

/** An operand whose axes are in another order than its fellows', or whose heads are grouped otherwise. */
export function oddLayout(field: Field, { event }: Suspect): Blame | null {
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
    const isRegrouped = isInOtherOrder(field, letters);
    return [{ source, pattern, isRegrouped, shape: recording.events[source].shape.join() }];
  });
  const regrouped = patterns.find(({ isRegrouped }) => isRegrouped);
  if (regrouped)
    return {
      event: firstRegrouped(field, originOf(field, regrouped.source)),
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

/** Whether the letters of KV heads and of their query heads stand in another order than in the scores. */
function isInOtherOrder({ catalogue }: Field, letters: readonly string[]): boolean {
  const sign = (all: readonly string[]): number =>
    all.includes('r') && all.includes('g') ? Math.sign(all.indexOf('g') - all.indexOf('r')) : 0;
  return sign(letters) * sign(catalogue.parts.scores) < 0;
}

/** Where query heads were first grouped in another order. */
function firstRegrouped(field: Field, id: number): number {
  const { observed, flow } = field;
  const isRegrouped = (source: number): boolean =>
    isInOtherOrder(field, observed[source].found[0]?.axes.flat() ?? []);
  let at = id;
  for (;;) {
    const before = flow.sources[at].find(isRegrouped);
    if (before === undefined) return at;
    at = before;
  }
}

/** Queries, keys and values that are joined in another order than those that they meet. */
export function otherOrder({ observed, flow, recording }: Field, { event }: Suspect): Blame | null {
  const joined = flow.sources[event].filter((source) => observed[source].pieces.length > 1);
  const orderOf = (id: number): string =>
    observed[id].pieces.map(({ entry }) => entry.node.replace(/^[Wb]_|h$/g, '')).join(' ');
  const isWhole = (id: number): boolean =>
    observed[id].found.some(({ entry }) => /^v:[QK]h$/.test(entry.key));
  const orders = new Set(joined.map(orderOf));
  // What is met in the graph's own order is joined as it should be: the other one is not.
  const isBesideWhole = joined.length === 1 && flow.sources[event].some(isWhole);
  if (orders.size < 2 && !isBesideWhole) return null;
  const made = joined.filter(
    (id) => !recording.events[id].how.startsWith('leaf') && flow.sources[id].length > 1,
  );
  const last = made[made.length - 1];
  if (last === undefined) return null;
  return { event: last, note: `the order is ${orderOf(last)} here and another one there` };
}

/** Where a table of positions (RoPE, ALiBi) goes wrong, of which nothing that is computed tells. */
export function wrongTable(
  { observed, flow, catalogue, recording }: Field,
  { event }: Suspect,
): Blame | null {
  const { rope, alibi, temperature } = catalogue.config;
  if (!rope && !alibi && !temperature) return null;
  const found: number[] = [];
  const seen = new Set([event]);
  const queue = [...flow.sources[event]];
  for (const source of queue) {
    if (seen.has(source)) continue;
    seen.add(source);
    const { standing } = observed[source];
    const isOther = ({ entry }: Alignment): boolean => entry.title.startsWith('ALiBi’s bias');
    const isMirrored = standing === 'partial' && observed[source].found.every(isOther);
    if (standing === 'free' || isMirrored) found.push(source);
    if (standing === 'free' || standing === 'neutral') queue.push(...flow.sources[source]);
  }
  if (found.length === 0) return null;
  const first = Math.min(...found);
  return {
    event: first,
    note: `${recording.events[first].name} is not the table that it should be`,
  };
}

/** With earlier tokens in a cache: as many keys or values as there are new tokens, that are not those of the new ones. */
export function wrongTokens(field: Field, { event }: Suspect): Blame | null {
  const { recording, observed, flow, catalogue } = field;
  const { parts, config } = catalogue;
  const fresh = parts.extents['t'];
  if (!config.past || fresh === undefined) return null;
  const startOf = (id: number): number | null => {
    const starts = observed[id].found.map(({ entry, ranges }) => {
      const range = /^[KV]h$/.test(entry.node) ? ranges.get('i') : undefined;
      return range?.count === fresh && range.step === 1 ? range.start : null;
    });
    const [first = null] = starts;
    return starts.every((start) => start === first) ? first : null;
  };
  const isOfNew = flow.sources[event].some((source) =>
    observed[source].found.some(({ entry }) => /^(x|W_[KV])$/.test(entry.node)),
  );
  const past = parts.extents['i'] - fresh;
  const other = flow.sources[event].find((source) => {
    const start = startOf(source);
    return start !== null && start !== past;
  });
  if (!isOfNew || other === undefined) return null;
  let at = other;
  for (;;) {
    const before = flow.sources[at].find((source) => startOf(source) === startOf(other));
    if (before === undefined) break;
    at = before;
  }
  const { name } = recording.events[other];
  const note = `${name} is of tokens ${startOf(other)} and on, the new ones begin with ${past}`;
  return { event: tellingEvent(recording, at), note };
}

const LOOPED = /^[bhrgij]$/;

function fixedLetters({ found }: Field['observed'][number]): Map<string, number> {
  const fixed = new Map<string, number>();
  const [best] = found;
  if (!best) return fixed;
  best.entry.letters.forEach((letter, n) => {
    const range: Range = best.ranges.get(letter)!;
    if (!LOOPED.test(letter) || range.count !== 1 || best.entry.lengths[n] === 1) return;
    // The maximum of a row is also one of its entries.
    const isSure = found.every(({ entry: { letters } }) => letters.includes(letter));
    if (isSure) fixed.set(letter, range.start);
  });
  return fixed;
}

/** An operand of another head or sequence than the rest, the same as in the iteration before: it was not updated. */
export function staleOperand(field: Field, { event }: Suspect): Blame | null {
  const { recording, observed, flow } = field;
  const { events } = recording;
  // Other entries of the array that it writes to are no operands.
  const sources = flow.sources[event].filter(
    (source) =>
      observed[source].standing === 'right' &&
      source !== events[event].alias &&
      events[source].how !== 'write',
  );
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
      if (isLeftOver(recording, own.statement, events[event].statement)) {
        const note = `${own.name} is that of ${what} ${value}, which another loop ended with`;
        return { event, note };
      }
      return {
        event: source,
        note: `${own.name} is that of ${what} ${value}, as in an earlier iteration`,
      };
    }
    const picked = wrongPick(field, event, places);
    if (picked) return picked;
  }
  return null;
}

/** Whether a statement in a loop reads what one in another loop, that has ended by then, made last. */
function isLeftOver(recording: Field['recording'], made: number, used: number): boolean {
  const around = loopsAround(recording, used);
  return around.length > 0 && !loopsAround(recording, made).some((loop) => around.includes(loop));
}

/** Of operands of several heads or sequences: the one that is not of the iteration's, where it was put in a list so. */
function wrongPick(
  field: Field,
  event: number,
  places: readonly { readonly source: number; readonly value: number }[],
): Blame | null {
  const { events } = field.recording;
  const { loops } = events[event];
  const isOfIteration = ({ value }: { readonly value: number }): boolean => loops.includes(value);
  if (!places.some(isOfIteration)) return null;
  for (const place of places) {
    const array = isOfIteration(place) ? undefined : wrongArray(field, place.source);
    if (array !== undefined) {
      const { name } = events[array];
      return { event: array, note: `${name} holds something else where head ${loops.at(-1)} was` };
    }
    const origin = originOf(field, place.source);
    const [, index] = /\[(\d+)\]$/.exec(events[origin].name) ?? [];
    if (index === undefined || Number(index) === place.value) continue;
    const note = `${events[origin].name} is that of head ${place.value}`;
    return { event: origin, note };
  }
  return null;
}

/** The array that a loop filled, wrongly, and that an operand was picked from. */
const wrongArray = ({ observed, flow, recording }: Field, id: number): number | undefined =>
  flow.sources[id].find(
    (source) => recording.events[source].how === 'loop-end' && observed[source].standing === 'off',
  );

/** Of the softmax's Jacobian diag(P) or P Pᵀ alone. */
export function halfJacobian({ observed, flow }: Field, { event }: Suspect): Blame | null {
  const half = flow.sources[event].find((source) => {
    const { found, standing } = observed[source];
    if (standing !== 'right' || found.length === 0) return false;
    return found.every(({ entry }) => /^(diag\(P\)|P Pᵀ)$/.test(entry.title));
  });
  if (half === undefined) return null;
  const isUsed = flow.users[half].some((user) => observed[user].standing === 'right');
  if (isUsed) return null;
  return {
    event: half,
    note: `${observed[half].found[0].entry.title} is not the softmax’s Jacobian`,
  };
}

/** One query head of each group that was picked for what all of them add up to. */
export function pickedOfGroup(field: Field, { event }: Suspect): Blame | null {
  for (const source of [event, ...field.flow.sources[event]]) {
    const origin = originOf(field, source);
    const node = oneOfGroup(field, origin);
    if (!node) continue;
    const note = 'one head of each group is picked where their sum belongs';
    return { event: origin, note, node: node.id, kind: 'gradient' };
  }
  return null;
}

/** Values that a statement made with weights, where they should have been mixed: each query has one key's alone. */
export function valuesAlone(field: Field, { event }: Suspect): Blame | null {
  const { observed, flow } = field;
  const isOf = (id: number, key: RegExp): boolean =>
    observed[id].found.length > 0 && observed[id].found.every(({ entry }) => key.test(entry.key));
  const reached = new Set(flow.sources[event].filter((source) => isOf(source, /^v:Vh?$/)));
  for (const id of reached) {
    if (reached.size > MOST_REACHED) return null;
    const isMixed = flow.sources[id].some((source) => isOf(source, /^v:Pd?$/));
    const { output } = field.catalogue.parts;
    if (isMixed)
      return { event: id, note: `it is V, where ${output} belongs`, node: output, kind: 'value' };
    for (const source of flow.sources[id]) if (isOf(source, /^v:Vh?$/)) reached.add(source);
  }
  return null;
}

const MOST_REACHED = 60;
