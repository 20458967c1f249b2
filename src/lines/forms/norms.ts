// What a norm around the attention is computed from, forward and backward: the graph has one node for all of it.
import type { Letter } from '../../engine/axes.ts';
import type { Norm } from '../../engine/config.ts';
import { hasNode, type NodeId, nodeOf } from '../../engine/graph.ts';
import { type Lettered, mapEach, sumOver, times, zip } from '../lettered.ts';
import { type Forms, gradientOf, type Parts, valueOf } from './form.ts';

interface Place {
  readonly id: NodeId;
  readonly of: NodeId;
  readonly norm: Norm;
  readonly gain: NodeId | undefined;
  readonly bias: NodeId | undefined;
}

/** Means, deviations, x̂, what comes of the gradient before it leaves each norm of the block. */
export function addNorms(forms: Forms, parts: Parts): void {
  for (const place of placesOf(parts)) addNorm(forms, parts, place);
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
    };
  });
}

function addNorm(forms: Forms, parts: Parts, { id, of, norm, gain, bias }: Place): void {
  const { graph, extents } = parts;
  const over: readonly Letter[] = nodeOf(graph, of).axes.at(-1) ?? [];
  const count = over.reduce((size, letter) => size * extents[letter], 1);
  const sum = (each: Lettered): Lettered =>
    over.reduce((rest, letter) => sumOver(rest, letter, extents), each);
  const mean = (each: Lettered): Lettered => times(sum(each), 1 / count);
  const combine = (a: Lettered, b: Lettered, fn: (a: number, b: number) => number): Lettered =>
    zip(a, b, extents, fn);
  const value = (title: string, form: Lettered, role: 'form' | 'partial' = 'form'): void =>
    forms.add(role, 'value', id, title, form);
  const x = valueOf(parts, of);
  const middle = mean(x);
  const off = norm.kind === 'layer' ? combine(x, middle, (a, b) => a - b) : x;
  const square = mean(mapEach(off, (each) => each * each));
  const inverse = mapEach(square, (each) => 1 / Math.sqrt(each + norm.eps));
  const hat = combine(off, inverse, (a, b) => a * b);
  if (norm.kind === 'layer') {
    value(`mean of ${of}`, middle);
    value(`${of} − mean`, off, 'partial');
  }
  value(`mean square of ${of}`, square);
  value(
    'mean square + eps',
    mapEach(square, (each) => each + norm.eps),
  );
  value(
    'sqrt(mean square + eps)',
    mapEach(inverse, (each) => 1 / each),
  );
  value('1 / sqrt(mean square + eps)', inverse);
  value(`${of} normalised`, hat, gain || bias ? 'partial' : 'form');
  const gains = gain && mapEach(valueOf(parts, gain), (each) => each + (norm.unitOffset ? 1 : 0));
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
  const back = (title: string, form: Lettered): void =>
    forms.add('form', 'gradient', id, title, form);
  const inner = gains ? combine(upstream, gains, (a, b) => a * b) : upstream;
  const along = combine(inner, hat, (a, b) => a * b);
  const alongHat = combine(hat, mean(along), (a, b) => a * b);
  const ofOff = combine(inner, off, (a, b) => a * b);
  if (gains) back(`d${id} times the gain`, inner);
  back(
    `d${id} over the length`,
    combine(inner, inverse, (a, b) => a * b),
  );
  for (const [name, each] of [
    [`d${id} · ${of} normalised`, along],
    [`d${id} · ${of}`, ofOff],
  ] as const) {
    back(`terms of ${name}`, each);
    back(`sum of ${name}`, sum(each));
    back(`mean of ${name}`, mean(each));
  }
  back(`${of} normalised times its mean with d${id}`, alongHat);
  const less = combine(inner, alongHat, (a, b) => a - b);
  if (norm.kind !== 'layer') {
    back(
      `what is along ${of}, over its length`,
      combine(alongHat, inverse, (a, b) => a * b),
    );
    return back(`d${id} less what is along ${of}`, less);
  }
  back(`mean of d${id}`, mean(inner));
  back(`sum of d${id}`, sum(inner));
  back(
    `d${id} less its mean and what is along ${of}`,
    combine(less, mean(inner), (a, b) => a - b),
  );
}
