// A learned bias by position: left out, looked up by other distances, its gradient not added up.
import type { PositionBias } from '../../engine/config.ts';
import { hasNode, nodeOf, type OperationNode } from '../../engine/graph.ts';
import { BUCKET, bucketFormula, positionBias as added } from '../../engine/ops/positionBias.ts';
import { renamed } from '../../engine/where.ts';
import { map, type Tensor } from '../../engine/tensor.ts';
import { withStep } from '../program.ts';
import { type Edit, type Family, pastTokens, type Site } from './edit.ts';
import { contributionEdit, makeEdit, type Say } from './make.ts';

export const positionBias: Family = (site) => {
  const { node, kind, graph, config } = site;
  const own = config.positionBias;
  if (!own || !hasNode(graph, 'Zb')) return [];
  if (kind === 'gradient') return node.id === 'B' ? ofTable(site) : [];
  return node.id === 'Zb' ? [...lookups(site, own), ...factors(site)] : [];
};

/** The rows of the table by the same rule with `past` queries before the first, keys and queries exchanged or not. */
function lookups(site: Site, own: PositionBias): Edit[] {
  const { graph } = site;
  const node = nodeOf(graph, 'Zb') as OperationNode;
  const buckets = graph.extents[BUCKET] ?? 0;
  const { axes: tableAxes } = nodeOf(graph, 'B');
  const use = (say: Say, rule: PositionBias, past: number, mirrored = false): Edit =>
    makeEdit(site, 'Zb', 'value', say, (program) => {
      const formula = bucketFormula(rule, { past, buckets });
      const rows = formula && mirrored ? renamed(formula, EXCHANGED) : formula;
      const operation = added(node.axes, tableAxes, graph.extents, rows);
      return withStep(program, 'Zb', { operation, inputs: node.inputs });
    });
  const past = pastTokens(site);
  const edits: Edit[] = [];
  if (own.kind === 'learned') return edits;
  edits.push(
    use(
      {
        id: 'position-bias-sign',
        title: 'the bias is looked up by the distance with the other sign',
        why: 'Query minus key is taken for key minus query: the table is read from its other end.',
        wrong: own.kind === 't5' ? 'bucket(query − key)' : 'index[key − query]',
      },
      own,
      past,
      true,
    ),
  );
  if (own.kind !== 't5') return edits;
  const { bidirectional, maxDistance } = own;
  edits.push(
    use(
      {
        id: 'position-bias-direction',
        title: bidirectional
          ? 'the buckets are those of a decoder (not bidirectional)'
          : 'the buckets are those of an encoder (bidirectional)',
        why: 'Whether keys after the query have buckets of their own.',
        wrong: `bidirectional = ${!bidirectional}`,
      },
      { ...own, bidirectional: !bidirectional },
      past,
    ),
    ...[32, 64, 128, 256].flatMap((other) =>
      other === maxDistance
        ? []
        : [
            use(
              {
                id: 'position-bias-distance',
                title: `the last bucket begins at ${other} instead of ${maxDistance}`,
                why: 'The logarithm of the distances ends elsewhere.',
                wrong: `max_distance = ${other}`,
                cost: 1.2,
              },
              { ...own, maxDistance: other },
              past,
            ),
          ],
    ),
  );
  if (past > 0)
    edits.push(
      use(
        {
          id: 'position-bias-past',
          title: 'the bias is looked up as if there were no earlier tokens',
          why: `Query j stands at place ${past} + j among the keys.`,
          wrong: 'bucket(key − j)',
        },
        own,
        0,
      ),
    );
  return edits;
}

/** Keys for queries and queries for keys. */
const EXCHANGED = new Map([
  ['i', 'j'],
  ['j', 'i'],
]);

function factors(site: Site): Edit[] {
  const { graph } = site;
  const node = nodeOf(graph, 'Zb') as OperationNode;
  const use = (factor: number, id: string, title: string): Edit =>
    makeEdit(
      site,
      'Zb',
      'value',
      { id, title, why: 'The table is added as it is.', wrong: `Zb = Z + ${factor} · B` },
      (program) =>
        withStep(program, 'Zb', {
          operation: {
            name: node.operation.name,
            forward: ([scores, table]) =>
              node.operation.forward([scores, map(table, (value) => factor * value)]),
            vjp: (at, upstream) => {
              const [own, table] = node.operation.vjp(at, upstream);
              return [own, map(table, (value) => factor * value)];
            },
          },
          inputs: node.inputs,
        }),
    );
  return [
    use(0, 'position-bias-missing', 'the position bias is missing'),
    use(-1, 'position-bias-subtracted', 'the position bias is subtracted'),
    use(2, 'position-bias-twice', 'the position bias is added twice'),
  ];
}

/** dB of one batch entry, or the mean over all. */
function ofTable(site: Site): Edit[] {
  const { graph, state } = site;
  const batch = graph.extents['b'] ?? 1;
  if (batch === 1) return [];
  const node = nodeOf(graph, 'Zb') as OperationNode;
  const at = { inputs: node.inputs.map((id) => state.value(id)), output: state.value('Zb') };
  const use = (id: string, title: string, wrong: string, seen: (entry: number) => number): Edit =>
    contributionEdit(
      site,
      'Zb',
      1,
      { id, title, why: 'All batch entries share the table: their gradients are added up.', wrong },
      (_, own) => {
        const upstream = own.gradient('Zb');
        const block = upstream.data.length / batch;
        const part: Tensor = map(upstream, (value, n) => value * seen(Math.floor(n / block)));
        return node.operation.vjp(at, part)[1];
      },
    );
  return [
    use(
      'position-bias-batch-mean',
      'dB is averaged over the batch',
      'dB = mean over b',
      () => 1 / batch,
    ),
    use('position-bias-one-entry', 'dB is that of the first batch entry', 'dB = dZb[0]', (n) =>
      Number(n === 0),
    ),
    use('position-bias-one-entry', 'dB is that of the last batch entry', 'dB = dZb[-1]', (n) =>
      Number(n === batch - 1),
    ),
  ];
}
