// What a trace's headers say is not wanted changes nothing where it is read all the same.
import { expect, test } from 'vitest';
import { check } from '../../src/compare/check.ts';
import { wantedBy } from '../../src/compare/align/fits.ts';
import { tensorName } from '../../src/engine/graph.ts';
import { run } from '../../src/engine/run.ts';
import { sizeOf, type Tensor } from '../../src/engine/tensor.ts';
import type { NamedTensor } from '../../src/formats/namedTensor.ts';
import { resolveName } from '../../src/formats/nodeNames.ts';
import { openSetup } from '../../src/formats/openSetup.ts';
import { drawnSetup } from '../support/setups.ts';
import { randomTensor } from '../support/random.ts';
import { generator } from '../conformance/draw.mjs';

const resolve = (name: string, rank: number) => resolveName(name, {}, rank);

test.each(Array.from({ length: 20 }, (_, seed) => seed))('setup %i', async (seed) => {
  const text = JSON.stringify(drawnSetup(seed));
  const { config, graph } = await openSetup(text, () => Promise.reject(new Error()));
  if (!config || !graph) return;
  const { values, gradients } = run(graph);
  const random = generator(seed);
  const named = (kind: 'value' | 'gradient', all: ReadonlyMap<string, Tensor>): NamedTensor[] =>
    [...all].flatMap(([node, tensor]) => {
      const chance = random();
      const name = tensorName(node, kind);
      if (chance < 0.4) return [{ name, dtype: 'float64' as const, tensor }];
      // Another shape of as many entries, an axis too long, or a name that is no node's.
      const { shape, data } = tensor;
      if (chance < 0.5)
        return [{ name, dtype: 'float64' as const, tensor: { shape: [data.length], data } }];
      if (chance < 0.7) {
        const longer = shape.length > 0 ? [shape[0] + 1, ...shape.slice(1)] : [3];
        return [{ name, dtype: 'float64' as const, tensor: randomTensor(longer, seed) }];
      }
      return chance < 0.8 ? [{ name: `my ${name}`, dtype: 'float64' as const, tensor }] : [];
    });
  const trace = [...named('value', values), ...named('gradient', gradients)];
  const { most, why } = wantedBy(graph, resolve);
  const whole = check({ config, graph, trace, names: {}, resolve: resolveName });
  const leftOut = trace.flatMap(({ name, tensor }) => {
    const reason = why(name, tensor.shape, false);
    if (!reason) expect(sizeOf(tensor.shape)).toBeLessThanOrEqual(most);
    return reason ? [{ name, reason }] : [];
  });
  const wanted = trace.filter(({ name }) => !leftOut.some((each) => each.name === name));
  const part = check({ config, graph, trace: wanted, names: {}, resolve: resolveName });
  const byName = (all: readonly { name: string }[]): unknown[] =>
    [...all].sort((a, b) => a.name.localeCompare(b.name));
  expect({ ...part, unaligned: [] }).toEqual({ ...whole, unaligned: [] });
  expect(byName([...leftOut, ...part.unaligned])).toEqual(byName(whole.unaligned));
});
