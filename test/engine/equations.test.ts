// The equations are true, and every factor that a step marks is what this step computes: both are computed here.
import { beforeAll, describe, expect, test } from 'vitest';
import { backwardMarks, forwardMarks } from '../../src/engine/equationMarks.ts';
import { equations } from '../../src/engine/equations.ts';
import { type Formula, partNames, toText } from '../../src/engine/formula.ts';
import { type Graph, type NodeId, operationNodes } from '../../src/engine/graph.ts';
import type { Run } from '../../src/engine/run.ts';
import { exampleRun, exampleText, graphOf, smallExampleNames } from '../support/setups.ts';
import { type Bound, evaluate, type Matrix, rowsOf, scopeOf, type Scope } from './evaluate.ts';
import { jacobianOf } from './jacobianOf.ts';

const asText = (graph: Graph): string[] =>
  equations(graph).map(({ number, formula }) => `(${number}) ${toText(formula)}`);

const namesOf = (graph: Graph): string[] => [
  ...new Set(equations(graph).flatMap(({ formula }) => partNames(formula))),
];

function occurrences(formula: Formula, name: string): Formula[] {
  if (formula.kind === 'part' && formula.name === name) return [formula.body];
  return Object.values(formula)
    .flat()
    .filter((each): each is Formula => typeof each === 'object' && each !== null && 'kind' in each)
    .flatMap((each) => occurrences(each, name));
}

/** The numbers of one name wherever it stands, with the equation's text for a message. */
const bodies = (graph: Graph, name: string): Formula[] =>
  equations(graph).flatMap(({ formula }) => occurrences(formula, name));

function expectEqual(found: Matrix, expected: Matrix, what: string): void {
  expect([found.length, found[0].length], what).toEqual([expected.length, expected[0].length]);
  const off = found.flatMap((row, n) => row.map((entry, m) => Math.abs(entry - expected[n][m])));
  expect(Math.max(...off), what).toBeLessThan(1e-6);
}

function eachBinding({ tokens, queries }: Scope, check: (bound: Bound) => void): void {
  for (let i = 0; i < tokens; i++)
    for (const l of [i, (i + 1) % tokens])
      for (let j = 0; j < queries; j++) check({ i, l, j, k: (j + 1) % queries });
}

describe('as text', () => {
  test.each(['exercise', 'self-attention', 'causal-qkv'])('%s', async (name) => {
    expect(asText(await graphOf(exampleText(name)))).toMatchSnapshot();
  });
});

describe('numbers', () => {
  test('are those of the exercise: its (5) is a line between, and the closed forms are ours', async () => {
    const numbers = equations(await graphOf(exampleText('exercise'))).map(({ number }) => number);
    expect(numbers).toEqual(['1', '2', '2', '3', '4', '6', '', '', '']);
  });
});

describe.each(smallExampleNames)('%s', (name) => {
  test('a factor that is marked stands in an equation, and every factor is marked by a step', async () => {
    const { graph, contributions } = await exampleRun(name);
    const names = namesOf(graph);
    const all = [
      ...operationNodes(graph).map(({ id }) => forwardMarks(names, id)),
      ...contributions.map(({ from, to }) => backwardMarks(names, from, to)),
    ];
    const marked = new Set(all.flatMap(({ parts, links }) => [...parts, ...links]));
    expect(names.filter((each) => !marked.has(each))).toEqual([]);
  });

  test('every name stands for steps that there are, one after the other', async () => {
    const { graph, contributions } = await exampleRun(name);
    const steps = new Set(contributions.map(({ from, to }) => `${from}>${to}`));
    for (const part of namesOf(graph).flatMap((each) => each.split('|'))) {
      if (part.startsWith('='))
        expect(operationNodes(graph).map(({ id }) => `=${id}`)).toContain(part);
      else {
        const nodes = part.split('>');
        nodes.slice(1).forEach((to, n) => expect(steps).toContain(`${nodes[n]}>${to}`));
      }
    }
  });
});

describe.each(['exercise', 'self-attention'])('computed: %s', (name) => {
  let run: Run;
  let scope: Scope;
  beforeAll(async () => {
    run = await exampleRun(name);
    scope = scopeOf(run);
  });

  /** What the left side of an equation is in the run. */
  function expected(left: Formula, { i, j }: Bound): Matrix {
    const part = (froms: readonly NodeId[], to: NodeId, at: number): Matrix => {
      const rows = run.contributions
        .filter((each) => each.to === to && froms.includes(each.from))
        .map(({ value }) => rowsOf(value)[at]);
      return rows[0].map((_, c) => [rows.reduce((total, row) => total + row[c], 0)]);
    };
    const text = toText(left);
    switch (text) {
      case '∂f/∂x[i]':
      case 'value and key part':
        return part(['y', 'K'], 'x', i);
      case '∂f/∂x′[j]':
        return part(['Q'], 'xPrime', j);
      case 'query part':
        return part(['Q'], 'x', j);
      default:
        return evaluate(left, { i, l: i, j, k: j }, scope);
    }
  }

  test('both sides of every equation are equal', () => {
    for (const { title, formula } of equations(run.graph)) {
      if (formula.kind !== 'relation') throw new Error(`${title} is no equation`);
      const { left, right } = formula;
      eachBinding(scope, (bound) => {
        const isSpelledOut = toText(left).startsWith('∂p');
        const wanted = isSpelledOut ? evaluate(left, bound, scope) : expected(left, bound);
        expectEqual(evaluate(right, bound, scope), wanted, title);
      });
    }
  });

  test('what a forward step marks is its value', () => {
    const names = namesOf(run.graph);
    for (const { id } of operationNodes(run.graph)) {
      for (const part of forwardMarks(names, id).parts) {
        for (const body of bodies(run.graph, part)) {
          eachBinding(scope, (bound) => {
            const found = evaluate(body, bound, scope).flat();
            const rows = rowsOf(run.values.get(id)!);
            const { i, j } = bound;
            const own = id === 'K' ? rows[i] : id === 'Q' || id === 'y' ? rows[j] : [rows[i][j]];
            expectEqual([found], [own], `${id}: ${toText(body)}`);
          });
        }
      }
    }
  });

  /** The parts of a softmax that two marks share: p_ij and y_j of p_ij (x_i - y_j). */
  const isShared = (step: string, body: Formula): boolean =>
    step === 'P>S' && body.kind === 'symbol';

  test('what a backward step marks is its local Jacobian, or the gradient it passes on', () => {
    const names = namesOf(run.graph);
    let checked = 0;
    for (const { from, to, slot } of run.contributions) {
      const step = `${from}>${to}`;
      for (const part of backwardMarks(names, from, to).parts) {
        for (const body of bodies(run.graph, part).filter((each) => !isShared(step, each))) {
          eachBinding(scope, (bound) => {
            const found = evaluate(body, bound, scope);
            const wanted = jacobianOf(run, [{ from, to, slot }], body, bound);
            expectEqual(found, wanted, `${step}: ${toText(body)}`);
            checked++;
          });
        }
      }
    }
    expect(checked).toBeGreaterThan(100);
  });

  test('of p (x − y), the softmax makes p and −y of the x that came before it', () => {
    const marked = backwardMarks(namesOf(run.graph), 'P', 'S').parts;
    const shared = marked
      .flatMap((part) => bodies(run.graph, part))
      .filter((body) => isShared('P>S', body))
      .map((body) => toText(body));
    expect([...new Set(shared)].sort()).toEqual(['p[i,j]', 'y[j]']);
    const at = (text: 'p' | 'x' | 'y', bound: Bound): number[] => {
      const letters = { p: ['i', 'j'], x: ['i'], y: ['j'] }[text].map((letter) => [letter]);
      return evaluate({ kind: 'symbol', name: text, indices: letters }, bound, scope).flat();
    };
    const softmax = run.contributions.find(({ from }) => from === 'P')!;
    const weight: Formula = { kind: 'symbol', name: 'p', indices: [['l'], ['j']] };
    eachBinding(scope, (bound) => {
      const centred = at('x', bound).map(
        (entry, c) => at('p', bound)[0] * (entry - at('y', bound)[c]),
      );
      const through = at('x', bound).map((_, c) =>
        Array.from({ length: scope.tokens }, (_each, l) => {
          const slope = jacobianOf(run, [softmax], weight, { ...bound, l })[0][0];
          return at('x', { ...bound, i: l })[c] * slope;
        }).reduce((total, entry) => total + entry, 0),
      );
      expectEqual([centred], [through], 'p (x - y)');
    });
  });

  test('a factor that takes several steps is the product of their Jacobians', () => {
    const names = namesOf(run.graph);
    const links = new Set(
      run.contributions.flatMap(({ from, to }) => backwardMarks(names, from, to).links),
    );
    expect(links.size).toBe(2);
    for (const part of links) {
      const nodes = part.split('>');
      const chain = nodes
        .slice(1)
        .map((to, n) =>
          run.contributions.find((each) => each.from === nodes[n] && each.to === to)!,
        );
      for (const body of bodies(run.graph, part)) {
        eachBinding(scope, (bound) =>
          expectEqual(evaluate(body, bound, scope), jacobianOf(run, chain, body, bound), part),
        );
      }
    }
  });
});
