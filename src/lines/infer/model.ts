// The attention that a recording shows, put together: its operands, heads, weights and output.
import { withSameBatches } from './operands/broadcast.ts';
import { afterHeads, type Differential, differenceOf, leftOf } from './weights/differential.ts';
import { hiddenOutput } from './output/hidden.ts';
import { type Latent, latentOf } from './operands/latent.ts';
import type { Lookup } from './values/lookup.ts';
import { guessMixed, guessOutput } from './guess.ts';
import { type Gate, gateOf } from './output/gates.ts';
import { findMixed, type Mixed, readings, weightedSum } from './output/mixed.ts';
import { isGradientName, namesOf, roleOf } from './values/names.ts';
import { type Output, outputsOf } from './output/output.ts';
import { type Nulls, nullsOf } from './operands/nulls.ts';
import { pastOf } from './operands/past.ts';
import { rootOf, type Root } from './operands/roots.ts';
import { type RowFactors, rowFactors } from './weights/rowFactors.ts';
import { queryIsLeft, tell, type Told } from './weights/scores.ts';
import { siteOfTwo } from './weights/twoSites.ts';
import { type Site, sitesAt } from './weights/site.ts';
import { stepsBetween } from './operands/steps.ts';
import type { Operand, Projection } from './operands/trace.ts';
import { isGradient, type Value, type Values } from './values/values.ts';

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
  /** Learned factors of heads, factors of queries by their positions. */
  readonly factors?: RowFactors;
  /** Where one softmax is subtracted from another: the heads are those of both. */
  readonly differential?: Differential;
  /** How sure it is which operand holds the queries. */
  readonly margin: number;
}

const rank = (name: string): 'Q' | 'K' | undefined => {
  const role = roleOf(name);
  return role === 'Q' || role === 'K' ? role : undefined;
};

/** The model of two softmaxes, one less a share of the other, that a site is one of or both; null where it is neither. */
function differentialOf(values: Values, lookup: Lookup, site: Site): Model | null {
  const found = differenceOf(values, site);
  if (!found) return null;
  const { difference, other, isFirst } = found;
  const left = { ...site, weights: leftOf(site, found) };
  const mixes = findMixed(values, lookup, left);
  const half = (each: Site): Pick<Model, 'told' | 'query' | 'key' | 'margin'> => {
    const { left: isLeft, margin } = queryIsLeft(each, rank, mixes[0]?.key);
    const told = tell(each, isLeft);
    const [query, key] = [told.query, told.key].map((own) => rootOf(values, lookup, own));
    return { told, query, key, margin };
  };
  const own = half(site);
  const sum =
    mixes.find(({ key }) => key === own.told.keyAxis) ??
    throughOutput(values, lookup, { ...own.told, site: left }, [own.query, own.key]);
  if (!sum) return null;
  const after = afterHeads(values, { ...sum, weights: site.weights }, site.outer);
  let both: Pick<Model, 'told' | 'query' | 'key'> = own;
  let mixed = after.mixed;
  let value = rootOf(values, lookup, mixed.values);
  if (other) {
    const [theirs] = sitesAt(values, other).map(half);
    const pair = theirs && siteOfTwo(values, isFirst ? [own, theirs] : [theirs, own]);
    if (!pair) return null;
    both = pair;
    // An axis of length 1 for the two, of which the values know nothing.
    const { shape, data } = mixed.tensor;
    const at = (n: number): number => site.outer.indexOf(n);
    mixed = {
      ...mixed,
      ...{ weights: pair.told.site.weights, key: pair.told.keyAxis, query: pair.told.queryAxis },
      tensor: { shape: [...shape.slice(0, -2), 1, ...shape.slice(-2)], data },
      values: placedAs(mixed.values, at),
    };
    value = placedRoot(value, at);
  }
  const { batch, heads } = splitOuter(values, both.told.site, [both.query, both.key, value]);
  const pairs = found.pairs ?? 'adjacent';
  const { norm, factor } = after;
  const model = {
    ...{ values, lookup, ...both, mixed, value, batch, heads, margin: own.margin },
    ...{ past: null, latent: null, nulls: null },
    differential: { lambda: difference.lambda, pairs, norm, factor },
  };
  return { ...model, ...outputOf(model) };
}

const placedAs = (operand: Operand, at: (axis: number) => number): Operand => ({
  ...operand,
  outer: new Map([...operand.outer].map(([axis, factor]) => [at(axis), factor])),
});

/** A root whose outer axes have other numbers. */
function placedRoot(
  { operand, projection, start, ...rest }: Root,
  at: (n: number) => number,
): Root {
  const { of, batch, heads } = projection ?? {};
  return {
    ...{ ...rest, operand: placedAs(operand, at) },
    ...(start && { start: placedAs(start, at) }),
    ...(projection &&
      of &&
      batch &&
      heads && {
        projection: {
          ...{ ...projection, of: placedAs(of, at) },
          ...{ batch: batch.map(at), heads: heads.map(at) },
        },
      }),
  };
}

/** So many times all tensors are gone through for one. */
const LOOKS = 400;

/** The model that a site leads to. */
export function modelOf(values: Values, lookup: Lookup, site: Site): Model {
  values.work.spend(LOOKS * values.all.length);
  const differential = differentialOf(values, lookup, site);
  if (differential) return differential;
  const mixes = findMixed(values, lookup, site);
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
    value && !isKnown(values, key) ? latentOf(values, lookup, told.query, told.key) : null;
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
  const factors = rowFactors(found);
  const own = factors ? { ...found, factors, told: withFactors(told, factors) } : found;
  return { ...own, ...outputOf(own) };
}

const withFactors = (told: Told, { rest, each }: RowFactors): Told => ({
  ...{ ...told, factors: each },
  site: { ...told.site, product: { ...told.site.product, factor: rest } },
});

/** Whether it is told what the operand was made from, and how. */
function isKnown(values: Values, { operand, projection, start }: Root): boolean {
  if (!projection) return start !== undefined;
  return stepsBetween(values, operand, projection.of, projection.heads) !== null;
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
