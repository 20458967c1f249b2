// The reference run and how near to it a tensor must be: every judgement of right and wrong is made here.
import type { HeadConfig } from '../../engine/config.ts';
import type { Graph } from '../../engine/graph.ts';
import type { Run } from '../../engine/run.ts';
import { largestMagnitude, type Tensor } from '../../engine/tensor.ts';
import type { NumberType } from './dtypes.ts';
import { type Difference, difference, unitInLastPlace } from '../judge/judge.ts';
import { isMisfit, type Key, referenceProgram, State } from '../program/program.ts';
import { Tolerances } from './tolerances.ts';
import { apart, PLAIN_VIEW, type View } from '../judge/view.ts';

/** A tensor must be so much larger than its tolerance to be more than rounding. */
const NOISE = 100;

export class Reference {
  readonly state: State;
  /** The number type that the person computes in. */
  readonly type: NumberType;
  readonly #config: HeadConfig;
  readonly #global: Tolerances;
  readonly #tolerance = new Map<string, number>();
  readonly #differences = new WeakMap<Tensor, { key: Key; found: Difference }>();

  /** `computed`: its run, where it is known. */
  constructor(config: HeadConfig, graph: Graph, type: NumberType, computed: Run | null = null) {
    this.state = new State(referenceProgram(graph));
    if (computed) this.state.know(computed);
    this.type = type;
    this.#config = config;
    this.#global = new Tolerances(config, type, this.state);
  }

  /** The difference from the reference; a tensor is compared with one node, mostly, and more than once. */
  against(key: Key, tensor: Tensor): Difference {
    const known = this.#differences.get(tensor);
    if (known?.key === key) return known.found;
    const found = difference(tensor, this.state.predict(key));
    this.#differences.set(tensor, { key, found });
    return found;
  }

  /** Whether a tensor is the reference's, up to rounding. */
  isRight(key: Key, tensor: Tensor): boolean {
    const { maxAbs } = this.against(key, tensor);
    return maxAbs <= this.allowed(key, maxAbs);
  }

  /** Largest accepted difference at `key`, for a tensor that is `off` by so much. */
  allowed(key: Key, off: number): number {
    const call = `${key} ${off}`;
    const tolerance = this.#tolerance.get(call) ?? this.#global.of(key, off);
    this.#tolerance.set(call, tolerance);
    return tolerance;
  }

  /** By how much its number type alone puts a right program off at `key`. */
  alone(key: Key): number {
    return this.#global.alone(key);
  }

  /** Accepted relative difference of what a program makes of the person's tensors. */
  precision(state: State, key: Key, user: Tensor, predicted: Tensor): number {
    const size = largestMagnitude(user) || largestMagnitude(predicted) || 1;
    // Rounding at the size of the reference is mostly enough, and quicker.
    const { maxAbs: off } = difference(predicted, user);
    const scale = this.#sizeOf(key, size);
    const known = this.allowed(key, (off / size) * scale) / scale;
    if (off <= known * size) return known;
    const local = new Tolerances(this.#config, this.type, state).of(key, off);
    // What is itself no more than rounding is no measure: the gradient of b_K is 0 in every right program.
    const own = largestMagnitude(predicted);
    const relative = local / (own > NOISE * local ? own : size);
    const ulps = this.type.epsilon > 1e-6 ? 1 : 16;
    return Math.max(relative, local / size, ulps * (unitInLastPlace(size, this.type) / size));
  }

  /** Largest entry of the reference, or `otherwise` where that is only rounding. */
  #sizeOf(key: Key, otherwise: number): number {
    const size = largestMagnitude(this.state.predict(key));
    return size > NOISE * this.allowed(key, 0) ? size : otherwise || 1;
  }

  /** Whether a program makes the person's tensor out of what it was computed from. */
  explains(state: State, key: Key, user: Tensor, view: View = PLAIN_VIEW): boolean {
    let predicted: Tensor;
    try {
      predicted = state.predict(key);
    } catch (error) {
      if (isMisfit(error)) return false;
      throw error;
    }
    const size = largestMagnitude(user);
    const scale = Math.max(1, size / this.#sizeOf(key, size));
    const off = apart(state.program.graph, key, view, predicted, user) / scale;
    return off <= 2 * this.allowed(key, off);
  }
}
