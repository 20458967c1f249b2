// Entries that cannot matter: of scores and of gradients, where the weight is 0. Kernels leave anything there.
import { type Graph, hasNode } from '../../engine/graph.ts';
import { type Tensor, zeros } from '../../engine/tensor.ts';
import { FILL } from './conventions.ts';
import type { Key, State } from '../program/program.ts';

/** 1 for each entry that cannot matter; null where all do, or none. */
export type Ignored = Tensor | null;

/** What is written where nothing is computed. */
const isUnwritten = (value: number): boolean =>
  value === 0 || !Number.isFinite(value) || value <= FILL;

/** Where a reference's mask leaves no weight: every tensor's reading asks for it. */
const maskedOf = new WeakMap<State, Uint8Array>();

/**
 * Told by the person's own weights where they are given: what they hide cannot matter in their program, and what
 * they show does. Else by the reference's mask.
 */
export class DontCare {
  readonly #graph: Graph;
  readonly #reference: State;
  readonly #weights: Tensor | undefined;

  /** `weights`: the person's P. */
  constructor(graph: Graph, reference: State, weights?: Tensor) {
    this.#graph = graph;
    this.#reference = reference;
    this.#weights = weights;
  }

  /** The entries of `user`, given for `key`, that cannot matter. */
  of(key: Key, user: Tensor): Ignored {
    const rule = this.#rule(key, user);
    if (!rule) return null;
    const out = zeros(user.shape);
    let count = 0;
    for (let at = 0; at < out.data.length; at++) {
      if (!rule(at)) continue;
      out.data[at] = 1;
      count++;
    }
    if (count === 0) return null;
    // Weights that are all 0 by mistake are no reason to say nothing; a mask and dropout that leave none are.
    const isAll = count === out.data.length && this.#weights !== undefined;
    return isAll ? new DontCare(this.#graph, this.#reference).of(key, user) : out;
  }

  #rule(key: Key, { data }: Tensor): ((at: number) => boolean) | null {
    const id = key.slice(2);
    const masked = this.#isMasked();
    const dropped = this.#isDropped();
    if (key.startsWith('v:')) {
      if (id !== 'S' && id !== 'Z') return null;
      return (at) => this.#isUnseen(at, masked) && (masked?.[at] === 1 || isUnwritten(data[at]));
    }
    if (id === 'P') return masked && ((at) => this.#isUnseen(at, masked));
    if (id === 'Pd') return (at) => dropped(at) || this.#isUnseen(at, masked);
    // Behind the softmax what is not 0 goes on to the keys and queries.
    if (/^[MZS]$/.test(id)) return (at) => data[at] === 0 && this.#isUnseen(at, masked);
    return null;
  }

  /** Whether the weight is 0: of the person, or of the reference where theirs is not known. */
  #isUnseen(at: number, masked: Uint8Array | null): boolean {
    if (!this.#weights) return masked?.[at] === 1;
    const weight = this.#weights.data[at];
    return weight === 0 || (Number.isNaN(weight) && masked?.[at] === 1);
  }

  /** Where the reference's mask leaves no weight. */
  #isMasked(): Uint8Array | null {
    if (!hasNode(this.#graph, 'M')) return null;
    const known = maskedOf.get(this.#reference);
    if (known) return known;
    const [weights, scores] = [this.#reference.value('P').data, this.#reference.value('M').data];
    const masked = new Uint8Array(weights.length);
    for (let at = 0; at < masked.length; at++)
      masked[at] = Number(weights[at] === 0 && scores[at] <= FILL);
    maskedOf.set(this.#reference, masked);
    return masked;
  }

  /** Where the reference's dropout leaves nothing of a weight. */
  #isDropped(): (at: number) => boolean {
    if (!hasNode(this.#graph, 'Pd')) return () => false;
    const [P, Pd] = [this.#reference.value('P').data, this.#reference.value('Pd').data];
    return (at) => Pd[at] === 0 && P[at] !== 0;
  }
}

/** The entries that cannot matter as they are in `right`. */
export function filled(user: Tensor, right: Tensor, ignored: Ignored): Tensor {
  if (!ignored) return user;
  const data = user.data.slice();
  for (let at = 0; at < data.length; at++) if (ignored.data[at] === 1) data[at] = right.data[at];
  return { shape: user.shape, data };
}
