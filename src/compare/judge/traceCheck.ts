// One trace against one reference run: which tensors are right, and what is said of all.
import { largestMagnitude, type Tensor } from '../../engine/tensor.ts';
import type { NamedTensor } from '../../formats/namedTensor.ts';
import type { ResolvedName } from '../../formats/nodeNames.ts';
import { align } from '../align/align.ts';
import type { Aligned } from '../align/aligned.ts';
import { type BlindConvention, blindConventions } from '../reference/blindQueries.ts';
import { causalOrder } from './causalOrder.ts';
import type { CheckInput, Compared } from '../checkInput.ts';
import { namedType, type NumberType, typeOf } from '../reference/dtypes.ts';
import { roles } from '../edits/edit.ts';
import type { Convention, HeldTrace } from './heldTrace.ts';
import { judge, type Judgement } from './judgement.ts';
import { Misfits } from '../align/misfitsGiven.ts';
import { nodeReports } from './nodeReports.ts';
import { OUT_IN } from '../align/orientation.ts';
import { type Key, keyOf } from '../program/program.ts';
import { type Reading, Readings } from './readings.ts';
import { Reference } from '../reference/reference.ts';
import type { Cause, Report } from '../report.ts';
import { resembles } from './resembles.ts';
import { precisionOf, tf32Cause } from '../reference/typeAlone.ts';

/** A trace held against one reference run: which tensors are right, and a report of all. */
export class Check {
  readonly #held: HeldTrace;
  /** The entries of the trace that are named as nodes. */
  readonly named: readonly NamedTensor[];
  readonly #unaligned: Report['unaligned'];
  readonly #isOutIn: boolean;

  /** `isByName`: each tensor is the node of its name, though its numbers may be those of another. */
  constructor(
    input: CheckInput,
    convention: Convention | null = null,
    type?: NumberType,
    isByName = false,
  ) {
    const { graph, trace, names } = input;
    const resolve = (name: string, rank: number): ResolvedName | null =>
      input.resolve(name, names, rank);
    const isExact = (name: string): boolean => isByName || Object.hasOwn(names, name);
    this.named = trace.filter(({ name, tensor }) => resolve(name, tensor.shape.length));
    const reference = new Reference(
      input.config,
      graph,
      type ?? namedType(input.config.numberType) ?? typeOf(this.named),
      // Of another convention it is another one.
      input.computed?.graph === graph ? input.computed : null,
    );
    const { config } = input;
    const unnamed = new Readings(config, graph, reference);
    const {
      tensors,
      misfits: odd,
      unaligned,
      isOutIn,
    } = align({
      ...{ graph, trace, resolve, isExact },
      fitOf: (key, tensor) =>
        unnamed.of(key.slice(2), key.startsWith('v:') ? 'value' : 'gradient', tensor).fit,
      right: (key) => reference.state.predict(key),
      resembles: (key, entryAt) => resembles(reference.state, key, entryAt),
    });
    const misfits = new Misfits(graph, reference, odd);
    this.#unaligned = [...misfits.unknown, ...unaligned];
    this.#isOutIn = isOutIn;
    const order = causalOrder(graph);
    const sorted = [...tensors].sort(
      (a, b) => order.indexOf(keyOf(a.node, a.kind)) - order.indexOf(keyOf(b.node, b.kind)),
    );
    const given = new Map<Key, Aligned>();
    const judged = new Map<Key, Tensor>();
    const notes = new Map<Key, string>();
    const views = new Map<Key, Pick<Reading, 'view'>>();
    const readings = new Readings(config, graph, reference, tensors);
    const values = new Map<string, Tensor>();
    const gradients = new Map<string, Tensor>();
    for (const aligned of sorted) {
      const key = keyOf(aligned.node, aligned.kind);
      const { node, kind } = aligned;
      const reading = readings.of(node, kind, aligned.tensor);
      const { tensor, source, note } = reading;
      given.set(key, aligned);
      judged.set(key, tensor);
      views.set(key, reading);
      if (note) notes.set(key, note);
      if (source) (kind === 'value' ? values : gradients).set(node, source);
    }
    const sources = { values, gradients };
    this.#held = {
      ...{ input, convention, reference, misfits, given, tensors: judged, notes, views, sources },
    };
  }

  /** Whether the numbers of a tensor told of another node than its name did. */
  isGuessed(): boolean {
    return [...this.#held.given.values()].some(({ guess }) => guess !== '');
  }

  get aligned(): Compared['tensors'] {
    return [...this.#held.given].map(([key, each]) => ({
      ...each,
      judged: this.#held.tensors.get(key)!,
    }));
  }

  /** The keys of the given tensors that are the reference's. */
  right(): Set<Key> {
    const keys = [...this.#held.tensors].filter(([key, tensor]) =>
      this.#held.reference.isRight(key, tensor),
    );
    return new Set(keys.map(([key]) => key));
  }

  /** The same for all of them, told sooner where one is not. */
  areAllRight(): boolean {
    return [...this.#held.tensors].every(([key, tensor]) =>
      this.#held.reference.isRight(key, tensor),
    );
  }

  blindConventions(): BlindConvention[] {
    const { graph } = this.#held.input;
    return blindConventions(graph, this.#held.reference.state.value(roles(graph).logits));
  }

  /** Why it is right as TF32's, seen at the first tensor that is wrong as float32's. */
  tf32Cause(first: NonNullable<Report['first']>): Cause | null {
    const key = keyOf(first.node, first.kind);
    const tensor = this.#held.tensors.get(key);
    if (!tensor) return null;
    const yours = this.#held.reference.against(key, tensor).maxAbs;
    const alone = this.#held.reference.alone(key);
    return tf32Cause(first, { yours, alone }, largestMagnitude(tensor));
  }

  report(): Report {
    const { misfits, tensors } = this.#held;
    const rightKeys = this.right();
    if (misfits.areAnotherSetup(tensors, rightKeys))
      return this.#reported('unaligned', { first: null, judged: new Map(), causes: [] });
    const judgement = judge(this.#held, rightKeys);
    return this.#reported(judgement.first ? 'diverges' : 'match', judgement);
  }

  #reported(verdict: Report['verdict'], { first, judged, causes }: Judgement): Report {
    const { input, reference, misfits, given } = this.#held;
    return {
      ...{ verdict, first, causes },
      nodes: nodeReports(input.graph, reference, judged, misfits),
      dtype: reference.type.name,
      precision: precisionOf(reference, judged, first),
      given: input.trace.length,
      conventions: this.#isOutIn ? [OUT_IN] : [],
      compared: verdict === 'unaligned' ? 0 : given.size + misfits.agree,
      unaligned: this.#unaligned,
    };
  }
}
