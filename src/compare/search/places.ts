// Where a search looks, and in which order: the families of mistakes and the places that reach the person's tensor.
import { nodeOf } from '../../engine/graph.ts';
import { isZero, largestMagnitude, type Tensor } from '../../engine/tensor.ts';
import type { Context, Family, Site } from '../edits/edit.ts';
import { OF_NO_NUMBERS, OF_ZEROS, STAGES } from '../edits/families.ts';
import { scale } from '../edits/scale.ts';
import { constantRatio, difference } from '../judge/judge.ts';
import { softmaxBackward } from '../mistakes/names/softmaxBackward.ts';
import type { Key, Kind } from '../program/program.ts';
import { seen, type View } from '../judge/view.ts';

export interface Target {
  readonly key: Key;
  readonly user: Tensor;
  /** What the program makes of the person's own tensors. */
  readonly predicted: Tensor;
  /** What given tensors that come out right were computed from: no place for a mistake. */
  readonly settled: ReadonlySet<Key>;
  /** Accepted relative difference of a reproduction. */
  readonly precision: number;
  /** How both, and each reproduction, are looked at: without what cannot matter. */
  readonly view: View;
}

/** Places of which a target's own is the likeliest: what it is computed from is given. */
const FEW_SITES = 6;
/** Families that are tried there first all the same. */
const USUAL_FAMILIES = 12;
/** Most mistakes of gradients written by hand are made where they pass through the softmax. */
const LIKELIEST: readonly Family[] = [scale, softmaxBackward];

/** A tensor of which no number tells, or of zeros alone, is reproduced by far too much. */
export function stagesFor(target: Target): readonly (readonly Family[])[] {
  const { key, user } = target;
  if (user.shape.length > 0 && !user.data.some(Number.isFinite)) return [OF_NO_NUMBERS];
  if (isRightWhereNumber(target)) return [OF_NO_NUMBERS];
  return key.startsWith('v:') && isZero(user) ? [OF_ZEROS] : STAGES;
}

/** Whether there is no difference but where NaN stands. */
function isRightWhereNumber({ user, predicted, precision }: Target): boolean {
  if (!user.data.some(Number.isNaN)) return false;
  const most = precision * largestMagnitude(user);
  return user.data.every((value, at) => {
    const right = predicted.data[at];
    return Number.isNaN(value) || value === right || Math.abs(value - right) <= most;
  });
}

/**
 * The commonest mistakes anywhere first; where each test takes long and the target's own step is nearly all there is,
 * all mistakes of that.
 */
export function placesOf(
  families: readonly Family[],
  sites: readonly Site[],
  isLarge: boolean,
): (readonly [Family, Site])[] {
  const anywhere = (own: readonly Family[], some: readonly Site[]): (readonly [Family, Site])[] =>
    own.flatMap((family) => some.map((site) => [family, site] as const));
  if (!isLarge) return anywhere(families, sites);
  const here = anywhere(families, sites.slice(0, 1));
  // Few are got through.
  const likely = LIKELIEST.filter((family) => families.includes(family));
  const others = families.filter((family) => !likely.includes(family));
  const elsewhere = anywhere([...likely, ...others], sites.slice(1));
  if (sites.length <= FEW_SITES) return [...here, ...elsewhere];
  return [...here.slice(0, USUAL_FAMILIES), ...elsewhere, ...here.slice(USUAL_FAMILIES)];
}

/** Places where an edit can reach the target, the nearest first. */
export function sitesOf(context: Context, target: Target): Site[] {
  const { key, user, predicted, precision, settled, view } = target;
  const look = (tensor: Tensor): Tensor => seen(context.graph, key, view, tensor);
  const ratio = constantRatio(user, predicted, precision);
  const deviation = difference(predicted, user).maxAbs / (largestMagnitude(user) || 1);
  return [...context.state.region(key)].flatMap((each): Site[] => {
    if (!/^[vg]:/.test(each) || settled.has(each)) return [];
    const kind: Kind = each.startsWith('v:') ? 'value' : 'gradient';
    const node = nodeOf(context.graph, each.slice(2));
    if (kind === 'value' && node.kind === 'input' && each !== key) return [];
    const own = each === key ? { target: { user, predicted } } : {};
    const goal = { key, user, look };
    return [{ ...context, node, kind, ratio, precision, deviation, goal, ...own }];
  });
}
