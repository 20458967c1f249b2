// One additive mask from all that hides keys or adds to scores, and which part of it hides an entry.
import { bindingAt, type Extents, letterStrides, offsetTable, shapeOf } from '../axes.ts';
import type { HeadConfig } from '../config.ts';
import { evaluate } from '../evaluate.ts';
import { type Lettered, scalarOf, zipped } from '../lettered.ts';
import { type Mask, maskTensor } from '../ops/masking.ts';
import { offsetOf, type Tensor, zeros } from '../tensor.ts';
import { type MaskFormula, maskFormulas } from './maskParts.ts';
import { type ScoreLayout, spread } from './scoreLayout.ts';

/** A mask and the parts that it was made from. */
export interface ComposedMask {
  /** To be added to the scores, −∞ where a query may not see a key; a rule where it is one. */
  readonly mask: Mask;
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
  const band = bandOf(config, layout);
  if (band) return band;
  const made = parts.map((part) => ({ part, value: valueOf(part, extents) }));
  // Those of few letters first: what is the same for all heads is put together once.
  const inOrder = [...made].sort((a, b) => a.value.data.length - b.value.data.length);
  const whole = inOrder.reduce(
    (mask, { part, value }) => zipped(mask, value, COMBINE[part.how]),
    scalarOf(0),
  );
  const ofTokens = spread(whole, { axes, extents });
  return {
    mask: nulls > 0 ? withNulls(ofTokens, extents, layout) : ofTokens,
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

/** Causal masks and windows, alone or together, as the rule that they are; null for all others. */
function bandOf(config: HeadConfig, layout: ScoreLayout): ComposedMask | null {
  const { mask, masks = [], window = Infinity, alibi } = config;
  if (typeof mask === 'object' || masks.length > 0 || alibi !== undefined || layout.nulls > 0)
    return null;
  const { axes, extents, past } = layout;
  const isCausal = mask !== 'none';
  // A query stands at j + first; it sees the keys i at distances from -ahead to behind.
  const first = mask === 'causal-bottom-right' ? extents['i'] - extents['j'] : past;
  const behind = window - 1;
  const ahead = isCausal ? Math.min(0, behind) : behind;
  const isKeyFirst = axes[axes.length - 1][0] === 'j';
  const [low, high] = isKeyFirst
    ? [-first - ahead, behind - first]
    : [first - behind, first + ahead];
  return {
    mask: { shape: shapeOf(axes, extents), low, high },
    parts: maskFormulas(config, layout),
    hiddenBy(offset) {
      const { i, j } = bindingAt(axes, extents, offset);
      const distance = j + first - i;
      return [
        ...(isCausal && distance < 0 ? ['causal'] : []),
        ...(Math.abs(distance) >= window ? ['window'] : []),
      ];
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
  tensorOf(composedMask(config, layout));

const tensorOf = (composed: ComposedMask | null): Tensor | null =>
  composed && maskTensor(composed.mask);

export { alibiSlopes } from './maskParts.ts';
export { broadcast } from './scoreLayout.ts';
