// What a norm around the attention is computed from, forward and backward: the graph has one node for all of it.
import type { Letter } from '../../engine/axes.ts';
import type { Norm } from '../../engine/config.ts';
import { USUAL_NORM } from '../../engine/heads/latent.ts';
import { hasNode, type NodeId, nodeOf } from '../../engine/graph.ts';
import { type Lettered, mapEach, sumOver, times, zip } from '../recorded/lettered.ts';
import { contributionsOf } from './backward.ts';
import { type Forms, gradientOf, type Parts, valueOf } from './form.ts';

interface Place {
  readonly id: NodeId;
  readonly of: NodeId;
  readonly norm: Norm;
  readonly gain: NodeId | undefined;
  readonly bias: NodeId | undefined;
  /** The letters that are normalised over. */
  readonly over: readonly Letter[];
}

/** Means, deviations, x̂, what comes of the gradient before it leaves each norm of the block. */
export function addNorms(forms: Forms, parts: Parts): void {
  for (const place of [...placesOf(parts), ...betweenOf(parts), ...ofHeadsAndLatents(parts)])
    addNorm(forms, parts, place);
}

function placesOf({ graph, config: { block } }: Parts): Place[] {
  const kinds: [Norm | undefined, string][] = [
    [block?.preNorm, 'pre'],
    [block?.outputNorm, 'out'],
    [block?.postNorm, 'post'],
  ];
  return kinds.flatMap(([norm, name], n) => {
    const node = graph.nodes.find(({ id }) =>
      n === 0
        ? id === 'xn'
        : n === 1
          ? id === 'yn' || (id === 'y' && !block?.postNorm && !block?.residual)
          : id === 'y',
    );
    if (!norm || node?.kind !== 'operation') return [];
    const own = (id: NodeId): NodeId | undefined => (hasNode(graph, id) ? id : undefined);
    return {
      ...{ id: node.id, of: node.inputs[0], norm },
      ...{ gain: own(`gamma_${name}`), bias: own(`beta_${name}`) },
      over: nodeOf(graph, node.inputs[0]).axes.at(-1) ?? [],
    };
  });
}

/** Norms of queries and keys that stand alone: where one node rotates or splits them as well, its steps are not followed. */
function betweenOf({ graph, config: { qkNorm } }: Parts): Place[] {
  if (!qkNorm) return [];
  return ['Q', 'K'].flatMap((of) => {
    const node = graph.nodes.find(({ id }) => id === `${of}n`);
    if (node?.kind !== 'operation' || node.inputs[0] !== of || qkNorm.place !== 'before-rope')
      return [];
    const [gain, bias] = [`gamma_${of}`, `beta_${of}`].map((id) =>
      hasNode(graph, id) ? id : undefined,
    );
    const all = nodeOf(graph, of).axes.at(-1) ?? [];
    const over = qkNorm.over === 'head' ? all.slice(-1) : all;
    return { id: node.id, of, norm: qkNorm, gain, bias, over };
  });
}

/** Norms of latents, and of the heads of differential attention. */
function ofHeadsAndLatents({
  graph,
  config: { latentNorm = USUAL_NORM, differential },
}: Parts): Place[] {
  const kinds: [NodeId, string, Norm | null | undefined][] = [
    ['cKVn', 'DKV', latentNorm],
    ['cQn', 'DQ', latentNorm],
    ['On', 'O', differential?.norm],
  ];
  return kinds.flatMap(([id, name, norm]) => {
    const node = graph.nodes.find((each) => each.id === id);
    if (!norm || node?.kind !== 'operation') return [];
    const [of] = node.inputs;
    const [gain, bias] = [`gamma_${name}`, `beta_${name}`].map((own) =>
      hasNode(graph, own) ? own : undefined,
    );
    return { id, of, norm, gain, bias, over: nodeOf(graph, of).axes.at(-1)?.slice(-1) ?? [] };
  });
}

/** x̂, what it is made of, and how to sum over the features. */
interface Normalised {
  readonly middle: Lettered;
  readonly off: Lettered;
  readonly square: Lettered;
  readonly inverse: Lettered;
  readonly hat: Lettered;
  readonly gains: Lettered | undefined;
  readonly sum: (each: Lettered) => Lettered;
  readonly mean: (each: Lettered) => Lettered;
  readonly combine: (a: Lettered, b: Lettered, fn: (a: number, b: number) => number) => Lettered;
}

function normalised(parts: Parts, { of, norm, gain, over }: Place): Normalised {
  const { extents } = parts;
  const count = over.reduce((size, letter) => size * extents[letter], 1);
  const sum = (each: Lettered): Lettered =>
    over.reduce((rest, letter) => sumOver(rest, letter, extents), each);
  const mean = (each: Lettered): Lettered => times(sum(each), 1 / count);
  const combine: Normalised['combine'] = (a, b, fn) => zip(a, b, extents, fn);
  const x = valueOf(parts, of);
  const middle = mean(x);
  const off = norm.kind === 'layer' ? combine(x, middle, (a, b) => a - b) : x;
  const square = mean(mapEach(off, (each) => each * each));
  const inverse = mapEach(square, (each) => 1 / Math.sqrt(each + norm.eps));
  const hat = combine(off, inverse, (a, b) => a * b);
  const offset = norm.unitOffset ? 1 : 0;
  const gains =
    gain === undefined ? undefined : mapEach(valueOf(parts, gain), (each) => each + offset);
  return { middle, off, square, inverse, hat, gains, sum, mean, combine };
}

function addNorm(forms: Forms, parts: Parts, place: Place): void {
  const { id, of, norm, gain, bias } = place;
  const own = normalised(parts, place);
  const { middle, off, square, inverse, hat, gains, combine } = own;
  const value = (title: string, form: Lettered, role: 'form' | 'partial' = 'form'): void =>
    forms.add(role, 'value', id, title, form);
  if (norm.kind === 'layer') {
    value(`mean of ${of}`, middle);
    value(`${of} − mean`, off, 'partial');
  }
  value(`mean square of ${of}`, square);
  const wide = mapEach(square, (each) => each + norm.eps);
  value('mean square + eps', wide);
  value('sqrt(mean square + eps)', mapEach(wide, Math.sqrt));
  value('1 / sqrt(mean square + eps)', inverse);
  value(`${of} normalised`, hat, gain || bias ? 'partial' : 'form');
  if (gains && bias)
    value(
      `gain times ${of} normalised`,
      combine(hat, gains, (a, b) => a * b),
      'partial',
    );
  const upstream = gradientOf(parts, id);
  if (gain) {
    const terms = combine(upstream, hat, (a, b) => a * b);
    forms.add('partial', 'gradient', gain, `terms of d${gain}`, terms);
  }
  // Right in themselves: what becomes of them is judged where they come together.
  for (const [title, form] of backward(own, place, upstream, `d${id}`))
    forms.add('form', 'gradient', id, title, form);
  if (hat.data.length <= LARGEST) addIncomplete(forms, parts, place, own);
}

/** Incomplete gradients of larger inputs are not followed through a norm. */
const LARGEST = 10_000;

/** The same of what reaches the norm by some of its paths alone, and what comes of it where its input is. */
function addIncomplete(forms: Forms, parts: Parts, place: Place, own: Normalised): void {
  const { id, of, gain, bias } = place;
  const { combine, inverse, hat } = own;
  const over = (each: Lettered, to: NodeId): Lettered => {
    const kept = valueOf(parts, to).letters;
    return each.letters
      .filter((letter) => !kept.includes(letter))
      .reduce((rest, letter) => sumOver(rest, letter, parts.extents), each);
  };
  const passed = (steps: [string, Lettered][]): Lettered =>
    combine(steps.at(-1)![1], inverse, (a, b) => a * b);
  const whole = gradientOf(parts, of);
  const through = passed(backward(own, place, gradientOf(parts, id), ''));
  const beside = combine(whole, through, (a, b) => a - b);
  for (const { title: name, form } of contributionsOf(parts, id)) {
    const steps = backward(own, place, form, name);
    for (const [title, each] of steps) forms.add('partial', 'gradient', id, title, each);
    if (gain) {
      const terms = combine(form, hat, (a, b) => a * b);
      forms.add('partial', 'gradient', gain, `terms of d${gain} of ${name}`, terms);
      forms.add('partial', 'gradient', gain, `d${gain} of ${name}`, over(terms, gain));
    }
    if (bias) forms.add('partial', 'gradient', bias, `d${bias} of ${name}`, over(form, bias));
    const last = passed(steps);
    forms.add('partial', 'gradient', of, `d${of} of ${name}`, last);
    const sum = combine(last, beside, (a, b) => a + b);
    forms.add('partial', 'gradient', of, `d${of} with ${name}`, sum);
  }
}

/** What is computed of an upstream gradient on its way back through a norm. */
function backward(
  { inverse, hat, off, gains, sum, mean, combine }: Normalised,
  { of, norm }: Place,
  upstream: Lettered,
  name: string,
): [title: string, form: Lettered][] {
  const times2 = (a: Lettered, b: Lettered): Lettered => combine(a, b, (one, other) => one * other);
  const inner = gains ? times2(upstream, gains) : upstream;
  const along = times2(inner, hat);
  const alongHat = times2(hat, mean(along));
  const less = combine(inner, alongHat, (a, b) => a - b);
  const found: [string, Lettered][] = gains ? [[`${name} times the gain`, inner]] : [];
  found.push([`${name} over the length`, times2(inner, inverse)]);
  for (const [product, each] of [
    [`${name} · ${of} normalised`, along],
    [`${name} · ${of}`, times2(inner, off)],
  ] as const) {
    found.push([`terms of ${product}`, each]);
    found.push([`sum of ${product}`, sum(each)], [`mean of ${product}`, mean(each)]);
  }
  found.push([`${of} normalised times its mean with ${name}`, alongHat]);
  if (norm.kind !== 'layer') {
    found.push([`what of ${name} is along ${of}, over its length`, times2(alongHat, inverse)]);
    return [...found, [`${name} less what is along ${of}`, less]];
  }
  found.push([`mean of ${name}`, mean(inner)], [`sum of ${name}`, sum(inner)]);
  const rest = combine(less, mean(inner), (a, b) => a - b);
  return [...found, [`${name} less its mean and what is along ${of}`, rest]];
}
