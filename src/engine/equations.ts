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
import { hasNode, operationNodes } from './graph.ts';
import { isPlain, jacobian, value } from './equationMarks.ts';
import { chainRule } from './chainRule.ts';
import { equation, type Equation, QUERY, v } from './equationParts.ts';

const f = v('f');
const transposed = (inner: Formula): Formula => power(inner, words('T'));

/** Vectors are columns here, as in the exercise: x_i is token i. */
export function equations(graph: Graph): Equation[] {
  const all = [
    ...(isPlain(graph) ? plainForward(graph) : ownForward(graph)),
    ...chainRule(graph),
    ...(isPlain(graph) ? spelledOut(graph) : []),
  ];
  // Those of the exercise first, as on its sheet.
  const place = ({ number }: Equation): string => number || 'ours';
  return all.sort((a, b) => place(a).localeCompare(place(b)));
}

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
