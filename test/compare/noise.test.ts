// A simulated run tells how far rounding alone puts a program off: what is no number in it would tell nothing.
import { describe, expect, it } from 'vitest';
import { BFLOAT16, FLOAT32, FLOAT64 } from '../../src/compare/reference/dtypes.ts';
import { rounding } from '../../src/compare/reference/noise.ts';
import { keyOf, referenceProgram, State } from '../../src/compare/program/program.ts';
import type { Tensor } from '../../src/engine/tensor.ts';
import { openSetup } from '../../src/formats/openSetup.ts';
import { drawSetup, generator } from '../conformance/draw.mjs';

const noNumbers = ({ data }: Tensor): number =>
  data.reduce((count, value) => count + Number(Number.isNaN(value)), 0);

/** The keys of a setup's nodes at which a simulated run has other entries that are no numbers than an exact one. */
async function spoilt(seed: number): Promise<string[]> {
  const { config, graph } = await openSetup(JSON.stringify(drawSetup(generator(seed)).setup), () =>
    Promise.reject(new Error('no files')),
  );
  if (!config || !graph) throw new Error('the setup cannot be opened');
  const exact = new State(referenceProgram(graph));
  return [FLOAT64, FLOAT32, BFLOAT16].flatMap((type) => {
    const given = { values: new Map(), gradients: new Map() };
    const sample = new State(referenceProgram(graph), given, rounding(type, 1, config));
    return graph.nodes.flatMap(({ id }) =>
      (['value', 'gradient'] as const)
        .map((kind) => keyOf(id, kind))
        .filter((key) => noNumbers(sample.predict(key)) !== noNumbers(exact.predict(key)))
        .map((key) => `${key} in ${type.name}`),
    );
  });
}

describe('a simulated run', () => {
  it.each(Array.from({ length: 10 }, (_, n) => n))(
    'has a number wherever an exact one has, of the ten setups from %i0 on',
    async (ten) => {
      const all = await Promise.all(Array.from({ length: 10 }, (_, n) => spoilt(10 * ten + n)));
      expect(all.flat()).toEqual([]);
    },
  );
});
