// Forms of the backward pass: the row term of the softmax, gradients before the scale, one path's contribution.
import { isOfHeads, type Extents, type Letter } from '../../engine/axes.ts';
import { hasNode, type NodeId, nodeOf } from '../../engine/graph.ts';
import { sourcesOf } from '../../compare/program/sources.ts';
import {
  type Lettered,
  lettered,
  mapEach,
  product,
  reduce,
  sumOver,
  times,
  zip,
} from '../recorded/lettered.ts';
import { type Forms, gradientOf, type Parts, projectionsOf, valueOf } from './form.ts';

/** D = Σ P dP, dP − D, P dP, P D, and what stands between dM and dS where there is a softcap. */
export function addSoftmaxBackward(forms: Forms, parts: Parts): void {
  const { extents, config, scale, logits } = parts;
  const weights = valueOf(parts, 'P');
  const upstream = gradientOf(parts, 'P');
  const weighed = zip(weights, upstream, extents, (a, b) => a * b);
  const rows = sumOver(weighed, 'i', extents);
  const add = (
    title: string,
    form: Parameters<Forms['add']>[4],
    role: 'form' | 'partial' = 'form',
  ): void => forms.add(role, 'gradient', logits, title, form);
  add('D = Σ P dP', rows);
  const { output } = parts;
  const mixed = zip(gradientOf(parts, output), valueOf(parts, output), extents, (a, b) => a * b);
  const features = mixed.letters.filter((letter) => !rows.letters.includes(letter));
  // The outputs of all heads add up where nothing tells them apart.
  if (rows.letters.every((letter) => mixed.letters.includes(letter)))
    add(
      'D = Σ dO O',
      features.reduce((sum, letter) => sumOver(sum, letter, extents), mixed),
    );
  add(
    'dP − D',
    zip(upstream, rows, extents, (a, b) => a - b),
    'partial',
  );
  addExponential(forms, parts, { upstream, weighed, rows });
  add('P dP', weighed, 'partial');
  add(
    'P D',
    zip(weights, rows, extents, (a, b) => a * b),
    'partial',
  );
  if (scale !== 1) {
    add('scale P', times(weights, scale), 'partial');
    add(
      'scale (dP − D)',
      times(
        zip(upstream, rows, extents, (a, b) => a - b),
        scale,
      ),
      'partial',
    );
    add('scale P dP', times(weighed, scale), 'partial');
  }
  const { softcap } = config;
  if (softcap === undefined) return;
  const slope = mapEach(valueOf(parts, 'S'), (s) => 1 - Math.tanh((s * scale) / softcap) ** 2);
  const after = gradientOf(parts, logits);
  const capped = zip(after, slope, extents, (a, b) => a * b);
  forms.add('form', 'gradient', 'Z', 'softcap dZ', times(gradientOf(parts, 'Z'), softcap));
  forms.add('partial', 'gradient', 'S', 'dS / scale', capped);
  forms.add('partial', 'gradient', 'S', 'softcap dS / scale', times(capped, softcap));
}

/** What is passed to the exponentials, and their sums, of a softmax that is written out: dP, P dP and its sums. */
function addExponential(
  forms: Forms,
  parts: Parts,
  { upstream, weighed, rows }: Readonly<Record<'upstream' | 'weighed' | 'rows', Lettered>>,
): void {
  const { extents, logits } = parts;
  const value = valueOf(parts, logits);
  const peak = reduce(value, 'i', extents, -Infinity, Math.max);
  const shifted = zip(value, peak, extents, (a, b) => Math.exp(a - b));
  const kinds: [string, Lettered][] = [
    [`${logits} − row maximum`, shifted],
    [logits, mapEach(value, Math.exp)],
  ];
  for (const [name, exps] of kinds) {
    const sums = sumOver(exps, 'i', extents);
    const left = zip(upstream, rows, extents, (a, b) => a - b);
    const over = (form: Lettered, sign = 1): Lettered =>
      zip(form, sums, extents, (a, b) => (sign * a) / b);
    const add = (title: string, form: Lettered): void =>
      forms.add('partial', 'gradient', 'P', title, form);
    add(`d exp(${name})`, over(left));
    add(`d of the row sums of exp(${name})`, over(rows, -1));
    add(`d exp(${name}) through the quotient`, over(upstream));
    add(`terms of d of the row sums of exp(${name})`, over(weighed, -1));
    const by = (form: Lettered): Lettered => zip(form, sums, extents, (a, b) => a * b);
    add(`d of 1 / row sums of exp(${name})`, by(rows));
    add(`terms of d of 1 / row sums of exp(${name})`, by(weighed));
  }
}

/** Gradients before they are multiplied by the scale: linear all the way to the weights and inputs. */
export function addUnscaled(forms: Forms, parts: Parts): void {
  const { graph, scale, queries, keys } = parts;
  if (scale === 1 || scale === 0) return;
  const sides = [queries, keys, 'Q', 'K', 'W_Q', 'W_K', 'b_Q', 'b_K', 'xPrime'];
  for (const id of new Set(sides)) {
    if (!hasNode(graph, id)) continue;
    forms.add('partial', 'gradient', id, `d${id} / scale`, times(gradientOf(parts, id), 1 / scale));
  }
}

/** What reaches x (or x') by each of its paths, and sums of some of them. */
export function addContributions(forms: Forms, parts: Parts): void {
  for (const { id } of parts.graph.nodes)
    for (const { title, form } of contributionsOf(parts, id))
      forms.add('partial', 'gradient', id, title, form);
}

/** What reaches a node by some of its paths, or before the scale of the scores: less than its gradient. */
export function contributionsOf(
  { graph, state, extents, scale }: Parts,
  id: NodeId,
): { readonly title: string; readonly form: Lettered }[] {
  const { axes } = nodeOf(graph, id);
  const sources = sourcesOf(state.program, id);
  const through = sources.map(({ from, slot }) => lettered(axes, state.contribution(from, slot)));
  const scores = sources.map(({ from }) => /^[QK]/.test(from));
  const sum = (some: readonly number[], unscaled: boolean): Lettered =>
    some
      .map((n) => (unscaled && scores[n] ? times(through[n], 1 / scale) : through[n]))
      .reduce((a, b) => zip(a, b, extents, (one, other) => one + other));
  const found: { title: string; form: Lettered }[] = [];
  for (let chosen = 1; chosen < 2 ** sources.length; chosen++) {
    const some = sources.flatMap((_, n) => ((chosen >> n) & 1 ? [n] : []));
    const title = `d${id} through ${some.map((n) => sources[n].from).join(' and ')}`;
    if (some.length < sources.length) found.push({ title, form: sum(some, false) });
    if (scale === 1 || sources.length < 2 || !some.some((n) => scores[n])) continue;
    found.push({ title: `${title}, before the scale`, form: sum(some, true) });
  }
  return found;
}

/** Each head's part of y, of d merged and of the inputs' gradients. */
export function addPerHead(forms: Forms, parts: Parts): void {
  const { graph, extents, scores } = parts;
  const heads = scores.filter(isOfHeads);
  if (heads.length === 0) return;
  const product3 = (a: ReturnType<typeof valueOf>, b: ReturnType<typeof valueOf>, out: string[]) =>
    forms.fits(out) ? product(a, b, out, extents) : null;
  const batch = scores.includes('b') ? ['b'] : [];
  const mixing = projectionsOf(graph).find(({ weight }) => weight === 'W_O');
  if (mixing) {
    const own = [...batch, ...heads, 'j', 'o'];
    const each = product3(valueOf(parts, 'O'), valueOf(parts, 'W_O'), own);
    if (each) forms.add('partial', 'value', mixing.id, 'one head’s part of y', each);
  }
  addHeadPaths(forms, parts, heads);
}

interface Path {
  readonly id: NodeId;
  readonly to: NodeId;
  readonly each: Lettered;
}

/** Each head's part of dx by each path and by several of them, with the scale and before it. */
function addHeadPaths(forms: Forms, parts: Parts, heads: readonly Letter[]): void {
  const { graph, extents, scores, scale } = parts;
  const batch = scores.includes('b') ? ['b'] : [];
  const paths = ['Q', 'K', 'V'].flatMap((id): Path[] => {
    if (!hasNode(graph, `W_${id}`)) return [];
    const gradient = gradientOf(parts, id);
    const token = gradient.letters.find((letter) => /^[ijt]$/.test(letter));
    const to = id === 'Q' && hasNode(graph, 'xPrime') ? 'xPrime' : 'x';
    const weight = valueOf(parts, `W_${id}`);
    const own = weight.letters.filter((letter) => heads.includes(letter));
    const out = [...batch, ...own, ...(token ? [token] : []), weight.letters[0]];
    if (!token || !forms.fits(out)) return [];
    return [{ id, to, each: product(gradient, weight, out, extents) }];
  });
  for (let chosen = 1; chosen < 2 ** paths.length; chosen++) {
    const some = paths.filter((_, n) => (chosen >> n) & 1);
    const [{ to }] = some;
    if (some.some((path) => path.to !== to)) continue;
    const title = `one head’s part of d${to} through ${some.map(({ id }) => id).join(' and ')}`;
    const add = (name: string, factor: number): void => {
      const sum = sumOfHeads(some, factor, extents);
      if (sum) forms.add('partial', 'gradient', to, name, sum);
    };
    add(title, 1);
    if (scale !== 1 && scale !== 0 && some.some(({ id }) => id !== 'V'))
      add(`${title}, before the scale`, 1 / scale);
  }
}

/** Of query heads that share keys and values, the sum over their group; null where tokens do not fit. */
function sumOfHeads(paths: readonly Path[], unscaled: number, extents: Extents): Lettered | null {
  const scaled = paths.map(({ id, each }) => (id === 'V' ? each : times(each, unscaled)));
  const isShared = scaled.some(({ letters }) => !letters.includes('g'));
  const [first, ...rest] = scaled.map((each) => {
    const narrow = isShared && each.letters.includes('g') ? sumOver(each, 'g', extents) : each;
    // Queries' tokens and keys' are the same ones.
    const isMixed = new Set(scaled.map(({ letters }) => tokenOf(letters))).size > 1;
    const letters = isMixed
      ? narrow.letters.map((letter) => (/^[ijt]$/.test(letter) ? 'i' : letter))
      : narrow.letters;
    return { ...narrow, letters };
  });
  if (
    rest.some(
      ({ data, letters }) =>
        data.length !== first.data.length || letters.join() !== first.letters.join(),
    )
  )
    return null;
  return rest.reduce((a, b) => zip(a, b, extents, (one, other) => one + other), first);
}

const tokenOf = (letters: readonly Letter[]): Letter | undefined =>
  letters.find((letter) => /^[ijt]$/.test(letter));
