// Scores that are no dot products: squared distances, distances, cosines under another name.
import { letterStrides, offsetTable } from '../../engine/axes.ts';
import { nodeOf } from '../../engine/graph.ts';
import { map, type Tensor } from '../../engine/tensor.ts';
import type { StepOperation } from '../program.ts';
import { type Edit, type Family, operationAt } from './edit.ts';
import { stepEdit } from './make.ts';

export const similarity: Family = (site) => {
  const own = operationAt(site);
  if (site.kind !== 'value' || own?.id !== 'S' || own.inputs.length !== 2) return [];
  const { graph, node } = site;
  const { extents } = graph;
  /** For every score, its key's (or query's) squared norm. */
  const norms = (slot: number, operand: Tensor): Tensor => {
    const { axes } = nodeOf(graph, own.inputs[slot]);
    const squares = new Float64Array(operand.data.length / extents['a']);
    operand.data.forEach((value, at) => (squares[Math.floor(at / extents['a'])] += value * value));
    const rows = letterStrides(axes.slice(0, -1), extents);
    const table = offsetTable(node.axes.flat(), rows, extents);
    return { shape: node.shape, data: Float64Array.from(table, (at) => squares[at]) };
  };
  const distance = (inputs: readonly Tensor[]): Tensor => {
    const [keys, queries] = inputs.map((input, slot) => norms(slot, input).data);
    return map(own.operation.forward(inputs), (dot, at) => keys[at] + queries[at] - 2 * dot);
  };
  const edit = (
    title: string,
    wrong: string,
    of: (squared: number) => number,
    slope: (squared: number) => number,
  ): Edit => {
    const operation: StepOperation = {
      name: 'distance',
      forward: (inputs) => map(distance(inputs), of),
      vjp(at, upstream) {
        const squared = distance(at.inputs);
        const g = map(upstream, (value, n) => value * slope(squared.data[n]));
        const products = own.operation.vjp(
          at,
          map(g, (value) => -2 * value),
        );
        // Σ g (|k|² + |q|²) adds 2 k Σ g to each.
        return products.map((part, slot) => {
          const ones = at.inputs.map((input, n) => (n === slot ? input : map(input, () => 1)));
          const width = extents['a'];
          const sums = own.operation.vjp({ inputs: ones, output: at.output }, g)[slot];
          return map(
            part,
            (value, n) => value + 2 * at.inputs[slot].data[n] * sums.data[n - (n % width)],
          );
        });
      },
    };
    const say = {
      id: 'scores-are-distances',
      title,
      why: `Attention scores are dot products; here they are ${wrong}.`,
      wrong: `S = ${wrong}`,
      cost: 1.3,
    };
    return stepEdit(site, 'S', say, () => operation);
  };
  return [
    edit(
      'the scores are negative squared distances of queries and keys, not dot products',
      '−|q − k|²',
      (d) => -d,
      () => -1,
    ),
    edit(
      'the scores are squared distances of queries and keys, not dot products',
      '|q − k|²',
      (d) => d,
      () => 1,
    ),
    edit(
      'the scores are half the negative squared distances of queries and keys, not dot products',
      '−|q − k|² / 2',
      (d) => -d / 2,
      () => -0.5,
    ),
    edit(
      'the scores are negative distances (norms of the difference) of queries and keys, not dot products',
      '−|q − k|',
      (d) => -Math.sqrt(Math.max(0, d)),
      (d) => -0.5 / Math.sqrt(d),
    ),
  ];
};
