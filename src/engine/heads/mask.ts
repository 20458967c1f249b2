// One additive mask from all that hides keys or adds to scores, and which part of it hides an entry.
import { bindingAt, type Extents } from '../axes.ts';
import type { HeadConfig } from '../config.ts';
import { evaluate } from '../evaluate.ts';
import { type Lettered, scalarOf, zipped } from '../lettered.ts';
import { offsetOf, type Tensor } from '../tensor.ts';
import { type MaskFormula, maskFormulas } from './maskParts.ts';
import { type ScoreLayout, spread } from './scoreLayout.ts';

/** A mask and the parts that it was made from. */
export interface ComposedMask {
  /** To be added to the scores, −∞ where a query may not see a key. */
  readonly tensor: Tensor;
  readonly parts: readonly MaskFormula[];
  /** The names of the parts that hide one entry of the scores. */
  hiddenBy(offset: number): string[];
}

/** Null where nothing is masked. */
export function composedMask(config: HeadConfig, layout: ScoreLayout): ComposedMask | null {
  const parts = maskFormulas(config, layout);
  if (parts.length === 0) return null;
  const { axes, extents } = layout;
  const made = parts.map((part) => ({ part, value: valueOf(part, extents) }));
  // Those of few letters first: what is the same for all heads is put together once.
  const inOrder = [...made].sort((a, b) => a.value.data.length - b.value.data.length);
  const whole = inOrder.reduce(
    (mask, { part, value }) => zipped(mask, value, COMBINE[part.how]),
    scalarOf(0),
  );
  return {
    tensor: spread(whole, layout),
    parts,
    hiddenBy(offset) {
      const binding = bindingAt(axes, extents, offset);
      const at = ({ letters, lengths, data }: Lettered): number =>
        data[
          offsetOf(
            lengths,
            letters.map((letter) => binding[letter]),
          )
        ];
      return made.flatMap(({ part, value }) =>
        (part.how === 'hide' && at(value) !== 0) || (part.how === 'add' && at(value) === -Infinity)
          ? [part.name]
          : [],
      );
    },
  };
}

function valueOf({ formula, given }: MaskFormula, extents: Extents): Lettered {
  return evaluate(formula, (name) => given[name], extents);
}

const COMBINE: Readonly<Record<MaskFormula['how'], (mask: number, own: number) => number>> = {
  hide: (mask, own) => (own === 0 ? mask : -Infinity),
  add: (mask, own) => (mask === -Infinity ? mask : mask + own),
  subtract: (mask, own) => (mask === -Infinity ? mask : mask - own),
};

/** The mask to add to the scores, −∞ where a query may not see a key; null where nothing is masked. */
export const additiveMask = (config: HeadConfig, layout: ScoreLayout): Tensor | null =>
  composedMask(config, layout)?.tensor ?? null;

export { alibiSlopes } from './maskParts.ts';
export { broadcast } from './scoreLayout.ts';
