// Tensors of a trace that hold several nodes, or a part of one: dqkv and dW_qkv, lists of one tensor for each head; and rows' sums that are no node.
import { type Graph, hasNode, type NodeId, nodeOf } from '../../engine/graph.ts';
import { replacedAt } from '../../engine/lists.ts';
import type { Run } from '../../engine/run.ts';
import { cut, largestMagnitude, sizeOf, type Tensor } from '../../engine/tensor.ts';
import type { NamedTensor } from '../../formats/namedTensor.ts';
import type { ResolvedName } from '../../formats/nodeNames.ts';
import { haveSameNumbers } from '../judge/judge.ts';
import { transposed } from './orientation.ts';

type Resolve = (name: string, rank: number) => ResolvedName | null;

/** dqkv, qkv, d_qkv, grad_W_QKV, dWqkv, qkv_proj.weight.grad, db_qkv. */
const FUSED =
  /^(d_?|grad[_/]?)?(?:([wb])_?)?qkv(?:_?proj|_?w)?(?:[._](weight|bias))?([._/]grad)?$/i;
/** dQ0, dQ_1, P[0], dK.h0, q_head1. */
const OF_HEAD = /^(.*?)[._]?(?:h|head)?_?\[?(\d{1,3})\]?$/i;

/** Whether a name says that a tensor holds several nodes, or one head's part. */
export function isPacked(name: string, resolve: Resolve): boolean {
  const [, base] = OF_HEAD.exec(name) ?? [];
  return FUSED.test(name) || (base !== undefined && resolve(base, 2) !== null);
}

/** The trace with what is packed as tensors of its nodes. */
export function unpacked(
  trace: readonly NamedTensor[],
  graph: Graph,
  resolve: Resolve,
  computed: Run | null,
): NamedTensor[] {
  const isKnown = ({ name, tensor }: NamedTensor): boolean =>
    resolve(name, tensor.shape.length) !== null;
  const [known, others] = [trace.filter(isKnown), trace.filter((each) => !isKnown(each))];
  const taken = new Set(
    known.flatMap(({ name, tensor }) => keyOf(resolve(name, tensor.shape.length))),
  );
  const isFree = (found: ResolvedName): boolean => !taken.has(keyOf(found));
  const heads = listsOfHeads(others, graph, resolve).filter(({ of }) => isFree(of));
  const inLists = new Set(heads.flatMap(({ members }) => members));
  return [
    ...known,
    ...heads.map(({ whole }) => whole),
    ...others
      .filter((each) => !inLists.has(each))
      .flatMap((each) => parts(each, graph, computed) ?? each),
  ];
}

const keyOf = (found: ResolvedName | null): string => (found ? `${found.kind} ${found.node}` : '');

interface List {
  readonly of: ResolvedName;
  readonly members: readonly NamedTensor[];
  readonly whole: NamedTensor;
}

/** One tensor for each head, all there and of one shape, as one with an axis of heads. */
function listsOfHeads(others: readonly NamedTensor[], graph: Graph, resolve: Resolve): List[] {
  const groups = new Map<string, Map<number, NamedTensor>>();
  for (const each of others) {
    const [, base, number] = OF_HEAD.exec(each.name) ?? [];
    if (!base || number === undefined) continue;
    groups.set(
      base,
      (groups.get(base) ?? new Map<number, NamedTensor>()).set(Number(number), each),
    );
  }
  return [...groups].flatMap(([base, members]): List[] => {
    const [first] = members.values();
    const of = resolve(base, first.tensor.shape.length + 1);
    const count = of && hasNode(graph, of.node) ? headsOf(graph, of.node) : 1;
    const all = Array.from({ length: count }, (_, n) => members.get(n));
    const { shape } = first.tensor;
    const isWhole =
      count > 1 &&
      members.size === count &&
      all.every((each) => each?.tensor.shape.join() === shape.join());
    if (!of || !isWhole) return [];
    const tensors = all.map((each) => each!.tensor);
    const hasBatch =
      graph.extents['b'] !== undefined && shape[0] === graph.extents['b'] && shape.length > 2;
    const tensor = stacked(tensors, hasBatch ? 1 : 0);
    const note = `${count} tensors, one for each head`;
    return [{ of, members: all as NamedTensor[], whole: { ...first, name: base, tensor, note } }];
  });
}

/** Heads of a node: of queries, or of keys and values. */
function headsOf(graph: Graph, node: NodeId): number {
  const letters = new Set(nodeOf(graph, node).axes.flat());
  return ['h', 'r', 'g', 's'].reduce(
    (count, letter) => count * (letters.has(letter) ? graph.extents[letter] : 1),
    1,
  );
}

/** Tensors of one shape along a new axis. */
function stacked(tensors: readonly Tensor[], axis: number): Tensor {
  const [{ shape }] = tensors;
  const inner = sizeOf(shape.slice(axis));
  const outer = sizeOf(shape) / inner;
  const data = new Float64Array(tensors.length * sizeOf(shape));
  for (let block = 0; block < outer; block++)
    tensors.forEach((each, n) => {
      const own = each.data.subarray(block * inner, (block + 1) * inner);
      data.set(own, (block * tensors.length + n) * inner);
    });
  return { shape: [...shape.slice(0, axis), tensors.length, ...shape.slice(axis)], data };
}

/** Queries, keys and values of one tensor; null where it is none, or of no shape that splits into them. */
function parts(packed: NamedTensor, graph: Graph, computed: Run | null): NamedTensor[] | null {
  const found = FUSED.exec(packed.name);
  if (!found) return null;
  const [, before, sort, kindOf, after] = found;
  const letter = sort?.toLowerCase() ?? { weight: 'w', bias: 'b' }[kindOf?.toLowerCase() ?? ''];
  const prefix = letter === 'w' ? 'W_' : letter === 'b' ? 'b_' : '';
  const ids = ['Q', 'K', 'V'].map((each) => `${prefix}${each}`);
  if (!ids.every((id) => hasNode(graph, id))) return null;
  const isGradient = before !== undefined || after !== undefined;
  const sizes = ids.map((id) => sizeOf(nodeOf(graph, id).shape));
  const ways = splits(packed.tensor, graph, ids, sizes);
  const reference = ids.map((id) => computed?.[isGradient ? 'gradients' : 'values'].get(id));
  const isLike = (own: Tensor, right: Tensor | undefined): boolean =>
    right !== undefined && haveSameNumbers(own, right, 0.05 * largestMagnitude(right));
  const fit = (way: readonly Tensor[]): number =>
    way.filter((own, n) => isLike(own, reference[n])).length;
  const [best] = [...ways].sort((a, b) => fit(b) - fit(a));
  if (!best) return null;
  // A weight whose rows are the outputs, as nn.Linear keeps it.
  const isOutFirst =
    letter === 'w' && best[0].shape.length === 2 && best[0].shape[1] === packed.tensor.shape[1];
  const note = `out of ${packed.name}${isOutFirst ? ', its rows are the outputs' : ''}`;
  return best.map((own, n) => ({
    ...packed,
    ...{ name: `${isGradient ? 'd' : ''}${ids[n]}`, note },
    tensor: isOutFirst ? transposed(own) : own,
  }));
}

/** All ways to split: along an axis of three, one part after the other, or side by side for each head. */
function splits(
  tensor: Tensor,
  graph: Graph,
  ids: readonly NodeId[],
  sizes: readonly number[],
): Tensor[][] {
  const { shape, data } = tensor;
  if (data.length !== sizes.reduce((a, b) => a + b, 0)) return [];
  const found: Tensor[][] = [];
  const widths = ids.map((id) => nodeOf(graph, id).shape.at(-1)!);
  const whole = widths.reduce((a, b) => a + b, 0);
  shape.forEach((length, axis) => {
    if (length === 3 && new Set(sizes).size === 1)
      found.push([0, 1, 2].map((n) => dropped(cut(tensor, axis, n, n + 1), axis)));
    if (length !== whole) return;
    let from = 0;
    found.push(widths.map((width) => cut(tensor, axis, from, (from += width))));
    const heads = headsOf(graph, ids[1]);
    if (heads < 2 || whole % heads !== 0) return;
    const each = [...shape.slice(0, axis), heads, whole / heads, ...shape.slice(axis + 1)];
    const apart = { shape: each, data };
    from = 0;
    found.push(
      widths.map((width) => {
        const own = cut(apart, axis + 1, from, (from += width / heads));
        return { shape: replacedAt(shape, axis, width), data: own.data };
      }),
    );
  });
  return found;
}

const dropped = ({ shape, data }: Tensor, axis: number): Tensor => ({
  shape: shape.filter((_, n) => n !== axis),
  data,
});
