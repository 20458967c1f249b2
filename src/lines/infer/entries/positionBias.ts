// A learned bias of the scores by position: a table that is looked up as T5 or Swin do, or a number for each pair of tokens.
import type { PositionBias } from '../../../engine/config.ts';
import { bucketFormula, bucketsOf } from '../../../engine/ops/positionBias.ts';
import { sizeOf, strides, type Tensor } from '../../../engine/tensor.ts';
import type { FoundBias } from '../weights/bias.ts';
import { isLookedUp, lookUps } from '../weights/biased.ts';
import { type Context, merged, nameOf } from './builder.ts';
import { type Factor, gather, type Layout } from '../values/layout.ts';
import { maskLayouts } from '../weights/scores.ts';
import { isGradient, type Value, type Values } from '../values/values.ts';

interface Table {
  readonly value: Value;
  /** (bucket, head). */
  readonly layout: Layout;
  readonly tensor: Tensor;
}

interface Bias {
  /** (head, query, key), as the setup's scores lie. */
  readonly layout: Layout;
  readonly tensor: Tensor;
  readonly heads: number;
  readonly queries: number;
  readonly keys: number;
}

/**
 * Adds B, if what is added to the scores is learned and the same in all sequences; false where it is not, or is looked up
 * in a way that no setup has.
 */
export function addPositionBias(
  context: Context,
  found: Pick<FoundBias, 'value' | 'layout'>,
): boolean {
  const { values, model, config, build } = context;
  const { value, layout } = found;
  if (!value || !layout || model.past || config.head !== 'multihead') return false;
  const bias = biasOf(context, value, layout);
  if (!bias) return false;
  const isOwn = !value.isVirtual && isLearned(values, value);
  const tables = isOwn ? [] : tablesOf(values, value, bias);
  if (!isOwn && tables.length === 0) return false;
  const own = tables.flatMap((table) => {
    const kind = kindOf(values, table, bias, context.keyFirst);
    return kind ? [{ table, kind }] : [];
  })[0];
  if (own) {
    const note = `${nameOf(own.table.value)}: a bias for each ${own.kind.kind === 't5' ? 'bucket of distances' : 'difference of places'}`;
    const B = build.tensor('weights.B', own.table.value, own.table.layout, note);
    config.weights = { ...config.weights, B };
    config.positionBias = own.kind;
    build.isBiased = true;
    return true;
  }
  // Looked up in another way: what is added is known, and not how its gradient is added up.
  build.isBiased = true;
  if (!isOwn) {
    for (const table of tables) build.use(table.value);
    return false;
  }
  const note = `${nameOf(value)}: a bias for each query and key`;
  config.weights = { ...config.weights, B: build.tensor('weights.B', value, bias.layout, note) };
  config.positionBias = { kind: 'learned' };
  return true;
}

/** A table that is looked up as a setup does, on the way to weights that do not show it: it is what was meant. */
export function meantBias(context: Context): Pick<FoundBias, 'value' | 'layout'> | null {
  const { values, model, keyFirst } = context;
  const { weights } = model.told.site;
  lookUps(values, weights);
  const ancestors = values.ancestors(weights);
  const isOnTheWay = (value: Value): boolean =>
    value.kind === 'float' && (value.isVirtual ? isLookedUp(value) : ancestors.has(value.id));
  for (const value of values.all.filter(isOnTheWay)) {
    for (const layout of maskLayouts(value.tensor, model.told)) {
      const bias = biasOf(context, value, layout);
      const tables = bias ? tablesOf(values, value, bias) : [];
      if (bias && tables.some((table) => kindOf(values, table, bias, keyFirst)))
        return { value, layout };
    }
  }
  return null;
}

/** The bias as (head, query, key); null where sequences have their own. */
function biasOf({ model, keyFirst }: Context, value: Value, layout: Layout): Bias | null {
  const { told, heads } = model;
  const [outer, [query], [key]] = layout.axes;
  const isHead = (n: number): boolean => heads.includes(told.site.outer[n]);
  if (outer.some(({ size, stride }, n) => !isHead(n) && size > 1 && stride !== 0)) return null;
  const own = outer.filter((_, n) => isHead(n));
  if (own.some(({ size, stride }) => size > 1 && stride === 0)) return null;
  const last: Factor[][] = keyFirst ? [[key], [query]] : [[query], [key]];
  const whole = { offset: layout.offset, axes: [merged(own), ...last] };
  return {
    ...{ layout: whole, tensor: gather(value.tensor, whole) },
    heads: sizeOf(own.map(({ size }) => size)),
    ...{ queries: query.size, keys: key.size },
  };
}

/** A parameter, or drawn: what is computed from positions alone is no weight. */
const isLearned = (values: Values, value: Value): boolean =>
  values.isLeaf(value) &&
  !value.parts.some(isGradient) &&
  (values.isRandom(value) ||
    value.events.some(({ how, requiresGrad }) => how === 'leaf' || requiresGrad === true));

/** The tables of one row for each bucket in which the entries of a bias stand. */
function tablesOf(values: Values, value: Value, bias: Bias): Table[] {
  const ancestors = values.ancestors(value);
  return values.all.flatMap((table): Table[] => {
    const { tensor } = table;
    if (!ancestors.has(table.id) || table.kind !== 'float' || !isLearned(values, table)) return [];
    const { shape } = tensor;
    const own = strides(shape);
    const at = (n: number): Factor[] =>
      n < shape.length ? [{ size: shape[n], stride: own[n] }] : [];
    const layouts: Layout[] = [];
    if (shape.length === 2 && shape[1] === bias.heads)
      layouts.push({ offset: 0, axes: [at(0), at(1)] });
    if (shape.length === 2 && shape[0] === bias.heads)
      layouts.push({ offset: 0, axes: [at(1), at(0)] });
    if (shape.length === 1 && bias.heads === 1) layouts.push({ offset: 0, axes: [at(0), []] });
    return layouts.flatMap((layout) => {
      const read = gather(tensor, layout);
      return rowsOf(read, bias) ? [{ value: table, layout, tensor: read }] : [];
    });
  });
}

/** The row of a table for each query and key, as the bias lies; null where one stands in none. */
function rowsOf({ shape: [buckets], data }: Tensor, { tensor, heads }: Bias): Int32Array | null {
  const pairs = tensor.data.length / heads;
  const rows = new Int32Array(pairs);
  for (let pair = 0; pair < pairs; pair++) {
    const row = Array.from({ length: buckets }, (_, w) => w).find((w) =>
      Array.from({ length: heads }, (_, h) => h).every(
        (h) => Math.abs(data[w * heads + h] - tensor.data[h * pairs + pair]) <= 1e-6,
      ),
    );
    if (row === undefined) return null;
    rows[pair] = row;
  }
  return rows;
}

/** How the rows of a table are chosen, as far as it is a way that is known. */
function kindOf(values: Values, table: Table, bias: Bias, keyFirst: boolean): PositionBias | null {
  const { queries, keys } = bias;
  const rows = rowsOf(table.tensor, bias);
  const [buckets] = table.tensor.shape;
  const extents = { i: keys, j: queries };
  return (
    candidates(values, buckets, queries === keys ? keys : 0).find((each) => {
      const formula = bucketFormula(each, { past: 0, buckets });
      if (!rows || !formula) return false;
      return bucketsOf(formula, extents).every((bucket, n) => {
        const at = keyFirst ? (n % keys) * queries + Math.floor(n / keys) : n;
        return bucket === rows[at];
      });
    }) ?? null
  );
}

/** Distances beyond which T5 has one bucket where a program names none. */
const USUAL = 128;

function candidates(values: Values, buckets: number, tokens: number): PositionBias[] {
  const numbers = values.numbers.flatMap(({ value, name }) =>
    value !== undefined && Number.isInteger(value) && value > 1 ? [{ value, name }] : [],
  );
  const named = numbers.filter(({ name }) => /max|dist/i.test(name));
  const literals = values.recording.statements.flatMap(({ text }) =>
    [...text.matchAll(/\b\d{1,4}\b/g)].map(([each]) => Number(each)),
  );
  const distances = new Set([
    ...[...named, ...numbers].map(({ value }) => value),
    ...literals,
    USUAL,
  ]);
  const t5 = [true, false].flatMap((bidirectional): PositionBias[] => {
    if (buckets < (bidirectional ? 4 : 2) || (bidirectional && buckets % 2 !== 0)) return [];
    return [...distances]
      .filter((maxDistance) => maxDistance > buckets / (bidirectional ? 4 : 2))
      .map((maxDistance) => ({ kind: 't5', bidirectional, maxDistance }));
  });
  const swin = Array.from({ length: tokens }, (_, n) => n + 1).flatMap((height): PositionBias[] => {
    const width = tokens / height;
    const isWhole = Number.isInteger(width) && (2 * height - 1) * (2 * width - 1) === buckets;
    return isWhole ? [{ kind: 'swin', window: [height, width] }] : [];
  });
  return [...swin, ...t5];
}
