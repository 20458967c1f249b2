// The exercise's equations (1) to (6), and that every step points at parts which stand in them.
import { describe, expect, test } from 'vitest';
import { backwardParts, equations, forwardParts } from '../../src/engine/equations.ts';
import { type Formula, toText } from '../../src/engine/formula.ts';
import { type Graph, operationNodes } from '../../src/engine/graph.ts';
import { smallExampleNames, exampleRun, exampleText, graphOf } from '../support/setups.ts';

function partsOf(formula: Formula): string[] {
  const children = Object.values(formula).flat() as unknown[];
  const inner = children
    .filter((each): each is Formula => typeof each === 'object' && each !== null && 'kind' in each)
    .flatMap(partsOf);
  return formula.kind === 'part' ? [formula.name, ...inner] : inner;
}

const asText = (graph: Graph): string[] =>
  equations(graph).map(({ number, formula }) => `(${number}) ${toText(formula)}`);

describe('as text', () => {
  test.each(['exercise', 'self-attention', 'causal-qkv'])('%s', async (name) => {
    expect(asText(await graphOf(exampleText(name)))).toMatchSnapshot();
  });
});

describe.each(smallExampleNames)('%s', (name) => {
  test('every part that a step marks stands in an equation', async () => {
    const { graph, contributions } = await exampleRun(name);
    const known = new Set(equations(graph).flatMap(({ formula }) => partsOf(formula)));
    const forward = operationNodes(graph).flatMap(({ id }) => forwardParts(id));
    const backward = contributions.flatMap(({ from, to }) => backwardParts(from, to));
    expect([...forward, ...backward].filter((part) => !known.has(part))).toEqual([]);
  });

  test('every part of the equations is marked by some step', async () => {
    const { graph, contributions } = await exampleRun(name);
    const marked = new Set([
      ...operationNodes(graph).flatMap(({ id }) => forwardParts(id)),
      ...contributions.flatMap(({ from, to }) => backwardParts(from, to)),
    ]);
    const parts = equations(graph).flatMap(({ formula }) => partsOf(formula));
    expect(parts.filter((part) => !marked.has(part))).toEqual([]);
  });
});

test('every forward step but f marks a part, and every contribution does', async () => {
  const { graph, contributions } = await exampleRun('cross-attention');
  const silent = operationNodes(graph).filter(({ id }) => forwardParts(id).length === 0);
  expect(silent.map(({ id }) => id)).toEqual(['V', 'Vh', 'f']);
  expect(contributions.every(({ from, to }) => backwardParts(from, to).length > 0)).toBe(true);
});
