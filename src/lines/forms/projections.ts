// Forms of the projections and the loss: before the bias, keys and values repeated for query heads, W_K W_Qᵀ, y − target.
import { hasNode, type NodeId, nodeOf } from '../../engine/graph.ts';
import {
  type Lettered,
  lettered,
  mapEach,
  product,
  sumOver,
  times,
  zip,
} from '../recorded/lettered.ts';
import { type Forms, gradientOf, type Parts, projectionsOf, valueOf, withToken } from './form.ts';

/** Sums of products before a bias is added. */
export function addBeforeBias(forms: Forms, parts: Parts): void {
  const { graph, extents } = parts;
  for (const { id, bias } of projectionsOf(graph)) {
    if (bias === null) continue;
    const before = zip(valueOf(parts, id), valueOf(parts, bias), extents, (a, b) => a - b);
    forms.add('form', 'value', id, `${id} before ${bias}`, before);
  }
}

/** Keys and values repeated for the query heads of their group, and their gradients before the group's sum. */
export function addRepeated(forms: Forms, parts: Parts): void {
  const { extents, scores, keys, values, queries, weights, output } = parts;
  if (!scores.includes('g')) return;
  const heads = scores.filter((letter) => /^[rg]$/.test(letter));
  const wide = (id: NodeId): Lettered => {
    const narrow = valueOf(parts, id);
    const letters = narrow.letters.flatMap((letter) => (letter === 'r' ? heads : [letter]));
    const size = letters.reduce((total, letter) => total * extents[letter], 1);
    const blank = { letters, data: new Float64Array(size) };
    return zip(blank, narrow, extents, (_, value) => value);
  };
  for (const id of [keys, values]) {
    const each = wide(id);
    forms.add('form', 'value', id, `${id} repeated for its query heads`, each);
    const [from, other] = id === keys ? ['S', queries] : [weights, output];
    const [a, b] =
      id === keys
        ? [gradientOf(parts, from), valueOf(parts, other)]
        : [valueOf(parts, from), gradientOf(parts, other)];
    const gradient = product(a, b, each.letters, extents);
    const title = `d${id} of each query head`;
    forms.add('partial', 'gradient', id, title, gradient);
    const { scale } = parts;
    if (id === keys && scale !== 1)
      forms.add('partial', 'gradient', id, `${title} / scale`, times(gradient, 1 / scale));
  }
}

/** W_K W_Qᵀ, which stands between x and x' where no projection is computed on its own. */
export function addBilinear(forms: Forms, parts: Parts): void {
  const { graph, extents, scores, scale } = parts;
  if (!hasNode(graph, 'W_K') || !hasNode(graph, 'W_Q') || scores.includes('r')) return;
  if (hasNode(graph, 'b_K') || hasNode(graph, 'b_Q')) return;
  const heads = scores.filter((letter) => letter === 'h');
  const self = !hasNode(graph, 'xPrime');
  const [weightK, weightQ] = [valueOf(parts, 'W_K'), valueOf(parts, 'W_Q')];
  // The features of x stand on both sides in self-attention: a letter of their own for the queries' side.
  const own = self ? { ...extents, e: extents['c'] } : extents;
  const sided = self
    ? {
        letters: weightQ.letters.map((letter) => (letter === 'c' ? 'e' : letter)),
        data: weightQ.data,
      }
    : weightQ;
  if (!hasNode(graph, 'x')) return;
  const bilinear = product(weightK, sided, [...heads, 'c', 'e'], own);
  forms.add('form', 'value', 'S', 'W_K W_Qᵀ', bilinear);
  const x = valueOf(parts, 'x');
  const other = self
    ? {
        letters: x.letters.map((letter) => (letter === 'c' ? 'e' : letter === 'i' ? 'j' : letter)),
        data: x.data,
      }
    : valueOf(parts, 'xPrime');
  const batch = scores.includes('b') ? ['b'] : [];
  const left = product(x, bilinear, [...batch, ...heads, 'i', 'e'], own);
  const right = product(other, bilinear, [...batch, ...heads, 'j', 'c'], own);
  forms.add('form', 'value', 'S', 'x W_K W_Qᵀ', left);
  forms.add('form', 'value', 'S', "x' (W_K W_Qᵀ)ᵀ", right);
  const scoresGradient = gradientOf(parts, 'S');
  const half = product(scoresGradient, x, [...batch, ...heads, 'j', 'c'], own);
  forms.add('partial', 'gradient', 'xPrime', 'dSᵀ x', half);
  const toKeys = product(scoresGradient, other, [...batch, ...heads, 'i', 'e'], own);
  forms.add('partial', 'gradient', 'x', "dS x'", toKeys);
  const core = product(toKeys, x, [...heads, 'c', 'e'], own);
  forms.add('partial', 'gradient', 'W_K', 'd(W_K W_Qᵀ)', core);
  const terms: [string, Lettered, Lettered, string[]][] = [
    ["dS_ij (W_K W_Qᵀ) x'_j", scoresGradient, right, ['i', 'j', 'c']],
    ['dS_ij x_i W_K W_Qᵀ', scoresGradient, left, ['i', 'j', 'e']],
  ];
  for (const [n, [title, a, b, out]] of terms.entries()) {
    const to = n === 0 || self ? 'x' : 'xPrime';
    const letters = [...batch, ...heads, ...out];
    if (!forms.fits(letters, own)) continue;
    forms.add('partial', 'gradient', to, title, product(a, b, letters, own));
  }
  if (scale === 1) return;
  forms.add('partial', 'gradient', 'x', "dS x' / scale", times(toKeys, 1 / scale));
  forms.add('partial', 'gradient', 'xPrime', 'dSᵀ x / scale', times(half, 1 / scale));
}

/** y − target, its square, and both with the other sign. */
export function addLossForms(forms: Forms, parts: Parts): void {
  const { graph, config, extents } = parts;
  const { loss } = config;
  const y = valueOf(parts, 'y');
  const axes = nodeOf(graph, 'y').axes;
  const targets =
    loss.kind === 'target'
      ? [loss.T]
      : loss.kind === 'expression'
        ? Object.values(loss.constants).filter(
            ({ data }) => data.length === y.data.length && data.length > 1,
          )
        : [];
  const upstream = gradientOf(parts, 'y');
  forms.add('partial', 'gradient', 'y', '−dy', times(upstream, -1));
  if (loss.kind === 'upstream') {
    const weighed = zip(y, upstream, extents, (a, b) => a * b);
    forms.add('form', 'value', 'f', 'G y', weighed);
  }
  const squares = (of: Lettered, title: string): void => {
    const square = mapEach(of, (value) => value * value);
    forms.add('form', 'value', 'f', title, square);
    const total = square.data.reduce((sum, value) => sum + value, 0);
    const sum = { letters: [], data: Float64Array.of(total) };
    forms.add('form', 'value', 'f', `Σ ${title}`, sum);
    forms.add('form', 'value', 'f', `mean of ${title}`, times(sum, 1 / square.data.length));
  };
  if (loss.kind === 'half-squared-norm') squares(y, 'y²');
  for (const target of targets) {
    const T = lettered(axes, target);
    const off = zip(y, T, extents, (a, b) => a - b);
    forms.add('form', 'gradient', 'y', 'the target', T);
    forms.add('form', 'gradient', 'y', '−the target', times(T, -1));
    forms.add('form', 'gradient', 'y', 'y − target', off);
    forms.add('partial', 'gradient', 'y', 'target − y', times(off, -1));
    squares(off, '(y − target)²');
  }
}

/** Sums over features that a gradient of a bias is made of, before the batch's sum. */
export function addBiasParts(forms: Forms, parts: Parts): void {
  const { graph, extents } = parts;
  for (const { id, source, weight, bias } of projectionsOf(graph)) {
    const gradient = gradientOf(parts, id);
    if (!gradient.letters.includes('b')) continue;
    const token = gradient.letters.find((letter) => /^[ijt]$/.test(letter))!;
    if (bias !== null) {
      const perSequence = sumOver(gradient, token, extents);
      forms.add('partial', 'gradient', bias, `d${bias} of each sequence`, perSequence);
      const perPosition = sumOver(gradient, 'b', extents);
      forms.add('partial', 'gradient', bias, `d${bias} of each position`, perPosition);
    }
    const letters = ['b', ...valueOf(parts, weight).letters];
    if (!forms.fits(letters)) continue;
    const input = withToken(valueOf(parts, source), token);
    const each = product(input, gradient, letters, extents);
    forms.add('partial', 'gradient', weight, `d${weight} of each sequence`, each);
  }
}
