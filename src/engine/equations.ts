// The exercise's equations (1) to (6), for each head; their factors are named by the steps that compute them.
import {
  type Formula,
  call,
  equals,
  fraction,
  minus,
  part,
  partial,
  plus,
  power,
  product,
  sum,
  symbol,
  words,
} from './formula.ts';
import type { Letter } from './axes.ts';
import type { Graph, NodeId } from './graph.ts';
import { hasNode, nodeOf, operationNodes } from './graph.ts';
import { isPlain, jacobian, value } from './equationMarks.ts';

export interface Equation {
  /** As on the exercise's sheet; '' for what is ours. */
  readonly number: string;
  /** What it says, in a few words. */
  readonly title: string;
  /** What its symbols are called in the graph, where that is something else. */
  readonly note: string;
  readonly formula: Formula;
}

const v = (name: string, ...letters: Letter[]): Formula =>
  symbol(
    name,
    letters.map((letter) => [letter]),
  );
const transposed = (inner: Formula): Formula => power(inner, words('T'));
const f = v('f');
const equation = (number: string, title: string, formula: Formula, note = ''): Equation => ({
  ...{ number, title, note, formula },
});

/** Vectors are columns here, as in the exercise: x_i is token i. */
export function equations(graph: Graph): Equation[] {
  const all = [
    ...(isPlain(graph) ? plainForward(graph) : ownForward(graph)),
    ...backward(graph),
    ...(isPlain(graph) ? spelledOut(graph) : []),
  ];
  // Those of the exercise first, as on its sheet.
  const place = ({ number }: Equation): string => number || 'ours';
  return all.sort((a, b) => place(a).localeCompare(place(b)));
}

/** In self-attention, too: there x is a token as key and value, x′ the same token as query. */
const QUERY = 'x′';
const queryNode = ({ selfAttention }: Graph): NodeId => (selfAttention ? 'x' : 'xPrime');

/** W_Q^T x'_j, which q_ij is linear in x_i by, and W_K^T x_i. */
const queryOf = (): Formula => product(transposed(v('W_Q')), v(QUERY, 'j'));
const keyOf = (letter: Letter): Formula => product(transposed(v('W_K')), v('x', letter));

/** (1) and (2), of the exercise's own head. */
function plainForward(graph: Graph): Equation[] {
  const p = (letter: Letter): Formula => part(value('P'), v('p', letter, 'j'));
  const softmax = fraction(
    call('exp', v('q', 'i', 'j')),
    sum(['l'], call('exp', v('q', 'l', 'j'))),
  );
  const score = product(
    part(value('K'), product(transposed(v('x', 'i')), v('W_K'))),
    part(value('Q'), queryOf()),
  );
  return [
    equation(
      '1',
      'output',
      equals(v('y', 'j'), part(value('y'), sum(['i'], product(v('x', 'i'), p('i'))))),
    ),
    equation('2', 'weights', equals(v('p', 'i', 'j'), part(value('P'), softmax))),
    equation(
      '2',
      'scores',
      equals(v('q', 'i', 'j'), part(value('S'), score)),
      graph.selfAttention ? 'q is S in the graph, x′ is x' : 'q is S in the graph',
    ),
  ];
}

/** What the steps of any other head compute: the operations' own formulas. */
function ownForward(graph: Graph): Equation[] {
  const numbers: Readonly<Record<NodeId, string>> = {
    [hasNode(graph, 'O') ? 'O' : 'y']: '1',
    P: '2',
    S: '2',
  };
  return operationNodes(graph).flatMap(({ id, inputs, operation }): Equation[] => {
    const { forward } = operation.formula({ output: id, inputs });
    if (id === 'f' || forward.kind !== 'relation') return [];
    const own = { ...forward, right: part(value(id), forward.right) };
    return [equation(numbers[id] ?? '', operation.name, own)];
  });
}

/** The letters of a head: none where there is one only; keys and values may be shared by a group. */
function headLetters({ nodes }: Graph): { query: Letter[]; key: Letter[] } {
  const lettersOf = (id: NodeId): Letter[] =>
    nodes
      .find((node) => node.id === id)
      ?.axes.flat()
      .filter((letter) => /^[hrg]$/.test(letter)) ?? [];
  return { query: lettersOf('Qh'), key: lettersOf('Kh') };
}

/** (3), (4) and (6): the chain rule, each factor a step or a chain of steps. */
function backward(graph: Graph): Equation[] {
  const { query: h, key: r } = headLetters(graph);
  const plain = isPlain(graph);
  const [y, p] = [hasNode(graph, 'O') ? 'O' : 'y', plain ? 'p' : 'P'];
  const content = ['Vh', 'V'].find((id) => hasNode(graph, id));
  // With a past, the new tokens are only some of the keys.
  const token = graph.extents['t'] === undefined ? 'i' : 't';
  const queryId = queryNode(graph);
  const chain = (...ids: NodeId[]): string => jacobian(graph, ids);
  /** A norm stands before or after the rotation. */
  const between = (id: string): NodeId[] =>
    graph.nodes
      .map((node) => node.id)
      .filter((own) => own === `${id}n` || own === `${id}s`)
      .reverse();
  /** From what a projection is made to the input itself. */
  const before = (id: string, input: NodeId): NodeId[] => {
    const isNormed = input === (graph.selfAttention ? 'x' : 'xPrime');
    return [`c${id}n`, `c${id}`, ...(isNormed ? ['xn'] : []), input];
  };
  const out = (letter: Letter): Formula => v(y, ...h, letter);
  // In the order in which the graph has them.
  const keyFirst = nodeOf(graph, 'P').axes.at(-2)?.includes('i');
  const weight = (key: Letter, letter: Letter): Formula =>
    v(p, ...h, ...(keyFirst ? [key, letter] : [letter, key]));
  const dfdy = (letter: Letter): Formula =>
    part(chain('f', 'y', 'yr', 'yn', 'ya', 'C', 'Og', 'O'), partial(f, out(letter)));
  const dydp = (key: Letter, letter: Letter): Formula =>
    part(chain(y, 'Pd', 'P'), partial(out(letter), weight(key, letter)));
  const dydx = content
    ? product(
        part(chain(y, content), partial(out('j'), v(content, ...r, 'i'))),
        part(
          chain(content, 'Vs', 'V', ...before('KV', 'x')),
          partial(v(content, ...r, 'i'), v('x', token)),
        ),
      )
    : part(chain(y, 'x'), partial(out('j'), v('x', 'i')));
  const dpdx = part(
    chain('P', 'M', 'Zb', 'Z', 'S', 'Kh', ...between('K'), 'K', ...before('KV', 'x')),
    partial(weight('l', 'j'), v('x', token)),
  );
  const dpdq = part(
    chain('P', 'M', 'Zb', 'Z', 'S', 'Qh', ...between('Q'), 'Q', ...before('Q', queryId)),
    partial(weight('i', 'k'), v(QUERY, 'j')),
  );
  const past = token === 't' ? ['i'] : [];
  // Values that are made from something else bring x nothing.
  const isValue = !hasNode(graph, 'xValue');
  const byWeights = sum([...h, 'l', 'j'], product(dfdy('j'), dydp('l', 'j'), dpdx));
  const [left, right] = leftSides(graph, token);
  return [
    equation(
      '3',
      graph.selfAttention ? 'to a token, as query' : 'to x′, by the weights',
      equals(right, sum([...h, 'k', 'i'], product(dfdy('k'), dydp('i', 'k'), dpdq))),
    ),
    equation(
      '4',
      graph.selfAttention ? 'to a token, as value and as key' : 'to x, as value and by the weights',
      equals(
        left,
        isValue ? plus(sum([...h, 'j', ...past], product(dfdy('j'), dydx)), byWeights) : byWeights,
      ),
    ),
    equation(
      '6',
      'the same, by output',
      equals(
        left,
        sum(
          [...h, 'j'],
          product(
            dfdy('j'),
            plus(...(isValue ? [sum(past, dydx)] : []), sum(['l'], product(dydp('l', 'j'), dpdx))),
          ),
        ),
      ),
    ),
  ];
}

/** In self-attention both are parts of one gradient. */
function leftSides({ selfAttention }: Graph, token: Letter): [Formula, Formula] {
  return selfAttention
    ? [words('value and key part'), words('query part')]
    : [partial(f, v('x', token)), partial(f, v(QUERY, 'j'))];
}

/** Ours: the weights' own derivative, step by step, and what (3) and (4) become with it. */
function spelledOut(graph: Graph): Equation[] {
  const queryId = queryNode(graph);
  const chain = (...ids: NodeId[]): string => jacobian(graph, ids);
  const slopeOfSoftmax = part(
    chain('P', 'S'),
    product(v('p', 'l', 'j'), minus(symbol('δ', [['l'], ['i']]), v('p', 'i', 'j'))),
  );
  const toKey = product(part(chain('K', 'x'), v('W_K')), part(chain('S', 'K'), queryOf()));
  const toQuery = product(part(chain('Q', queryId), v('W_Q')), part(chain('S', 'Q'), keyOf('i')));
  const upstream = part(chain('f', 'y'), partial(f, v('y', 'j')));
  const p = (...steps: string[]): Formula => part(steps.join('|'), v('p', 'i', 'j'));
  const centred = product(
    transposed(upstream),
    minus(part(chain('y', 'P'), v('x', 'i')), part(chain('P', 'S'), v('y', 'j'))),
  );
  const [left, right] = leftSides(graph, 'i');
  return [
    equation(
      '',
      'the weights by a token',
      equals(partial(v('p', 'l', 'j'), v('x', 'i')), product(slopeOfSoftmax, toKey)),
    ),
    equation(
      '',
      '(4) with the softmax differentiated',
      equals(
        left,
        sum(
          ['j'],
          product(p(chain('y', 'x'), chain('P', 'S')), plus(upstream, product(centred, toKey))),
        ),
      ),
    ),
    equation(
      '',
      '(3) with the softmax differentiated',
      equals(right, sum(['i'], product(p(chain('P', 'S')), centred, toQuery))),
    ),
  ];
}
