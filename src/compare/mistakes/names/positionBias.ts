// A learned bias by position that is looked up by other distances.
import type { PositionBias } from '../../../engine/config.ts';
import type { Formula } from '../../../engine/formula.ts';
import { hasNode, nodeOf, type OperationNode } from '../../../engine/graph.ts';
import { BUCKET, bucketFormula } from '../../../engine/ops/positionBias.ts';
import { renamed } from '../../../engine/where.ts';
import { pastTokens, type Site } from '../../edits/edit.ts';
import { TURNED } from '../text.ts';
import { familyOf, type Row, rowsOf, type Words, withWords } from '../table.ts';

/** The table is looked up in another row than the right one, `bucket`. */
export const LOOKUPS = rowsOf(`
Zb position-bias-sign: the bias is looked up by the distance with the other sign
  {before} + at(w, bucket, B)
  : index[key − query]
  | Query minus key is taken for key minus query: the table is read from its other end.
Zb position-bias-direction: the buckets are those of {direction}
  {before} + at(w, bucket, B)
  : bidirectional = {isOther}
  | Whether keys after the query have buckets of their own.
Zb position-bias-distance 1.2: the last bucket begins at {distance} instead of {most}
  {before} + at(w, bucket, B)
  : max_distance = {distance}
  | The logarithm of the distances ends elsewhere.
Zb position-bias-past: the bias is looked up as if there were no earlier tokens
  {before} + at(w, bucket, B)
  : bucket(key − j)
  | Query j stands at place {past} + j among the keys.
`);

/** The last distances that models have. */
const DISTANCES = [8, 16, 32, 64, 128, 256];

/** Other buckets by the row of LOOKUPS that tells of them, and what stands for the braces there. */
function bucketsOf(
  { graph }: Site,
  own: PositionBias,
  past: number,
): [id: string, bucket: Formula, words: Words][] {
  const buckets = graph.extents[BUCKET] ?? 0;
  const bucket = (change: object, first = past): Formula =>
    bucketFormula({ ...own, ...change }, { past: first, buckets })!;
  if (own.kind === 'learned') return [];
  const mirrored = renamed(bucket({}), TURNED);
  if (own.kind !== 't5') return [['position-bias-sign', mirrored, {}]];
  const { bidirectional, maxDistance: most } = own;
  const direction = bidirectional ? 'a decoder (not bidirectional)' : 'an encoder (bidirectional)';
  return [
    ['position-bias-sign', mirrored, {}],
    [
      'position-bias-direction',
      bucket({ bidirectional: !bidirectional }),
      { direction, isOther: String(!bidirectional) },
    ],
    ...DISTANCES.filter((distance) => distance !== most).map(
      (distance) =>
        [
          'position-bias-distance',
          bucket({ maxDistance: distance }),
          { distance, most },
        ] satisfies ReturnType<typeof bucketsOf>[number],
    ),
    ...(past > 0
      ? [
          ['position-bias-past', bucket({}, 0), { past }] satisfies ReturnType<
            typeof bucketsOf
          >[number],
        ]
      : []),
  ];
}

/** Rows of the table by the same rule with other numbers, keys and queries exchanged or not. */
function lookups(site: Site, own: PositionBias): Row[] {
  const { graph } = site;
  const [before] = (nodeOf(graph, 'Zb') as OperationNode).inputs;
  return bucketsOf(site, own, pastTokens(site)).flatMap(([id, bucket, words]) => {
    const rows = LOOKUPS.filter((row) => row.id === id);
    return withWords(rows, { ...words, before }).map((row) => ({ ...row, terms: { bucket } }));
  });
}

export const positionBias = familyOf((site) => {
  const { config, graph } = site;
  if (!config.positionBias || !hasNode(graph, 'Zb')) return [];
  return lookups(site, config.positionBias);
});
