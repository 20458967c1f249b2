// What masked scores or weights tell by themselves: which entries are hidden, in which heads.
import { nodeOf } from '../../engine/graph.ts';
import type { Tensor } from '../../engine/tensor.ts';
import { FILL } from '../judge/conventions.ts';
import { type Context, type Family, pastTokens, roles, type Site } from '../edits/edit.ts';
import { indexAlong } from '../edits/piecewise.ts';
import { fibres } from '../program/operations.ts';
import { indexName, plural } from '../program/transforms/indices.ts';
import { rightOf } from './forms.ts';
import { rightMask, tensorsFor } from './maskWords.ts';
import { editsOf, type Row, rowsOf } from './table.ts';

/** `own` is 1 where the person's mask hides, `bias` what it adds elsewhere; `whole` is P as it should be. */
const HIDDEN = rowsOf(`
M mask: the mask {words}
  not(own) * (unmasked + bias) + hide(own)
P mask: the mask {words}
  logits := logits + hide(own)
P late 0.05: the mask {words}, after the softmax
  not(own) * whole
`);

export const maskSolved: Family = (site) => {
  const { node, kind, target } = site;
  if (kind !== 'value' || !target) return [];
  const steps = node.id === 'M' || node.id === 'P' ? hidden(site) : [];
  return ['M', 'P']
    .filter((id) => steps.some(({ on }) => on === id))
    .flatMap((id) => editsOf({ ...site, node: nodeOf(site.graph, id) }, steps));
};

/** Entries that have no weight here though the scores would give them one, or the other way round. */
function hidden(site: Site): Row[] {
  const { node, target, graph, state } = site;
  const { data } = target!.user;
  const { logits } = roles(graph);
  // With the masked scores not given, the weights tell the whole mask.
  const isFree = node.id === 'P' && logits === 'M' && !state.given.values.has('M');
  const masked = nodeOf(graph, logits);
  const scores = isFree && masked.kind === 'operation' ? masked.inputs[0] : logits;
  const before = state.value(scores).data;
  const isHidden = (at: number): boolean =>
    node.id === 'P' ? data[at] === 0 && before[at] > -700 : data[at] <= FILL;
  const right = rightMask(site, node).data;
  const own = new Uint8Array(data.length);
  let [more, fewer, all] = [0, 0, 0];
  for (let at = 0; at < own.length; at++) {
    const isRight = right[at] <= FILL;
    if (isHidden(at) || (node.id === 'P' && !isFree && isRight)) own[at] = 1;
    all += own[at];
    if (own[at] === 1 && !isRight) more++;
    if (own[at] === 0 && isRight) fewer++;
  }
  if (more + fewer === 0 || all === own.length) return [];
  if (node.id === 'P' && fewer === 0 && isSlices(own, right, site)) return [];
  const bias = right.map((value) => (value <= FILL ? 0 : value));
  const tensorOf = (of: ArrayLike<number>): Tensor => ({
    shape: node.shape,
    data: Float64Array.from(of),
  });
  const given = tensorsFor(node.axes, { own: () => tensorOf(own), bias: () => tensorOf(bias) });
  const say = sayOf(site, own, right, more, fewer);
  const isStep = node.id === 'M' || isFree;
  return HIDDEN.filter(({ on }) => (on === 'M' ? isStep : node.id === 'P')).map((row) => ({
    ...{ ...row, ...say, ...given },
    terms: { ...given.terms, whole: rightOf(site) },
    ...(row.id === 'late' && { title: `${say.title}, after the softmax` }),
    cost: say.cost + (row.id === 'late' ? row.cost! : 0),
  }));
}

/** In words, what is hidden by a mask that the person's tensor tells. */
function sayOf(
  site: Site,
  own: Uint8Array,
  right: Float64Array,
  more: number,
  fewer: number,
): Pick<Row, 'id' | 'title' | 'why' | 'wrong'> & { readonly cost: number } {
  const { node, graph, state } = site;
  const { logits } = roles(graph);
  const known = pattern(own, site);
  const words = known ?? `${countInWords(more, fewer)}${whereIn(own, right, site)}`;
  const isMaskRight = node.id === 'P' && state.given.values.has(logits);
  const setup = Uint8Array.from(right, (value) => Number(value <= FILL));
  const should = pattern(setup, site);
  const ofSetup = should === null ? '' : ` The setup’s mask ${should}.`;
  const past = words
    .replace(/^hides/, 'hid')
    .replace(/^lets/, 'let')
    .replace(/^keeps/, 'kept');
  return {
    id: /largest/.test(words) ? 'top-k' : 'mask-of-other-entries',
    title: isMaskRight
      ? `weights are 0 where ${logits} hides nothing, as if the mask ${past}`
      : `the mask ${words}`,
    why: isMaskRight
      ? `${logits} is right; between it and P, ${more} weights become 0 that should not.`
      : `${node.id} comes out exactly if the mask ${words}; ${more} entries too many and ${fewer} too few are hidden.${ofSetup}`,
    wrong: `hidden: the mask ${words}`,
    cost: known === null ? 1.9 : 1.35,
  };
}

/** " (batch entry 1; queries 3, 4)": where all the entries are that differ, if that is not everywhere. */
function whereIn(own: Uint8Array, right: Float64Array, { node, graph }: Site): string {
  const places = node.axes.flat().flatMap((letter): string[] => {
    const index = indexAlong(node.axes, [letter], graph.extents);
    const found = new Set<number>();
    own.forEach((value, at) => {
      if ((value === 1) !== right[at] <= FILL) found.add(index[at]);
    });
    const [one, count] = [indexName([letter]), found.size];
    if (count === graph.extents[letter] || count > MOST_PLACES) return [];
    return [`${count > 1 ? plural(one) : one} ${[...found].sort((a, b) => a - b).join(', ')}`];
  });
  return places.length > 0 ? ` (${places.join('; ')})` : '';
}

const MOST_PLACES = 4;

/**
 * Whether the weights that should not be 0 are whole heads, batch entries or, where the scores are given and right,
 * queries: no mask's doing.
 */
function isSlices(own: Uint8Array, right: Float64Array, { node, graph, state }: Site): boolean {
  const isGiven = state.given.values.has(roles(graph).logits);
  return ['b', 'h', 'r', 'g', ...(isGiven ? ['j'] : [])].some((letter) => {
    if (!(graph.extents[letter] > 1) || !node.axes.flat().includes(letter)) return false;
    const index = indexAlong(node.axes, [letter], graph.extents);
    const [more, seen] = [new Set<number>(), new Set<number>()];
    for (let at = 0; at < own.length; at++) {
      if (right[at] === -Infinity) continue;
      (own[at] === 1 ? more : seen).add(index[at]);
    }
    return more.size > 0 && [...more].every((n) => !seen.has(n));
  });
}

const countInWords = (more: number, fewer: number): string =>
  [
    ...(more > 0 ? [`hides ${more} entries that should be seen`] : []),
    ...(fewer > 0 ? [`shows ${fewer} that should be hidden`] : []),
  ].join(' and ');

/** The hidden entries by their rule, or by how many they are. */
export function patternInWords(context: Context, own: Uint8Array, right: Float64Array): string {
  const count = (is: number, isRight: boolean): number =>
    own.reduce((n, value, at) => n + Number(value === is && right[at] <= FILL === isRight), 0);
  return pattern(own, context) ?? countInWords(count(1, false), count(0, true));
}

/** What rule the hidden entries follow, or null for none that is usual. */
function pattern(own: Uint8Array, site: Context): string | null {
  const { graph, state } = site;
  const node = nodeOf(graph, 'P');
  const { extents } = graph;
  const past = pastTokens(site);
  const [keyOf, queryOf] = ['i', 'j'].map((letter) => indexAlong(node.axes, [letter], extents));
  const rule = (isHidden: (j: number, i: number) => boolean): boolean => {
    for (let at = 0; at < own.length; at++)
      if ((own[at] === 1) !== isHidden(queryOf[at], keyOf[at])) return false;
    return true;
  };
  let [low, high] = [Infinity, -Infinity];
  for (let at = 0; at < own.length; at++) {
    if (own[at] === 1) continue;
    const distance = past + queryOf[at] - keyOf[at];
    if (distance < low) low = distance;
    if (distance > high) high = distance;
  }
  if (rule((j, i) => past + j - i < low || past + j - i > high)) {
    const side = (distance: number): string =>
      distance === 0
        ? 'its own place'
        : `${Math.abs(distance)} ${distance > 0 ? 'before' : 'after'} it`;
    return `lets a query see the keys from ${side(high)} to ${side(low)} (a band: causal mask or window)`;
  }
  const keys = hiddenAlong(own, keyOf, extents['i']);
  if (rule((_, i) => keys.has(i)))
    return `hides the ${list('key', keys, extents['i'])} from all queries`;
  const queries = hiddenAlong(own, queryOf, extents['j']);
  if (rule((j) => queries.has(j)))
    return `hides all keys from the ${list('query', queries, extents['j'])}`;
  for (let width = 2; width < extents['i']; width++)
    if (rule((j, i) => Math.floor((past + j) / width) !== Math.floor(i / width)))
      return `lets a query see only the keys of its own block (chunk) of ${width}`;
  return largestOnly(own, state.value(roles(graph).logits).data, site);
}

function largestOnly(own: Uint8Array, logits: Float64Array, { graph }: Context): string | null {
  const node = nodeOf(graph, 'P');
  const { starts, steps } = fibres(node.axes, ['i'], graph.extents);
  let count = -1;
  for (const start of starts) {
    let kept = 0;
    let [least, most] = [Infinity, -Infinity];
    for (const step of steps) {
      const at = start + step;
      if (own[at] === 1) most = Math.max(most, logits[at]);
      else {
        kept++;
        least = Math.min(least, logits[at]);
      }
    }
    if (most > least || (count >= 0 && kept !== count)) return null;
    count = kept;
  }
  return `keeps only the ${count} largest scores of each query (top-k)`;
}

/** Indices at which everything is hidden. */
function hiddenAlong(own: Uint8Array, index: Int32Array, length: number): Set<number> {
  const found = new Set(Array.from({ length }, (_, n) => n));
  for (let at = 0; at < own.length; at++) if (own[at] === 0) found.delete(index[at]);
  return found;
}

function list(name: string, which: ReadonlySet<number>, length: number): string {
  const many = name === 'query' ? 'queries' : `${name}s`;
  const all = [...which];
  const last = all.length === 1 && all[0] === length - 1 ? ' (the last)' : '';
  return `${all.length > 1 ? many : name} ${all.join(', ')}${last}`;
}
