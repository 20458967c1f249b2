// A run that is known already serves as the reference as one that is computed when it is asked for.
import { expect, test } from 'vitest';
import { causalOrder } from '../../src/compare/judge/causalOrder.ts';
import { check } from '../../src/compare/check.ts';
import { referenceProgram, State } from '../../src/compare/program/program.ts';
import { run } from '../../src/engine/run.ts';
import { openSetup } from '../../src/formats/openSetup.ts';
import { resolveName } from '../../src/formats/nodeNames.ts';
import { drawSetup, generator } from '../conformance/draw.mjs';

test('the same tensors, come of the same, and the same reports', async () => {
  const drawn = generator(5);
  for (let n = 0; n < 25; n++) {
    const { config, graph } = await openSetup(JSON.stringify(drawSetup(drawn).setup), () =>
      Promise.reject(new Error('no files')),
    );
    const computed = run(graph!);
    const known = new State(referenceProgram(graph!));
    known.know(computed);
    const asked = new State(referenceProgram(graph!));
    const keys = causalOrder(graph!);
    for (const key of keys) {
      expect(known.predict(key), key).toEqual(asked.predict(key));
      expect(known.region(key), key).toEqual(asked.region(key));
    }
    const trace = keys.map((key) => {
      const { shape, data } = asked.predict(key);
      const name = key.startsWith('v:') ? key.slice(2) : `d${key.slice(2)}`;
      const wrong = key === keys[Math.floor(keys.length / 2)] ? 1.5 : 1;
      return {
        name,
        dtype: 'float64' as const,
        tensor: { shape, data: data.map((v) => v * wrong) },
      };
    });
    const input = { config: config!, graph: graph!, trace, names: {}, resolve: resolveName };
    expect(check({ ...input, computed })).toEqual(check(input));
  }
});
