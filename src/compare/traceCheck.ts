// One trace against one reference run: each tensor judged in causal order, each error explained.
import type { NodeId } from '../engine/graph.ts';
import { largestMagnitude, type Tensor } from '../engine/tensor.ts';
import type { NamedTensor } from '../formats/namedTensor.ts';
import type { ResolvedName } from '../formats/nodeNames.ts';
import { align } from './align.ts';
import type { Aligned } from './aligned.ts';
import { withBackwardPass } from './backwardPass.ts';
import { type BlindConvention, blindConventions } from './blindQueries.ts';
import { causalOrder } from './causalOrder.ts';
import type { CheckInput, Compared } from './checkInput.ts';
import { causesOf, withoutRepeats } from './causes.ts';
import { describeUnknown } from './clues.ts';
import { roles } from './edits/edit.ts';
import { type Before, explain } from './explain.ts';
import { namedType, type NumberType, typeOf } from './dtypes.ts';
import {
  conventionOf,
  type Harmless,
  harmlessGradients,
  harmlessValues,
  isOtherLoss,
  type Right,
} from './harmless.ts';
import { difference } from './judge.ts';
import { unsummedCause, unsummedTitle } from './misfits.ts';
import { givesMask, Misfits } from './misfitsGiven.ts';
import { type Judged, nodeReports } from './nodeReports.ts';
import { type Key, keyOf, type Program, referenceProgram, State } from './program.ts';
import { reachedBy, settledBy } from './reach.ts';
import { OUT_IN } from './orientation.ts';
import { isOfAnotherForm } from './otherForms.ts';
import { ranTwiceCause, ranTwiceIn, timesOf } from './ranTwice.ts';
import { type Reading, Readings } from './readings.ts';
import { Reference } from './reference.ts';
import { resembles } from './resembles.ts';
import type { Cause, Report, Status } from './report.ts';
import type { Found, Score } from './search.ts';
import { precisionOf, tf32Cause } from './typeAlone.ts';
import { seen } from './view.ts';
import { whereabouts } from './whereabouts.ts';

/** Another convention than the reference's; `rightKeys` need none. */
interface Convention {
  readonly note: string;
  readonly rightKeys: ReadonlySet<Key>;
}

type Sources = Record<'values' | 'gradients', Map<NodeId, Tensor>>;

/** A trace held against one reference run: which tensors are right, and a report of all. */
export class Check {
  readonly #input: CheckInput;
  readonly #convention: Convention | null;
  /** The entries of the trace that are named as nodes. */
  readonly named: readonly NamedTensor[];
  readonly #reference: Reference;
  readonly #unaligned: Report['unaligned'];
  readonly #misfits: Misfits;
  readonly #isOutIn: boolean;
  readonly #given = new Map<Key, Aligned>();
  /** The tensors, what is forgiven in them put right. */
  readonly #tensors = new Map<Key, Tensor>();
  readonly #notes = new Map<Key, string>();
  /** How each is looked at: told when it is asked for. */
  readonly #views = new Map<Key, Pick<Reading, 'view'>>();
  readonly #sources: Sources;
  readonly #explained = new WeakMap<State, Map<Key, boolean>>();

  constructor(input: CheckInput, convention: Convention | null = null, type?: NumberType) {
    this.#input = input;
    this.#convention = convention;
    const { graph, trace, names } = input;
    const resolve = (name: string, rank: number): ResolvedName | null =>
      input.resolve(name, names, rank);
    const isExact = (name: string): boolean => Object.hasOwn(names, name);
    this.named = trace.filter(({ name, tensor }) => resolve(name, tensor.shape.length));
    this.#reference = new Reference(
      input.config,
      graph,
      type ?? namedType(input.config.numberType) ?? typeOf(this.named),
      // Of another convention it is another one.
      input.computed?.graph === graph ? input.computed : null,
    );
    const { config } = input;
    const unnamed = new Readings(config, graph, this.#reference);
    const { tensors, misfits, unaligned, isOutIn } = align({
      ...{ graph, trace, resolve, isExact },
      fitOf: (key, tensor) =>
        unnamed.of(key.slice(2), key.startsWith('v:') ? 'value' : 'gradient', tensor).fit,
      right: (key) => this.#reference.state.predict(key),
      resembles: (key, entryAt) => resembles(this.#reference.state, key, entryAt),
    });
    this.#misfits = new Misfits(graph, this.#reference, misfits);
    this.#unaligned = [...this.#misfits.unknown, ...unaligned];
    this.#isOutIn = isOutIn;
    const order = causalOrder(graph);
    const sorted = [...tensors].sort(
      (a, b) => order.indexOf(keyOf(a.node, a.kind)) - order.indexOf(keyOf(b.node, b.kind)),
    );
    const readings = new Readings(config, graph, this.#reference, tensors);
    const values = new Map<string, Tensor>();
    const gradients = new Map<string, Tensor>();
    for (const aligned of sorted) {
      const key = keyOf(aligned.node, aligned.kind);
      const { node, kind } = aligned;
      const reading = readings.of(node, kind, aligned.tensor);
      const { tensor, source, note } = reading;
      this.#given.set(key, aligned);
      this.#tensors.set(key, tensor);
      this.#views.set(key, reading);
      if (note) this.#notes.set(key, note);
      if (source) (kind === 'value' ? values : gradients).set(node, source);
    }
    this.#sources = { values, gradients };
  }

  get aligned(): Compared['tensors'] {
    return [...this.#given].map(([key, each]) => ({ ...each, judged: this.#tensors.get(key)! }));
  }

  /** The keys of the given tensors that are the reference's. */
  right(): Set<Key> {
    const keys = [...this.#tensors].filter(([key, tensor]) => this.#reference.isRight(key, tensor));
    return new Set(keys.map(([key]) => key));
  }

  /** The same for all of them, told sooner where one is not. */
  areAllRight(): boolean {
    return [...this.#tensors].every(([key, tensor]) => this.#reference.isRight(key, tensor));
  }

  blindConventions(): BlindConvention[] {
    const { graph } = this.#input;
    return blindConventions(graph, this.#reference.state.value(roles(graph).logits));
  }

  /** Why it is right as TF32's, seen at the first tensor that is wrong as float32's. */
  tf32Cause(first: NonNullable<Report['first']>): Cause | null {
    const key = keyOf(first.node, first.kind);
    const tensor = this.#tensors.get(key);
    if (!tensor) return null;
    const yours = this.#reference.against(key, tensor).maxAbs;
    const alone = this.#reference.alone(key);
    return tf32Cause(first, { yours, alone }, largestMagnitude(tensor));
  }

  report(): Report {
    const { graph, trace } = this.#input;
    const judged = new Map<Key, Judged>();
    const causes: Cause[] = [];
    let first: Report['first'] = null;
    let inBackward = false;
    let soFar: Before = 'nothing';
    const explained: Key[] = [];
    const rightKeys = this.right();
    if (this.#misfits.areAnotherSetup(this.#tensors, rightKeys))
      return this.#reported('unaligned', null, new Map(), []);
    const right = new Map([...this.#tensors.keys()].map((key) => [key, rightKeys.has(key)]));
    const harmless = this.#harmless(right);
    const own = (each: Key): Tensor => this.#tensors.get(each)!;
    const reference = (each: Key): Tensor => this.#reference.state.predict(each);
    const harmlessBackward = harmlessGradients(
      graph,
      right,
      (id) => own(`g:${id}`),
      (id) => reference(`g:${id}`),
      this.#reference.type.epsilon,
    );
    // What goes on rightly in part was not computed from these numbers.
    for (const [id, { isWhole }] of harmlessBackward)
      if (!isWhole) this.#sources.gradients.delete(id);
    let state = new State(referenceProgram(graph), this.#sources);
    const gradients = [...this.#tensors.keys()].filter((each) => each.startsWith('g:'));
    const twice = ranTwiceIn(this.#reference, this.#tensors, rightKeys);
    const otherLoss =
      this.#input.config.loss.kind === 'upstream' &&
      right.get('v:f') === false &&
      isOtherLoss(graph, right, own, reference);
    for (const [key, aligned] of this.#given) {
      if (aligned.kind === 'gradient' && !inBackward) {
        inBackward = true;
        state = withBackwardPass(state, gradients, (before, each) =>
          this.#explains(before, each, this.#tensors.get(each)!),
        );
      }
      const tensor = this.#tensors.get(key)!;
      const off = this.#reference.against(key, tensor).maxAbs;
      const tolerance = this.#reference.allowed(key, off);
      const add = (status: Status, note: string): void => {
        const made = trace.find(({ name }) => name === aligned.name)?.note;
        const { guess, layout, unsummed: sum } = aligned;
        const unsummed = sum && unsummedTitle(aligned.node, aligned.kind, sum);
        const parts = [made, guess, layout, this.#notes.get(key), unsummed, note];
        const words = parts.filter(Boolean).join('; ');
        judged.set(key, { aligned, tensor, status, tolerance, note: words });
      };
      /** The sum of the person's tensor is right, or as it must be: that it is not summed is all that is wrong. */
      const isUnsummed = (residual: number): boolean => {
        if (!aligned.unsummed) return false;
        first ??= { node: aligned.node, kind: aligned.kind };
        causes.push(unsummedCause(aligned.node, aligned.kind, aligned.unsummed, residual));
        explained.push(key);
        add('diverges', '');
        return true;
      };
      if (off <= tolerance && isUnsummed(off / (largestMagnitude(tensor) || 1))) continue;
      if (off <= tolerance) {
        const convention =
          this.#convention?.rightKeys.has(key) === false ? this.#convention.note : '';
        add(aligned.layout || this.#notes.has(key) || convention ? 'layout' : 'match', convention);
        explained.push(key);
        continue;
      }
      if (twice && aligned.kind === 'gradient') {
        if (first) add('consequence', timesOf(twice, aligned.node));
        else {
          first = { node: aligned.node, kind: 'gradient' };
          const cause = ranTwiceCause(graph, aligned.node, twice, 0);
          causes.push(cause);
          add('diverges', cause.title);
        }
        continue;
      }
      // A gradient is only excused where those of the inputs are seen to be right.
      const isExcused =
        aligned.kind === 'value' ||
        [...right].some(([each, ok]) => ok && /^g:(x|[Wb]_)/.test(each));
      const odd =
        (isExcused && harmless.get(aligned.node)) ||
        (aligned.kind === 'gradient' && harmlessBackward.get(aligned.node));
      if (odd) {
        add(
          'layout',
          `is ${odd.what} as logged, but ${odd.isWhole ? 'nothing' : 'not all'} that is computed from it differs: another convention, or logged at another point`,
        );
        continue;
      }
      const { view } = this.#views.get(key)!;
      const look = (each: Tensor): Tensor => seen(graph, key, view, each);
      const [user, predicted] = [look(tensor), look(state.predict(key))];
      const precision = this.#reference.precision(state, key, user, predicted);
      const scale = largestMagnitude(user) || largestMagnitude(predicted) || 1;
      const error = difference(predicted, user).maxAbs / scale;
      if (error <= precision && isUnsummed(error)) continue;
      const isTheirs = (made: Tensor): boolean =>
        difference(look(made), user).maxAbs <= precision * scale;
      const { config } = this.#input;
      if (
        error <= precision ||
        // What a mistake left of a tensor goes on in one of several right ways.
        (first && aligned.kind === 'gradient' && isOfAnotherForm(state, config, key, isTheirs))
      ) {
        const before = aligned.kind === 'value' ? 'values' : 'values and gradients';
        add('consequence', `computed rightly from your own ${before} before it`);
        explained.push(key);
        continue;
      }
      if (key === 'v:f' && otherLoss) {
        add(
          'layout',
          'another loss than the setup’s: with a given upstream gradient it plays no part',
        );
        continue;
      }
      first ??= { node: aligned.node, kind: aligned.kind };
      const context = {
        ...{ config: this.#input.config, graph, type: this.#reference.type, state },
        moreKeys: this.#misfits.moreKeys(),
        givesMask: givesMask(this.#input),
      };
      const known = state;
      const settled = settledBy(state, explained, this.#sources);
      const find = (each: Tensor, inPairs: boolean): Found | null =>
        explain(
          context,
          { key, user: look(each), predicted, precision, settled, view },
          this.#tensors,
          (program) => this.#score(known, program, rightKeys),
          soFar,
          inPairs,
        );
      // As it is, and with what is forgiven put right: the mistake may be in either.
      const found =
        find(tensor, true) ?? (tensor === aligned.tensor ? null : find(aligned.tensor, false));
      if (found) {
        // After a first mistake that is unknown, what else there is may follow from it.
        if (soFar !== 'unknown' || causes.length > 0)
          causes.push(...causesOf(found, causes.length > 0));
        if (soFar === 'nothing') soFar = 'known';
        state = state.under(found.state.program);
        if (aligned.unsummed)
          causes.push(unsummedCause(aligned.node, aligned.kind, aligned.unsummed, found.residual));
        add('diverges', found.edits.map(({ title }) => title).join('; '));
      } else {
        soFar = 'unknown';
        const where = whereabouts(state, key, rightKeys);
        add('diverges', describeUnknown(context, aligned, user, predicted, precision, where));
      }
    }
    first = this.#misfits.firstWith(first);
    return this.#reported(first ? 'diverges' : 'match', first, judged, withoutRepeats(causes));
  }

  #reported(
    verdict: Report['verdict'],
    first: Report['first'],
    judged: ReadonlyMap<Key, Judged>,
    causes: readonly Cause[],
  ): Report {
    return {
      ...{ verdict, first, causes },
      nodes: nodeReports(this.#input.graph, this.#reference, judged, this.#misfits),
      dtype: this.#reference.type.name,
      precision: precisionOf(this.#reference, judged, first),
      given: this.#input.trace.length,
      conventions: this.#isOutIn ? [OUT_IN] : [],
      compared: verdict === 'unaligned' ? 0 : this.#given.size + this.#misfits.agree,
      unaligned: this.#unaligned,
    };
  }

  /** Values without effect, of which is known what they are instead. */
  #harmless(right: Right): Map<NodeId, Harmless> {
    const { graph } = this.#input;
    const reference = (node: NodeId): Tensor => this.#reference.state.value(node);
    const known = [...harmlessValues(graph, right)].flatMap((id): [NodeId, Harmless][] => {
      const user = this.#tensors.get(`v:${id}`)!;
      const what = conventionOf(graph, id, user, reference, this.#reference.type.epsilon);
      return what === null ? [] : [[id, { what, isWhole: true }]];
    });
    return new Map(known);
  }

  /**
   * How many more given tensors a hypothesis explains, of those that it reaches: with its own derivative or, if that
   * is more, with the reference's (a backward pass written by hand).
   */
  #score(before: State, program: Program, right: ReadonlySet<Key>): Score {
    const own = this.#gain(before, program, right);
    const { backward } = before.program;
    if (program.backward === backward) return own;
    const other = this.#gain(before, { ...program, backward }, right);
    return {
      gain: Math.max(own.gain, other.gain),
      spoilt: Math.min(own.spoilt, other.spoilt),
      left: () => Math.min(own.left(), other.left()),
    };
  }

  #explains(state: State, key: Key, user: Tensor): boolean {
    return this.#reference.explains(state, key, user, this.#views.get(key)?.view);
  }

  /** The same of the person's program so far, which is asked for by every hypothesis. */
  #isExplained(before: State, key: Key, user: Tensor): boolean {
    const explained = this.#explained.get(before) ?? new Map<Key, boolean>();
    this.#explained.set(before, explained);
    const is = explained.get(key) ?? this.#explains(before, key, user);
    explained.set(key, is);
    return is;
  }

  #gain(before: State, program: Program, right: ReadonlySet<Key>): Score {
    let [gain, spoilt] = [0, 0];
    const reached = reachedBy(before.program, program, this.#sources);
    const tensors = [...this.#tensors].filter(([key]) => reached.has(key));
    // What depends on what is known only of what has been computed.
    for (const [key] of tensors) before.predict(key);
    // A kernel computes its values anew for the backward pass, and rightly it may be.
    const isForward = program.forward !== before.program.forward;
    const edited = before.under(program);
    for (const [key, user] of tensors) {
      const was = this.#isExplained(before, key, user);
      const is = this.#explains(edited, key, user);
      gain += Number(is) - Number(was);
      if (was && !is && right.has(key) && !(isForward && key.startsWith('g:'))) spoilt++;
    }
    const isLeft = ([key, user]: readonly [Key, Tensor]): boolean =>
      !(reached.has(key)
        ? this.#explains(edited, key, user)
        : this.#isExplained(before, key, user));
    // A program's own loss is its own affair.
    const left = (): number =>
      [...this.#tensors].filter((each) => each[0] !== 'v:f' && isLeft(each)).length;
    return { gain, spoilt, left };
  }
}
