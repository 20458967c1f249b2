// The attention that a recording shows, put together: its operands, heads, weights and output.
import { withSameBatches } from './broadcast.ts';
import { hiddenOutput } from './hidden.ts';
import { type Latent, latentOf } from './latent.ts';
import { Lookup } from './lookup.ts';
import { guessMixed, guessOutput } from './guess.ts';
import { type Gate, gateOf } from './gates.ts';
import { findMixed, type Mixed, readings, weightedSum } from './mixed.ts';
import { isGradientName, namesOf, roleOf } from './names.ts';
import { type Output, outputsOf } from './output.ts';
import { type Nulls, nullsOf } from './nulls.ts';
import { pastOf } from './past.ts';
import { rootOf, type Root } from './roots.ts';
import { queryIsLeft, tell, type Told } from './scores.ts';
import { findSites, type Site } from './site.ts';
import type { Operand, Projection } from './trace.ts';
import { isGradient, type Value, type Values } from './values.ts';
import { tiledSites } from './tiles.ts';
import { unmergedSites } from './unmerged.ts';
import { addViews } from './views.ts';
import { addProducts, addSoftmaxes, addSummands } from './virtual.ts';

export interface Model {
  readonly values: Values;
  readonly lookup: Lookup;
  readonly told: Told;
  readonly mixed: Mixed | null;
  readonly query: Root;
  readonly key: Root;
  readonly value: Root | null;
  /** Axes of the weights: of batches, and of heads. */
  readonly batch: readonly number[];
  readonly heads: readonly number[];
  readonly output: Output | null;
  /** Between the weighted sums and the output. */
  readonly gate: Gate | null;
  /** Keys and values of earlier tokens. */
  readonly past: { readonly K: Operand; readonly V: Operand } | null;
  /** Where keys and values are made from latents. */
  readonly latent: Latent | null;
  /** Keys and values that are no tokens. */
  readonly nulls: { readonly K: Nulls; readonly V: Nulls } | null;
  /** How sure it is which operand holds the queries. */
  readonly margin: number;
}

/** So many times all tensors are gone through for one. */
const LOOKS = 400;

/** The model that a site leads to. */
function modelOf(values: Values, lookup: Lookup, site: Site): Model {
  values.work.spend(LOOKS * values.all.length);
  const mixes = findMixed(values, lookup, site);
  const rank = (name: string): 'Q' | 'K' | undefined => {
    const role = roleOf(name);
    return role === 'Q' || role === 'K' ? role : undefined;
  };
  const { left, margin } = queryIsLeft(site, rank, mixes[0]?.key);
  const told = tell(site, left);
  let query = rootOf(values, lookup, told.query);
  let key = rootOf(values, lookup, told.key);
  const operands = [query, key].flatMap((root) => [root.operand.value, root.start?.value]);
  const taken = operands.filter((each) => each !== undefined);
  const mixed =
    mixes.find((each) => each.key === told.keyAxis) ??
    throughOutput(values, lookup, told, [query, key]) ??
    turned(mixes[0], told) ??
    guessMixed(values, told, taken);
  let value = mixed && rootOf(values, lookup, mixed.values);
  const [pastKeys, pastValues] = [key, value].map((root) =>
    root && !root.projection && !root.start ? pastOf(values, root.operand) : null,
  );
  if (pastKeys) key = rootOf(values, lookup, pastKeys.rest);
  if (pastValues) value = rootOf(values, lookup, pastValues.rest);
  const past = pastKeys && pastValues && { K: pastKeys.earlier, V: pastValues.earlier };
  const nulls = nullsBehind(values, key, value);
  if (nulls) {
    key = rootOf(values, lookup, nulls.K.rest);
    value = rootOf(values, lookup, nulls.V.rest);
  }
  const latent =
    value && !key.projection && !key.start ? latentOf(values, lookup, told.query, told.key) : null;
  if (latent) ({ query, key } = latent);
  [query, key, value] = withSameBatches(values, [query, key, value] as const);
  const { batch, heads } = splitOuter(values, site, [query, key, value]);
  const found = {
    ...{
      values,
      lookup,
      told,
      mixed,
      query,
      key,
      value,
      batch,
      heads,
      past,
      latent,
      nulls,
      margin,
    },
  };
  return { ...found, ...outputOf(found) };
}

/** Keys and values that are no tokens, where neither are projections as they stand. */
function nullsBehind(values: Values, key: Root, value: Root | null): Model['nulls'] {
  if (!value || key.projection || key.start || value.projection || value.start) return null;
  const [K, V] = [nullsOf(values, key.operand), nullsOf(values, value.operand)];
  return K && V && K.count === V.count ? { K, V } : null;
}

/** How many tensors are tried as values that only the output tells. */
const VALUES = 10;

/** The weighted sum that is nowhere recorded by itself, told by the y that it is projected to. */
function throughOutput(
  values: Values,
  lookup: Lookup,
  told: Told,
  roots: readonly Root[],
): Mixed | null {
  const { site, keyAxis } = told;
  const { heads } = splitOuter(values, site, roots);
  const streams = streamsOf(values, roots[0].projection);
  const taken = roots.map(({ operand }) => operand.value);
  const isCalled = (value: Value): boolean => namesOf(value).some((name) => roleOf(name) === 'V');
  const candidates = values.all
    .filter(
      (value) =>
        value.kind === 'float' &&
        !taken.includes(value) &&
        !value.parts.some(isGradient) &&
        !namesOf(value).some((name) => isGradientName(name)) &&
        !values.descends(value, site.weights) &&
        value.tensor.data.every(Number.isFinite),
    )
    .sort((a, b) => Number(isCalled(b)) - Number(isCalled(a)));
  for (const value of candidates.slice(0, VALUES)) {
    for (const reading of readings(value, site)) {
      if (reading.key !== keyAxis) continue;
      const { operand, key, query } = reading;
      const tensor = weightedSum(site.weights.tensor, site.outer, reading);
      const mixed = {
        weights: site.weights,
        key,
        query,
        values: operand,
        tensor,
        output: site.weights,
      };
      const [found] = outputsOf(values, lookup, mixed, site.outer, heads, streams);
      if (found && found.score >= 4) return mixed;
      const past = isCalled(value) ? roots[0].projection : undefined;
      const others = takenBy(roots);
      if (past && hiddenOutput(values, lookup, mixed, site.outer, heads, past, others))
        return mixed;
    }
  }
  return null;
}

/** A sum over the queries instead of the keys: the values and the person's own result. */
function turned(mixed: Mixed | undefined, { site, keyAxis, queryAxis }: Told): Mixed | null {
  const { shape } = site.weights.tensor;
  if (!mixed || shape[keyAxis] !== shape[queryAxis]) return null;
  // The gradient of the values is a sum over the queries too.
  const all = [...mixed.values.value.parts, ...mixed.output.parts];
  if (all.some(({ name }) => isGradientName(name))) return null;
  return { ...mixed, key: keyAxis, query: queryAxis, isGuess: true };
}

/** The tensors that queries, keys and values were made of. */
export const takenBy = (roots: readonly (Root | null)[]): Value[] =>
  roots.flatMap((root) => {
    const { projection, start, operand } = root ?? {};
    const all = [projection?.weight, projection?.x, projection?.bias?.value, start?.value];
    return [...all, operand?.value].filter((each) => each !== undefined);
  });

/** What may go past the attention: what queries are projected from, and what that was made of. */
function streamsOf(values: Values, projection: Projection | undefined): Value[] {
  if (!projection) return [];
  const { x } = projection;
  const ancestors = values.ancestors(x);
  const isLike = (value: Value): boolean =>
    value.kind === 'float' &&
    !value.isVirtual &&
    value.tensor.shape.join() === x.tensor.shape.join();
  return [x, ...values.all.filter((value) => ancestors.has(value.id) && isLike(value))];
}

/** y and its weight: by its numbers, through a gate, or, where a weight is left over, by names and shapes. */
function outputOf(model: Omit<Model, 'output' | 'gate'>): Pick<Model, 'output' | 'gate'> {
  const { values, lookup, told, mixed, heads, batch } = model;
  if (!mixed) return { output: null, gate: null };
  const { outer } = told.site;
  const taken = takenBy([model.query, model.key, model.value]);
  const streams = streamsOf(values, model.query.projection);
  const of = (from: Mixed): Output | undefined =>
    outputsOf(values, lookup, from, outer, heads, streams).find(
      ({ weight, y }) =>
        !taken.includes(weight) && !y.parts.some(({ name }) => isGradientName(name)),
    );
  // Where the sums are computed once more, in the backward pass, y comes of the weights and not of them.
  const own = of(mixed) ?? of({ ...mixed, output: told.site.weights });
  if (own) return { output: own, gate: null };
  const gate = mixed.isGuess ? null : gateOf(values, lookup, mixed, outer, heads);
  const gated = gate && of(gate.gated);
  if (gated) return { output: gated, gate };
  const past = model.query.projection;
  const hidden = past && hiddenOutput(values, lookup, mixed, outer, heads, past, taken);
  if (hidden) return { output: hidden, gate: null };
  const { shape } = mixed.tensor;
  const sizes = outer.map((axis, n) => ({ axis, size: shape[n] }));
  const merged = sizes
    .filter(({ axis }) => heads.includes(axis))
    .reduce((product, { size }) => product * size, shape[shape.length - 1]);
  const batches = sizes.filter(({ axis }) => batch.includes(axis));
  const output = guessOutput(values, mixed, merged, batches, taken, streams);
  return { output, gate };
}

/** Outer axes that x has are batches, the others heads; of given projections by names and their number. */
function splitOuter(
  values: Values,
  site: Site,
  roots: readonly (Root | null)[],
): { batch: number[]; heads: number[] } {
  const projections = roots.flatMap((root) => (root?.projection ? [root.projection] : []));
  const outer = [...site.outer];
  if (projections.length > 0) {
    const heads = outer.filter((axis) => projections.some((each) => each.heads.includes(axis)));
    return { heads, batch: outer.filter((axis) => !heads.includes(axis)) };
  }
  const { shape } = site.weights.tensor;
  const sizes = (pattern: RegExp): (number | undefined)[] =>
    values.numbers.filter(({ name }) => pattern.test(name)).map(({ value }) => value);
  const isHead = (axis: number): boolean => sizes(/head|^h$|^n_?h$/i).includes(shape[axis]);
  const isBatch = (axis: number): boolean => sizes(/batch|^b$|^bs|^n_?b$/i).includes(shape[axis]);
  if (outer.length >= 2) return { batch: outer.slice(0, 1), heads: outer.slice(1) };
  const [only] = outer;
  if (only === undefined) return { batch: [], heads: [] };
  // Keys or values that several blocks share are those of heads.
  const isShared = roots.some((root) => {
    const own = (root?.start ?? root?.operand)?.outer.get(only)?.size ?? 1;
    return root !== null && own < shape[only];
  });
  if (isShared) return { batch: [], heads: [only] };
  return isHead(only) && !isBatch(only)
    ? { batch: [], heads: [only] }
    : { batch: [only], heads: [] };
}

/** How much of a model is known: the more, the likelier it is the attention that is meant. */
function completeness({ query, key, value, mixed, output }: Model): number {
  const root = (each: Root | null): number => (each?.projection ? 2 : each?.start ? 1.5 : 0);
  const part = (each: { isGuess?: boolean } | null, worth: number): number =>
    each === null ? 0 : each.isGuess ? worth / 4 : worth;
  const trust = mixed?.isGuess ? 0.5 : 1;
  return root(query) + root(key) + trust * root(value) + part(mixed, 2) + part(output, 1);
}

const SITES = 12;
/** Completeness of a model that needs no other way. */
const ENOUGH = 6;
/** Completeness of one that may be meant where nothing better fits. */
const PARTLY = 4;
/** Completeness of a model all of whose parts are known by their numbers. */
const WHOLE = 6.5;

interface Found {
  readonly model: Model;
  readonly worth: number;
}

/** The most complete first, the earliest of several. */
const byWorth = (found: readonly Found[]): Model[] =>
  [...found].sort((a, b) => b.worth - a.worth).map(({ model }) => model);

/** Whether two are the same attention: the weights as they are and on their way, with and without dropout. */
function isSame({ told: one }: Model, { told: other }: Model): boolean {
  const [q, k] = [one.query.value.id, one.key.value.id];
  const [otherQ, otherK] = [other.query.value.id, other.key.value.id];
  return (q === otherQ && k === otherK) || (q === otherK && k === otherQ);
}

/** Those of which enough is known, each once, in the order of time: layers of a model, calls of a function. */
export function inOrder(models: readonly Model[]): Model[] {
  const whole = models.filter((each) => completeness(each) >= ENOUGH);
  return whole
    .filter((each, n) => !whole.slice(0, n).some((other) => isSame(each, other)))
    .sort((a, b) => a.told.site.weights.time - b.told.site.weights.time);
}

/** Where attention is looked for: in what was recorded, then in what may have been computed on the way. */
const WAYS = ['recorded', 'tiled', 'softmaxes', 'products', 'views', 'pieces'] as const;

function sitesBy(values: Values, way: (typeof WAYS)[number], largestFirst = false): Iterable<Site> {
  if (way === 'softmaxes') addSoftmaxes(values);
  if (way === 'products') addProducts(values);
  if (way === 'views') addViews(values);
  return way === 'tiled'
    ? tiledSites(values)
    : findSites(values, { onePiece: way === 'pieces', largestFirst });
}

/** What the recording may show: the most complete first, the earliest of several; until `most` wanted ones are whole. */
export function findModels(
  values: Values,
  isWanted: (model: Model) => boolean = () => true,
  most = 1,
): Model[] {
  const found: Found[] = [];
  const whole: Model[] = [];
  addSummands(values);
  for (const way of WAYS) {
    const sites = sitesBy(values, way);
    const lookup = new Lookup(values.all);
    let left = SITES * most;
    for (const site of sites) {
      const model = withBatches(modelOf(values, lookup, site));
      const worth = completeness(model);
      found.push({ model, worth });
      const isNew = !whole.some((each) => isSame(each, model));
      if (worth >= WHOLE && isNew && isWanted(model)) whole.push(model);
      if (whole.length === most || --left === 0 || values.work.isDone) break;
    }
    if (found.some(({ worth }) => worth >= ENOUGH) || values.work.isDone) break;
  }
  return byWorth(found);
}

/** So many more places are looked at for what else a program may mean, of programs with few tensors. */
const OTHER_SITES = 40;
/** Tensors of a program for each place that is left out. */
const FOR_EACH = 40;

/** What else the recording may show than `known`, by each way to look for it: the most complete first. */
export function* otherModels(values: Values, known: readonly Model[]): Generator<Model> {
  const seen = [...known];
  let left = OTHER_SITES - Math.floor(values.all.length / FOR_EACH);
  for (const way of WAYS) {
    if (left <= 0 || values.work.isDone) return;
    const sites = sitesBy(values, way, true);
    const lookup = new Lookup(values.all);
    const found: Found[] = [];
    for (const site of sites) {
      if (left-- <= 0 || values.work.isDone) break;
      const model = withBatches(modelOf(values, lookup, site));
      const { weights } = model.told.site;
      if (seen.some((each) => isSame(each, model) && each.told.site.weights === weights)) continue;
      seen.push(model);
      const worth = completeness(model);
      if (worth >= PARTLY) found.push({ model, worth });
    }
    yield* byWorth(found);
  }
}

/** A projection that is not found may have batches and heads in one axis. */
function withBatches(model: Model): Model {
  const { values, lookup, told, query, key } = model;
  if (query.projection || key.projection || query.start) return model;
  return unmergedSites(values, told.site)
    .filter((each) => isMadeOfTokens(values, lookup, each))
    .map((each) => modelOf(values, lookup, each))
    .reduce((a, b) => (completeness(b) > completeness(a) ? b : a), model);
}

/** Whether an operand of the scores is known to be made of something: else batches that are told apart say nothing more. */
const isMadeOfTokens = (values: Values, lookup: Lookup, site: Site): boolean =>
  [true, false].some((isLeft) => {
    const { projection, start } = rootOf(values, lookup, tell(site, isLeft).query);
    return projection !== undefined || start !== undefined;
  });
