// The angles that models' own numbers give: frequencies of Llama 3.1 and YaRN, sections, positions, and what does not fit.
import { describe, expect, test } from 'vitest';
import { type Rope, type RopeScaling } from '../../../src/engine/config.ts';
import { rotary } from '../../../src/engine/ops/rotary.ts';
import { parseSpec } from '../../../src/engine/axes.ts';
import { fromNested, type Tensor, tensor, zeros } from '../../../src/engine/tensor.ts';

/** What (1, 0) of each pair becomes at each token: its angle and its length. */
function turned(own: Partial<Rope>, width: number, tokens = 2, batch?: number): [number, number][] {
  const extents = { h: 1, i: tokens, a: width, ...(batch !== undefined && { b: batch }) };
  const [axes] = parseSpec(batch === undefined ? 'h i a' : 'b h i a');
  const rope: Rope = { base: 10000, pairing: 'interleaved', ...own };
  const rotation = rotary(axes, extents, { ...rope, firstPosition: 0 });
  const shape = axes.map(([letter]) => extents[letter as 'a']);
  const input: Tensor = { shape, data: zeros(shape).data.map((_, at) => Number(at % 2 === 0)) };
  const { data } = rotation.forward([input]);
  return Array.from({ length: data.length / 2 }, (_, n) => {
    const [u, w] = [data[2 * n], data[2 * n + 1]];
    return [Math.atan2(w, u), Math.hypot(u, w)];
  });
}

/** The frequencies of all pairs: the angles at position 1. */
const frequencies = (own: Partial<Rope>, width: number): number[] =>
  turned(own, width)
    .slice(width / 2)
    .map(([angle]) => angle);

const LLAMA: RopeScaling = {
  ...{ kind: 'llama3', factor: 8, lowFreqFactor: 1, highFreqFactor: 4, originalLength: 8192 },
};

describe('frequencies', () => {
  test('Llama 3.1 leaves the fast ones, divides the slow ones by 8 and blends between', () => {
    const plain = frequencies({ base: 500000 }, 128);
    const scaled = frequencies({ base: 500000, scaling: LLAMA }, 128);
    const ratios = scaled.map((each, n) => each / plain[n]);
    const wavelength = (n: number): number => (2 * Math.PI) / plain[n];
    ratios.forEach((ratio, n) => {
      if (wavelength(n) < 8192 / 4) expect(ratio).toBeCloseTo(1, 12);
      else if (wavelength(n) > 8192) expect(ratio).toBeCloseTo(1 / 8, 12);
      else expect(ratio).toBeGreaterThan(1 / 8);
    });
    // By hand: the 30th pair turns 8192 / 2954.6 = 2.773 times, of which 0.591 is kept.
    const smooth = (8192 / wavelength(30) - 1) / 3;
    expect(ratios[30]).toBeCloseTo(smooth + (1 - smooth) / 8, 12);
  });

  test('YaRN: a ramp from pair 20 to 46 for 32 and 1 turns in 4096 at base 10000 and width 128', () => {
    const scaling: RopeScaling = {
      ...{ kind: 'yarn', factor: 16, originalLength: 4096, betaFast: 32, betaSlow: 1 },
      truncate: true,
    };
    const plain = frequencies({}, 128);
    const ratios = frequencies({ scaling }, 128).map((each, n) => each / plain[n]);
    expect(ratios[20]).toBeCloseTo(1, 12);
    expect(ratios[46]).toBeCloseTo(1 / 16, 12);
    expect(ratios[33]).toBeCloseTo(1 / 2 + 1 / 32, 12);
    expect(turned({ scaling }, 128)[0][1]).toBeCloseTo(0.1 * Math.log(16) + 1, 12);
    expect(turned({ scaling: { ...scaling, magnitude: 1 } }, 128)[0][1]).toBeCloseTo(1, 12);
  });

  test.each<[string, Partial<Rope>, number[]]>([
    ['linear', { scaling: { kind: 'linear', factor: 4 } }, [1 / 4, 0.01 / 4]],
    ['NTK', { scaling: { kind: 'ntk', factor: 4 } }, [1, 160000 ** -0.5]],
    ['own', { invFreq: tensor([2], [0.3, 0.2]) }, [0.3, 0.2]],
    ['the first features', { features: 2 }, [1, 0]],
  ])('%s', (_, own, expected) => {
    frequencies(own, 4).forEach((each, n) => expect(each).toBeCloseTo(expected[n], 12));
  });
});

describe('positions', () => {
  const angles = (own: Partial<Rope>, width: number, tokens: number, batch?: number): number[] =>
    turned({ base: 100, ...own }, width, tokens, batch).map(([angle]) => angle);

  test('of each batch entry', () => {
    const positions = fromNested([
      [0, 1, 2],
      [0, 0, 1],
    ]);
    expect(angles({ positions }, 2, 3, 2)).toEqual([0, 1, 2, 0, 0, 1]);
  });

  test('by sections of shared frequencies and of their own', () => {
    const positions = fromNested([
      [1, 2],
      [3, 1],
    ]);
    const sections = [1, 2];
    // base 100, width 6: frequencies 1, 100^(-1/3), 100^(-2/3)
    const [second, third] = [100 ** (-1 / 3), 100 ** (-2 / 3)];
    const shared = angles({ positions, sections }, 6, 2);
    const expected = [1, 3 * second, 3 * third, 2, second, third];
    shared.forEach((angle, n) => expect(angle).toBeCloseTo(expected[n], 12));
    const own = angles({ positions, sections, sectionFrequencies: 'own' }, 6, 2);
    [1, 3, 0.3, 2, 1, 0.1].forEach((each, n) => expect(own[n]).toBeCloseTo(each, 12));
  });
});

test.each<[string, Partial<Rope>]>([
  ['rope.features: found 6, expected at most 4, the width of a key', { features: 6 }],
  ['rope.invFreq: found shape (3), expected (2)', { invFreq: zeros([3]) }],
  ['rope.positions: found shape (3), expected (2)', { positions: zeros([3]) }],
  [
    'rope.sections: found [1, 2], 3 pairs, expected 2, half of the features that turn',
    { sections: [1, 2], positions: zeros([2, 2]) },
  ],
  ['rope.positions: found shape (2), expected (2, 2)', { sections: [1, 1], positions: zeros([2]) }],
])('%s', (message, own) => {
  expect(() => turned(own, 4)).toThrow(message);
});
