// A run in parts: the same numbers, told part by part.
import { expect, test } from 'vitest';
import { type Part, run, runInParts } from '../../src/engine/run.ts';
import { operationNodes } from '../../src/engine/graph.ts';
import { computingMessage } from '../../src/extension/computing.ts';
import { exampleText, graphOf } from '../support/setups.ts';

test('gives way before every node, forward and backward, and ends with the run', async () => {
  const graph = await graphOf(exampleText('exercise'));
  const parts: Part[] = [];
  const steps = runInParts(graph);
  let next = steps.next();
  for (; !next.done; next = steps.next()) parts.push(next.value);
  const nodes = operationNodes(graph).map(({ id }) => id);
  expect(parts.map(({ phase, node }) => `${phase} ${node}`)).toEqual([
    ...nodes.map((id) => `forward ${id}`),
    ...[...nodes].reverse().map((id) => `backward ${id}`),
  ]);
  expect(parts.map(({ done }) => done)).toEqual(parts.map((_, n) => n));
  expect(new Set(parts.map(({ of }) => of))).toEqual(new Set([parts.length]));
  expect(next.value).toEqual(run(graph));
});

test('says what is computed by its largest tensor, and how far it is', async () => {
  const graph = await graphOf(exampleText('gpt2-heads'));
  expect(computingMessage('gpt2-heads', null, null)).toMatchObject({
    ...{ what: 'gpt2-heads', share: 0, part: 'reading the setup' },
  });
  const part: Part = { phase: 'backward', node: 'S', done: 21, of: 28 };
  expect(computingMessage('gpt2-heads', graph, part)).toEqual({
    ...{ type: 'computing', what: 'gpt2-heads, 768 × 768', part: 'backward: S', share: 0.75 },
  });
});
