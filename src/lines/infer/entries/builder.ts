// Collects what is inferred, entry by entry.
import type { HeadConfig } from '../../../engine/config.ts';
import type { Tensor } from '../../../engine/tensor.ts';
import type { Event, Recording } from '../../recorded/recording.ts';
import { type Factor, gather, type Layout } from '../values/layout.ts';
import type { Model } from '../model.ts';
import { roleOf, weightRole } from '../values/names.ts';
import type { Root } from '../operands/roots.ts';
import { type Steps, stepsBetween } from '../operands/steps.ts';
import type { Operand } from '../operands/trace.ts';
import type { Binding, EventKey, From, Inferred, Question } from '../types.ts';
import type { Value, Values } from '../values/values.ts';

type Mutable<T> = { -readonly [Key in keyof T]: T[Key] };

/** What is known while a setup is put together. */
export interface Context {
  readonly values: Values;
  readonly model: Model;
  readonly build: Builder;
  readonly config: Mutable<HeadConfig>;
  /** Whether the weights' key axis comes before that of the queries. */
  readonly keyFirst: boolean;
  /** Whether queries, keys and values are taken in this order out of one weight or list. */
  readonly isOrdered: boolean;
}

export class Builder {
  readonly bindings: Binding[] = [];
  readonly inferred: Inferred[] = [];
  readonly questions: Question[] = [];
  /** What entries were read from. */
  readonly used = new Set<Value>();
  /** The output of the attention with all around it. */
  last?: Value;
  /** Whether y goes on into something that no entry describes. */
  isInner = false;
  /** Whether a learned bias is added to the scores. */
  isBiased = false;
  readonly #values: Values;
  readonly #occurrences: ReadonlyMap<Event, EventKey>;

  constructor(values: Values) {
    this.#values = values;
    this.#occurrences = eventKeys(values.recording);
  }

  /** The tensor of an entry, bound to what it was recorded in. */
  tensor(entry: string, value: Value, layout: Layout, note: string, sure = true): Tensor {
    const place = recordedPlace(value, layout);
    this.use(place?.value ?? value);
    if (place) {
      const { parts, grid, tensor } = place.value;
      const keys = parts.map((event) => this.#occurrences.get(event) as EventKey);
      this.bindings.push({ entry, keys, grid, shape: tensor.shape, layout: place.layout });
    }
    this.note(entry, value, note, sure);
    return gather(value.tensor, layout);
  }

  /** Notes that a value, and all pieces of it, are known. */
  use(value: Value): void {
    this.used.add(value);
    for (const { id } of value.parts) {
      const own = this.#values.ofEvent(id);
      if (own) this.used.add(own);
    }
  }

  note(entry: string, value: Value | null, note: string, sure = true): void {
    this.inferred.push({ entry, from: this.placeOf(value), sure, note });
  }

  ask(entry: string, guess: unknown, alternatives: readonly unknown[], why: string): void {
    this.questions.push({ entry, guess, alternatives, why });
  }

  placeOf(value: Value | null): From {
    const { recording } = this.#values;
    const statement = recording.statements[value?.parts[0]?.statement ?? 0];
    const { line, cell } = statement;
    const { path } = recording.files[statement.file];
    return { file: path, line, ...(cell !== undefined && { cell }) };
  }
}

/** The recorded tensor that a layout of a view reads, and how it lies there; null where it is nowhere recorded. */
function recordedPlace(
  value: Value,
  layout: Layout,
): { readonly value: Value; readonly layout: Layout } | null {
  if (!value.isVirtual) return { value: value.flat ?? value, layout };
  if (!value.view) return null;
  const { of, places } = value.view;
  const offset = places[layout.offset];
  const axes = layout.axes.map((axis) =>
    axis.map(({ size, stride }) => ({
      size,
      stride: size > 1 ? places[layout.offset + stride] - offset : 0,
    })),
  );
  return recordedPlace(of, { offset, axes });
}

/** The keys of all events. */
export function eventKeys({ events, statements }: Recording): Map<Event, EventKey> {
  const counts = new Map<string, number>();
  return new Map(
    events.map((event) => {
      const { statement, name, how } = event;
      const key = `${statement} ${how} ${name}`;
      const occurrence = counts.get(key) ?? 0;
      counts.set(key, occurrence + 1);
      return [event, { file: statements[statement].file, statement, name, how, occurrence }];
    }),
  );
}

export const merged = (axes: readonly Factor[]): Factor[] => axes.filter(({ size }) => size > 1);
export const stored = (axes: readonly Factor[]): Factor[] =>
  axes.filter(({ size, stride }) => size > 1 && stride !== 0);

/** (batch, tokens, features): several batch axes as one, none left out. */
export function tokens(
  batch: readonly Factor[],
  token: Factor,
  features: readonly Factor[],
): Layout {
  const axes = [[token], [...features]];
  return { offset: 0, axes: batch.length > 0 ? [[...batch], ...axes] : axes };
}

/** What a root begins with, with the axes of its operand. */
export const fromOf = ({ projection, start, operand }: Root): Operand =>
  projection?.of ?? start ?? operand;

/** What is done to what a root begins with: a multiple of it, a norm, turned by position; not known where all fail. */
export function stepsOf(
  { values, heads }: Pick<Model, 'values' | 'heads'>,
  root: Root,
): Steps & { readonly isKnown: boolean } {
  const cached = known.get(root);
  if (cached) return cached;
  const from = root.projection?.of ?? root.start;
  const own = root.projection?.factor ?? 1;
  const steps = from ? stepsBetween(values, root.operand, from, heads) : null;
  const found = steps
    ? { ...steps, factor: own * steps.factor, isKnown: true }
    : { factor: own, rope: null, norm: null, isKnown: false };
  known.set(root, found);
  return found;
}

const known = new WeakMap<Root, Steps & { readonly isKnown: boolean }>();

/** What a person would call it: the name that says what it is, else the first. */
export function nameOf({ events, parts }: Value): string {
  const names = events.map(({ name }) => name);
  return names.find((name) => weightRole(name) ?? roleOf(name)) ?? names[0] ?? parts[0].name;
}

/** Columns of a projection: heads that are shared once, features last. */
export function withFeature(out: readonly Factor[]): Factor[] {
  const feature = out[out.length - 1];
  return [...stored(out.slice(0, -1)), feature];
}
