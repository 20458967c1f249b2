// The options of today's models: gradients by finite differences, formulas with the axes of their tensors.
import { expect, test } from 'vitest';
import { gradcheck } from '../../../src/engine/gradcheck.ts';
import { OPTIONS } from '../../support/options.ts';
import { runOf } from '../../support/setups.ts';

test.each(OPTIONS)('$name: every gradient', async ({ setup }) => {
  const own = await runOf(setup);
  const checks = gradcheck(own, { entries: 60 });
  expect(checks).toHaveLength(own.graph.nodes.length - 1);
  expect(checks.filter(({ ok }) => !ok)).toEqual([]);
});
