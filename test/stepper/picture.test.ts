// Pictures of tensors: slices with their names, means where a tensor is too large, extremes that stay told.
import { describe, expect, test } from 'vitest';
import { type AxisLetters, parseSpec, shapeOf } from '../../src/engine/axes.ts';
import { scalar, sizeOf, type Tensor, tensor } from '../../src/engine/tensor.ts';
import { pictureOf, type PictureOptions } from '../../src/stepper/picture.ts';

const extents = { b: 2, h: 3, r: 2, g: 3, i: 4, j: 2, a: 5 };
const axesOf = (spec: string): AxisLetters[] => (spec ? parseSpec(spec)[0] : []);

/** Entries 0, 1, 2, ... */
function counting(spec: string): Tensor {
  const shape = shapeOf(axesOf(spec), extents);
  return tensor(
    shape,
    Array.from({ length: sizeOf(shape) }, (_, n) => n),
  );
}

function picture(spec: string, own: Partial<PictureOptions> = {}, value = counting(spec)) {
  const options = { axes: axesOf(spec), extents, binding: {}, most: 24, ...own };
  return pictureOf(value, options);
}

const entries = ({ slices }: ReturnType<typeof picture>, n = 0): number[] => [
  ...new Float64Array(slices[n].data),
];

describe('size and names', () => {
  test.each([
    ['', 1, 1, null, null],
    ['a', 1, 5, null, 'feature a'],
    ['i a', 4, 5, 'key i', 'feature a'],
    ['b i a', 4, 5, 'key i', 'feature a'],
    ['j (r g a)', 2, 30, 'query j', 'head × feature (r g a)'],
  ])('%j is %i x %i', (spec, rows, cols, rowAxis, colAxis) => {
    const found = picture(spec, { most: 64 }, spec ? counting(spec) : scalar(7));
    expect(found).toMatchObject({ rows, cols, rowAxis, colAxis, step: [1, 1] });
    expect(new Float64Array(found.slices[0].data)).toHaveLength(rows * cols);
  });

  test('letters bind an entry that is pointed at', () => {
    const { rowLetters, colLetters } = picture('j (r g a)');
    expect([rowLetters, colLetters]).toEqual([['j'], ['r', 'g', 'a']]);
  });
});

describe('slices', () => {
  const block = (n: number): number[] => Array.from({ length: 8 }, (_, at) => 8 * n + at);

  test('one: the bound one, and what it is', () => {
    const found = picture('b h j i', { binding: { b: 1, h: 2 } });
    expect(found.slices.map(({ label }) => label)).toEqual(['batch 1, head 2']);
    expect(entries(found)).toEqual(block(5));
  });

  test('all heads of the bound batch entry', () => {
    const found = picture('b h j i', { binding: { b: 1, h: 2 }, allHeads: true });
    expect(found.slices.map(({ label }) => label)).toEqual([
      'batch 1, head 0',
      'batch 1, head 1',
      'batch 1, head 2',
    ]);
    expect([0, 1, 2].map((n) => entries(found, n))).toEqual([block(3), block(4), block(5)]);
  });

  test('heads in groups are counted through', () => {
    const found = picture('(r g) j i', { binding: { r: 1, g: 2 } });
    expect(found.slices[0].label).toBe('head 5');
    expect(entries(found)).toEqual(block(5));
  });

  test('a binding beyond the tensor is the last entry', () => {
    expect(picture('h j i', { binding: { h: 9 } }).slices[0].label).toBe('head 2');
  });

  test('at most 16', () => {
    const many = { ...extents, h: 20 };
    const value = tensor(
      [20, 2, 4],
      Array.from({ length: 160 }, (_, n) => n),
    );
    expect(picture('h j i', { extents: many, allHeads: true }, value).slices).toHaveLength(16);
  });

  test('are copies: a picture can be handed over', () => {
    const value = counting('i a');
    const found = picture('i a', {}, value);
    new Float64Array(found.slices[0].data).fill(-1);
    expect(value).toEqual(counting('i a'));
  });
});

describe('a tensor larger than its picture', () => {
  test('is reduced to the extremes of blocks, the last ones smaller', () => {
    const found = picture('i a', { most: 2 });
    expect(found).toMatchObject({ rows: 2, cols: 2, step: [2, 3] });
    // Rows 0 and 1 of four: columns 0 to 2, then 3 and 4.
    expect(entries(found)).toEqual([7, 9, 17, 19]);
  });

  test('in one direction only, if it is long in one', () => {
    const found = picture('j (r g a)', { most: 10 });
    expect(found).toMatchObject({ rows: 2, cols: 10, step: [1, 3] });
    expect(entries(found).slice(0, 3)).toEqual([2, 5, 8]);
  });

  test('an extreme is never averaged away, and keeps its sign', () => {
    for (let place = 0; place < 20; place++) {
      const value = tensor(
        [4, 5],
        Array.from({ length: 20 }, (_, n) => (n === place ? -1000 : 1)),
      );
      for (const most of [1, 2, 3]) {
        const found = picture('i a', { most }, value);
        expect(found.largest).toBe(1000);
        expect(entries(found).filter((entry) => entry === -1000)).toHaveLength(1);
      }
    }
  });

  test('NaN and −∞ make their block, and only it, NaN or −∞', () => {
    const value = tensor(
      [4, 5],
      Array.from({ length: 20 }, (_, n) => (n === 0 ? NaN : n === 19 ? -Infinity : 1)),
    );
    expect(entries(picture('i a', { most: 2 }, value))).toEqual([NaN, 1, 1, -Infinity]);
  });

  test('what a mask left out yields to what it kept', () => {
    const value = tensor([1, 4], [-Infinity, 2, -Infinity, -Infinity]);
    const masked = { axes: axesOf('j i'), extents: { j: 1, i: 4 }, most: 2, masked: true };
    expect(entries(picture('j i', masked, value))).toEqual([2, -Infinity]);
  });
});

test('the largest entry leaves infinities out', () => {
  const value = tensor(
    [4, 5],
    Array.from({ length: 20 }, (_, n) => (n < 3 ? [Infinity, -Infinity, NaN][n] : -n)),
  );
  expect(picture('i a', {}, value).largest).toBe(19);
});
