// Layouts: the ways in which the same entries are laid out, and which undoings are refused.
import { describe, expect, it } from 'vitest';
import { layoutsOf } from '../../src/compare/align/layouts.ts';
import { parseSpec } from '../../src/engine/axes.ts';
import { tensor } from '../../src/engine/tensor.ts';

const extents = { b: 2, h: 3, r: 2, g: 2, i: 5, j: 4, a: 6 };
const axes = (spec: string): ReturnType<typeof parseSpec>[number] => parseSpec(spec)[0];
const words = (shape: number[], spec: string): string[] =>
  layoutsOf(shape, axes(spec), extents).map((layout) => layout.words);

describe('layoutsOf', () => {
  it('knows the plain layout', () => {
    expect(words([2, 3, 4, 6], 'b h j a')[0]).toBe('');
  });

  it('finds heads behind tokens', () => {
    expect(words([2, 4, 3, 6], 'b h j a')).toEqual([
      'axes in the order (batch, query, head, feature)',
    ]);
  });

  it('finds merged heads and split ones', () => {
    expect(words([2, 4, 18], 'b h j a').slice(0, 1)).toEqual([
      'axes in the order (batch, query, head, feature)',
    ]);
    expect(words([2, 4, 3, 6], 'b j (h a)')).toEqual(['features split into heads']);
  });

  it('finds a batch axis of length one', () => {
    expect(layoutsOf([1, 3, 4, 6], axes('h j a'), extents).map((layout) => layout.words)).toEqual([
      'an axis of length one more',
    ]);
  });

  it('calls a layout ambiguous that the shape does not show', () => {
    const square = layoutsOf([4, 4], axes('j i'), { j: 4, i: 4 });
    expect(square.map(({ ambiguous }) => ambiguous)).toEqual([false, true]);
  });

  it('takes repeated KV heads only where they are equal', () => {
    const [layout] = layoutsOf([4, 5, 6], axes('r i a'), extents);
    expect(layout.words).toContain('repeated');
    const repeated = tensor(
      [4, 5, 6],
      Array.from({ length: 120 }, (_, at) => (at % 30) + 30 * Math.floor(at / 60)),
    );
    expect(layout.undo(repeated, 'value')?.shape).toEqual([2, 5, 6]);
    const tiled = tensor(
      [4, 5, 6],
      Array.from({ length: 120 }, (_, at) => at % 60),
    );
    expect(layout.undo(tiled, 'value')).toBeNull();
  });

  it('refuses what does not fit', () => {
    expect(words([7, 4], 'h j a')).toEqual([]);
  });
});
