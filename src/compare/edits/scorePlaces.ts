// Where the entries of scores stand: query, key, head and batch entry, and how far a query is from its key.
import type { GraphNode } from '../../engine/graph.ts';
import { offsetOf } from '../mistakes/maskWords.ts';
import type { Context } from './edit.ts';
import { indexAlong } from './piecewise.ts';

/** Where every entry of the scores stands. */
export interface Places {
  /** Among all query heads. */
  readonly head: Int32Array;
  readonly query: Int32Array;
  readonly key: Int32Array;
  /** How far a query stands before its key's place; negative for keys behind it. */
  distance(at: number): number;
  readonly keys: number;
  readonly queries: number;
}

export function placesOf(context: Context, node: GraphNode): Places {
  const { extents } = context.graph;
  const own = node.axes.flat();
  const [key, query, head] = [['i'], ['j'], ['h', 'r', 'g']].map((letters) =>
    indexAlong(
      node.axes,
      letters.filter((letter) => own.includes(letter)),
      extents,
    ),
  );
  const offset = offsetOf(context);
  return {
    ...{ key, query, head, keys: extents['i'], queries: extents['j'] },
    distance: (at) => offset + query[at] - key[at],
  };
}
