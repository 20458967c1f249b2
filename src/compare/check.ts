// Holds a person's tensors against the reference: which node is wrong first, and why.
import type { HeadConfig } from '../engine/config.ts';
import type { Graph, NodeId } from '../engine/graph.ts';
import type { Tensor } from '../engine/tensor.ts';
import type { NamedTensor } from '../formats/namedTensor.ts';
import type { ResolvedName } from '../formats/nodeNames.ts';
import { align, type Aligned } from './align.ts';
import { causalOrder } from './causalOrder.ts';
import { describeUnknown } from './clues.ts';
import { forgive } from './conventions.ts';
import { type NumberType, typeOf } from './dtypes.ts';
import { harmlessValues, isConvention, type Right } from './harmless.ts';
import { type Difference, difference, largest, Tolerances, unitInLastPlace } from './judge.ts';
import {
  CircularError,
  type Given,
  type Key,
  keyOf,
  type Kind,
  NOTHING_GIVEN,
  type Program,
  referenceProgram,
  State,
} from './program.ts';
import type { Cause, NodeReport, Report, Status } from './report.ts';
import { type Found, search } from './search.ts';

export interface CheckInput {
  readonly config: HeadConfig;
  readonly graph: Graph;
  readonly trace: readonly NamedTensor[];
  /** The setup's map from names in a trace to nodes. */
  readonly names: Readonly<Record<string, string>>;
  /** formats' resolveName. */
  readonly resolve: Resolve;
}

type Resolve = (name: string, names: CheckInput['names'], rank: number) => ResolvedName | null;

interface Judged {
  readonly aligned: Aligned;
  readonly tensor: Tensor;
  readonly status: Status;
  readonly tolerance: number;
  readonly note: string;
}

export function check(input: CheckInput): Report {
  return new Check(input).report();
}

class Check {
  readonly #input: CheckInput;
  readonly #type: NumberType;
  readonly #reference: State;
  readonly #global: Tolerances;
  readonly #unaligned: Report['unaligned'];
  readonly #given = new Map<Key, Aligned>();
  /** The tensors, what is forgiven in them put right. */
  readonly #tensors = new Map<Key, Tensor>();
  readonly #notes = new Map<Key, string>();
  readonly #sources: Given;
  readonly #tolerance = new Map<Key, { off: number; tolerance: number }>();
  readonly #differences = new WeakMap<Tensor, { key: Key; found: Difference }>();

  constructor(input: CheckInput) {
    this.#input = input;
    const { graph, trace, names } = input;
    const resolve = (name: string, rank: number): ResolvedName | null =>
      input.resolve(name, names, rank);
    const isExact = (name: string): boolean => Object.hasOwn(names, name);
    const program = referenceProgram(graph);
    this.#reference = new State(program);
    this.#type = typeOf(trace.filter(({ name, tensor }) => resolve(name, tensor.shape.length)));
    this.#global = new Tolerances(program, NOTHING_GIVEN, this.#type, this.#reference);
    const matches = (key: Key, tensor: Tensor): boolean => {
      if (this.#isRight(key, tensor)) return true;
      const kind: Kind = key.startsWith('v:') ? 'value' : 'gradient';
      const forgiven = forgive(graph, this.#reference, key.slice(2), kind, tensor);
      return forgiven !== null && this.#isRight(key, forgiven.tensor);
    };
    const { tensors, unaligned } = align({ graph, trace, resolve, isExact, matches });
    this.#unaligned = unaligned;
    const order = causalOrder(graph);
    const sorted = [...tensors].sort(
      (a, b) => order.indexOf(keyOf(a.node, a.kind)) - order.indexOf(keyOf(b.node, b.kind)),
    );
    const nanSpreads = tensors.some(
      ({ node, kind, tensor }) =>
        kind === 'gradient' && !/^(P|Pd|M|Z|S)$/.test(node) && tensor.data.some(Number.isNaN),
    );
    const values = new Map<string, Tensor>();
    const gradients = new Map<string, Tensor>();
    for (const aligned of sorted) {
      const key = keyOf(aligned.node, aligned.kind);
      const right = this.#isRight(key, aligned.tensor);
      const forgiven = right
        ? null
        : forgive(graph, this.#reference, aligned.node, aligned.kind, aligned.tensor, nanSpreads);
      const tensor = forgiven?.tensor ?? aligned.tensor;
      this.#given.set(key, aligned);
      this.#tensors.set(key, tensor);
      if (forgiven) this.#notes.set(key, forgiven.note);
      (aligned.kind === 'value' ? values : gradients).set(aligned.node, aligned.tensor);
    }
    this.#sources = { values, gradients };
  }

  /** The difference from the reference; a tensor is compared with one node, mostly, and more than once. */
  #against(key: Key, tensor: Tensor): Difference {
    const known = this.#differences.get(tensor);
    if (known?.key === key) return known.found;
    const found = difference(tensor, this.#reference.predict(key));
    this.#differences.set(tensor, { key, found });
    return found;
  }

  #isRight(key: Key, tensor: Tensor): boolean {
    const { maxAbs } = this.#against(key, tensor);
    return maxAbs <= this.#allowed(key, maxAbs);
  }

  #allowed(key: Key, off: number): number {
    const known = this.#tolerance.get(key);
    if (known?.off === off) return known.tolerance;
    const tolerance = this.#global.of(key, off);
    this.#tolerance.set(key, { off, tolerance });
    return tolerance;
  }

  report(): Report {
    const { graph } = this.#input;
    const judged = new Map<Key, Judged>();
    const causes: Cause[] = [];
    let state = new State(referenceProgram(graph), this.#sources);
    let first: Report['first'] = null;
    let inBackward = false;
    const right = new Map(
      [...this.#tensors].map(([key, tensor]) => [key, this.#isRight(key, tensor)]),
    );
    const harmless = this.#harmless(right);
    for (const [key, aligned] of this.#given) {
      if (aligned.kind === 'gradient' && !inBackward) {
        inBackward = true;
        state = this.#chooseBackward(state);
      }
      const tensor = this.#tensors.get(key)!;
      const off = this.#against(key, tensor).maxAbs;
      const tolerance = this.#allowed(key, off);
      const add = (status: Status, note: string): void => {
        const parts = [aligned.guess, aligned.layout, this.#notes.get(key), note].filter(Boolean);
        judged.set(key, { aligned, tensor, status, tolerance, note: parts.join('; ') });
      };
      if (off <= tolerance) {
        add(aligned.layout || this.#notes.has(key) ? 'layout' : 'match', '');
        continue;
      }
      // A gradient is only excused where those of the inputs are seen to be right.
      const isExcused =
        aligned.kind === 'value' ||
        [...right].some(([each, ok]) => ok && /^g:(x|[Wb]_)/.test(each));
      if (harmless.has(aligned.node) && isExcused) {
        add(
          'layout',
          'differs, but nothing that is computed from it does: another convention, or logged at another point',
        );
        continue;
      }
      const predicted = state.predict(key);
      const precision = this.#precision(state, key, tensor, predicted);
      const scale = largest(tensor) || largest(predicted) || 1;
      const error = difference(predicted, tensor).maxAbs / scale;
      if (error <= precision) {
        const before = aligned.kind === 'value' ? 'values' : 'values and gradients';
        add(
          'consequence',
          `right for your own ${before} before it (off by ${error.toExponential(1)})`,
        );
        continue;
      }
      first ??= { node: aligned.node, kind: aligned.kind };
      const context = { config: this.#input.config, graph, type: this.#type, state };
      const found = search(context, { key, user: tensor, predicted, precision }, (program) =>
        this.#score(state, program),
      );
      if (found) {
        causes.push(...causesOf(found));
        state = state.under(found.state.program);
        add('diverges', found.edits.map(({ title }) => title).join('; '));
      } else add('diverges', describeUnknown(context, aligned, tensor, predicted, precision));
    }
    return {
      verdict: this.#given.size === 0 ? 'unaligned' : first ? 'diverges' : 'match',
      first,
      nodes: this.#nodes(judged),
      causes: withoutRepeats(causes),
      dtype: this.#type.name,
      unaligned: this.#unaligned,
    };
  }

  /** Values without effect, of which is known what they are instead. */
  #harmless(right: Right): Set<NodeId> {
    const { graph } = this.#input;
    const known = [...harmlessValues(graph, right)].filter((id) => {
      const reference = (node: NodeId): Tensor => this.#reference.value(node);
      return isConvention(graph, id, this.#tensors.get(`v:${id}`)!, reference);
    });
    return new Set(known);
  }

  /** Accepted relative difference of what a program makes of the person's tensors. */
  #precision(state: State, key: Key, user: Tensor, predicted: Tensor): number {
    const size = largest(user) || largest(predicted) || 1;
    // Rounding at the size of the reference is mostly enough, and quicker.
    const scale = largest(this.#reference.predict(key));
    const { maxAbs: off } = difference(predicted, user);
    const known = scale === 0 ? 0 : this.#allowed(key, (off / size) * scale) / scale;
    if (off <= known * size) return known;
    const local = new Tolerances(state.program, this.#sources, this.#type, state).of(key, off);
    const relative = local / (largest(predicted) || size);
    const ulps = this.#type.epsilon > 1e-6 ? 1 : 16;
    return Math.max(relative, local / size, ulps * (unitInLastPlace(size, this.#type) / size));
  }

  /** How many more given tensors a program explains than another does, of those that the edit reaches. */
  #score(before: State, program: Program): number {
    let score = 0;
    // All must be computed before, or the edited state does not know what depends on what.
    for (const key of this.#tensors.keys()) before.predict(key);
    const edited = before.under(program);
    for (const [key, user] of this.#tensors) {
      if (!edited.reaches(key)) continue;
      score +=
        Number(this.#explains(edited, key, user)) - Number(this.#explains(before, key, user));
    }
    return score;
  }

  #explains(state: State, key: Key, user: Tensor): boolean {
    let predicted: Tensor;
    try {
      predicted = state.predict(key);
    } catch (error) {
      if (error instanceof CircularError || error instanceof RangeError) return false;
      throw error;
    }
    const scale = Math.max(1, largest(user) / (largest(this.#reference.predict(key)) || Infinity));
    const off = difference(predicted, user).maxAbs / scale;
    return off <= 2 * this.#allowed(key, off);
  }

  /** A mistaken forward step goes with its own derivative (autograd) or with the reference's (written by hand). */
  #chooseBackward(state: State): State {
    const reference = referenceProgram(this.#input.graph);
    const changed = [...state.program.forward].some(
      ([id, step]) => reference.forward.get(id) !== step,
    );
    if (!changed) return state;
    const byHand = new State({ ...state.program, backward: reference.backward }, this.#sources);
    const count = (own: State): number =>
      [...this.#tensors].filter(
        ([key, user]) => key.startsWith('g:') && this.#explains(own, key, user),
      ).length;
    return count(byHand) > count(state) ? byHand : state;
  }

  #nodes(judged: ReadonlyMap<Key, Judged>): NodeReport[] {
    return causalOrder(this.#input.graph).map((key): NodeReport => {
      const [kind, node]: [Kind, string] = [
        key.startsWith('v:') ? 'value' : 'gradient',
        key.slice(2),
      ];
      const own = judged.get(key);
      if (!own) {
        const nothing = { maxAbs: null, maxRel: null, worstIndex: null, tolerance: null };
        return { node, kind, status: 'missing', ...nothing, note: '' };
      }
      const { maxAbs, maxRel, worstIndex } = this.#against(key, own.tensor);
      return {
        node,
        kind,
        status: own.status,
        maxAbs,
        maxRel,
        worstIndex,
        tolerance: own.tolerance,
        note: own.note,
      };
    });
  }
}

function causesOf({ edits, residual, runnerUp }: Found): Cause[] {
  return edits.map(({ id, title, node, kind, why, wrong, right, numpy, pytorch }) => ({
    ...{ id, title, node, kind, why, wrong, right, numpy, pytorch, residual },
    fix: `NumPy: ${numpy}\nPyTorch: ${pytorch}`,
    runnerUp: runnerUp && {
      title: runnerUp.edits.map((edit) => edit.title).join('; '),
      residual: runnerUp.residual,
    },
  }));
}

/** One mistake made in two places (tiled heads in S and in O) is told once for each node, not twice for one. */
function withoutRepeats(causes: readonly Cause[]): Cause[] {
  return causes.filter(
    ({ id, node, kind }, n) =>
      causes.findIndex((each) => each.id === id && each.node === node && each.kind === kind) === n,
  );
}
