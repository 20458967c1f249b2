// One additive mask from all that hides keys or adds to scores, and which part of it hides an entry.
import { bindingAt, type Extents, letterStrides, offsetTable, shapeOf } from '../axes.ts';
import type { HeadConfig } from '../config.ts';
import { evaluate } from '../evaluate.ts';
import { type Lettered, scalarOf, zipped } from '../lettered.ts';
import { offsetOf, type Tensor, zeros } from '../tensor.ts';
import { type MaskFormula, maskFormulas } from './maskParts.ts';
import { type ScoreLayout, spread } from './scoreLayout.ts';

/** A mask and the parts that it was made from. */
export interface ComposedMask {
  /** To be added to the scores, −∞ where a query may not see a key. */
  readonly tensor: Tensor;
  /** Null where they are about fewer keys than there are. */
  readonly parts: readonly MaskFormula[] | null;
  /** The names of the parts that hide one entry of the scores. */
  hiddenBy(offset: number): string[];
}

/** Null where nothing is masked. */
export function composedMask(config: HeadConfig, layout: ScoreLayout): ComposedMask | null {
  const { axes, nulls } = layout;
  // Masks know of tokens only, as in PyTorch's MultiheadAttention.
  const extents = { ...layout.extents, i: layout.extents['i'] - nulls };
  const parts = maskFormulas(config, { ...layout, extents });
  if (parts.length === 0) return null;
  const made = parts.map((part) => ({ part, value: valueOf(part, extents) }));
  // Those of few letters first: what is the same for all heads is put together once.
  const inOrder = [...made].sort((a, b) => a.value.data.length - b.value.data.length);
  const whole = inOrder.reduce(
    (mask, { part, value }) => zipped(mask, value, COMBINE[part.how]),
    scalarOf(0),
  );
  const ofTokens = spread(whole, { axes, extents });
  return {
    tensor: nulls > 0 ? withNulls(ofTokens, extents, layout) : ofTokens,
    parts: nulls > 0 ? null : parts,
    hiddenBy(offset) {
      const binding = bindingAt(axes, layout.extents, offset);
      if (binding['i'] >= extents['i']) return [];
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

/** A mask of tokens over all keys: those that are no tokens are seen by all. */
function withNulls({ data }: Tensor, tokens: Extents, { axes, extents }: ScoreLayout): Tensor {
  const out = zeros(shapeOf(axes, extents));
  const places = offsetTable(axes.flat(), letterStrides(axes, extents), tokens);
  places.forEach((place, n) => {
    out.data[place] = data[n];
  });
  return out;
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
