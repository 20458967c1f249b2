// The tensors of one trace that cannot be the nodes that they are named as: what is said of each.
import { type Graph, hasNode, type NodeId, nodeOf } from '../../engine/graph.ts';
import type { Tensor } from '../../engine/tensor.ts';
import type { LeftOut } from '../../formats/parts.ts';
import { causalOrder } from '../judge/causalOrder.ts';
import type { CheckInput } from '../check.ts';
import { type Misfit, reductionOf } from './misfits.ts';
import { type Key, keyOf, type Kind } from '../program/program.ts';
import type { Reference } from '../reference/reference.ts';
import type { NodeReport, Report } from '../report.ts';

/** With what of the reference it is; '' for nothing. */
type Read = Misfit & { readonly is: string };

/** Whether masked scores are given for a setup without a mask. */
export function givesMask({ graph, trace, names, resolve }: CheckInput): boolean {
  if (hasNode(graph, 'M')) return false;
  return trace.some(({ name, tensor }) => {
    const found = resolve(name, names, tensor.shape.length);
    return found?.node === 'M' && found.kind === 'value';
  });
}

export class Misfits {
  /** Those of which something is known: that they are a right part, or that their name can mean nothing else. */
  readonly #told: readonly Read[];
  /** Those of usual names, which may mean other things. */
  readonly unknown: readonly LeftOut[];
  /** How many are a right part of their node: one head, the mean over all. */
  readonly agree: number;
  /** How many are nothing of their node. */
  readonly unfit: number;
  readonly #graph: Graph;

  constructor(graph: Graph, reference: Reference, misfits: readonly Misfit[]) {
    this.#graph = graph;
    const read = misfits.map((misfit): Read => {
      const key = keyOf(misfit.node, misfit.kind);
      const isRounding = (off: number): boolean => off <= reference.allowed(key, off);
      const is = reductionOf(graph, misfit, reference.state.predict(key), isRounding);
      return { ...misfit, is };
    });
    this.#told = read.filter(({ is, isSure }) => is !== '' || isSure);
    this.unknown = read
      .filter(({ is, isSure }) => is === '' && !isSure)
      .map(({ name, reason }) => ({ name, reason }));
    this.agree = read.filter(({ is }) => is !== '').length;
    this.unfit = read.length - this.agree;
  }

  /** Most of what is named as nodes cannot be them, and nothing else is right: numbers of something else. */
  areAnotherSetup(given: ReadonlyMap<Key, Tensor>, rightKeys: ReadonlySet<Key>): boolean {
    if (given.size === 0) return this.agree === 0;
    const sized = [...rightKeys].some((key) => given.get(key)!.data.length > 1);
    return this.unfit > given.size && !sized && this.agree === 0;
  }

  /** By how many keys those of scores, weights, keys and values are longer than the setup's; 0 for none. */
  moreKeys(): number {
    for (const { node, tensor, is } of this.#told) {
      const { axes, shape } = nodeOf(this.#graph, node);
      const at = axes.findIndex((axis) => axis.join() === 'i');
      if (is !== '' || at < 0 || tensor.shape.length !== shape.length) continue;
      const isOnly = shape.every((length, axis) => axis === at || length === tensor.shape[axis]);
      if (isOnly && tensor.shape[at] > shape[at]) return tensor.shape[at] - shape[at];
    }
    return 0;
  }

  /** The first that is wrong, of these and `first`. */
  firstWith(first: Report['first']): Report['first'] {
    const order = causalOrder(this.#graph);
    const wrong = this.#told.filter(({ is }) => is === '');
    const places = [...wrong, ...(first ? [first] : [])].map(({ node, kind }) => ({ node, kind }));
    const at = ({ node, kind }: (typeof places)[number]): number =>
      order.indexOf(keyOf(node, kind));
    return places.sort((a, b) => at(a) - at(b)).at(0) ?? null;
  }

  /** Of a node of which no tensor of its shape is given. */
  report(node: NodeId, kind: Kind): NodeReport {
    const nothing = { maxAbs: null, maxRel: null, worstIndex: null, tolerance: null };
    const odd = this.#told.find((each) => each.node === node && each.kind === kind);
    if (!odd) return { node, kind, status: 'missing', ...nothing, note: '' };
    return odd.is
      ? { node, kind, status: 'layout', ...nothing, note: `${odd.is}, which is right` }
      : { node, kind, status: 'diverges', ...nothing, note: odd.reason };
  }
}
