// Where NaN and infinity are born, and which queries see no key: found once per run and told, not spread in silence.
import type { Graph, NodeId } from './graph.ts';
import { hasNode, nodeOf, tensorName } from './graph.ts';
import { isFineInArena } from './parallel.ts';
import { indexOf, strides, type Tensor } from './tensor.ts';

export interface Notice {
  readonly node: NodeId;
  readonly kind: 'value' | 'gradient';
  readonly what: 'NaN' | 'infinity' | 'fully masked row';
  /** The first entry concerned. */
  readonly index: readonly number[];
  /** How many entries (or rows) of this node are. */
  readonly count: number;
  readonly message: string;
}

/** −∞ is how a mask is written, so it is no finding in M. */
const isOdd = (node: NodeId, value: number): boolean =>
  !Number.isFinite(value) && !(node === 'M' && value === -Infinity);

/** Whether there is nothing odd in a tensor: asked of every entry of every tensor. */
function isFine(node: NodeId, data: Float64Array): boolean {
  const known = isFineInArena(data, node === 'M');
  if (known !== null) return known;
  if (node === 'M') {
    for (let at = 0; at < data.length; at++) if (!(data[at] < Infinity)) return false;
  } else {
    for (let at = 0; at < data.length; at++) if (!Number.isFinite(data[at])) return false;
  }
  return true;
}

function nonFinite(node: NodeId, kind: Notice['kind'], { shape, data }: Tensor): Notice | null {
  if (isFine(node, data)) return null;
  let [at, count] = [-1, 0];
  for (let offset = 0; offset < data.length; offset++) {
    if (!isOdd(node, data[offset])) continue;
    if (at < 0) at = offset;
    count++;
  }
  if (at < 0) return null;
  const what = Number.isNaN(data[at]) ? 'NaN' : 'infinity';
  const index = indexOf(shape, at);
  const name = tensorName(node, kind);
  const more = count > 1 ? ` and in ${count - 1} more ${count === 2 ? 'entry' : 'entries'}` : '';
  const message = `${what} arises in ${name}[${index.join(', ')}]${more}; what it was computed from is finite`;
  return { node, kind, what, index, count, message };
}

/** Rows of P without any weight: queries for which every key is masked. */
function maskedRows(graph: Graph, values: ReadonlyMap<NodeId, Tensor>): Notice[] {
  const M = values.get('M');
  if (!M || !hasNode(graph, 'M')) return [];
  const { axes } = nodeOf(graph, 'M');
  const keyAxis = axes.findIndex((axis) => axis[0] === 'i');
  const keys = M.shape[keyAxis];
  const step = strides(M.shape)[keyAxis];
  let [first, count] = [-1, 0];
  for (let row = 0; row < M.data.length / keys; row++) {
    const start = Math.floor(row / step) * step * keys + (row % step);
    let key = 0;
    while (key < keys && M.data[start + key * step] === -Infinity) key++;
    if (key < keys) continue;
    if (first < 0) first = start;
    count++;
  }
  if (count === 0) return [];
  const index = indexOf(M.shape, first);
  const which = axes
    .flatMap((axis, n) => (n === keyAxis ? [] : [`${axis.join('')} = ${index[n]}`]))
    .join(', ');
  const message =
    `no key is left for ${count === 1 ? 'one query' : `${count} queries`}, first at ${which}: ` +
    'P is 0 there (a plain softmax gives NaN)';
  return [{ node: 'M', kind: 'value', what: 'fully masked row', index, count, message }];
}

export function findNotices(
  graph: Graph,
  values: ReadonlyMap<NodeId, Tensor>,
  gradients: ReadonlyMap<NodeId, Tensor>,
): Notice[] {
  const notices: Notice[] = [];
  const odd = new Set<NodeId>();
  for (const node of graph.nodes) {
    const found = nonFinite(node.id, 'value', values.get(node.id)!);
    if (!found) continue;
    odd.add(node.id);
    const inherited = node.kind === 'operation' && node.inputs.some((input) => odd.has(input));
    if (node.kind === 'input') {
      notices.push({
        ...found,
        message: found.message.replace(/ arises in (.*); .*/, ' is given in $1'),
      });
    } else if (!inherited) notices.push(found);
  }
  notices.push(...maskedRows(graph, values));
  if (odd.size > 0) return notices;
  let last: Tensor | undefined;
  for (const node of [...graph.nodes].reverse()) {
    const gradient = gradients.get(node.id);
    // A mask may pass on the very tensor.
    const found = gradient && gradient !== last && nonFinite(node.id, 'gradient', gradient);
    last = gradient;
    if (found) return [...notices, found];
  }
  return notices;
}
