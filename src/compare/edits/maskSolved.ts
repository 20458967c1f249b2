// What masked scores or weights tell by themselves: which entries are hidden, in which heads, by how much.
import { addMask } from '../../engine/ops/elementwise.ts';
import { map, type Tensor } from '../../engine/tensor.ts';
import { shortNumber } from '../constants.ts';
import { FILL } from '../conventions.ts';
import { after, entrywise, fibres, onOperand } from '../operations.ts';
import { indexName, plural } from '../transforms/indices.ts';
import { nodeOf } from '../../engine/graph.ts';
import {
  type Context,
  type Edit,
  type Family,
  operationAt,
  roles,
  type Site,
  pastTokens,
} from './edit.ts';
import { type Say, stepEdit } from './make.ts';
import { beforeScale, biases } from './maskBias.ts';
import { rightMask } from './maskLayout.ts';
import { indexAlong } from './piecewise.ts';

export const maskSolved: Family = (site) => {
  const { node, kind, target } = site;
  if (kind !== 'value') return [];
  if (node.id === 'Z') return beforeScale(site);
  if (node.id === 'M')
    return [
      ...biases(site),
      ...(target ? [...partly(site), ...penalty(site), ...hidden(site)] : []),
    ];
  return node.id === 'P' && target ? hidden(site) : [];
};

/** Entries that have no weight here though the scores would give them one, or the other way round. */
function hidden(site: Site): Edit[] {
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
  const known = pattern(own, site);
  const words = known ?? countInWords(more, fewer);
  const isMaskRight = node.id === 'P' && state.given.values.has(logits);
  const should = pattern(
    Uint8Array.from(right, (value) => Number(value <= FILL)),
    site,
  );
  const ofSetup = should === null ? '' : ` The setup’s mask ${should}.`;
  const say: Say = {
    id: /largest/.test(words) ? 'top-k' : 'mask-of-other-entries',
    title: isMaskRight
      ? `weights are 0 where ${logits} hides nothing, as if the mask ${words
          .replace(/^hides/, 'hid')
          .replace(/^lets/, 'let')
          .replace(/^keeps/, 'kept')}`
      : `the mask ${words}`,
    why: isMaskRight
      ? `${logits} is right; between it and P, ${more} weights become 0 that should not.`
      : `${node.id} comes out exactly if the mask ${words}; ${more} entries too many and ${fewer} too few are hidden.${ofSetup}`,
    wrong: `hidden: the mask ${words}`,
    cost: known === null ? 1.9 : 1.35,
  };
  const additive: Tensor = {
    shape: node.shape,
    data: Float64Array.from(own, (is, at) =>
      is === 1 ? -Infinity : right[at] <= FILL ? 0 : right[at],
    ),
  };
  const step = stepEdit(site, 'M', say, () => addMask(node.axes, additive));
  if (node.id === 'M') return [step];
  const hide = entrywise(
    (value, at) => (own[at] === 1 ? -Infinity : value),
    (_, at) => 1 - own[at],
  );
  return [
    ...(isFree ? [step] : []),
    stepEdit(site, 'P', say, ({ operation }) => onOperand(operation, 0, hide)),
    stepEdit(
      site,
      'P',
      { ...say, title: `${say.title}, after the softmax`, cost: say.cost! + 0.05 },
      ({ operation }) =>
        after(
          operation,
          entrywise(
            (value, at) => (own[at] === 1 ? 0 : value),
            (_, at) => 1 - own[at],
          ),
        ),
    ),
  ];
}

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

/** Hidden scores lowered by one number, which leaves them some weight. */
function penalty(site: Site): Edit[] {
  const { node, target, state } = site;
  const step = operationAt(site)!;
  const before = state.value(step.inputs[0]).data;
  const right = rightMask(site, node).data;
  const { data } = target!.user;
  const hiddenAt = [...right.keys()].filter((at) => right[at] === -Infinity);
  if (hiddenAt.length < 2) return [];
  const by = before[hiddenAt[0]] - data[hiddenAt[0]];
  const isSame = (at: number): boolean =>
    Math.abs(before[at] - data[at] - by) <= 1e-5 * Math.abs(by) + 1e-9;
  if (!Number.isFinite(by) || by === 0 || !hiddenAt.every(isSame)) return [];
  const text = shortNumber(by);
  const exact = Math.abs(Number(text) / by - 1) < 1e-5 ? Number(text) : by;
  return [
    stepEdit(
      site,
      'M',
      {
        id: 'mask-penalty-finite',
        title: `hidden scores are only lowered by ${text}, which leaves them weight`,
        why: `Where M should be −∞ it is ${step.inputs[0]} − ${text}: after the softmax such keys still count.`,
        wrong: `M = ${step.inputs[0]} − ${text} where hidden`,
        cost: 1.15,
      },
      () =>
        entrywise(
          (value, at) => (right[at] === -Infinity ? value - exact : value + right[at]),
          () => 1,
        ),
    ),
  ];
}

/** The mask left out in some heads or batch entries only. */
function partly(site: Site): Edit[] {
  const { node, target, graph } = site;
  const step = operationAt(site)!;
  const unmasked = site.state.value(step.inputs[0]).data;
  const { user, predicted } = target!;
  return ['b', 'h', 'r', 'g'].flatMap((letter): Edit[] => {
    const count = graph.extents[letter] ?? 1;
    if (count === 1 || !node.axes.flat().includes(letter)) return [];
    const index = indexAlong(node.axes, [letter], graph.extents);
    const lacking = new Set<number>();
    for (let at = 0; at < index.length; at++) {
      if (user.data[at] !== predicted.data[at] && user.data[at] === unmasked[at])
        lacking.add(index[at]);
    }
    if (lacking.size === 0 || lacking.size === count) return [];
    const one = indexName([letter]);
    const where = `${lacking.size > 1 ? plural(one) : one} ${[...lacking].join(', ')}`;
    return [
      stepEdit(
        site,
        'M',
        {
          id: 'mask-missing-in-some',
          title: `the mask is missing in ${where}`,
          why: `There M is ${step.inputs[0]}; in the others the mask is right: a loop ends early, or the mask is broadcast along the wrong axis.`,
          wrong: `M[${where}] = ${step.inputs[0]}`,
          cost: 0.95,
        },
        ({ operation }) => ({
          name: 'mask',
          forward: ([input]) => {
            const own = operation.forward([input]);
            return map(own, (value, at) => (lacking.has(index[at]) ? input.data[at] : value));
          },
          vjp: (application, upstream) => {
            const [own] = operation.vjp(application, upstream);
            return [map(own, (value, at) => (lacking.has(index[at]) ? upstream.data[at] : value))];
          },
        }),
      ),
    ];
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
