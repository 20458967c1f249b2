// What a person's expression comes to, where the library would refuse it.
import { describe, expect, test } from 'vitest';
import type { Tensor } from '../../src/engine/tensor.ts';
import { NotComputed } from '../../src/lines/expressions/arrays.ts';
import { CALLS } from '../../src/lines/expressions/calls.ts';
import { evaluate } from '../../src/lines/expressions/evaluate.ts';
import { parseStatement } from '../../src/lines/expressions/parse.ts';
import type { Value } from '../../src/lines/expressions/values.ts';

const a: Tensor = { shape: [2, 3], data: Float64Array.from([0, 1, 2, 3, 4, 5]) };
const empty: Tensor = { shape: [0, 3], data: new Float64Array() };
const VARIABLES: Readonly<Record<string, Value>> = { a, empty };

const valueOf = (text: string): Value =>
  evaluate(parseStatement(`it = ${text}`)!.value, (path) => VARIABLES[path]);

test.each(['np.zeros(-5)', 'np.ones((-2, -3))', 'np.full((2, 0.5), 1.0)', 'torch.eye(-1)'])(
  '%s has no shape, and is not computed',
  (text) => {
    expect(() => valueOf(text)).toThrow(NotComputed);
  },
);

const ODD = ['a', 'empty', '-1', '2.5', '1e9', 'None', '(2, -1)', '"ij,jk"', '[]', '[a, empty]'];

/** What is neither computed nor refused. */
function faultOf(text: string): string[] {
  try {
    valueOf(text);
    return [];
  } catch (error) {
    return error instanceof NotComputed ? [] : [`${text}: ${String(error)}`];
  }
}

describe('whatever it is given, a call is computed or refused:', () => {
  test.each([...CALLS.keys()])('%s', (name) => {
    const faults = ODD.flatMap((first) => [
      ...faultOf(`np.${name}(${first})`),
      ...ODD.flatMap((second) => [
        ...faultOf(`np.${name}(${first}, ${second})`),
        ...faultOf(`np.${name}(${first}, axis=${second})`),
        ...faultOf(`np.${name}(${first}, ${second}, (1, 0))`),
        ...faultOf(`np.${name}(${first}, ${second}, a)`),
      ]),
    ]);
    expect(faults).toEqual([]);
  });

  test.each(['+', '*', '/', '@', '**', '//', '%', '<', 'and'])('%s', (operator) => {
    const faults = ODD.flatMap((left) =>
      ODD.flatMap((right) => faultOf(`${left} ${operator} ${right}`)),
    );
    expect(faults).toEqual([]);
  });

  test('an index', () => {
    const faults = ODD.flatMap((of) =>
      ODD.flatMap((at) =>
        [`${of}[${at}]`, `${of}[${at}:]`, `${of}[..., ${at}]`, `${of}[::${at}]`].flatMap(faultOf),
      ),
    );
    expect(faults).toEqual([]);
  });
});
