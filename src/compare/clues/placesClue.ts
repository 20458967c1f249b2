// Where an unknown error sits, in words of attention: on the diagonal, in dropped or hidden entries, from one token on.
import { type Graph, hasNode, nodeOf, type NodeId } from '../../engine/graph.ts';
import { largestMagnitude, type Tensor } from '../../engine/tensor.ts';
import type { Context } from '../edits/edit.ts';
import { readOff } from '../edits/extraTerm.ts';
import { placesOf } from '../edits/scorePlaces.ts';
import { indexAlong } from '../edits/piecewise.ts';
import type { State } from '../program/program.ts';
import { indexName, plural } from '../program/transforms/indices.ts';

interface Wrong {
  readonly node: NodeId;
  readonly user: Tensor;
  readonly predicted: Tensor;
  readonly precision: number;
}

/** Whether an entry is wrong. */
function wrongAt({ user, predicted, precision }: Wrong): (at: number) => boolean {
  const most = precision * (largestMagnitude(user) || 1);
  return (at) => !(Math.abs(user.data[at] - predicted.data[at]) <= most);
}

/** What all wrong entries, and no or hardly any others, have in common. */
export function placesClue(context: Context, wrong: Wrong): string[] {
  const { graph } = context;
  const { axes, shape } = nodeOf(graph, wrong.node);
  if (shape.length === 0) return [];
  const isWrong = wrongAt(wrong);
  const letters = axes.flat();
  const clues: string[] = [];
  if (letters.includes('i') && letters.includes('j'))
    clues.push(...scoreClues(context, wrong, isWrong));
  for (const letter of ['i', 'j', 't'].filter((each) => letters.includes(each)))
    clues.push(...fromOneOn(graph, wrong, letter, isWrong));
  clues.push(...oneNumber(graph, wrong));
  return clues;
}

function scoreClues(
  context: Context,
  { node, user }: Wrong,
  isWrong: (at: number) => boolean,
): string[] {
  const { graph, state } = context;
  const places = placesOf(context, nodeOf(graph, node));
  const P = reference(state, 'P');
  const kinds: [string, (at: number) => boolean][] = [
    ['on the diagonal (a query’s own place)', (at) => places.distance(at) === 0],
    ...(P
      ? [
          ['in hidden entries (weight 0)', (at) => P.data[at] === 0] as [
            string,
            (at: number) => boolean,
          ],
        ]
      : []),
    ...(hasNode(graph, 'Pd') && P
      ? [
          [
            'in dropped entries',
            (at) => P.data[at] !== 0 && reference(state, 'Pd')!.data[at] === 0,
          ] as [string, (at: number) => boolean],
        ]
      : []),
  ];
  const count = user.data.length;
  for (const [words, is] of kinds) {
    let [inside, outside, all] = [0, 0, 0];
    for (let at = 0; at < count; at++) {
      if (is(at)) all++;
      if (!isWrong(at)) continue;
      if (is(at)) inside++;
      else outside++;
    }
    if (all === 0 || all === count) continue;
    if (inside > 0 && outside === 0) return [`all wrong entries are ${words}`];
    // That hidden entries are right says nothing.
    if (inside === 0 && outside > 0 && !words.includes('hidden'))
      return [`no wrong entry is ${words}`];
  }
  return [];
}

const reference = (state: State, id: NodeId): Tensor | null => {
  const own = state.program.graph.nodes.some((each) => each.id === id);
  return own ? state.value(id) : null;
};

/** Tokens behind which all is wrong: a tile of so many is right. */
function fromOneOn(
  graph: Graph,
  { node, user }: Wrong,
  letter: string,
  isWrong: (at: number) => boolean,
): string[] {
  const length = graph.extents[letter];
  const index = indexAlong(nodeOf(graph, node).axes, [letter], graph.extents);
  const wrong = new Set<number>();
  for (let at = 0; at < user.data.length; at++) if (isWrong(at)) wrong.add(index[at]);
  const first = Math.min(...wrong);
  if (wrong.size !== length - first || first < 2 || first > length - 2) return [];
  const one = indexName([letter]);
  return [
    `the first ${first} ${plural(one)} are right and all behind wrong, as where a loop goes on in tiles of ${first}`,
  ];
}

/** What is too much is one number for each row: only a term of the row is wrong. */
function oneNumber(graph: Graph, { node, user, predicted, precision }: Wrong): string[] {
  const { axes } = nodeOf(graph, node);
  const term: Tensor = {
    shape: user.shape,
    data: user.data.map((value, at) => value - predicted.data[at]),
  };
  if (!term.data.every(Number.isFinite)) return [];
  const most = 4 * precision * largestMagnitude(user);
  const letters = axes.flat().filter((letter) => graph.extents[letter] > 1);
  for (const left of letters) {
    const index = indexAlong(
      axes,
      letters.filter((letter) => letter !== left),
      graph.extents,
    );
    if (letters.length > 1 && readOff(term, index, most))
      return [`what is too much is the same for all ${plural(indexName([left]))}`];
  }
  return [];
}
