// In which order the families of mistakes are tried at the places where a mistake may be.
import type { Family, Site } from './edits/edit.ts';
import { heads } from './edits/heads.ts';
import { permute } from './edits/permute.ts';
import { scale } from './edits/scale.ts';
import { softmaxBackward } from './mistakes/names/softmaxBackward.ts';

/** Places of which a target's own is the likeliest: what it is computed from is given. */
const FEW_SITES = 6;
/** Families that are tried there first all the same. */
const USUAL_FAMILIES = 12;
const MIXING: readonly Family[] = [permute, heads];
/** Most mistakes of gradients written by hand are made where they pass through the softmax. */
const LIKELIEST: readonly Family[] = [scale, softmaxBackward];

/**
 * The commonest mistakes anywhere first; where each test takes long and the target's own step is nearly all there is,
 * all mistakes of that.
 */
export function placesOf(
  families: readonly Family[],
  sites: readonly Site[],
  { isLarge, isMixing }: { readonly isLarge: boolean; readonly isMixing: boolean },
): (readonly [Family, Site])[] {
  const anywhere = (own: readonly Family[], some: readonly Site[]): (readonly [Family, Site])[] =>
    own.flatMap((family) => some.map((site) => [family, site] as const));
  if (isMixing) {
    const mixing = MIXING.filter((family) => families.includes(family));
    const rest = families.filter((family) => !mixing.includes(family));
    return [...anywhere(mixing, sites), ...placesOf(rest, sites, { isLarge, isMixing: false })];
  }
  if (!isLarge) return anywhere(families, sites);
  const here = anywhere(families, sites.slice(0, 1));
  // Few are got through.
  const likely = LIKELIEST.filter((family) => families.includes(family));
  const others = families.filter((family) => !likely.includes(family));
  const elsewhere = anywhere([...likely, ...others], sites.slice(1));
  if (sites.length <= FEW_SITES) return [...here, ...elsewhere];
  return [...here.slice(0, USUAL_FAMILIES), ...elsewhere, ...here.slice(USUAL_FAMILIES)];
}
