// Right programs are not accused, whatever their habit of logging: a few here; npm run right does a thousand by PyTorch.
import { describe, expect, it } from 'vitest';
import { check } from '../../src/compare/check.ts';
import { tensorName } from '../../src/engine/graph.ts';
import { run } from '../../src/engine/run.ts';
import type { NamedTensor } from '../../src/formats/namedTensor.ts';
import { resolveName } from '../../src/formats/nodeNames.ts';
import { openSetup } from '../../src/formats/openSetup.ts';
import { drawSetup, generator } from '../conformance/draw.mjs';
import { HABITS } from './habits.ts';

describe.each(Array.from({ length: 12 }, (_, seed) => seed))('setup %i', (seed) => {
  it.each(Object.keys(HABITS))('%s', async (habit) => {
    const { setup } = drawSetup(generator(100 + seed));
    const { config, graph } = await openSetup(JSON.stringify(setup), () =>
      Promise.reject(new Error('no files')),
    );
    if (!config || !graph) throw new Error('the setup cannot be opened');
    const { values, gradients } = run(graph);
    const named = (kind: 'value' | 'gradient', all: typeof values): NamedTensor[] =>
      [...all].map(([node, tensor]) => ({
        name: tensorName(node, kind),
        dtype: 'float64' as const,
        tensor,
      }));
    const trace = HABITS[habit](
      [...named('value', values), ...named('gradient', gradients)],
      graph,
      seed,
    );
    if (!trace) return;
    const { verdict, causes } = check({ config, graph, trace, names: {}, resolve: resolveName });
    expect([verdict, causes]).toEqual(['match', []]);
  });
});
