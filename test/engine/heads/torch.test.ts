// All values and gradients of fixed setups against PyTorch's autograd in float64 (see ../fixtures/make.mjs).
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { type Tensor, tensor } from '../../../src/engine/tensor.ts';
import type { Run } from '../../../src/engine/run.ts';
import { largestOf } from '../../support/allclose.ts';
import { exampleText, runOf } from '../../support/setups.ts';

interface Fixture {
  readonly name: string;
  /** Given here, or by the example of this name. */
  readonly setup?: object;
  readonly example?: string;
  readonly expected: Readonly<Record<string, { shape: number[]; data: (number | string)[] }>>;
}

const file = new URL('../fixtures/torch.json', import.meta.url);
const fixtures = JSON.parse(readFileSync(file, 'utf8')) as Fixture[];

/** "dP" is the gradient at P, "P" its value. */
function tensorNamed({ values, gradients }: Run, name: string): Tensor {
  const found = values.get(name) ?? gradients.get(name.slice(1));
  if (!found) throw new Error(`no ${name} in the run`);
  return found;
}

/**
 * A bias of the keys shifts all logits of a query alike, which softmax does not see: its gradient is the rounding
 * of a sum of numbers as large as those of dK. So the gradient of a bias is measured by what it is a sum of.
 */
function measure(run: Run, name: string): number {
  const [, projection] = /^db_([KQV])$/.exec(name) ?? [];
  return largestOf(projection ? run.gradients.get(projection)! : tensorNamed(run, name));
}

describe.each(fixtures)('$name', ({ setup, example, expected }) => {
  test('every node and every gradient', async () => {
    const run = await runOf(example ? exampleText(example) : setup!);
    for (const [name, { shape, data }] of Object.entries(expected)) {
      const numbers = data.map((entry) => Number(String(entry).replace('inf', 'Infinity')));
      const found = tensorNamed(run, name);
      expect(found, name).toBeAllclose(tensor(shape, numbers), { largest: measure(run, name) });
    }
    const gradients = Object.keys(expected).filter((name) => !run.values.has(name));
    expect(gradients.sort()).toEqual(run.graph.nodes.map(({ id }) => `d${id}`).sort());
  });
});
