// An index of a product that is another: Q[i] for Q[j] in a loop, "ij" for "ji" in an einsum string.
import { axisName } from '../../engine/axes.ts';
import { nodeOf, type OperationNode } from '../../engine/graph.ts';
import { sizeOf } from '../../engine/tensor.ts';
import { einsum, type Indexed, reread } from '../program/einsum.ts';
import { DoesNotFit } from '../program/program.ts';
import type { Edit, Family, Site } from './edit.ts';
import { otherIndices } from '../mistakes/names/contributions.ts';
import { SMALL } from '../mistakes/names/kernels.ts';
import { type Say, stepEdit } from './make.ts';

const PAIRS = [
  ['j', 'i'],
  ['i', 'j'],
] as const;

export const letters: Family = (site) => {
  if (!site.target && sizeOf(site.node.shape) > SMALL) return [];
  return site.kind === 'value' ? forward(site) : otherIndices(site);
};

const isBetweenTokens = ({ id, operation }: OperationNode): boolean =>
  /^(S|O|y)$/.test(id) && operation.name === 'contraction';

/** A way to read one of a product's two operands, and what it is called. */
interface Reading {
  readonly words: string;
  readonly symbol: string;
  readonly cost: number;
  readonly read: (operand: Indexed) => Indexed | null;
}

/** Of the operand `name`; the lengths of its axes allow it. */
function readings(site: Site, name: string, own: readonly string[]): Reading[] {
  const { extents } = site.graph;
  return PAIRS.flatMap(([from, to]): Reading[] => {
    if (!own.includes(from) || extents[to] > extents[from]) return [];
    const one: Reading = {
      words: `${name} is read at the ${axisName([to])} where the ${axisName([from])} belongs`,
      symbol: `${name}[${to}] for ${name}[${from}]`,
      cost: 1.25,
      read: (operand) => reread(operand, from, to, extents),
    };
    const isSquare = from === 'j' && own.includes(to) && extents[to] === extents[from];
    const turned: Reading = {
      words: `${name} is read with its two token indices exchanged`,
      symbol: `${name}[i, j] for ${name}[j, i]`,
      // A transpose, mostly.
      cost: 1.5,
      read: (operand) => reread(operand, from, to, extents, true),
    };
    return isSquare ? [one, turned] : [one];
  });
}

const say = (own: string, { words, symbol, cost }: Reading, id: string): Say => ({
  id,
  title: `${own}: ${words}`,
  why: `${own} comes out exactly with that index: a letter of the einsum, or of the loop, is another.`,
  wrong: `${own} with ${symbol}`,
  cost,
});

function forward(site: Site): Edit[] {
  const { node, graph } = site;
  if (node.kind !== 'operation' || !isBetweenTokens(node) || node.inputs.length !== 2) return [];
  const { inputs } = node;
  return inputs.flatMap((input, slot) =>
    readings(site, input, nodeOf(graph, input).axes.flat()).map((reading) =>
      stepEdit(site, node.id, say(node.id, reading, 'wrong-index'), ({ operation }) => ({
        ...operation,
        // Whoever writes loops writes the backward pass by hand.
        vjp: (at, upstream) => operation.vjp(at, upstream),
        forward: (values) => {
          if (values.length !== inputs.length) throw new DoesNotFit('other operands');
          const operands = values.map((tensor, n): Indexed => ({
            tensor,
            axes: nodeOf(graph, inputs[n]).axes,
          }));
          const [left, right] = operands.map((each, n) =>
            n === slot ? reading.read(each)! : each,
          );
          return einsum(left, right, node.axes, graph.extents);
        },
      })),
    ),
  );
}
