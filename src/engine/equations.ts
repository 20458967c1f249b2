// The exercise's equations (1) to (6), for each head; their parts are named so that a step can point at its own.
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
import type { Graph, NodeId } from './graph.ts';
import { hasNode } from './graph.ts';

export interface Equation {
  readonly number: string;
  /** What it says, in a few words. */
  readonly title: string;
  readonly formula: Formula;
}

const v = (name: string, ...letters: string[]): Formula =>
  symbol(
    name,
    letters.map((letter) => [letter]),
  );
const transposed = (inner: Formula): Formula => power(inner, words('T'));
const f = v('f');

/** Vectors are columns here, as in the exercise: x_i is token i. */
export function equations(graph: Graph): Equation[] {
  const projected = hasNode(graph, 'V');
  const query = graph.selfAttention ? 'x' : 'x′';
  const content = (letter: string): Formula => (projected ? v('v', letter) : v('x', letter));
  const logit = hasNode(graph, 'Z') ? v('z', 'i', 'j') : v('q', 'i', 'j');
  const logitAt = (letter: string): Formula =>
    hasNode(graph, 'Z') ? v('z', letter, 'j') : v('q', letter, 'j');
  const dfdy = (letter: string): Formula => part('df/dy', partial(f, v('y', letter)));
  const dydx = part(
    'dy/dx',
    projected
      ? product(partial(v('y', 'j'), v('v', 'i')), partial(v('v', 'i'), v('x', 'i')))
      : partial(v('y', 'j'), v('x', 'i')),
  );
  const dydp = part('dy/dp', partial(v('y', 'j'), v('p', 'l', 'j')));
  const dpdx = part('dp/dx', partial(v('p', 'l', 'j'), v('x', 'i')));
  const total = (name: string): Formula => partial(f, v(name, name === 'x′' ? 'j' : 'i'));
  const list: Equation[] = [
    {
      number: '1',
      title: 'output',
      formula: equals(v('y', 'j'), part('y', sum(['i'], product(content('i'), v('p', 'i', 'j'))))),
    },
    {
      number: '2',
      title: 'weights',
      formula: equals(
        v('p', 'i', 'j'),
        part('p', fraction(call('exp', logit), sum(['l'], call('exp', logitAt('l'))))),
      ),
    },
    {
      number: '2',
      title: 'scores',
      formula: equals(
        v('q', 'i', 'j'),
        part(
          'q',
          product(
            part('key', product(transposed(v('x', 'i')), v('W_K'))),
            part('query', product(transposed(v('W_Q')), v(query, 'j'))),
          ),
        ),
      ),
    },
    {
      number: '3',
      title: graph.selfAttention ? 'to a token, as query' : 'to x′, by the weights',
      formula: equals(
        graph.selfAttention ? words('query part') : total(query),
        sum(
          ['k', 'i'],
          product(
            dfdy('k'),
            part('dy/dp', partial(v('y', 'k'), v('p', 'i', 'k'))),
            part("dp/dx'", partial(v('p', 'i', 'k'), v(query, 'j'))),
          ),
        ),
      ),
    },
    {
      number: '4',
      title: graph.selfAttention
        ? 'to a token, as value and as key'
        : 'to x, as value and by the weights',
      formula: equals(
        graph.selfAttention ? words('value and key part') : total('x'),
        plus(sum(['j'], product(dfdy('j'), dydx)), sum(['l', 'j'], product(dfdy('j'), dydp, dpdx))),
      ),
    },
    {
      number: '5',
      title: 'regrouped by output',
      formula: equals(
        graph.selfAttention ? words('value and key part') : total('x'),
        sum(['j'], product(dfdy('j'), plus(dydx, sum(['l'], product(dydp, dpdx))))),
      ),
    },
  ];
  // With a projection of the values or steps between q and p, (6) would need them all spelled out.
  if (projected || hasNode(graph, 'Z') || hasNode(graph, 'M') || hasNode(graph, 'Pd')) return list;
  const upstream = part('df/dy', partial(f, v('y', 'j')));
  const centred = part(
    'dy/dp',
    product(transposed(partial(f, v('y', 'j'))), minus(v('x', 'i'), v('y', 'j'))),
  );
  const slope = part('dp/dx', product(v('W_K'), transposed(v('W_Q')), v(query, 'j')));
  return [
    ...list,
    {
      number: '6',
      title: 'the softmax differentiated',
      formula: equals(
        graph.selfAttention ? words('value and key part') : total('x'),
        sum(
          ['j'],
          product(v('p', 'i', 'j'), plus(part('dy/dx', upstream), product(centred, slope))),
        ),
      ),
    },
  ];
}

/** The parts of the equations that a forward step computes. */
export function forwardParts(node: NodeId): string[] {
  if (/^Kh?$/.test(node)) return ['key'];
  if (/^Qh?$/.test(node)) return ['query'];
  if (node === 'S' || node === 'Z' || node === 'M') return ['q'];
  if (node === 'P' || node === 'Pd') return ['p'];
  if (node === 'O' || node === 'C' || node === 'y') return ['y'];
  return [];
}

/** The parts of the equations that passing a gradient from one node to another stands for. */
export function backwardParts(from: NodeId, to: NodeId): string[] {
  if (from === 'f' || to === 'C' || to === 'O') return ['df/dy'];
  if (to === 'P' || to === 'Pd') return from === 'Pd' ? ['dp/dx', "dp/dx'"] : ['dy/dp'];
  if (/^[SZM]$/.test(to)) return ['dp/dx', "dp/dx'"];
  if (/^Kh?$/.test(to) || /^Kh?$/.test(from)) return ['dp/dx'];
  if (/^Qh?$/.test(to) || /^Qh?$/.test(from)) return ["dp/dx'"];
  return ['dy/dx'];
}
