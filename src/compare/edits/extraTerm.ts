// A term that the setup does not have, told by what it does not depend on: a bias is the same row for every token.
import { isOfHeads, type Letter } from '../../engine/axes.ts';
import { hasNode } from '../../engine/graph.ts';
import { largestMagnitude, map, type Tensor } from '../../engine/tensor.ts';
import { shortNumber } from '../search/constants.ts';
import { fibres, onOperand } from '../program/operations.ts';
import type { StepOperation } from '../program/program.ts';
import { indexName, plural } from '../program/transforms/indices.ts';
import { type Edit, type Family, longLetters, type Site } from './edit.ts';
import { stepEdit } from './make.ts';
import { placesOf } from './scorePlaces.ts';
import { indexAlong } from './piecewise.ts';

/** Entries for each number that is read off, so that the others confirm it. */
const CONFIRMED = 2;

export const extraTerm: Family = (site) => {
  const { node, kind, target, ratio } = site;
  if (kind !== 'value' || node.kind !== 'operation' || !target || ratio !== null) return [];
  if (node.id === 'P') return hasNode(site.graph, 'M') ? [] : onScores(site);
  const { user, predicted } = target;
  const term = map(user, (value, at) => value - predicted.data[at]);
  if (/^[KQV]$|^y$/.test(node.id)) return rowForAll(site, term);
  return /^[SZ]$/.test(node.id) ? added(site, term, (own, bias) => plus(own, bias)) : [];
};

const plus = (operation: StepOperation, bias: Tensor): StepOperation => ({
  name: operation.name,
  forward: (inputs) => map(operation.forward(inputs), (value, at) => value + bias.data[at]),
  vjp: (at, upstream) => operation.vjp(at, upstream),
});

/** The term by index, the mean of its entries; null where they are not all the same but for rounding. */
export function readOff(term: Tensor, index: Int32Array, most: number): Float64Array | null {
  const count = index.reduce((top, n) => Math.max(top, n), 0) + 1;
  const [sums, counts] = [new Float64Array(count), new Float64Array(count)];
  for (let at = 0; at < index.length; at++) {
    if (Number.isNaN(term.data[at])) continue;
    sums[index[at]] += term.data[at];
    counts[index[at]]++;
  }
  const told = counts.filter((n) => n > 0);
  if (told.reduce((sum, n) => sum + n, 0) < CONFIRMED * told.length) return null;
  const means = sums.map((sum, n) => sum / (counts[n] || 1));
  const isSame = index.every(
    (n, at) => Number.isNaN(term.data[at]) || Math.abs(term.data[at] - means[n]) <= most,
  );
  return isSame ? means : null;
}

/** The same row for every token: a bias. */
function rowForAll(site: Site, term: Tensor): Edit[] {
  const { node, graph, precision, target } = site;
  const axis = node.axes[node.axes.length - 1];
  const index = indexAlong(node.axes, axis, graph.extents);
  const most = 2 * precision * largestMagnitude(target!.user);
  const row = readOff(term, index, most);
  if (!row || row.every((value) => Math.abs(value) <= most)) return [];
  const bias: Tensor = { shape: node.shape, data: Float64Array.from(index, (n) => row[n]) };
  const own = `b_${node.id === 'y' ? 'O' : node.id}`;
  const has = hasNode(graph, own);
  const numbers = `[${[...row.slice(0, 6)].map(shortNumber).join(', ')}${row.length > 6 ? ', …' : ''}]`;
  return [
    stepEdit(
      site,
      node.id,
      {
        id: has ? 'bias-of-other-numbers' : 'bias-unwanted',
        title: has
          ? `the bias ${own} is another one: the same row is added for every token, ${numbers} too much`
          : `a bias is added to ${node.id} that the setup does not have: the same row for every token, ${numbers}`,
        why: `What is too much in ${node.id} is one row of ${row.length} numbers, the same for every token: ${numbers}.${
          has ? '' : ` If it is meant, give it to the setup as weights.${own}.`
        }`,
        wrong: `${node.id} = (right ${node.id}) + ${numbers}`,
        ...(!has && {
          numpy: `${node.id} = ${node.id} - ${own}  # or leave the bias out of the layer: ${own} = 0`,
          pytorch: `nn.Linear(..., bias=False)  # for ${node.id}`,
        }),
        cost: 1.4,
      },
      ({ operation }) => plus(operation, bias),
    ),
  ];
}

/** What scores are raised by, told by the weights up to one number for each query. */
function onScores(site: Site): Edit[] {
  const { node, graph, target } = site;
  const { user, predicted } = target!;
  if (user.data.some((value, at) => !(value > 0) || !(predicted.data[at] > 0))) return [];
  const term = map(user, (value, at) => Math.log(value / predicted.data[at]));
  const { starts, steps } = fibres(node.axes, ['i'], graph.extents);
  for (const start of starts) {
    const mean = steps.reduce((sum, step) => sum + term.data[start + step], 0) / steps.length;
    for (const step of steps) term.data[start + step] -= mean;
  }
  return added(site, term, (own, bias) =>
    onOperand(own, 0, {
      name: 'bias',
      forward: ([input]) => map(input, (value, at) => value + bias.data[at]),
      vjp: (_, upstream) => [upstream],
    }),
  );
}

/** A bias on the scores that depends on the distance of query and key, or on all but the batch entry. */
function added(
  site: Site,
  term: Tensor,
  apply: (own: StepOperation, bias: Tensor) => StepOperation,
): Edit[] {
  const { node, graph, precision, target } = site;
  const { user, predicted } = target!;
  // The logarithm of a small weight is known less well.
  const relative = node.id === 'P' ? precision / leastOf(user, predicted) : precision;
  const most = 4 * relative * Math.max(1, node.id === 'P' ? 1 : largestMagnitude(user));
  const letters = longLetters(node, graph);
  const without = (left: readonly Letter[]): Letter[] =>
    letters.filter((letter) => !left.includes(letter));
  const places = placesOf(site, node);
  const heads = letters.filter(isOfHeads);
  const all = places.keys + places.queries;
  const distance = (perHead: boolean): Int32Array =>
    Int32Array.from(
      places.key,
      (key, at) =>
        (perHead ? places.head[at] : 0) * all + key - places.query[at] + places.queries - 1,
    );
  const kinds: [words: string, index: Int32Array][] = [
    ['depends only on the distance of query and key', distance(false)],
    ...(heads.length > 0
      ? [
          [
            'depends only on the head and the distance of query and key (a relative position bias)',
            distance(true),
          ] as [string, Int32Array],
        ]
      : []),
    ...[['b', ...heads], ['b'], heads]
      .filter((left) => left.some((letter) => letters.includes(letter)))
      .map((left): [string, Int32Array] => {
        const own = left.filter((letter) => letters.includes(letter));
        const which = own.map((letter) => plural(indexName([letter]))).join(' and ');
        return [`is the same for all ${which}`, indexAlong(node.axes, without(own), graph.extents)];
      }),
  ];
  // Where the weights alone tell it, each query has one number more that is free.
  const centred = (values: Float64Array, index: Int32Array): Float64Array =>
    Float64Array.from(index, (n) => values[n]);
  for (const [words, index] of kinds) {
    const values = readOff(node.id === 'P' ? relativeTerm(site, term, index) : term, index, most);
    if (!values) continue;
    const bias: Tensor = { shape: node.shape, data: centred(values, index) };
    if (largestMagnitude(bias) <= most) continue;
    return [unwanted(site, words, bias, apply)];
  }
  return [];
}

const leastOf = (a: Tensor, b: Tensor): number =>
  a.data.reduce((least, value, at) => Math.min(least, value, b.data[at]), 1);

/**
 * A term of which each row is known but for one number, so that it is as near as can be to a function of `index`:
 * row by row the number that makes it agree with the rows before.
 */
function relativeTerm({ node, graph }: Site, term: Tensor, index: Int32Array): Tensor {
  const { starts, steps } = fibres(node.axes, ['i'], graph.extents);
  const known = new Map<number, number>();
  const out = map(term, () => NaN);
  const waiting = new Set<number>(starts);
  while (waiting.size > 0) {
    // The row that shares most with what is known: a chain of overlapping rows.
    let [best, most] = [-1, -1];
    for (const start of waiting) {
      const shared = steps.reduce((n, step) => n + Number(known.has(index[start + step])), 0);
      if (shared > most) [best, most] = [start, shared];
    }
    waiting.delete(best);
    const common = steps.filter((step) => known.has(index[best + step]));
    const shift =
      common.length === 0
        ? 0
        : common.reduce(
            (sum, step) => sum + known.get(index[best + step])! - term.data[best + step],
            0,
          ) / common.length;
    for (const step of steps) {
      const at = best + step;
      out.data[at] = term.data[at] + shift;
      if (!known.has(index[at])) known.set(index[at], out.data[at]);
    }
  }
  return out;
}

function unwanted(
  site: Site,
  words: string,
  bias: Tensor,
  apply: (own: StepOperation, bias: Tensor) => StepOperation,
): Edit {
  const { node } = site;
  const isRelative = node.id === 'P';
  const given = site.givesMask ? 'M is given although the setup has no mask: ' : '';
  const numbers = [...bias.data.slice(0, 6)].map(shortNumber).join(', ');
  const upTo = isRelative
    ? ', up to one number for each query, which the softmax does not see'
    : '';
  return stepEdit(
    site,
    node.id,
    {
      id: 'score-bias-unwanted',
      title: `${given}a bias is added to the scores that the setup does not have: it ${words}`,
      why: `What is added ${words}${upTo}; its first numbers are ${numbers}. If it is meant, give it to the setup as an additive mask (maskMeaning "add").`,
      wrong: isRelative ? 'P = softmax(scores + bias)' : `${node.id} = (right ${node.id}) + bias`,
      cost: 1.5,
    },
    ({ operation }) => apply(operation, bias),
  );
}
