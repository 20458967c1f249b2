// Forms of what multiplies scores and outputs: factors of heads and queries, gates, and the λ of differential attention.
import { hasNode, type NodeId, nodeOf } from '../../engine/graph.ts';
import { LAMBDA_WEIGHTS } from '../../engine/ops/difference.ts';
import { type Lettered, mapEach, sumOver, times, zip } from '../recorded/lettered.ts';
import { type Forms, gradientOf, type Parts, valueOf } from './form.ts';

/** Queries and scores with the factors of heads and queries, and gradients before them. */
export function addFactors(forms: Forms, parts: Parts): void {
  const { graph, extents, queries, scale, config } = parts;
  const given = ['headScale', 'temperature'].filter((id) => hasNode(graph, id));
  for (const id of given) {
    const factor = valueOf(parts, id);
    if (scale !== 1) forms.add('form', 'value', id, `scale times ${id}`, times(factor, scale));
    for (const side of [queries, 'S']) {
      const value = valueOf(parts, side);
      const product = zip(value, factor, extents, (a, b) => a * b);
      const node = side === 'S' ? 'Z' : side;
      forms.add('form', 'value', node, `${id} times ${side}`, product);
      if (scale !== 1)
        forms.add('form', 'value', node, `scale times ${id} times ${side}`, times(product, scale));
      const gradient = zip(gradientOf(parts, side), factor, extents, (a, b) =>
        b === 0 ? 0 : a / b,
      );
      forms.add('partial', 'gradient', side, `d${side} / ${id}`, gradient);
      if (scale !== 1 && scale !== 0)
        forms.add(
          'partial',
          'gradient',
          side,
          `d${side} / (scale ${id})`,
          times(gradient, 1 / scale),
        );
    }
  }
  const { temperature } = config;
  if (!temperature || !('logN' in temperature)) return;
  const first = config.past ? extents['p'] : 0;
  const logs = Float64Array.from({ length: extents['j'] }, (_, j) => Math.log(first + j + 1));
  const each = { letters: ['j'], data: logs };
  forms.add('form', 'value', 'temperature', 'logarithms of the positions', each);
  const plain = times(each, 1 / Math.log(temperature.logN));
  forms.add('form', 'value', 'temperature', 'temperature, below 1 too', plain);
}

/** The sigmoid and its slope, what the gates let through, and what is passed back to them. */
export function addGate(forms: Forms, parts: Parts): void {
  const { graph, extents } = parts;
  const gated = graph.nodes.find(({ id }) => id === 'Og');
  if (gated?.kind !== 'operation') return;
  const logits = valueOf(parts, 'gate');
  const value = (title: string, form: Lettered): void =>
    forms.add('form', 'value', 'gate', title, form);
  const open = mapEach(logits, (each) => 1 / (1 + Math.exp(-each)));
  const shut = mapEach(open, (each) => 1 - each);
  const slope = zip(open, shut, extents, (a, b) => a * b);
  value('sigmoid(gate)', open);
  value('slope of the sigmoid', slope);
  value(
    'exp(−gate)',
    mapEach(logits, (each) => Math.exp(-each)),
  );
  value(
    '1 + exp(−gate)',
    mapEach(logits, (each) => 1 + Math.exp(-each)),
  );
  const product = (a: Lettered, b: Lettered): Lettered => zip(a, b, extents, (x, y) => x * y);
  const [of] = gated.inputs;
  const upstream = product(gradientOf(parts, 'Og'), valueOf(parts, of));
  const narrow = (each: Lettered): Lettered =>
    each.letters
      .filter((letter) => !logits.letters.includes(letter))
      .reduce((rest, letter) => sumOver(rest, letter, extents), each);
  for (const [title, by] of [
    ['', null],
    [' sigmoid(gate)', open],
    [' (1 − sigmoid(gate))', shut],
  ] as const) {
    const each = by ? product(upstream, by) : upstream;
    forms.add('partial', 'gradient', 'gate', `dOg ${of}${title}`, each);
    const sum = narrow(each);
    if (sum !== each) forms.add('partial', 'gradient', 'gate', `sum of dOg ${of}${title}`, sum);
  }
}

/** λ's products, their exponentials, what they pass back. */
export function addLambda(forms: Forms, parts: Parts): void {
  const { graph, extents, config } = parts;
  if (!hasNode(graph, 'Pdiff')) return;
  const lambda: NodeId = hasNode(graph, 'lambda_share') ? 'lambda_share' : 'lambda_full';
  const own = gradientOf(parts, 'Pdiff');
  const second = secondOf(parts);
  if (second) {
    const terms = zip(own, second, extents, (a, b) => -a * b);
    forms.add('partial', 'gradient', lambda, `terms of d${lambda}`, terms);
    forms.add(
      'form',
      'value',
      'Pdiff',
      'λ times the second weights',
      times(second, valueOf(parts, lambda).data[0]),
    );
  }
  if (lambda === 'lambda_share' || !config.differential) return;
  const number = (value: number): Lettered => ({ letters: [], data: Float64Array.of(value) });
  const upstream = gradientOf(parts, lambda).data[0];
  const grown = [0, 2].map((at) => {
    const [a, b] = LAMBDA_WEIGHTS.slice(at, at + 2).map((id) => valueOf(parts, id));
    const products = zip(a, b, extents, (x, y) => x * y);
    const dot = products.data.reduce((sum, each) => sum + each, 0);
    const names = `λ_q${at / 2 + 1} λ_k${at / 2 + 1}`;
    const add = (title: string, form: Lettered): void =>
      forms.add('form', 'value', lambda, title, form);
    add(`terms of ${names}`, products);
    add(names, number(dot));
    add(`exp(${names})`, number(Math.exp(dot)));
    forms.add('form', 'gradient', lambda, `dλ exp(${names})`, number(upstream * Math.exp(dot)));
    if (at > 0)
      forms.add('form', 'gradient', lambda, `−dλ exp(${names})`, number(-upstream * Math.exp(dot)));
    return Math.exp(dot);
  });
  forms.add('partial', 'value', lambda, 'λ less λ_init', number(grown[0] - grown[1]));
}

/** The weights of the second softmax of each pair, with the letters of what is left. */
function secondOf(parts: Parts): Lettered | null {
  const { graph, weights, extents } = parts;
  const all = valueOf(parts, weights);
  const kept = nodeOf(graph, 'Pdiff').axes.flat();
  const pair = all.letters.findIndex((letter) => !kept.includes(letter));
  if (pair < 0) return null;
  const after = all.letters.slice(pair + 1).reduce((size, letter) => size * extents[letter], 1);
  const letters = all.letters.filter((_, n) => n !== pair);
  const data = all.data.filter((_, at) => Math.floor(at / after) % 2 === 1);
  return { letters, data };
}
