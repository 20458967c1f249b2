// Number types: how each rounds, and which one a trace was computed in.
import { describe, expect, it } from 'vitest';
import {
  BFLOAT16,
  FLOAT16,
  narrowestType,
  possibleHalf,
  typeOf,
} from '../../src/compare/reference/dtypes.ts';
import { tensor } from '../../src/engine/tensor.ts';

const values = Array.from({ length: 32 }, (_, n) => Math.sin(n + 1) * 3);
const of = (
  round: (value: number) => number,
): { dtype: 'float64'; tensor: ReturnType<typeof tensor> } => ({
  dtype: 'float64',
  tensor: tensor([32], values.map(round)),
});

describe('rounding', () => {
  it('is that of IEEE half precision', () => {
    expect(FLOAT16.round(0.1)).toBe(0.0999755859375);
    expect(FLOAT16.round(65519)).toBe(65504);
    expect(FLOAT16.round(70000)).toBe(Infinity);
    expect(FLOAT16.round(2 ** -24)).toBe(2 ** -24);
    expect(FLOAT16.round(1 + 2 ** -11)).toBe(1);
  });

  it('is that of bfloat16', () => {
    expect(BFLOAT16.round(0.1)).toBe(0.10009765625);
    expect(BFLOAT16.round(1 + 3 * 2 ** -8)).toBe(1 + 2 ** -6);
    expect(BFLOAT16.round(1 + 2 ** -8)).toBe(1);
    expect(BFLOAT16.round(1e300)).toBe(Infinity);
    expect(BFLOAT16.round(-1e300)).toBe(-Infinity);
    expect(BFLOAT16.round(3 * 2 ** -134)).toBe(2 ** -132);
  });
});

describe('the type of a trace', () => {
  it('is read from the entries', () => {
    expect(narrowestType(of((value) => value))?.name).toBe('float64');
    expect(narrowestType(of(Math.fround))?.name).toBe('float32');
    expect(narrowestType(of((value) => BFLOAT16.round(value)))?.name).toBe('bfloat16');
    expect(narrowestType(of((value) => Math.round(value * 1e4) / 1e4))?.name).toBe('4 decimals');
  });

  it('is not read from whole numbers', () => {
    expect(
      narrowestType({ dtype: 'float64', tensor: tensor([8], [0, 1, 2, 3, 1, 0, 1, 2]) }),
    ).toBeNull();
  });

  it('is read from what is not 0', () => {
    const sparse = values.map((value, n) => (n < 26 ? 0 : BFLOAT16.round(value / 10)));
    expect(narrowestType({ dtype: 'float32', tensor: tensor([32], sparse) })?.name).toBe(
      'bfloat16',
    );
  });

  it('is float16 where numbers underflow, which keeps few of their bits', () => {
    const small = values.map((value) => FLOAT16.round(value * 2 ** -20));
    expect(narrowestType({ dtype: 'float16', tensor: tensor([32], small) })?.name).toBe('float16');
    expect(narrowestType({ dtype: 'float32', tensor: tensor([32], small) })?.name).toBe('float16');
  });

  it('may be a half one where a loss alone fits it', () => {
    const f = (value: number): Parameters<typeof typeOf>[0] => [
      { dtype: 'float32', tensor: tensor([], [value]) },
    ];
    expect(possibleHalf(f(24.375))?.name).toBe('bfloat16');
    expect(possibleHalf(f(Math.fround(24.3751)))).toBeNull();
    expect(typeOf(f(Math.fround(24.3751))).name).toBe('float32');
  });

  it('is the declared one where quarters could be of any', () => {
    const quarters = tensor([4], [0.25, 0.75, 1.5, 2.25]);
    expect(typeOf([{ dtype: 'float32', tensor: quarters }]).name).toBe('float32');
  });

  it('is that of most tensors', () => {
    expect(
      typeOf([of(Math.fround), of(Math.fround), of((value) => BFLOAT16.round(value))]).name,
    ).toBe('float32');
  });
});
