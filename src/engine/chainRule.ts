// The equations (3), (4) and (6) of any head: the chain rule, each factor a step or a chain of steps, by every way that
// there is from f to an input.
import { isOfHeads, type Letter } from './axes.ts';
import { equation, type Equation, QUERY, v } from './equationParts.ts';
import { equals, type Formula, part, partial, plus, product, sum, words } from './formula.ts';
import { type Graph, hasNode, type NodeId, nodeOf } from './graph.ts';
import { isPlain } from './equationMarks.ts';
import { mixedNode, type Ways, waysTo } from './waysBack.ts';

const headsOf = (graph: Graph, id: NodeId): Letter[] =>
  hasNode(graph, id) ? nodeOf(graph, id).axes.flat().filter(isOfHeads) : [];

/** Chains that are added up, as one name. */
const named = (ways: readonly (readonly NodeId[])[]): string =>
  ways.map((way) => way.join('>')).join('|');

/** How the ways past the heads are told. */
const PAST: readonly { readonly node: NodeId; readonly title: string; readonly part: string }[] = [
  { node: 'gate', title: 'as gate', part: 'gate' },
  { node: '', title: 'past the attention', part: 'residual' },
];

const kindOf = (way: readonly NodeId[]): (typeof PAST)[number] =>
  PAST.find(({ node }) => node === '' || way.includes(node))!;

/** The node of a way past the heads at which its factors part: the gate, or the sum that the input is added to. */
const turnOf = (way: readonly NodeId[]): number =>
  way.includes('gate') ? way.indexOf('gate') : way.length - 2;

/** The factors that several equations have, each with its letters. */
class Factors {
  readonly #graph: Graph;
  readonly #ways: Ways;
  readonly #mixed: Letter[];
  readonly #scores: Letter[];

  constructor(graph: Graph, ways: Ways) {
    this.#graph = graph;
    this.#ways = ways;
    this.#mixed = headsOf(graph, mixedNode(graph));
    this.#scores = headsOf(graph, 'P');
  }

  #out(letter: Letter): Formula {
    return v(mixedNode(this.#graph), ...this.#mixed, letter);
  }

  /** In the order in which the graph has them. */
  #weight(key: Letter, query: Letter): Formula {
    const isKeyFirst = nodeOf(this.#graph, 'P').axes.at(-2)?.includes('i');
    const name = isPlain(this.#graph) ? 'p' : 'P';
    return v(name, ...this.#scores, ...(isKeyFirst ? [key, query] : [query, key]));
  }

  upstream(letter: Letter): Formula {
    return part(named([this.#ways.upstream]), partial(v('f'), this.#out(letter)));
  }

  ofWeights(key: Letter, query: Letter): Formula {
    const top = partial(this.#out(query), this.#weight(key, query));
    return part(named([this.#ways.toWeights]), top);
  }

  /** Of the weights by the input, through keys or queries. */
  ofInput(which: 'keys' | 'queries', [key, query]: [Letter, Letter], input: Formula): Formula {
    return part(named(this.#ways[which]), partial(this.#weight(key, query), input));
  }

  /** As value, from what the heads give: ∂O/∂V ∂V/∂x, or ∂y/∂x where x itself is mixed. */
  asValue(input: Formula): Formula {
    const { values } = this.#ways;
    const [mixed, content] = values[0];
    if (values[0].length === 2) return part(named(values), partial(this.#out('j'), input));
    const own = v(content, ...headsOf(this.#graph, content), 'i');
    return product(
      part(named([[mixed, content]]), partial(this.#out('j'), own)),
      part(named(values.map((way) => way.slice(1))), partial(own, input)),
    );
  }

  /** One term for each kind of way past the heads. */
  past(letter: Letter, input: Formula): Formula[] {
    const { past } = this.#ways;
    return PAST.flatMap((kind) => {
      const ways = past.filter((way) => kindOf(way) === kind);
      if (ways.length === 0) return [];
      const at = turnOf(ways[0]);
      const turn = v(ways[0][at], letter);
      return [
        product(
          part(named([ways[0].slice(0, at + 1)]), partial(v('f'), turn)),
          part(named(ways.map((way) => way.slice(at))), partial(turn, input)),
        ),
      ];
    });
  }

  /** Sums over these leave nothing but what is asked for. */
  over(which: 'mixed' | 'scores', ...letters: Letter[]): Letter[] {
    return [...(which === 'mixed' ? this.#mixed : this.#scores), ...letters];
  }
}

/** Words with commas and a last "and". */
const listed = (all: readonly string[]): string =>
  all.length < 2 ? all.join('') : `${all.slice(0, -1).join(', ')} and ${all.at(-1)!}`;

/** In self-attention both inputs are one, and the equations are of parts of its gradient. */
const left = (graph: Graph, of: Formula, parts: readonly string[]): Formula =>
  graph.selfAttention ? words(`${listed(parts)} part`) : partial(v('f'), of);

/** (3): to x′, or to the queries where these are given. */
function byQueries(graph: Graph): Equation[] {
  const input = graph.selfAttention ? 'x' : hasNode(graph, 'xPrime') ? 'xPrime' : 'Q';
  const ways = waysTo(graph, input);
  const factors = new Factors(graph, ways);
  const of = v(input === 'Q' ? 'Q' : QUERY, 'j');
  const past = factors.past('j', of);
  const own =
    ways.queries.length === 0
      ? []
      : [
          sum(
            factors.over('scores', 'k', 'i'),
            product(
              factors.upstream('k'),
              factors.ofWeights('i', 'k'),
              factors.ofInput('queries', ['i', 'k'], of),
            ),
          ),
        ];
  if (own.length + past.length === 0) return [];
  const kinds = [...new Set(ways.past.map(kindOf))];
  const to = graph.selfAttention ? 'to a token, ' : `to ${input === 'Q' ? 'Q' : QUERY}, `;
  const how = [
    ...(own.length > 0 ? [graph.selfAttention ? 'as query' : 'by the weights'] : []),
    ...kinds.map(({ title }) => title),
  ];
  const parts = [...(own.length > 0 ? ['query'] : []), ...kinds.map((kind) => kind.part)];
  const right = plus(...own, ...past);
  return [equation('3', to + listed(how), equals(left(graph, of, parts), right))];
}

/** (4) and (6): to x, way by way and output by output. */
function byKeys(graph: Graph): Equation[] {
  if (!hasNode(graph, 'x')) return [];
  // With a past, the new tokens are only some of the keys.
  const token = graph.extents['t'] === undefined ? 'i' : 't';
  const of = v('x', token);
  const ways = waysTo(graph, 'x');
  const factors = new Factors(graph, ways);
  const [isValue, isKey] = [ways.values.length > 0, ways.keys.length > 0];
  // In self-attention these are the queries'.
  const past = graph.selfAttention ? [] : factors.past('j', of).map((term) => sum(['j'], term));
  const overPast = token === 't' && ways.values[0]?.length !== 2 ? ['i'] : [];
  const asValue = (): Formula => factors.asValue(of);
  const byWeights = (): Formula =>
    product(factors.ofWeights('l', 'j'), factors.ofInput('keys', ['l', 'j'], of));
  const terms = [
    ...(isValue
      ? [sum(factors.over('mixed', 'j', ...overPast), product(factors.upstream('j'), asValue()))]
      : []),
    ...(isKey
      ? [
          sum(
            factors.over('scores', 'l', 'j'),
            product(
              factors.upstream('j'),
              factors.ofWeights('l', 'j'),
              factors.ofInput('keys', ['l', 'j'], of),
            ),
          ),
        ]
      : []),
    ...past,
  ];
  if (terms.length === 0) return [];
  const how = [...(isValue ? ['as value'] : []), ...(isKey ? ['by the weights'] : [])];
  const kinds = graph.selfAttention ? [] : [...new Set(ways.past.map(kindOf))];
  const parts = [...(isValue ? ['value'] : []), ...(isKey ? ['key'] : [])];
  const told = graph.selfAttention
    ? `to a token, ${listed([...(isValue ? ['as value'] : []), ...(isKey ? ['as key'] : [])])}`
    : `to x, ${listed([...how, ...kinds.map(({ title }) => title)])}`;
  const own = left(graph, of, parts);
  const pairs = factors.over('scores').filter((letter) => !factors.over('mixed').includes(letter));
  const inner = [
    ...(isValue ? [sum(overPast, asValue())] : []),
    ...(isKey ? [sum([...pairs, 'l'], byWeights())] : []),
  ];
  const byOutput = sum(factors.over('mixed', 'j'), product(factors.upstream('j'), plus(...inner)));
  return [
    equation('4', told, equals(own, plus(...terms))),
    ...(inner.length > 0
      ? [equation('6', 'the same, by output', equals(own, plus(byOutput, ...past)))]
      : []),
  ];
}

export const chainRule = (graph: Graph): Equation[] => [...byQueries(graph), ...byKeys(graph)];
