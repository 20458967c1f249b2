// All attentions that a recording may show, the likeliest first.
import { lengthOf } from './values/layout.ts';
import { Lookup } from './values/lookup.ts';
import { type Model, modelOf } from './model.ts';
import { type Root, rootOf } from './operands/roots.ts';
import { tell } from './weights/scores.ts';
import { findSites, normalisedAxes, type Site } from './weights/site.ts';
import { tiledSites } from './tiles/tiles.ts';
import { unmergedSites } from './weights/unmerged.ts';
import type { Values } from './values/values.ts';
import { addMatrices, addViews } from './values/views.ts';
import { addProducts, addSoftmaxes, addSummands } from './values/virtual.ts';

/** How much of a model is known: the more, the likelier it is the attention that is meant. */
function completeness({ told, query, key, value, mixed, output }: Model): number {
  const root = (each: Root | null): number => (each?.projection ? 2 : each?.start ? 1.5 : 0);
  const part = (each: { isGuess?: boolean } | null, worth: number): number =>
    each === null ? 0 : each.isGuess ? worth / 4 : worth;
  const trust = mixed?.isGuess ? 0.5 : 1;
  const parts = root(query) + root(key) + trust * root(value) + part(mixed, 2) + part(output, 1);
  const isPart = isOneOfSeveral(query) && isOneOfSeveral(key);
  const isNoShare = mixed?.isGuess === true && normalisedAxes(told.site.weights).length === 0;
  return parts - (isPart ? LESS : 0) - (isNoShare ? 1 : 0);
}

/** How much less likely one of several heads or layers is than all of them together. */
const LESS = 2;

/** Whether the projection is by one of several weights that lie in one tensor: a head, or a layer. */
function isOneOfSeveral({ projection }: Root): boolean {
  if (!projection) return false;
  const { weight, weightLayout } = projection;
  const { shape } = weight.tensor;
  const used = weightLayout.axes.flat().filter(({ stride }) => stride > 0);
  return (
    shape.length > 2 &&
    used.length === 2 &&
    lengthOf(used) * shape[0] === weight.tensor.data.length &&
    shape[0] > 1
  );
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
const WAYS = ['recorded', 'softmaxes', 'tiled', 'products', 'views', 'pieces'] as const;

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
  return byWorth(withProjections(values, found));
}

/** The likeliest once more where its operands come of flat buffers, which are then read as matrices. */
function withProjections(values: Values, found: readonly Found[]): readonly Found[] {
  const [best] = byWorth(found);
  if (!best || best.query.projection || !addMatrices(values)) return found;
  const model = withBatches(modelOf(values, new Lookup(values.all), best.told.site));
  return [{ model, worth: completeness(model) }, ...found];
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
