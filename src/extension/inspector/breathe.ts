// Gives the extension host its turn during long work, and stops work that nobody wants any more.
import type { Breathe } from '../../inspect/source.ts';

/** Work goes on for that long at a time, in ms: under a frame of the editor. */
const SLICE = 8;

export class Cancelled extends Error {
  override readonly name = 'Cancelled';
}

/** Throws Cancelled once `isCancelled`. */
export function breather(isCancelled: () => boolean): Breathe {
  let since = performance.now();
  return () => {
    if (performance.now() - since < SLICE) return undefined;
    return new Promise((resolve, reject) => {
      setTimeout(() => {
        since = performance.now();
        if (isCancelled()) reject(new Cancelled('cancelled'));
        else resolve();
      });
    });
  };
}
