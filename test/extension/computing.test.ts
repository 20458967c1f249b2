// A run in parts: the same numbers, told part by part.
import { expect, test } from 'vitest';
import { type Made, type Part, run, runInParts } from '../../src/engine/run.ts';
import { operationNodes } from '../../src/engine/graph.ts';
import { Progress } from '../../src/extension/computing.ts';
import { drawn } from '../../src/stepper/outline.ts';
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

test('tells each value when it is there, and each gradient when it is complete', async () => {
  const graph = await graphOf(exampleText('self-attention'));
  const steps = runInParts(graph);
  const made: Made[] = [];
  let next = steps.next();
  for (; !next.done; next = steps.next()) {
    const { node, phase } = next.value;
    made.push(...next.value.made);
    const isThere = made.some((each) => each.node === node && each.kind === 'value');
    expect(isThere).toBe(phase === 'backward');
  }
  const { values, gradients } = next.value;
  expect(made.filter(({ kind }) => kind === 'value').map(({ node }) => node)).toEqual([
    ...values.keys(),
  ]);
  expect(made.filter(({ kind }) => kind === 'gradient')).toHaveLength(operationNodes(graph).length);
  for (const { node, kind, tensor } of made)
    expect(tensor).toBe((kind === 'value' ? values : gradients).get(node));
});

test('says what is computed by its largest tensor, and how far it is', async () => {
  const graph = await graphOf(exampleText('gpt2-heads'));
  expect(new Progress('gpt2-heads', null).all).toEqual({
    ...{ type: 'computing', what: 'gpt2-heads', share: 0, part: null },
  });
  const progress = new Progress('gpt2-heads', graph);
  const told = { part: { phase: 'backward', node: 'S', done: 21, of: 28 }, drawn: [] } as const;
  expect(progress.tell(told)).toEqual({
    ...{ type: 'computing', what: 'gpt2-heads, 768 × 768', share: 0.75 },
    part: { phase: 'backward', node: 'S' },
  });
});

test('a page that comes late is told the graph and all that is there, another the news alone', async () => {
  const graph = await graphOf(exampleText('self-attention'));
  const progress = new Progress('self', graph, { title: 'Self', description: '' });
  expect(progress.all.outline?.nodes.map(({ id }) => id)).toEqual(graph.nodes.map(({ id }) => id));
  const news = [...runInParts(graph)].map(({ made, ...part }) =>
    progress.tell({ part, drawn: made.map((each) => drawn(graph, each)) }),
  );
  expect(news.every(({ outline }) => outline === undefined)).toBe(true);
  expect(progress.all.drawn).toEqual(news.flatMap((each) => each.drawn ?? []));
  expect(progress.all.drawn?.[0]).toMatchObject({ node: 'x', kind: 'value' });
});
