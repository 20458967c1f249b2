// Forms between the projections and the output: scaled and masked scores, the steps inside the softmax.
import type { Extents } from '../../engine/axes.ts';
import { hasNode } from '../../engine/graph.ts';
import {
  type Lettered,
  mapEach,
  product,
  reduce,
  sumOver,
  times,
  zip,
} from '../recorded/lettered.ts';
import { type Forms, gradientOf, type Parts, valueOf } from './form.ts';

const LOG2E = Math.LOG2E;

/** Scores, the scale folded into one factor, exponentials of base 2 (FlashAttention), tanh's argument. */
export function addScores(forms: Forms, parts: Parts): void {
  const { graph, config, scale, logits, queries, keys } = parts;
  const { softcap } = config;
  const scores = valueOf(parts, 'S');
  if (softcap !== undefined) {
    const argument = times(scores, scale / softcap);
    forms.add('form', 'value', 'Z', 'scale S', times(scores, scale));
    forms.add('form', 'value', 'Z', 'scale S / softcap', argument);
    forms.add('form', 'value', 'Z', 'tanh(scale S / softcap)', mapEach(argument, Math.tanh));
    const slope = mapEach(argument, (value) => 1 - Math.tanh(value) ** 2);
    forms.add('form', 'value', 'Z', '1 − tanh²', slope);
    forms.add(
      'form',
      'value',
      'Z',
      'tanh²',
      mapEach(slope, (value) => 1 - value),
    );
    forms.add('form', 'value', 'Z', 'scale (1 − tanh²)', times(slope, scale));
  } else if (scale !== 1) {
    forms.add('form', 'value', 'Z', 'log2(e) scale S', times(scores, scale * LOG2E));
  }
  addCosines(forms, parts);
  forms.add('form', 'value', logits, `log2(e) ${logits}`, times(valueOf(parts, logits), LOG2E));
  if (scale === 1) return;
  for (const side of [queries, keys]) {
    for (const id of new Set([side, side[0]])) {
      if (!hasNode(graph, id)) continue;
      const value = valueOf(parts, id);
      const factors: [string, number][] = [
        ['scale', scale],
        ['√scale', Math.sqrt(Math.abs(scale))],
        ['log2(e) scale', LOG2E * scale],
        ['log2(e)', LOG2E],
      ];
      for (const [name, factor] of factors)
        forms.add('form', 'value', id, `${name} ${id}`, times(value, factor));
    }
  }
}

/** Queries and keys of length 1, as F.normalize makes them, are those of the root mean square over √d. */
function addCosines(forms: Forms, parts: Parts): void {
  const { graph, config, extents, queries, keys } = parts;
  const width = extents['a'];
  if (config.qkNorm?.kind !== 'rms' || config.qkNorm.over !== 'head' || !width) return;
  const add = (id: string, by: number, title: string): void => {
    forms.add('form', 'value', id, `${id} / ${title}`, times(valueOf(parts, id), 1 / by));
    forms.add('partial', 'gradient', id, `${title} d${id}`, times(gradientOf(parts, id), by));
  };
  for (const id of new Set([queries, keys])) add(id, Math.sqrt(width), '√d');
  if (hasNode(graph, 'S')) add('S', width, 'd');
}

/** Maximum, shifted logits, exponentials, their sums, log-sum-exp, outputs before they are divided by the sum. */
export function addSoftmax(forms: Forms, parts: Parts): void {
  const { extents, logits, output, weights } = parts;
  const value = valueOf(parts, logits);
  const add = (title: string, form: Parameters<Forms['add']>[4]): void =>
    forms.add('form', 'value', 'P', title, form);
  const peak = reduce(value, 'i', extents, -Infinity, Math.max);
  const shifted = zip(value, peak, extents, (a, b) => a - b);
  const exps = mapEach(shifted, Math.exp);
  const sums = sumOver(exps, 'i', extents);
  const lse = zip(peak, sums, extents, (a, b) => a + Math.log(b));
  const plain = mapEach(value, Math.exp);
  const plainSums = sumOver(plain, 'i', extents);
  add(`row maxima of ${logits}`, peak);
  add(`${logits} − row maximum`, shifted);
  add(`log2(e) (${logits} − row maximum)`, times(shifted, LOG2E));
  add(`exp(${logits} − row maximum)`, exps);
  add(`row sums of exp(${logits} − row maximum)`, sums);
  add(
    '1 / row sums',
    mapEach(sums, (each) => 1 / each),
  );
  add('log of the row sums', mapEach(sums, Math.log));
  add('log2 of the row sums', mapEach(sums, Math.log2));
  add(`log-sum-exp of ${logits}`, lse);
  add('log-sum-exp, base 2', times(lse, LOG2E));
  add(`log2(e) row maxima of ${logits}`, times(peak, LOG2E));
  add(`exp(${logits})`, plain);
  add(`row sums of exp(${logits})`, plainSums);
  add(
    `1 / row sums of exp(${logits})`,
    mapEach(plainSums, (each) => 1 / each),
  );
  add(
    'log P',
    zip(value, lse, extents, (a, b) => a - b),
  );
  add(
    '1 − P',
    mapEach(valueOf(parts, 'P'), (each) => 1 - each),
  );
  addBeforeMask(forms, parts, peak, lse);
  const mixed = valueOf(parts, output);
  const scaled = (by: typeof sums): typeof sums => zip(mixed, by, extents, (a, b) => a * b);
  forms.add('form', 'value', output, `${output} before the division by the row sums`, scaled(sums));
  const unshifted = scaled(plainSums);
  forms.add('form', 'value', output, `exp(${logits}) V`, unshifted);
  if (weights === 'Pd') {
    const keep = zip(valueOf(parts, 'Pd'), valueOf(parts, 'P'), extents, (a, b) =>
      b === 0 ? 0 : a / b,
    );
    forms.add('form', 'value', 'Pd', 'keep / (1 − p)', keep);
  }
}

/** Exponentials of scores that are masked only after them, as where the backward pass makes the weights again. */
function addBeforeMask(forms: Forms, parts: Parts, peak: Lettered, lse: Lettered): void {
  const { graph, extents } = parts;
  const mask = graph.nodes.find(({ id }) => id === 'M');
  if (parts.logits !== 'M' || mask?.kind !== 'operation') return;
  const open = zip(valueOf(parts, 'M'), valueOf(parts, mask.inputs[0]), extents, (own, before) =>
    own === -Infinity ? before : own,
  );
  for (const [title, shift] of [
    ['log-sum-exp of M', lse],
    ['row maximum of M', peak],
  ] as const) {
    const exps = zip(open, shift, extents, (a, b) => Math.exp(a - b));
    forms.add('form', 'value', 'P', `exp(scores − ${title})${BEFORE_MASK}`, exps);
  }
}

/** What stands where a key is hidden counts in forms of this title. */
export const BEFORE_MASK = ' before the mask';

/**
 * Beside the keys a logit that takes weight and gives no value: of a sink, or 0 where 1 is added to the sum. The shift is the
 * row's maximum, with or without that logit.
 */
export function addBeside(forms: Forms, parts: Parts): void {
  const { extents, logits, config, graph } = parts;
  const isPlusOne = config.softmax === 'plus-one';
  const hasSinks = hasNode(graph, 'sinks');
  if (!isPlusOne && !hasSinks) return;
  const value = valueOf(parts, logits);
  const own = reduce(value, 'i', extents, -Infinity, Math.max);
  const zero = mapEach(own, () => 0);
  const other = hasSinks ? zip(zero, valueOf(parts, 'sinks'), extents, (_, sink) => sink) : zero;
  const both = zip(own, other, extents, Math.max);
  const name = hasSinks ? 'the sink' : '0';
  const add = (title: string, form: Lettered, node = 'P'): void =>
    forms.add('form', 'value', node, title, form);
  add(`row maxima of ${logits} and ${name}`, both);
  for (const [peak, title] of [
    [own, 'row maximum'],
    [both, `maximum with ${name}`],
    [zero, ''],
  ] as const) {
    const minus = title === '' ? '' : ` − ${title}`;
    const exps = mapEach(
      zip(value, peak, extents, (a, b) => a - b),
      Math.exp,
    );
    const sums = sumOver(exps, 'i', extents);
    const beside = mapEach(
      zip(other, peak, extents, (a, b) => a - b),
      Math.exp,
    );
    const all = zip(sums, beside, extents, (a, b) => a + b);
    if (peak === both) {
      add(
        `${logits}${minus}`,
        zip(value, peak, extents, (a, b) => a - b),
      );
      add(`exp(${logits}${minus})`, exps);
      add(`row sums of exp(${logits}${minus})`, sums);
    }
    if (title !== '' || hasSinks) add(`exp(${name}${minus})`, beside);
    add(`row sums of exp(${logits}${minus}) and exp(${name}${minus})`, all);
    if (peak !== own) continue;
    const weight = zip(beside, all, extents, (a, b) => a / b);
    add(`the weight of ${name}`, weight);
    add(
      'log-sum-exp of all',
      zip(peak, mapEach(all, Math.log), extents, (a, b) => a + b),
    );
  }
}

/** Rows of the softmax's Jacobian, P (δ − P): one matrix of keys by keys for each query. */
export function addJacobian(forms: Forms, parts: Parts): void {
  const { extents } = parts;
  const weights = valueOf(parts, 'P');
  const own: Extents = { ...extents, l: extents['i'] };
  const other = weights.letters.map((letter) => (letter === 'i' ? 'l' : letter));
  const letters = [...weights.letters, 'l'];
  if (!forms.fits(weights.letters) || letters.length > 6) return;
  const outer = product(weights, { letters: other, data: weights.data }, letters, own);
  if (outer.data.length > 5e4) return;
  const diagonal = zip(
    outer,
    { letters: [...weights.letters], data: weights.data },
    own,
    (_, b) => b,
  );
  const keys = own['i'];
  const before = weights.letters.slice(weights.letters.indexOf('i') + 1);
  const inner = before.reduce((size, letter) => size * own[letter], 1);
  const isDiagonal = (at: number): boolean => at % keys === Math.floor(at / keys / inner) % keys;
  const diag = diagonal.data.map((value, at) => (isDiagonal(at) ? value : 0));
  const jacobian = diag.map((value, at) => value - outer.data[at]);
  forms.add('form', 'value', 'P', 'P Pᵀ', outer);
  forms.add('form', 'value', 'P', 'diag(P)', { letters, data: diag });
  forms.add('form', 'value', 'P', 'the Jacobian of the softmax', { letters, data: jacobian });
  const { logits, weights: used } = parts;
  // Dropout stands between the weights and their use.
  if (used !== 'P') return;
  const upstream = gradientOf(parts, 'P');
  const terms = zip({ letters, data: jacobian }, upstream, own, (a, b) => a * b);
  forms.add('partial', 'gradient', logits, `terms of d${logits}`, terms);
}
