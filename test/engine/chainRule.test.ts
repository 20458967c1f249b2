// The equations (3), (4) and (6) of every head and option compute the gradients of its inputs: each factor is multiplied
// out from the local Jacobians of the steps that it is named by.
import { describe, expect, test } from 'vitest';
import { bindingAt, isOfHeads } from '../../src/engine/axes.ts';
import { equations } from '../../src/engine/equations.ts';
import { type Formula, toText } from '../../src/engine/formula.ts';
import { type NodeId, nodeOf } from '../../src/engine/graph.ts';
import type { Run } from '../../src/engine/run.ts';
import { OPTIONS } from '../support/options.ts';
import { exampleRun, runOf, smallExampleNames } from '../support/setups.ts';

/** A factor: its letters, which the sums bind, and the rows and columns of a matrix that chains with others. */
interface Factor {
  readonly letters: readonly string[];
  /** By the letters' values, in a key: rows by columns. */
  readonly blocks: ReadonlyMap<string, number[][]>;
}

/** d from / d to along one chain of nodes, as (entries of from) rows of (entries of to). */
function jacobianAlong(own: Run, chain: readonly NodeId[]): number[][] {
  const size = (id: NodeId): number => own.values.get(id)!.data.length;
  const step = (from: NodeId, to: NodeId): number[][] => {
    const node = nodeOf(own.graph, from);
    if (node.kind !== 'operation') throw new Error(`${from} is no step`);
    const at = {
      inputs: node.inputs.map((id) => own.values.get(id)!),
      output: own.values.get(from)!,
    };
    return Array.from({ length: size(from) }, (_, row) =>
      Array.from({ length: size(to) }, (__, column) =>
        node.inputs.reduce(
          (total, id, slot) =>
            id === to ? total + node.operation.partial(at, slot, row, column) : total,
          0,
        ),
      ),
    );
  };
  let all = step(chain[0], chain[1]);
  for (let n = 1; n < chain.length - 1; n++) {
    const next = step(chain[n], chain[n + 1]);
    all = all.map((row) => {
      const out = new Float64Array(next[0].length);
      row.forEach((value, k) => {
        if (value !== 0) next[k].forEach((each, c) => (out[c] += value * each));
      });
      return [...out];
    });
  }
  return all;
}

const isToken = (letter: string): boolean => /^[ijt]$/.test(letter) || isOfHeads(letter);

/** Of a symbol's letters and a node: what each entry's letters are, and where it stands in a row or column. */
function placesOf(own: Run, id: NodeId, letters: readonly string[]) {
  const node = nodeOf(own.graph, id);
  const named = node.axes.flat().filter(isToken);
  const hidden = new Map<string, number>();
  return Array.from({ length: own.values.get(id)!.data.length }, (_, offset) => {
    const binding = bindingAt(node.axes, own.graph.extents, offset);
    const rest = node.axes
      .flat()
      .filter((letter) => !isToken(letter) || named.indexOf(letter) >= letters.length)
      .map((letter) => binding[letter])
      .join(' ');
    if (!hidden.has(rest)) hidden.set(rest, hidden.size);
    return { bound: letters.map((_letter, n) => binding[named[n]]), place: hidden.get(rest)! };
  });
}

const lettersOf = (formula: Formula): string[] =>
  formula.kind === 'symbol' ? formula.indices.flat() : [];

function factorOf(own: Run, { name, body }: Formula & { kind: 'part' }): Factor {
  if (body.kind !== 'partial') throw new Error(`${toText(body)} is no derivative`);
  const chains = name.split('|').map((chain) => chain.split('>'));
  const [from, to] = [chains[0][0], chains[0].at(-1)!];
  const jacobian = chains
    .map((chain) => jacobianAlong(own, chain))
    .reduce((a, b) => a.map((row, n) => row.map((value, m) => value + b[n][m])));
  const [top, bottom] = [lettersOf(body.top), lettersOf(body.bottom)];
  const [rows, columns] = [placesOf(own, from, top), placesOf(own, to, bottom)];
  const letters = [...new Set([...top, ...bottom])];
  const blocks = new Map<string, number[][]>();
  const key = (values: Record<string, number>): string =>
    letters.map((letter) => values[letter]).join(' ');
  rows.forEach((row, r) => {
    columns.forEach((column, c) => {
      const values: Record<string, number> = {};
      top.forEach((letter, n) => (values[letter] = row.bound[n]));
      // A letter of both sides is bound once: where the two do not agree, there is no such entry.
      if (bottom.some((letter, n) => (values[letter] ?? column.bound[n]) !== column.bound[n]))
        return;
      bottom.forEach((letter, n) => (values[letter] = column.bound[n]));
      const block = blocks.get(key(values)) ?? [];
      (block[row.place] ??= [])[column.place] = jacobian[r][c];
      blocks.set(key(values), block);
    });
  });
  return { letters, blocks };
}

const multiplied = (a: number[][], b: number[][]): number[][] =>
  a.map((row) => b[0].map((_, c) => row.reduce((total, value, k) => total + value * b[k][c], 0)));
const added = (a: number[][] | null, b: number[][]): number[][] =>
  a === null ? b : a.map((row, n) => row.map((value, m) => value + b[n][m]));

/** The right side, a row vector, at values of its free letters. */
class Evaluator {
  readonly #own: Run;
  readonly #known = new Map<string, Factor>();

  constructor(own: Run) {
    this.#own = own;
  }

  #lengthOf(letter: string): number {
    const { extents } = this.#own.graph;
    if (letter === 'k') return extents['j'];
    return letter === 'l' ? extents['i'] : extents[letter];
  }

  at(formula: Formula, bound: Readonly<Record<string, number>>): number[][] {
    switch (formula.kind) {
      case 'part': {
        const key = `${formula.name} ${toText(formula.body)}`;
        const factor = this.#known.get(key) ?? factorOf(this.#own, formula);
        this.#known.set(key, factor);
        return factor.blocks.get(factor.letters.map((letter) => bound[letter]).join(' '))!;
      }
      case 'product':
        return formula.factors.map((each) => this.at(each, bound)).reduce(multiplied);
      case 'add':
        return formula.terms
          .map((each) => this.at(each, bound))
          .reduce<number[][]>((total, each) => added(total.length === 0 ? null : total, each), []);
      case 'sum': {
        const [letter, ...rest] = formula.over;
        const body: Formula = rest.length === 0 ? formula.body : { ...formula, over: rest };
        let total: number[][] | null = null;
        for (let n = 0; n < this.#lengthOf(letter); n++)
          total = added(total, this.at(body, { ...bound, [letter]: n }));
        return total!;
      }
      default:
        throw new Error(`${toText(formula)} is no part of the chain rule`);
    }
  }
}

/** What the equation says of each token, one after the other. */
function rightSide(own: Run, number: string): { left: string; values: number[] } | null {
  const found = equations(own.graph).find((each) => each.number === number);
  if (found?.formula.kind !== 'relation') return null;
  const letter = number === '3' ? 'j' : own.graph.extents['t'] === undefined ? 'i' : 't';
  const evaluator = new Evaluator(own);
  const values = Array.from({ length: own.graph.extents[letter] }, (_, n) =>
    evaluator.at((found.formula as Formula & { kind: 'relation' }).right, { [letter]: n }),
  );
  return { left: toText(found.formula.left), values: values.flat(2) };
}

function expectClose(found: readonly number[], expected: ArrayLike<number>): void {
  expect(found).toHaveLength(expected.length);
  const most = Math.max(1, ...Array.from(expected, Math.abs));
  found.forEach((value, n) => expect(Math.abs(value - expected[n])).toBeLessThan(1e-9 * most));
}

function holds(own: Run): void {
  const [three, four, six] = ['3', '4', '6'].map((number) => rightSide(own, number));
  if (four && six) expectClose(six.values, four.values);
  if (own.graph.selfAttention) {
    // Parts of one gradient, each said to be.
    const parts = [three, four].flatMap((each) => (each ? [each.values] : []));
    const all = parts.reduce((a, b) => a.map((value, n) => value + b[n]));
    expectClose(all, own.gradients.get('x')!.data);
    return;
  }
  const to = three?.left.startsWith('∂f/∂Q') ? 'Q' : 'xPrime';
  if (three) expectClose(three.values, own.gradients.get(to)!.data);
  else expect(own.gradients.has('xPrime')).toBe(false);
  if (four) expectClose(four.values, own.gradients.get('x')!.data);
  else expect(own.gradients.has('x')).toBe(false);
}

const hasBatch = (own: Run): boolean => own.graph.extents['b'] !== undefined;

describe('the chain rule by every way', () => {
  test.each(smallExampleNames)('example %s', { timeout: 120_000 }, async (name) => {
    const own = await exampleRun(name);
    // A batch is not written in these equations.
    if (!hasBatch(own)) holds(own);
  });

  const random = (seed: number, ...shape: number[]) => ({ random: 'normal', shape, seed });
  const x = random(1, 4, 3);
  const weights = { W_Q: random(2, 3, 4), W_K: random(3, 3, 4), W_V: random(4, 3, 2) };
  const only = (...ids: (keyof typeof weights)[]) =>
    Object.fromEntries(ids.map((id) => [id, weights[id]]));
  test.each<[string, object]>([
    ['queries that are given', { x, weights: only('W_K', 'W_V'), start: { Q: random(5, 3, 4) } }],
    ['keys that are given', { x, weights: only('W_Q', 'W_V'), start: { K: random(5, 4, 4) } }],
    ['values that are given', { x, weights: only('W_Q', 'W_K'), start: { V: random(5, 4, 2) } }],
    [
      'keys and values that are given',
      { x, weights: only('W_Q'), start: { K: random(5, 4, 4), V: random(6, 4, 2) } },
    ],
    [
      'queries that are given, and a gate',
      {
        x,
        weights: { ...only('W_K', 'W_V'), W_gate: random(7, 3, 2) },
        start: { Q: random(5, 4, 4) },
      },
    ],
    [
      'cross-attention with a gate and a residual connection',
      {
        x,
        xPrime: random(8, 3, 3),
        weights: {
          ...weights,
          ...{ W_gate: random(7, 3, 2), W_O: random(9, 2, 3), gamma_pre: random(10, 3) },
        },
        block: { residual: true, preNorm: 'rms' },
      },
    ],
  ])('%s', { timeout: 120_000 }, async (_, setup) => {
    holds(await runOf({ head: 'multihead', heads: 2, scale: 0.5, ...setup }));
  });

  test.each(OPTIONS)('$name', { timeout: 120_000 }, async ({ setup }) => {
    holds(await runOf(setup));
  });
});
