// What a person's tensor says once differences of convention are put right, and how it is looked at.
import type { HeadConfig } from '../../engine/config.ts';
import { type Graph, hasNode, type NodeId } from '../../engine/graph.ts';
import { largestMagnitude, map, type Tensor } from '../../engine/tensor.ts';
import type { Aligned } from '../align/aligned.ts';
import { FILL, forgive } from './conventions.ts';
import { DontCare, filled } from './dontCare.ts';
import { constantRatio } from './judge.ts';
import { type Key, keyOf, type Kind, referenceProgram, State } from '../program/program.ts';
import type { Reference } from '../reference/reference.ts';
import { PLAIN_VIEW, rowMaximum, rowsOf, type View } from './view.ts';

export interface Reading {
  /** To be judged. */
  readonly tensor: Tensor;
  /** What later steps were computed from; null where it does not serve. */
  readonly source: Tensor | null;
  readonly view: View;
  /** What was put right, if the tensor is right with it. */
  readonly note: string;
  /** How well it fits the reference, to choose among nodes that a name may mean. */
  readonly fit: Fit;
}

/** Not; but for what cannot matter, or logged at another point; but for a convention; as it is. */
export const FITS = { not: 0, whereItMatters: 1, byConvention: 2, asItIs: 3 } as const;
export type Fit = (typeof FITS)[keyof typeof FITS];

const NO_EFFECT = 'differs only where the weight is 0, which passes nothing on: a convention';
const BEFORE_CAP = 'logged before the softcap: a convention';
const SHIFTED =
  'each query’s largest score is subtracted, which the softmax does not see: a convention';
/** What the weights go through, nearest first. */
const AFTER_WEIGHTS: readonly NodeId[] = ['P', 'Pd', 'O', 'C', 'y'];
/** Gradients that reverse mode has before it meets the scores. */
const BEFORE_SCORES = /^(f|y|C|O|P|Pd|M|Vh?|[Wb]_[OV])$/;
type Given = readonly Pick<Aligned, 'node' | 'kind' | 'tensor'>[];
const AFTER_SCORES: readonly NodeId[] = ['M', ...AFTER_WEIGHTS];

export class Readings {
  readonly #config: HeadConfig;
  readonly #graph: Graph;
  readonly #reference: Reference;
  /** The person's values, as they are. */
  readonly #values: ReadonlyMap<NodeId, Tensor>;
  readonly #given: Given;
  readonly #dontCare: DontCare;
  readonly #nanSpreads: boolean;
  /** What is given for Z is not bent by the softcap yet. */
  #isBeforeCap = false;

  /** `given`: none where it is still to be found out which tensor is which. */
  constructor(config: HeadConfig, graph: Graph, reference: Reference, given: Given = []) {
    const values = given.filter(({ kind }) => kind === 'value');
    this.#config = config;
    this.#given = given;
    this.#graph = graph;
    this.#reference = reference;
    this.#values = new Map(values.map(({ node, tensor }) => [node, tensor]));
    this.#dontCare = new DontCare(graph, reference.state, this.#values.get('P'));
    this.#nanSpreads = given.some(
      ({ node, kind, tensor }) =>
        (node === 'f' || (kind === 'gradient' && !/^(P|Pd|M|Z|S)$/.test(node))) &&
        tensor.data.some(Number.isNaN),
    );
  }

  of(node: NodeId, kind: Kind, user: Tensor): Reading {
    const key = keyOf(node, kind);
    if (this.#reference.isRight(key, user)) return this.#right(key, user);
    const ignored = this.#dontCare.of(key, user);
    const view: View = { ...PLAIN_VIEW, ignored };
    if (key === 'v:M') return this.#logits(user);
    const right = (tensor: Tensor): boolean => this.#reference.isRight(key, tensor);
    const tensor = filled(user, this.#reference.state.predict(key), ignored);
    const source = clean(user, ignored);
    const plain: Reading = { tensor, source, view, note: '', fit: FITS.not };
    if (ignored && right(tensor)) {
      // With 0 where dropped, forgetting the mask and having it could not be told apart.
      const own = key === 'g:Pd' ? tensor : source;
      return { ...plain, source: own, note: NO_EFFECT, fit: FITS.whereItMatters };
    }
    return (
      this.#shifted(key, user, view) ??
      this.#beforeCap(key, user) ??
      this.#gradientBeforeCap(key, user) ??
      this.#forgiven(node, kind, plain)
    );
  }

  /** Of what is right the view is seldom asked for, and takes long to make. */
  #right(key: Key, user: Tensor): Reading {
    const dontCare = this.#dontCare;
    let view: View | undefined;
    const own = {
      get view(): View {
        return (view ??= { ...PLAIN_VIEW, ignored: dontCare.of(key, user) });
      },
    };
    const source = isAllFinite(user) ? user : clean(user, own.view.ignored);
    return Object.assign(own, { tensor: user, source, note: '', fit: FITS.asItIs });
  }

  /** A gradient is forgiven as a whole or not at all: a mistake is looked for in what the person has. */
  #forgiven(node: NodeId, kind: Kind, plain: Reading): Reading {
    const { state } = this.#reference;
    const found = forgive(this.#graph, state, node, kind, plain.tensor, this.#nanSpreads);
    if (!found) return plain;
    const isRight = this.#reference.isRight(keyOf(node, kind), found.tensor);
    if (kind === 'gradient' && !isRight) return plain;
    const fit = isRight ? FITS.byConvention : FITS.not;
    return { ...plain, tensor: found.tensor, note: found.note, fit };
  }

  /** Masked scores: with -inf for what is as good, or for anything where the person's weight is 0. */
  #logits(user: Tensor): Reading {
    const plain: Reading = {
      ...{ tensor: user, source: user, view: PLAIN_VIEW, note: '', fit: FITS.not },
    };
    const shifted = this.#shifted('v:M', user, PLAIN_VIEW);
    if (shifted) return shifted;
    const hidden = this.#hiddenByWeights(user);
    if (!hidden) return this.#forgiven('M', 'value', plain);
    const again = this.#shifted('v:M', hidden, PLAIN_VIEW);
    if (again) return again;
    const isRight = this.#reference.isRight('v:M', hidden);
    const own: Reading = { ...plain, tensor: hidden, source: hidden };
    if (isRight) return { ...own, note: NO_EFFECT, fit: FITS.whereItMatters };
    return this.#forgiven('M', 'value', own);
  }

  /** -inf where the weight is 0 and something else stands, if the weights are seen to come of that; else null. */
  #hiddenByWeights(user: Tensor): Tensor | null {
    const { data } = this.#reference.state.value('M');
    const weights = this.#values.get('P')?.data;
    let [isUnwritten, isChanged] = [true, false];
    const tensor = map(user, (value, at) => {
      const isUnseen = weights ? weights[at] === 0 : data[at] <= FILL;
      if (!isUnseen || value === -Infinity) return value;
      const isPlain = value === 0 || Number.isNaN(value) || value <= FILL;
      if (!isPlain && data[at] > FILL) return value;
      isUnwritten &&= isPlain;
      isChanged = true;
      return -Infinity;
    });
    if (!isChanged) return null;
    if (weights && isUnwritten) return tensor;
    const makes = (own: Tensor): boolean => this.#explainsNext('M', own, AFTER_WEIGHTS);
    return makes(tensor) && !makes(user) ? tensor : null;
  }

  /** Whether the next given value comes of `own` in place of what is given for `node`. */
  #explainsNext(node: NodeId, own: Tensor, after: readonly NodeId[]): boolean {
    const next = after.find((id) => this.#values.has(id) && hasNode(this.#graph, id));
    if (next === undefined) return false;
    const values = new Map(this.#values).set(node, own);
    const state = new State(referenceProgram(this.#graph), { values, gradients: new Map() });
    return this.#reference.explains(state, keyOf(next, 'value'), values.get(next)!);
  }

  /** Whether nothing is given that depends on the scores but their own gradients. */
  #isNothingLater(): boolean {
    return this.#given.every(({ node, kind }) =>
      kind === 'gradient'
        ? BEFORE_SCORES.test(node) || node === 'Z'
        : !AFTER_SCORES.includes(node) && node !== 'f',
    );
  }

  /** Whether anything that depends on the scores is given, and right. */
  #isSeenRight(): boolean {
    return this.#given.some(
      ({ node, kind, tensor }) =>
        (kind === 'gradient' ? !BEFORE_SCORES.test(node) : AFTER_SCORES.includes(node)) &&
        this.#reference.isRight(keyOf(node, kind), tensor),
    );
  }

  /** Scores less each query's maximum, right or not. */
  #shifted(key: Key, user: Tensor, { ignored }: View): Reading | null {
    if (!/^v:[SZM]$/.test(key)) return null;
    const reference = this.#reference.state.predict(key);
    const { starts, steps } = rowsOf(this.#graph, key);
    if (starts.length < 2 || steps.length < 2) return null;
    const most = 4 * this.#reference.type.epsilon * largestMagnitude(user);
    // Rows that are hidden as a whole say nothing; the maximum may be one over all keys, hidden or not.
    const isZeroAtMost = (of: Tensor): boolean =>
      starts.every((start) =>
        [ignored, null].some((without) => {
          const own = rowMaximum(of, start, steps, without);
          return own === -Infinity || Math.abs(own) <= most;
        }),
      );
    if (!isZeroAtMost(user) || isZeroAtMost(reference)) return null;
    const data = user.data.slice();
    for (const start of starts) {
      const shift = middle(user, reference, start, steps, ignored);
      for (const step of steps) data[start + step] += shift;
    }
    const view: View = { ignored, isShifted: true };
    const tensor = filled({ shape: user.shape, data }, reference, ignored);
    const isRight = this.#reference.isRight(key, tensor);
    // The softmax makes the same of it; a softcap would not.
    const source = isRight ? tensor : key === 'v:M' ? user : null;
    return {
      ...{ tensor, source, view, note: isRight ? SHIFTED : '' },
      fit: isRight ? FITS.whereItMatters : FITS.not,
    };
  }

  /** Scaled scores that are not bent yet: as the softcap leaves them. */
  #beforeCap(key: Key, user: Tensor): Reading | null {
    const { softcap } = this.#config;
    if (key !== 'v:Z' || softcap === undefined) return null;
    const capped = map(user, (value) => softcap * Math.tanh(value / softcap));
    const ignored = this.#dontCare.of(key, user);
    const tensor = filled(capped, this.#reference.state.predict(key), ignored);
    const isRight = this.#reference.isRight(key, tensor);
    // A program that lacks the softcap has the same scores, but goes on with them.
    const makes = (own: Tensor): boolean => this.#explainsNext('Z', own, AFTER_SCORES);
    if (makes(user)) return null;
    if (!makes(capped) && !(isRight && (this.#isNothingLater() || this.#isSeenRight())))
      return null;
    this.#isBeforeCap = true;
    return {
      ...{ tensor, source: clean(capped, ignored), view: { ...PLAIN_VIEW, ignored } },
      note: BEFORE_CAP,
      fit: isRight ? FITS.whereItMatters : FITS.not,
    };
  }

  /** Whether the gradient of S is given, and this but for the scale. */
  #isPassedOn(dZ: Tensor): boolean {
    const dS = this.#given.find(({ node, kind }) => node === 'S' && kind === 'gradient');
    const { epsilon } = this.#reference.type;
    return dS !== undefined && constantRatio(dS.tensor, dZ, 64 * epsilon) !== null;
  }

  /** The gradient of those: with the softcap's slope, 1 - (Z / softcap)^2, in it. */
  #gradientBeforeCap(key: Key, user: Tensor): Reading | null {
    const { softcap } = this.#config;
    if (key !== 'g:Z' || softcap === undefined) return null;
    const { state } = this.#reference;
    const [reference, Z] = [state.predict('g:Z').data, state.predict('v:Z').data];
    const slopeAt = (at: number): number => 1 - (Z[at] / softcap) ** 2;
    const asRight = map(user, (value, at) => reference[at] + value - slopeAt(at) * reference[at]);
    const isRight = this.#reference.isRight(key, asRight);
    if (!isRight && !(this.#isBeforeCap && this.#isPassedOn(user))) return null;
    const steep = map(user, (_, at) => Number(slopeAt(at) < LEAST_SLOPE));
    const tensor = isRight
      ? asRight
      : map(user, (value, at) => (steep.data[at] === 1 ? reference[at] : value / slopeAt(at)));
    return {
      ...{ tensor, source: null, view: { ...PLAIN_VIEW, ignored: steep }, note: BEFORE_CAP },
      fit: isRight ? FITS.whereItMatters : FITS.not,
    };
  }
}

/** A gradient without what cannot be told of it: where the slope is next to nothing. */
const LEAST_SLOPE = 1e-3;

function isAllFinite({ data }: Tensor): boolean {
  for (let at = 0; at < data.length; at++) if (!Number.isFinite(data[at])) return false;
  return true;
}

/** What later steps read where it cannot matter: a number. */
function clean(user: Tensor, ignored: Tensor | null): Tensor {
  if (!ignored || isAllFinite(user)) return user;
  return map(user, (value, at) => (ignored.data[at] === 1 && !Number.isFinite(value) ? 0 : value));
}

/** The middle of what a row of the reference is larger by, where both are finite. */
function middle(
  user: Tensor,
  reference: Tensor,
  start: number,
  steps: Int32Array,
  ignored: Tensor | null,
): number {
  let [low, high] = [Infinity, -Infinity];
  for (const step of steps) {
    const at = start + step;
    const off = reference.data[at] - user.data[at];
    if (ignored?.data[at] === 1 || !Number.isFinite(off)) continue;
    low = Math.min(low, off);
    high = Math.max(high, off);
  }
  return low <= high ? (low + high) / 2 : 0;
}
