// What the names in the tables of mistakes stand for in a setup: nodes, their roles, numbers of the setup, letters.
import { axisLength, shapeOf } from '../../engine/axes.ts';
import { type Formula, number, symbol } from '../../engine/formula.ts';
import {
  type Graph,
  hasNode,
  nodeOf,
  type NodeId,
  type OperationNode,
  tensorName,
} from '../../engine/graph.ts';
import { scaleFactor } from '../../engine/heads/weights.ts';
import { earlierAxis } from '../../engine/ops/layout.ts';
import { sameShape, sizeOf } from '../../engine/tensor.ts';
import { type Context, roles } from '../edits/edit.ts';
import type { Kind } from '../program/program.ts';
import type { Row } from './table.ts';
import type { Vocabulary } from './text.ts';

/** Beside those of the axes: what stands for a key in sums. */
const KEYS = ['l', 'l′'];

/** The node that a name speaks of, by its id or its role, and whether of its gradient. */
export function tensorsOf(graph: Graph): (name: string) => [NodeId, Kind] | null {
  const own = roles(graph);
  const before = hasNode(graph, 'M') ? (nodeOf(graph, 'M') as OperationNode).inputs[0] : own.logits;
  const names: Readonly<Record<string, NodeId>> = { ...own, unmasked: before };
  return (name) => {
    const id = names[name] ?? name;
    if (hasNode(graph, id)) return [id, 'value'];
    const inner = names[name.slice(1)] ?? name.slice(1);
    return name.startsWith('d') && hasNode(graph, inner) ? [inner, 'gradient'] : null;
  };
}

/**
 * Nodes ("P"), gradients ("dP"), the same by their role ("doutput"), read as if they were another ("values@output");
 * scale, softcap, p; keep, mask, target, past_K, past_V; sums over y's letters as sum_y, N its entries. `square`, `scaled`, `multihead`, `grouped`: 1 where that is so.
 */
export function vocabularyOf(context: Context): Vocabulary {
  const { config, graph } = context;
  const { extents } = graph;
  const { softcap, dropout, loss } = config;
  const tensorNamed = tensorsOf(graph);
  const known = new Map<string, Formula | null>();
  const flag = (is: boolean): number | undefined => (is ? 1 : undefined);
  const numbers: Readonly<Record<string, number | undefined>> = {
    ...{ scale: scaleFactor(config, extents['a']) ?? 1, softcap, p: dropout?.p },
    ...{ n: extents['i'], m: extents['j'], width: axisLength(featureOf(context), extents) },
    N: sizeOf(nodeOf(graph, 'y').shape),
    square: flag(extents['i'] === extents['j']),
    multihead: flag(graph.head === 'multihead'),
    scaled: flag((scaleFactor(config, extents['a']) ?? 1) !== 1),
    grouped: flag((extents['g'] ?? 1) > 1),
  };
  const given = (name: string, as: NodeId): Formula | null => {
    const has =
      (name === 'keep' && dropout) ||
      (name === 'mask' && hasNode(graph, 'M')) ||
      (name === 'target' && loss.kind === 'target');
    return has ? symbol(name, nodeOf(graph, as).axes) : null;
  };
  const term = (name: string): Formula | null => {
    const value = numbers[name];
    if (value !== undefined) return number(value);
    const [, ofPast] = /^past_([KV])$/.exec(name) ?? [];
    if (ofPast !== undefined && config.past && hasNode(graph, `${ofPast}h`)) {
      const earlier = nodeOf(graph, `${ofPast}h`).axes.map(earlierAxis);
      return symbol(name, earlier);
    }
    if (name === 'mask′') return symbol(name, nodeOf(graph, 'P').axes);
    const [plain, as] = name.split('@');
    const other = as === undefined ? null : nodeOf(graph, tensorNamed(as)?.[0] ?? as);
    const found = tensorNamed(plain);
    if (!found) return given(plain, other?.id ?? (plain === 'target' ? 'y' : 'P'));
    const { axes, shape } = nodeOf(graph, found[0]);
    if (!other) return symbol(tensorName(...found), axes);
    // A row is the same for all that is not along it.
    const along = other.axes.slice(other.axes.length - axes.length);
    if (!sameShape(shape, shapeOf(along, extents))) return null;
    return symbol(tensorName(...found), along);
  };
  return {
    term(name) {
      let own = known.get(name);
      if (own === undefined) known.set(name, (own = term(name)));
      return own;
    },
    letters(name) {
      if (name === 'feature') return featureOf(context);
      if (name === 'y') return nodeOf(graph, 'y').axes.flat();
      if (name.endsWith('′') && name.slice(0, -1) in extents) return [name];
      const all = name in extents || KEYS.includes(name) ? [name] : name.split('');
      return all.filter((letter) => letter in extents || KEYS.includes(letter));
    },
  };
}

/** With names of its own. */
export const withNames = (
  vocabulary: Vocabulary,
  { numbers = {}, terms = {} }: Pick<Row, 'numbers' | 'terms'>,
): Vocabulary => ({
  ...vocabulary,
  term(name) {
    if (name in numbers) return number(numbers[name]);
    return terms[name] ?? vocabulary.term(name);
  },
});

/** The feature of the weighted values. */
const featureOf = ({ graph }: Context): readonly string[] => {
  const { axes } = nodeOf(graph, roles(graph).output);
  return axes[axes.length - 1];
};
