// From the recording of a program to the setup of the attention that it means to compute, each entry with its line.
import { ConfigError, type HeadConfig, type Mask } from '../../engine/config.ts';
import { buildGraph } from '../../engine/heads/build.ts';
import { alibiSlopes } from '../../engine/heads/mask.ts';
import { sizeOf, type Tensor } from '../../engine/tensor.ts';
import type { Event, Recording } from '../recording.ts';
import { type Factor, gather, type Layout, lengthOf } from './layout.ts';
import { findLoss, type FoundLoss, type Output as LossOutput, type Placed } from './loss.ts';
import { byHead, findBias } from './bias.ts';
import { findDropout, findMask, type FoundMask } from './maskFound.ts';
import { biasBeside, meantProjection, unusedBias } from './guess.ts';
import { findModels, type Model, takenBy } from './model.ts';
import { isGradientName, roleOf, weightRole } from './names.ts';
import { mixedAxes, tokenReadings } from './output.ts';
import { haveSameNumbers } from './lookup.ts';
import { type Rope, ropeOf } from './rope.ts';
import type { Root } from './roots.ts';
import { scaleOf } from './scale.ts';
import { multipleOf, scoreLayout } from './scores.ts';
import { type Operand, type Projection, sameAxes } from './trace.ts';
import { isGradient, type Value, Values } from './values.ts';

export interface InferOptions {
  /** Only what this function records, with what it was given: "MHA.forward". */
  readonly function?: string;
}

export interface From {
  readonly file: string;
  readonly line: number;
  readonly cell?: number;
}

export interface Inferred {
  /** Where in the setup: "weights.W_Q", "loss.target", "scale". */
  readonly entry: string;
  readonly from: From;
  readonly sure: boolean;
  readonly note: string;
}

export interface Question {
  readonly entry: string;
  /** What was taken. */
  readonly guess: unknown;
  readonly alternatives: readonly unknown[];
  readonly why: string;
}

/** Which event holds a tensor of the setup, wherever the same program makes it again. */
export interface EventKey {
  readonly file: number;
  readonly statement: number;
  readonly name: string;
  readonly how: Event['how'];
  /** Among the events of this statement, name and kind, from 0. */
  readonly occurrence: number;
}

/** A tensor of the setup: events side by side along a new first axis (of lengths `grid`), read by `layout`. */
export interface Binding {
  readonly entry: string;
  readonly keys: readonly EventKey[];
  readonly grid: readonly number[];
  readonly shape: readonly number[];
  readonly layout: Layout;
}

export interface Inference {
  readonly config: HeadConfig;
  readonly bindings: readonly Binding[];
  readonly inferred: readonly Inferred[];
  readonly questions: readonly Question[];
  /** The function that computes it: "MHA.forward"; "" is the module. */
  readonly function: string;
}

type Mutable<T> = { -readonly [Key in keyof T]: T[Key] };

class Builder {
  readonly bindings: Binding[] = [];
  readonly inferred: Inferred[] = [];
  readonly questions: Question[] = [];
  readonly #values: Values;
  readonly #occurrences: ReadonlyMap<Event, EventKey>;

  constructor(values: Values) {
    this.#values = values;
    this.#occurrences = eventKeys(values.recording);
  }

  /** The tensor of an entry, bound to what it was recorded in. */
  tensor(entry: string, value: Value, layout: Layout, note: string, sure = true): Tensor {
    const keys = value.parts.map((event) => this.#occurrences.get(event) as EventKey);
    const { shape } = value.tensor;
    this.bindings.push({ entry, keys, grid: value.grid, shape, layout });
    this.note(entry, value, note, sure);
    return gather(value.tensor, layout);
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

const merged = (axes: readonly Factor[]): Factor[] => axes.filter(({ size }) => size > 1);
const stored = (axes: readonly Factor[]): Factor[] =>
  axes.filter(({ size, stride }) => size > 1 && stride !== 0);

/** (batch, tokens, features): several batch axes as one, none left out. */
function tokens(batch: readonly Factor[], token: Factor, features: readonly Factor[]): Layout {
  const axes = [[token], [...features]];
  return { offset: 0, axes: batch.length > 0 ? [[...batch], ...axes] : axes };
}

const wrap = (value: number): number => Math.atan2(Math.sin(value), Math.cos(value));

/** What a root begins with, with the axes of its operand. */
const fromOf = ({ projection, start, operand }: Root): Operand =>
  projection?.of ?? start ?? operand;

/** What an operand is of what its root begins with: a multiple, turned, or neither. */
function stepsOf(root: Root): { factor: number; rope: Rope | null; isKnown: boolean } {
  const from = root.projection?.of ?? root.start;
  const own = root.projection?.factor ?? 1;
  if (!from) return { factor: own, rope: null, isKnown: false };
  if (from === root.operand) return { factor: own, rope: null, isKnown: true };
  const multiple = multipleOf(root.operand, from);
  if (multiple !== null) return { factor: own * multiple, rope: null, isKnown: true };
  const rope = ropeOf(root.operand, from);
  return { factor: own, rope, isKnown: rope !== null };
}

/** What a person would call it: the name that says what it is, else the first. */
function nameOf({ events, parts }: Value): string {
  const names = events.map(({ name }) => name);
  return names.find((name) => weightRole(name) ?? roleOf(name)) ?? names[0] ?? parts[0].name;
}

const isTurned = ({ query, key }: Model): boolean =>
  (stepsOf(query).rope ?? stepsOf(key).rope) !== null;

/** The attention that a recorded program means to compute; null where it computes none. */
export function infer(recording: Recording, options: InferOptions = {}): Inference | null {
  const values = new Values(recording, within(recording, options));
  for (const model of findModels(values)) {
    const found = new Inferring(values, model).result();
    if (isComputable(found.config)) return found;
  }
  return null;
}

function isComputable(config: HeadConfig): boolean {
  try {
    buildGraph(config);
    return true;
  } catch (error) {
    if (error instanceof ConfigError) return false;
    throw error;
  }
}

/** Events of a function, and those before its first call. */
function within(recording: Recording, { function: name }: InferOptions): (event: Event) => boolean {
  void recording;
  void name;
  return () => true;
}

class Inferring {
  readonly #values: Values;
  readonly #model: Model;
  readonly #build: Builder;
  readonly #config: Mutable<HeadConfig>;
  readonly #keyFirst: boolean;
  #isOrdered = true;

  constructor(values: Values, model: Model) {
    this.#values = values;
    this.#model = model;
    this.#build = new Builder(values);
    const { told, heads, output } = model;
    this.#keyFirst = told.keyAxis < told.queryAxis;
    const needsHeads =
      heads.length > 0 || output !== null || model.past !== null || isTurned(model);
    const head = this.#isPlain() ? 'kq' : needsHeads ? 'multihead' : 'qkv';
    this.#config = {
      head,
      weights: {},
      heads: 1,
      kvHeads: 1,
      mask: 'none',
      loss: { kind: 'half-squared-norm' },
      axes: this.#keyFirst ? 'key-first' : 'query-first',
    };
  }

  result(): Inference {
    const { told, output, mixed } = this.#model;
    this.#heads();
    this.#inputs();
    this.#past();
    this.#rope();
    this.#scores();
    this.#mask();
    this.#output();
    this.#loss();
    const config: HeadConfig = this.#config;
    const stages = [told.query.value, told.key.value, told.site.weights, mixed?.output, output?.y];
    const { bindings, inferred, questions } = this.#build;
    const name = functionOf(this.#values, stages.filter((each) => each !== undefined));
    return { config, bindings, inferred, questions, function: name };
  }

  /** Whether the values are the inputs themselves: the exercise's head. */
  #isPlain(): boolean {
    const { key, value, heads } = this.#model;
    const x = key.projection?.x;
    return heads.length === 0 && x !== undefined && value?.start?.value === x;
  }

  #heads(): void {
    const { heads, told, key } = this.#model;
    const { shape } = told.site.weights.tensor;
    const count = sizeOf(heads.map((axis) => shape[axis]));
    this.#config.heads = count;
    this.#config.kvHeads = count === 1 ? 1 : this.#headsOf(key);
    if (this.#config.head !== 'multihead') return;
    this.#build.note('heads', told.query.value, `${count} heads of ${told.query.feature.size}`);
    if (this.#config.kvHeads !== count)
      this.#build.note('kvHeads', told.key.value, `${this.#config.kvHeads} heads of keys and values`);
  }

  /** Heads of a root that are stored each for itself. */
  #headsOf(root: Root): number {
    const { heads } = this.#model;
    const { projection, start } = root;
    if (projection) return lengthOf(stored(projection.weightLayout.axes[1].slice(0, -1)));
    const from = start ?? root.operand;
    return sizeOf(heads.map((axis) => from.outer.get(axis)?.size ?? 1));
  }

  #inputs(): void {
    const { query, key, value } = this.#model;
    const x = (key.projection ?? value?.projection)?.x;
    const xPrime = query.projection?.x;
    if (xPrime && x && xPrime !== x) this.#x('xPrime', query.projection as Projection);
    const first = key.projection ?? value?.projection ?? query.projection;
    if (first) this.#x('x', first);
    else if (this.#config.head === 'kq' && value?.start) this.#start('V', value);
    this.#isOrdered = inUsualOrder([query, key, value]);
    if (!this.#isOrdered) {
      const why = 'queries, keys and values are not taken in this order';
      this.#build.ask('weights', 'as written', ['in the order Q, K, V'], why);
    }
    this.#projection('Q', query);
    this.#projection('K', key);
    if (value && this.#config.head !== 'kq') this.#projection('V', value);
  }

  #x(entry: 'x' | 'xPrime', { x, xLayout }: Projection): void {
    const factors = xLayout.axes.flat();
    const [token, feature] = factors.slice(-2);
    const layout = tokens(merged(factors.slice(0, -2)), token, [feature]);
    const why = entry === 'x' ? 'keys are projected from it' : 'queries are projected from it';
    this.#config[entry] = this.#build.tensor(entry, x, layout, `${nameOf(x)}: ${why}`);
  }

  #projection(letter: 'Q' | 'K' | 'V', root: Root): void {
    const projection = this.#meant(letter, root) ?? root.projection;
    if (!projection) return this.#start(letter, root);
    const { weight, weightLayout } = projection;
    const [summed, out] = weightLayout.axes;
    const layout = { offset: weightLayout.offset, axes: [summed, withFeature(out)] };
    const entry = `weights.W_${letter}`;
    const note = `${nameOf(weight)}, as in ${nameOf(projection.of.value)}`;
    const weights = { ...this.#config.weights };
    const sure = projection.guess === undefined && this.#isOrdered;
    weights[`W_${letter}`] = this.#build.tensor(entry, weight, layout, note, sure);
    if (projection.guess !== undefined)
      this.#build.ask(entry, nameOf(weight), ['as written'], projection.guess);
    this.#bias(letter, projection, weights);
    this.#config.weights = weights;
  }

  /** The projection that the names mean, where they do not mean the one that is used. */
  #meant(letter: 'Q' | 'K' | 'V', root: Root): Projection | null {
    const { query, key, value } = this.#model;
    const all = {
      ...(query.projection && { Q: query.projection }),
      ...(key.projection && { K: key.projection }),
      ...(value?.projection && { V: value.projection }),
    };
    return meantProjection(this.#values, letter, root.operand, all);
  }

  /** The bias of a projection; one that is left over and called so was forgotten. */
  #bias(
    letter: 'Q' | 'K' | 'V',
    projection: Projection,
    weights: Mutable<HeadConfig['weights']>,
  ): void {
    const { bias, weightLayout } = projection;
    const entry = `weights.b_${letter}`;
    const out = withFeature(weightLayout.axes[1]);
    if (!bias) {
      const { query, key, value } = this.#model;
      const taken = takenBy([query, key, value]);
      const unused = unusedBias(this.#values, letter, lengthOf(out), taken);
      if (!unused) return;
      const why = `${nameOf(unused)} is never added to ${nameOf(projection.of.value)}`;
      const layout = { offset: 0, axes: [[{ size: lengthOf(out), stride: 1 }]] };
      weights[`b_${letter}`] = this.#build.tensor(entry, unused, layout, why, false);
      this.#build.ask(entry, nameOf(unused), ['none'], why);
      return;
    }
    const own = { offset: bias.layout.offset, axes: [withFeature(bias.layout.axes[0])] };
    const about = `${nameOf(bias.value)}, as in ${nameOf(projection.of.value)}`;
    weights[`b_${letter}`] = this.#build.tensor(entry, bias.value, own, about);
  }

  #start(letter: 'Q' | 'K' | 'V', root: Root): void {
    const from = root.start ?? root.operand;
    const { batch, heads } = this.#model;
    const at = (axes: readonly number[]): Factor[] =>
      axes.flatMap((axis) => from.outer.get(axis) ?? []);
    const layout = tokens(merged(at(batch)), from.token, [...merged(at(heads)), from.feature]);
    const note = `${nameOf(from.value)}, given`;
    const isCalled = from.value.events.some(({ name }) => roleOf(name) === letter);
    const sure = root.start !== undefined && (isCalled || !this.#model.mixed?.isGuess);
    const tensor = this.#build.tensor(`start.${letter}`, from.value, layout, note, sure);
    this.#config.start = { ...this.#config.start, [letter]: tensor };
    if (!sure)
      this.#build.ask(`start.${letter}`, nameOf(from.value), [], 'no x and weight give it');
  }

  /** How many keys stand before those of x. */
  get #earlier(): number {
    return this.#model.past?.K.token.size ?? 0;
  }

  #past(): void {
    const { past, batch, heads } = this.#model;
    if (!past) return;
    const bound = (letter: 'K' | 'V'): Tensor => {
      const { value, outer, token, feature } = past[letter];
      const at = (axes: readonly number[]): Factor[] =>
        axes.flatMap((axis) => outer.get(axis) ?? []);
      const batches = merged(at(batch));
      const layout = { offset: 0, axes: [at(heads), [token], [feature]] };
      if (batches.length > 0) layout.axes.unshift(batches);
      return this.#build.tensor(
        `past.${letter}`,
        value,
        layout,
        `${nameOf(value)}: of earlier tokens`,
      );
    };
    this.#config.past = { K: bound('K'), V: bound('V') };
  }

  #rope(): void {
    const { query, key } = this.#model;
    const [q, k] = [stepsOf(query), stepsOf(key)];
    const found = q.rope ?? k.rope;
    const value = q.rope ? query.operand.value : key.operand.value;
    if (found) {
      const { base, pairing } = found;
      this.#config.rope = { base, pairing };
      const isUsual = Number(base.toPrecision(4)) === base;
      const note = `queries and keys turn with their position, base ${base}, pairs ${pairing}`;
      this.#build.note('rope', value, note, isUsual);
      if (!isUsual) this.#build.ask('rope.base', base, [10000], 'it is no round number');
      const isSame = q.rope && k.rope && Math.abs(wrap(q.rope.start - k.rope.start)) < 0.01;
      if (q.rope && k.rope && !isSame)
        this.#build.ask(
          'rope',
          'the same positions',
          [],
          'queries and keys begin at other positions',
        );
      return;
    }
    const isOther = (steps: typeof q, root: Root): boolean =>
      !steps.isKnown && root.projection !== undefined && root.projection.guess === undefined;
    if (isOther(q, query) || isOther(k, key)) this.#unknownTurn();
  }

  /** Something is done to projections before they meet: turned, by the names, and not as it should be. */
  #unknownTurn(): void {
    const { recording, numbers } = this.#values;
    const texts = recording.statements.map(({ text }) => text).join('\n');
    const { query } = this.#model;
    if (haveSameNumbers(query.operand.value.tensor, fromOf(query).value.tensor, 1e-6)) return;
    if (!/\b(?:cos|sin|polar|rotate\w*|rope\w*|rotary\w*)\b/i.test(texts)) {
      const why = 'queries and keys are no projections and not turned';
      return this.#build.ask('start', 'as projected', [], why);
    }
    const named = numbers.find(({ name }) => /base|theta/i.test(name))?.value;
    const literal = /(?:base|theta)\w*\s*[=:][^=\n]*?(\d+(?:\.\d*)?)/i.exec(texts)?.[1];
    const base = named ?? Number(literal ?? 10000);
    const isPaired = /::\s*2|, 2\)|complex/.test(texts);
    const pairing = isPaired ? 'interleaved' : 'half';
    this.#config.rope = { base, pairing };
    const note = `assumed, base ${base}, pairs ${pairing}: queries are turned in another way`;
    this.#build.note('rope', query.operand.value, note, false);
    this.#build.ask('rope', { base, pairing }, ['none'], note);
  }

  #scores(): void {
    const { told, query, key } = this.#model;
    const { site } = told;
    const before = stepsOf(query).factor * stepsOf(key).factor;
    const { cap } = site;
    if (cap !== undefined) {
      this.#config.softcap = cap;
      this.#build.note('softcap', site.scores, `scores are capped at ${cap}`);
    }
    const factor = site.product.factor * before;
    const found = scaleOf(this.#values, factor, told.query.feature.size, {
      isPlain: this.#config.head === 'kq',
      others: [],
      eps: site.scores.eps,
    });
    if (found.scale !== undefined) this.#config.scale = found.scale;
    this.#build.note('scale', site.scores, found.note, found.sure);
    if (!found.sure) {
      const guess = found.scale ?? '1/sqrt(d)';
      const other = found.written === found.scale ? ['1/sqrt(d)'] : [found.written];
      this.#build.ask('scale', guess, other, found.note);
    }
  }

  #mask(): void {
    const found = findMask(this.#model, this.#earlier);
    const value = found.from ?? this.#model.told.site.scores;
    if (found.window !== undefined) {
      this.#config.window = found.window;
      this.#build.note('window', value, `a query sees keys at a distance below ${found.window}`);
      this.#askWindow(found.window);
    }
    if (found.mask === 'given') this.#givenMask(found);
    else {
      this.#config.mask = found.mask;
      const note = found.off ? `${found.mask} assumed; the program’s mask ${found.off}` : found.mask;
      this.#build.note('mask', value, note, !found.off);
      if (found.off) this.#build.ask('mask', found.mask, ['as written'], note);
    }
    this.#addedBias();
    const dropout = findDropout(this.#model);
    if (!dropout) return;
    const { p, keep, layout, from } = dropout;
    const note = `${nameOf(keep)}: what is not dropped`;
    const tensor = this.#build.tensor('dropout.keep', keep, this.#scoreAxes(layout), note);
    this.#build.note('dropout.p', from, `p = ${p}`);
    this.#config.dropout = { p, keep: tensor };
  }

  /** What is added to the scores: ALiBi, or a bias that a given mask must then hold. */
  #addedBias(): void {
    const { told, heads } = this.#model;
    const found = findBias(this.#values, told, this.#earlier);
    if (!found) return;
    const { shape } = told.site.weights.tensor;
    const count = sizeOf(heads.map((axis) => shape[axis]));
    const slopes = found.slopes && byHead(found.slopes, count);
    const { scores } = told.site;
    if (slopes) {
      const usual = alibiSlopes(count);
      const isUsual = slopes.every((slope, n) => Math.abs(slope / usual[n] - 1) < 1e-3);
      this.#config.alibi = isUsual ? true : { shape: [count], data: slopes };
      const note = `slopes of the distances: ${Array.from(slopes, (each) => Number(each.toPrecision(4))).join(', ')}`;
      return this.#build.note('alibi', scores, note);
    }
    if (!found.value) return;
    const weights = gather(told.site.weights.tensor, scoreLayout(told)).data;
    const data = found.added.data.map((value, n) => (weights[n] > 0 ? value : -Infinity));
    const whole = { shape: found.added.shape, data };
    const [, queries, keys] = whole.shape;
    let stride = whole.data.length;
    const outer = told.site.outer.map((axis) => {
      stride /= shape[axis];
      return { size: shape[axis], stride };
    });
    const axes = [outer, [{ size: queries, stride: keys }], [{ size: keys, stride: 1 }]];
    const layout = this.#scoreAxes({ offset: 0, axes });
    this.#config.mask = { tensor: gather(whole, layout), meaning: 'add' };
    delete this.#config.window;
    this.#build.note('mask', found.value, `${nameOf(found.value)} is added to the scores`);
  }

  /** A window told by its mask, where the program calls another number its window. */
  #askWindow(window: number): void {
    const named = this.#values.numbers.find(
      ({ name, value }) => /window|^w$/i.test(name) && value !== undefined && value === window - 1,
    );
    const equal = this.#values.numbers.some(
      ({ name, value }) => /window|^w$/i.test(name) && value === window,
    );
    if (named && !equal) {
      const why = `${named.name} is ${named.value}; the mask shows keys up to that distance`;
      this.#build.ask('window', window, [named.value], why);
    }
  }

  /** ([outer], query, key) as the setup's mask: (batch, heads, its own axes). */
  #scoreAxes({ offset, axes: [outer, query, key] }: Layout): Layout {
    const { told, batch } = this.#model;
    const { site } = told;
    const isBatch = (n: number): boolean => batch.includes(site.outer[n]);
    const batches = outer.filter((_, n) => isBatch(n));
    const heads = outer.filter((_, n) => !isBatch(n));
    const last = this.#keyFirst ? [key, query] : [query, key];
    if (this.#config.head === 'multihead') return { offset, axes: [batches, heads, ...last] };
    return { offset, axes: batches.length > 0 ? [batches, ...last] : last };
  }

  #givenMask({ pattern, recorded, from, off }: FoundMask): void {
    if (!pattern) return;
    const sure = off === undefined;
    if (off !== undefined) {
      const guess = recorded ? nameOf(recorded.value) : 'the keys whose weights are not 0';
      this.#build.ask('mask', guess, ['none', 'causal'], `the program’s mask ${off}`);
    }
    const meaning = recorded?.hides ? 'ignore' : 'attend';
    if (recorded) {
      const { value, layout } = recorded;
      const axes = this.#scoreAxes(layout);
      const isAdditive = value.tensor.data.some((each) => each <= -1e4);
      const note = `${nameOf(value)}: what a query may see`;
      const tensor = this.#build.tensor('mask', value, axes, note, sure);
      this.#config.mask = { tensor, meaning: isAdditive ? 'add' : meaning } as Mask;
      return;
    }
    const { blocks, queries, keys, visible } = pattern;
    const { told } = this.#model;
    const { shape } = told.site.weights.tensor;
    const outer: Factor[] = [];
    let stride = blocks * queries * keys;
    for (const axis of told.site.outer) {
      stride /= shape[axis];
      outer.push({ size: shape[axis], stride });
    }
    const layout = this.#scoreAxes({
      offset: 0,
      axes: [outer, [{ size: queries, stride: keys }], [{ size: keys, stride: 1 }]],
    });
    const whole = { shape: [visible.length], data: Float64Array.from(visible) };
    this.#config.mask = { tensor: gather(whole, layout), meaning: 'attend' };
    this.#build.note('mask', from, 'the keys whose weights are 0 are hidden', sure);
  }

  #output(): void {
    const { output } = this.#model;
    if (!output) return;
    const { weight, weightLayout, bias } = output;
    const weights = { ...this.#config.weights };
    const note = `${nameOf(weight)}, as in ${nameOf(output.y)}`;
    const sure = !output.isGuess || weightRole(nameOf(weight)) === 'O';
    weights.W_O = this.#build.tensor('weights.W_O', weight, weightLayout, note, sure);
    if (!sure) this.#build.ask('weights.W_O', nameOf(weight), ['none'], 'y is not projected by it');
    if (bias) {
      const about = `${nameOf(bias.value)}, as in ${nameOf(output.y)}`;
      weights.b_O = this.#build.tensor('weights.b_O', bias.value, bias.layout, about);
    } else if (output.isGuess) {
      const own = biasBeside(this.#values, weight);
      const layout = own && { offset: 0, axes: [[{ size: own.tensor.data.length, stride: 1 }]] };
      if (own && layout)
        weights.b_O = this.#build.tensor('weights.b_O', own, layout, 'the bias of W_O', sure);
    }
    this.#config.weights = weights;
  }

  /** y as (batch, query, feature), and how to read other tensors so. */
  #lossOutput(): LossOutput | null {
    const { output, mixed, batch, heads, told, lookup } = this.#model;
    if (output) {
      const { operand, y } = output;
      const sizes = batch.map((axis) => ({ axis, size: operand.outer.get(axis)?.size ?? 1 }));
      const asLayout = (each: Operand): Layout =>
        tokens(merged([...each.outer.values()]), each.token, [each.feature]);
      return {
        ...{ y: gather(y.tensor, asLayout(operand)), eps: y.eps, time: y.time },
        family: lookup.find(y.tensor, y.eps),
        readings: (value) => tokenReadings(value, sizes, operand.token.size).map(asLayout),
      };
    }
    if (!mixed) return null;
    const { outer } = told.site;
    const { rows, cols } = mixedAxes(mixed.tensor, outer, heads);
    const y = gather(mixed.tensor, tokens(merged(rows.slice(0, -1)), rows[rows.length - 1], cols));
    const { shape } = mixed.tensor;
    const own: Operand = {
      value: mixed.output,
      outer: new Map(outer.map((axis, n) => [axis, { size: shape[n], stride: 0 }])),
      token: { size: shape[outer.length], stride: 0 },
      feature: { size: shape[outer.length + 1], stride: 0 },
    };
    const asLayout = (each: Operand): Layout => {
      const at = (axes: readonly number[]): Factor[] =>
        axes.flatMap((axis) => each.outer.get(axis) ?? []);
      return tokens(merged(at(batch)), each.token, [...merged(at(heads)), each.feature]);
    };
    return {
      ...{ y, eps: mixed.output.eps, time: mixed.output.time },
      family: lookup.find(mixed.tensor, mixed.output.eps),
      readings: (value) => sameAxes(value, own).map(asLayout),
    };
  }

  #loss(): void {
    const output = this.#lossOutput();
    const found = output && findLoss(this.#values, output);
    if (!found) {
      this.#build.note('loss', null, 'half the squared norm of y assumed', false);
      const hasBackward = this.#values.all.some(
        ({ parts }) => parts.some(isGradient) || parts.some(({ name }) => isGradientName(name)),
      );
      if (hasBackward)
        this.#build.ask('loss', 'sum(y .^ 2) / 2', [], 'no gradient of y and no loss was found');
      return;
    }
    this.#config.loss = this.#lossOf(found, sizeOf(output.y.shape));
    if (!found.sure)
      this.#build.ask('loss', found.note, found.alternatives ?? [], 'loss and gradient disagree');
  }

  #lossOf(found: FoundLoss, entries: number): HeadConfig['loss'] {
    const { kind, factor, note, sure, from } = found;
    const bound = (entry: string): Tensor => {
      const { value, layout } = found.given as Placed;
      return this.#build.tensor(entry, value, layout, `${nameOf(value)}: ${note}`, sure);
    };
    const times = (terms: string, by: number): string => expression(terms, by, entries);
    const constants: Record<string, Tensor> = {};
    switch (kind) {
      case 'upstream':
        return { kind, G: bound('loss.upstream') };
      case 'target':
        if (Math.abs(factor - 1) < 1e-6) return { kind, T: bound('loss.target') };
        constants.T = bound('loss.constants.T');
        return { kind: 'expression', constants, expression: times('sum((y - T) .^ 2)', factor / 2) };
      case 'squares':
        this.#build.note('loss', from, note, sure);
        if (Math.abs(factor - 1) < 1e-6) return { kind: 'half-squared-norm' };
        return { kind: 'expression', constants, expression: times('sum(y .^ 2)', factor / 2) };
      case 'elementwise': {
        this.#build.note('loss', from, note, sure);
        const terms = `sum(${(found.terms ?? 'Y').replaceAll('Y', 'y')})`;
        return { kind: 'expression', constants, expression: times(terms, factor) };
      }
      case 'sum':
        this.#build.note('loss', from, note, sure);
        return { kind: 'expression', constants, expression: times('sum(y)', factor) };
    }
  }
}

/** terms times a number, written as people do: over a whole number where it is one. */
function expression(terms: string, by: number, entries: number): string {
  if (Math.abs(by - 1) < 1e-6) return terms;
  for (const over of [2, entries, 2 * entries, Math.round(1 / by)])
    if (over > 0 && Math.abs(by * over - 1) < 1e-4) return `${terms} / ${over}`;
  return `${Number(by.toPrecision(12))} * ${terms}`;
}

/** Whether parts of one weight, or weights of one list, are taken in the order Q, K, V. */
function inUsualOrder(roots: readonly (Root | null)[]): boolean {
  const projections = roots.flatMap((root) => (root?.projection ? [root.projection] : []));
  const places = projections.map(({ weight, weightLayout }) => {
    const number = /(?:^|[.[])(\d+)(?:\]|\.weight|$)/.exec(nameOf(weight));
    const base = nameOf(weight).replaceAll(/\d+/g, '#');
    return { base, weight, number: number && Number(number[1]), offset: weightLayout.offset };
  });
  const [first] = places;
  if (places.length < 3) return true;
  const isAscending = (all: readonly number[]): boolean =>
    all.every((each, n) => n === 0 || each > all[n - 1]);
  if (places.every(({ weight }) => weight === first.weight))
    return isAscending(places.map(({ offset }) => offset));
  const numbers = places.map(({ number }) => number);
  if (places.some(({ base }) => base !== first.base) || new Set(numbers).size < 3) return true;
  return isAscending(numbers.map(Number));
}

/** The function in which most of the stages are bound: of the module's own and a function's, the function. */
function functionOf({ recording }: Values, stages: readonly Value[]): string {
  const { statements, functions } = recording;
  const counts = new Map<number, number>();
  for (const { events } of stages) {
    const own = events.filter((event) => event.how !== 'argument' && !isGradient(event));
    for (const each of new Set(own.map(({ statement }) => statements[statement].function)))
      counts.set(each, (counts.get(each) ?? 0) + 1);
  }
  const isOwn = (n: number): number => (functions[n].name === '' ? 0 : 1);
  const [best] = [...counts].toSorted(([a, x], [b, y]) => y - x || isOwn(b) - isOwn(a));
  return best ? functions[best[0]].name : '';
}

/** Columns of a projection: heads that are shared once, features last. */
function withFeature(out: readonly Factor[]): Factor[] {
  const feature = out[out.length - 1];
  return [...stored(out.slice(0, -1)), feature];
}

