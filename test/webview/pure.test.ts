// The panel's pure helpers: cells and letters, labels and entries, numbers, terms, colours.
import { describe, expect, it } from 'vitest';
import { arrange, cellAt } from '../../media/matrix/arrange.ts';
import { bindingOf, cellOf, lettersOf } from '../../media/matrix/cells.ts';
import {
  colourOf,
  inkOn,
  luminance,
  paletteFor,
  parseColour,
  type Rgb,
} from '../../src/inspect/colour.ts';
import { entriesOfLabel, parseEntry } from '../../media/matrix/marks.ts';
import { plainCaption, plainLabel, plainName } from '../../media/names.tsx';
import { bracketed, digits, formatFixed, formatTogether } from '../../media/numbers.ts';
import { columnsOf, termRows } from '../../media/step/termRows.ts';
import { pictureOf } from '../../src/stepper/picture.ts';
import { tensor } from '../../src/engine/tensor.ts';
import type { TermView } from '../../src/stepper/stepView.ts';

describe('cells', () => {
  const extents = { r: 2, g: 3, j: 4, i: 5 };
  const picture = pictureOf(
    tensor(
      [6, 4, 5],
      Array.from({ length: 120 }, (_, n) => n),
    ),
    {
      axes: [['r', 'g'], ['j'], ['i']],
      extents,
      binding: {},
      allHeads: true,
      most: 3,
    },
  );
  const axes = ['head (r g)', 'query j', 'key i'];

  it('bind the letters of their axes, those of merged heads included', () => {
    expect(axes.map(lettersOf)).toEqual([['r', 'g'], ['j'], ['i']]);
    expect(bindingOf(picture, axes, { slice: 4, row: 1, col: 2 }, extents)).toEqual({
      r: 1,
      g: 1,
      j: 2,
      i: 4,
    });
  });

  it('are found from an entry', () => {
    expect(cellOf(picture, [4, 3, 4])).toEqual({ slice: 4, row: 1, col: 2 });
  });

  it('are where they are drawn', () => {
    const size = { rows: 2, cols: 3, count: 8 };
    const layout = arrange(size, { width: 60, height: 40 });
    layout.tiles.forEach(({ x, y }, slice) => {
      const at = [x + 2.5 * layout.cellWidth, y + 1.5 * layout.cellHeight] as const;
      expect(cellAt(layout, size, ...at)).toEqual({ slice, row: 1, col: 2 });
    });
    expect(cellAt(layout, size, -1, 0)).toBeNull();
  });
});

describe('labels', () => {
  const isNode = (id: string): boolean => ['x', 'K', 'W_K', 'xPrime', 'f', 'dP'].includes(id);

  it('name entries of values and gradients', () => {
    expect(parseEntry('x[0,2]', isNode)).toEqual({ node: 'x', kind: 'value', index: [0, 2] });
    expect(parseEntry('dW_K[1,0]', isNode)).toEqual({
      node: 'W_K',
      kind: 'gradient',
      index: [1, 0],
    });
    expect(parseEntry('df', isNode)).toEqual({ node: 'f', kind: 'gradient', index: [] });
    expect(parseEntry('nobody[0]', isNode)).toBeNull();
  });

  it('leave local Jacobians out', () => {
    expect(entriesOfLabel('dK[1,0] · ∂K[1,0]/∂x[1,2]', isNode)).toEqual([
      { node: 'K', kind: 'gradient', index: [1, 0] },
    ]);
    expect(entriesOfLabel('x[0,1] · W_K[1,0]', isNode)).toHaveLength(2);
  });

  it('become columns', () => {
    const backward = columnsOf(['dK[1,0] · ∂K[1,0]/∂x[1,2]']);
    expect(backward.factors).toEqual(['dK', '∂K/∂x[1,2]']);
    expect(backward.row('dK[1,1] · ∂K[1,1]/∂x[1,2]')).toBe('K[1,1]');
    expect(columnsOf(['x[0,1] · W_K[1,0]']).factors).toEqual(['x', 'W_K']);
  });

  it('are written as people write them', () => {
    expect(['xPrime', 'W_K', 'dKh', 'P'].map(plainName)).toEqual(['x′', 'W_K', 'dKₕ', 'P']);
  });

  it('are written so within other words, too', () => {
    expect(plainLabel('∂xn[0,1]/∂gamma_pre[1]')).toBe('∂xₙ[0, 1]/∂γ_pre[1]');
    expect(plainLabel('dxPrime[0,1] · W_K[1,2]')).toBe('dx′[0, 1] · W_K[1, 2]');
    const nodes = ['xn', 'x', 'gamma_pre', 'On'].map((id) => ({ id }));
    expect(plainCaption('xn passes dOn on to x and gamma_pre.', nodes)).toBe(
      'xₙ passes dOₙ on to x and γ_pre.',
    );
  });
});

describe('numbers', () => {
  it('have as many significant digits as are wanted', () => {
    digits.value = 7;
    expect(formatTogether(0.123456789, -12.3456789)).toEqual(['0.12346', '−12.34568']);
    expect(formatFixed(-0.00002, 3)).toBe('−2.0000e−5');
    digits.value = 2;
    expect(formatTogether(0.123456789, -1.23456789)).toEqual(['0.1', '−1.2']);
    digits.value = 4;
  });

  it('have four significant digits and as many decimals as their neighbours', () => {
    expect(formatTogether(0.125, 0.25, 0.375)).toEqual(['0.125', '0.250', '0.375']);
    expect(formatTogether(-12.3456, 0.5)).toEqual(['−12.35', '0.50']);
    expect(formatTogether(123456, 1)).toEqual(['1.2e5', '1']);
    expect(formatFixed(-0.00002, 3)).toBe('−2.0e−5');
    expect([NaN, -Infinity, 0].map((value) => formatFixed(value, 3))).toEqual(['NaN', '−∞', '0']);
    expect(bracketed('−1')).toBe('(−1)');
  });
});

describe('terms', () => {
  const term = (product: number, zero: TermView['zero']): TermView => ({
    label: '',
    factors: [],
    product,
    zero,
  });
  const terms = [
    term(1, null),
    ...Array.from({ length: 9 }, () => term(0, 'structure')),
    term(2, null),
  ];

  it('that are zero by structure are folded, but never the one the walk is at', () => {
    const view = { terms, omitted: 0, total: 3, current: 4 };
    const { shown, folded, foldable } = termRows(view, false);
    expect(shown.map(({ at }) => at)).toEqual([0, 4, 10]);
    expect([folded, foldable]).toEqual([8, 9]);
    expect(shown.map(({ sum }) => sum)).toEqual([1, 1, 3]);
    expect(termRows(view, true).shown).toHaveLength(11);
  });

  it('are not folded when they are few', () => {
    const view = { terms: terms.slice(0, 5), omitted: 0, total: 1, current: null };
    expect(termRows(view, false)).toMatchObject({ folded: 0, foldable: 0 });
  });
});

describe('colours', () => {
  const contrast = (a: Rgb, b: Rgb): number => {
    const [dark, light] = [luminance(a), luminance(b)].sort((x, y) => x - y);
    return (light + 0.05) / (dark + 0.05);
  };

  it.each([
    ['dark', '#1f1f1f', 'rgb(204, 204, 204)'],
    ['light', '#ffffff', 'rgba(59, 59, 59, 1)'],
    ['black', '#000000', '#ffffff'],
  ])('diverge around zero and can be written on: %s', (_, background, foreground) => {
    const palette = paletteFor(parseColour(background)!, parseColour(foreground)!);
    let previous = 0;
    for (let n = 0; n <= 20; n++) {
      const [plus, minus] = [colourOf(n / 20, 1, palette), colourOf(-n / 20, 1, palette)];
      for (const colour of [plus, minus]) {
        expect(contrast(inkOn(colour), colour)).toBeGreaterThanOrEqual(4.5);
      }
      // Away from the background at every step: the size can be read without the hue.
      const distance = Math.abs(luminance(plus) - luminance(palette.neutral));
      expect(distance).toBeGreaterThanOrEqual(previous);
      previous = distance;
    }
    // An extreme is farther still, on either side.
    for (const sign of [1, -1]) {
      const [end, far] = [colourOf(sign, 1, palette), colourOf(5 * sign, 1, palette)];
      expect(contrast(inkOn(far), far)).toBeGreaterThanOrEqual(4.5);
      const from = (colour: Rgb): number =>
        Math.abs(luminance(colour) - luminance(palette.neutral));
      expect(from(far)).toBeGreaterThan(from(end));
    }
    expect(colourOf(NaN, 1, palette)).toEqual(palette.nan);
    expect(colourOf(0, 0, palette)).toEqual(palette.neutral);
  });
});
