// Each tensor of a trace in causal order: right, right by a convention, a consequence, or wrong, and then why.
import type { NodeId } from '../../engine/graph.ts';
import { largestMagnitude, type Tensor } from '../../engine/tensor.ts';
import type { Aligned } from '../align/aligned.ts';
import { withBackwardPass } from '../program/backwardPass.ts';
import { causesOf, withoutRepeats } from '../search/causes.ts';
import { describeUnknown } from '../clues/clues.ts';
import type { Context } from '../edits/edit.ts';
import { type Before, explain } from '../search/explain.ts';
import {
  conventionOf,
  type Harmless,
  harmlessGradients,
  harmlessValues,
  isOtherLoss,
  type Right,
} from './harmless.ts';
import type { HeldTrace } from './heldTrace.ts';
import { difference } from './judge.ts';
import { unsummedCause, unsummedTitle } from '../align/misfits.ts';
import { givesMask } from '../align/misfitsGiven.ts';
import type { Judged } from './nodeReports.ts';
import { isOfAnotherForm } from '../program/otherForms.ts';
import { type Key, referenceProgram, State } from '../program/program.ts';
import { ranTwiceCause, ranTwiceIn, timesOf } from '../search/ranTwice.ts';
import { settledBy } from '../search/reach.ts';
import type { Cause, Report, Status } from '../report.ts';
import { Scores } from './scores.ts';
import type { Found } from '../search/search.ts';
import { seen, type View } from './view.ts';
import { whereabouts } from '../clues/whereabouts.ts';

export interface Judgement {
  readonly first: Report['first'];
  readonly judged: ReadonlyMap<Key, Judged>;
  readonly causes: readonly Cause[];
}

/** `right`: the given tensors that are the reference's. */
export const judge = (held: HeldTrace, right: ReadonlySet<Key>): Judgement =>
  new Judge(held, right).judgement();

/** One tensor, and what the program so far makes of the person's tensors before it. */
interface Case {
  readonly key: Key;
  readonly aligned: Aligned;
  readonly tensor: Tensor;
}

interface Prediction {
  readonly view: View;
  readonly look: (tensor: Tensor) => Tensor;
  readonly user: Tensor;
  readonly predicted: Tensor;
  readonly precision: number;
  readonly scale: number;
  /** Relative. */
  readonly error: number;
}

class Judge {
  readonly #held: HeldTrace;
  readonly #rightKeys: ReadonlySet<Key>;
  readonly #right: Right;
  readonly #scores: Scores;
  readonly #harmless: ReadonlyMap<NodeId, Harmless>;
  readonly #harmlessBackward: ReadonlyMap<NodeId, Harmless>;
  readonly #twice: ReturnType<typeof ranTwiceIn>;
  readonly #judged = new Map<Key, Judged>();
  readonly #causes: Cause[] = [];
  readonly #explained: Key[] = [];
  /** The person's program so far. */
  #state: State;
  #first: Report['first'] = null;
  #soFar: Before = 'nothing';

  constructor(held: HeldTrace, rightKeys: ReadonlySet<Key>) {
    const { tensors, reference, sources, input } = held;
    this.#held = held;
    this.#rightKeys = rightKeys;
    this.#right = new Map([...tensors.keys()].map((key) => [key, rightKeys.has(key)]));
    this.#scores = new Scores(held, rightKeys);
    this.#harmless = this.#harmlessValues();
    this.#harmlessBackward = harmlessGradients(
      input.graph,
      this.#right,
      (id) => tensors.get(`g:${id}`)!,
      (id) => reference.state.predict(`g:${id}`),
      reference.type.epsilon,
    );
    // What goes on rightly in part was not computed from these numbers.
    for (const [id, { isWhole }] of this.#harmlessBackward)
      if (!isWhole) sources.gradients.delete(id);
    this.#state = new State(referenceProgram(input.graph), sources);
    this.#twice = ranTwiceIn(reference, tensors, rightKeys);
  }

  judgement(): Judgement {
    const { given, tensors, misfits, input } = this.#held;
    const before = this.#state.meter;
    const gradients = [...tensors.keys()].filter((key) => key.startsWith('g:'));
    for (const [key, aligned] of given) {
      if (key === gradients[0])
        this.#state = withBackwardPass(this.#state, gradients, (state, each) =>
          this.#scores.explains(state, each, tensors.get(each)!),
        );
      this.#judge({ key, aligned, tensor: tensors.get(key)! });
    }
    const { meter } = input.effort ?? {};
    // Another backward pass begins with a meter of its own.
    if (meter) for (const { work } of new Set([before, this.#state.meter])) meter.work += work;
    const first = misfits.firstWith(this.#first);
    return { first, judged: this.#judged, causes: withoutRepeats(this.#causes) };
  }

  /** By the first rule that has something to say. */
  #judge(own: Case): void {
    if (this.#isRight(own) || this.#ranTwice(own) || this.#hasNoEffect(own)) return;
    const made = this.#prediction(own);
    if (this.#isConsequence(own, made) || this.#isOtherLoss(own)) return;
    this.#first ??= { node: own.aligned.node, kind: own.aligned.kind };
    this.#explain(own, made);
  }

  #add({ key, aligned, tensor }: Case, status: Status, note: string): void {
    const { input, notes, reference } = this.#held;
    const made = input.trace.find(({ name }) => name === aligned.name)?.note;
    const { guess, layout, unsummed: sum } = aligned;
    const unsummed = sum && unsummedTitle(aligned.node, aligned.kind, sum);
    const parts = [made, guess, layout, notes.get(key), unsummed, note];
    const words = parts.filter(Boolean).join('; ');
    const tolerance = reference.allowed(key, reference.against(key, tensor).maxAbs);
    this.#judged.set(key, { aligned, tensor, status, tolerance, note: words });
  }

  /** The sum of the person's tensor is right, or as it must be: that it is not summed is all that is wrong. */
  #isUnsummed(own: Case, residual: number): boolean {
    const { node, kind, unsummed } = own.aligned;
    if (!unsummed) return false;
    this.#first ??= { node, kind };
    this.#causes.push(unsummedCause(node, kind, unsummed, residual));
    this.#explained.push(own.key);
    this.#add(own, 'diverges', '');
    return true;
  }

  #isRight(own: Case): boolean {
    const { key, aligned, tensor } = own;
    const { reference, notes, convention } = this.#held;
    const off = reference.against(key, tensor).maxAbs;
    if (off > reference.allowed(key, off)) return false;
    if (this.#isUnsummed(own, off / (largestMagnitude(tensor) || 1))) return true;
    const note = convention?.rightKeys.has(key) === false ? convention.note : '';
    this.#add(own, aligned.layout || notes.has(key) || note ? 'layout' : 'match', note);
    this.#explained.push(key);
    return true;
  }

  #ranTwice(own: Case): boolean {
    const { node, kind } = own.aligned;
    if (!this.#twice || kind === 'value') return false;
    if (this.#first) {
      this.#add(own, 'consequence', timesOf(this.#twice, node));
      return true;
    }
    this.#first = { node, kind };
    const cause = ranTwiceCause(this.#held.input.graph, node, this.#twice, 0);
    this.#causes.push(cause);
    this.#add(own, 'diverges', cause.title);
    return true;
  }

  /** Another convention, or logged at another point. */
  #hasNoEffect(own: Case): boolean {
    const { node, kind } = own.aligned;
    // A gradient is only excused where those of the inputs are seen to be right.
    const isExcused =
      kind === 'value' || [...this.#rightKeys].some((key) => /^g:(x|[Wb]_)/.test(key));
    const odd =
      (isExcused && this.#harmless.get(node)) ||
      (kind === 'gradient' && this.#harmlessBackward.get(node));
    if (!odd) return false;
    const note = `is ${odd.what} as logged, but ${odd.isWhole ? 'nothing' : 'not all'} that is computed from it differs: another convention, or logged at another point`;
    this.#add(own, 'layout', note);
    return true;
  }

  #prediction({ key, tensor }: Case): Prediction {
    const { reference, views, input } = this.#held;
    const { view } = views.get(key)!;
    const look = (each: Tensor): Tensor => seen(input.graph, key, view, each);
    const [user, predicted] = [look(tensor), look(this.#state.predict(key))];
    const precision = reference.precision(this.#state, key, user, predicted);
    const scale = largestMagnitude(user) || largestMagnitude(predicted) || 1;
    const error = difference(predicted, user).maxAbs / scale;
    return { view, look, user, predicted, precision, scale, error };
  }

  #isConsequence(own: Case, { look, user, precision, scale, error }: Prediction): boolean {
    const { key, aligned } = own;
    if (error <= precision && this.#isUnsummed(own, error)) return true;
    const isTheirs = (made: Tensor): boolean =>
      difference(look(made), user).maxAbs <= precision * scale;
    const isBackward = aligned.kind === 'gradient';
    // What a mistake left of a tensor goes on in one of several right ways.
    const mayBeAnother = this.#first !== null && isBackward;
    const isMade =
      error <= precision ||
      (mayBeAnother && isOfAnotherForm(this.#state, this.#held.input.config, key, isTheirs));
    if (!isMade) return false;
    const before = isBackward ? 'values and gradients' : 'values';
    this.#add(own, 'consequence', `computed rightly from your own ${before} before it`);
    this.#explained.push(key);
    return true;
  }

  #isOtherLoss(own: Case): boolean {
    const { input, tensors, reference } = this.#held;
    if (own.key !== 'v:f' || input.config.loss.kind !== 'upstream') return false;
    const isOther = isOtherLoss(
      input.graph,
      this.#right,
      (key) => tensors.get(key)!,
      (key) => reference.state.predict(key),
    );
    if (!isOther) return false;
    const note = 'another loss than the setup’s: with a given upstream gradient it plays no part';
    this.#add(own, 'layout', note);
    return true;
  }

  #explain(own: Case, made: Prediction): void {
    const { aligned, tensor, key } = own;
    const { input, reference, misfits } = this.#held;
    const context: Context = {
      ...{ config: input.config, graph: input.graph, type: reference.type, state: this.#state },
      moreKeys: misfits.moreKeys(),
      givesMask: givesMask(input),
      ...(input.isExcluded && { isExcluded: input.isExcluded }),
    };
    // As it is, and with what is forgiven put right: the mistake may be in either.
    const found =
      this.#find(context, key, tensor, made) ??
      (tensor === aligned.tensor ? null : this.#find(context, key, aligned.tensor, made, true));
    if (found) return this.#tell(own, found);
    this.#soFar = 'unknown';
    const { user, predicted, precision } = made;
    const where = whereabouts(this.#state, key, this.#rightKeys);
    const words = describeUnknown(context, aligned, user, predicted, precision, where);
    this.#add(own, 'diverges', words);
  }

  #find(
    context: Context,
    key: Key,
    tensor: Tensor,
    { look, predicted, precision, view }: Prediction,
    isAgain = false,
  ): Found | null {
    const { tensors, sources, input } = this.#held;
    const { isBrief, inPairs } = { isBrief: false, inPairs: true, ...input.effort };
    const known = this.#state;
    const settled = settledBy(known, this.#explained, sources);
    return explain(
      context,
      { key, user: look(tensor), predicted, precision, settled, view },
      tensors,
      (program) => this.#scores.of(known, program),
      this.#soFar,
      { isBrief, inPairs: inPairs && !isAgain, isAgain },
    );
  }

  #tell(own: Case, found: Found): void {
    const { node, kind, unsummed } = own.aligned;
    const edits = this.#mistakesOf(own, found);
    // After a first mistake that is unknown, what else there is may follow from it.
    if (this.#soFar !== 'unknown' || this.#causes.length > 0)
      this.#causes.push(...causesOf({ ...found, edits }, this.#causes.length > 0));
    if (this.#soFar === 'nothing') this.#soFar = 'known';
    this.#state = this.#state.under(found.state.program);
    if (unsummed) this.#causes.push(unsummedCause(node, kind, unsummed, found.residual));
    this.#add(own, 'diverges', edits.map(({ title }) => title).join('; '));
  }

  /** What alone changes nothing is none: a backward pass need not mask where the weights are 0. */
  #mistakesOf({ key }: Case, { edits }: Found): Found['edits'] {
    if (edits.length < 2) return edits;
    const before = this.#state.predict(key);
    const most = this.#held.reference.type.epsilon * largestMagnitude(before);
    const mistakes = edits.filter((edit) => {
      const alone = this.#state.under(edit.apply(this.#state.program));
      return difference(alone.predict(key), before).maxAbs > most;
    });
    return mistakes.length === 0 ? edits : mistakes;
  }

  /** Values without effect, of which is known what they are instead. */
  #harmlessValues(): Map<NodeId, Harmless> {
    const { input, reference, tensors } = this.#held;
    const { graph } = input;
    const right = (node: NodeId): Tensor => reference.state.value(node);
    const known = [...harmlessValues(graph, this.#right)].flatMap((id): [NodeId, Harmless][] => {
      const user = tensors.get(`v:${id}`)!;
      const what = conventionOf(graph, id, user, right, reference.type.epsilon);
      return what === null ? [] : [[id, { what, isWhole: true }]];
    });
    return new Map(known);
  }
}
