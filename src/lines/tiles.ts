// Running quantities of tiled kernels: what a right program has after each tile of keys, learnt from the tiles it uses.
import type { Catalogue } from './catalogue.ts';
import type { Observed } from './observe.ts';

/** Adds the forms of the tiles that the recording shows; whether there are any. */
export function addTiles(catalogue: Catalogue, observed: readonly Observed[]): boolean {
  void catalogue;
  void observed;
  return false;
}
