// Learned biases of the scores by position: which tables fit, and the nodes B and Zb.
import { type AxisLetters, parseSpec } from '../axes.ts';
import { ConfigError, type HeadConfig } from '../config.ts';
import type { GraphBuilder, NodeId } from '../graph.ts';
import { BUCKET, bucketFormula, positionBias } from '../ops/positionBias.ts';
import { formatShape, type Tensor } from '../tensor.ts';
import type { Letters } from './letters.ts';
import type { ScoreLayout } from './scoreLayout.ts';

/** Adds the table B to the inputs, (heads, queries, keys) or (buckets, heads). Throws ConfigError. */
export function addBiasTable(
  graph: GraphBuilder,
  { positionBias: own, weights: { B: table } }: HeadConfig,
  letters: Letters,
  { heads, scores }: { readonly heads: string; readonly scores: string },
): void {
  if (!own || !table) {
    if (own) throw new ConfigError('weights.B', 'not given, and a position bias needs it');
    return;
  }
  const spec = own.kind === 'learned' ? scores : `${BUCKET} (${heads})`;
  letters.fit('weights.B', table, spec);
  if (own.kind === 'swin') checkSwin(own.window, table, letters);
  const odd = own.kind === 't5' && own.bidirectional && table.shape[0] % 2 !== 0;
  if (own.kind === 't5' && (table.shape[0] < (own.bidirectional ? 4 : 2) || odd)) {
    const expected = own.bidirectional ? 'an even number of buckets from 4' : 'at least 2 buckets';
    throw new ConfigError(
      'weights.B',
      `found shape ${formatShape(table.shape)}, expected ${expected}`,
    );
  }
  const exact = table.shape[0] / (own.kind === 't5' && own.bidirectional ? 4 : 2);
  if (own.kind === 't5' && own.maxDistance <= exact) {
    const found = `found ${own.maxDistance} with ${table.shape[0]} buckets`;
    throw new ConfigError('positionBias.maxDistance', `${found}, expected it above ${exact}`);
  }
  graph.input('B', parseSpec(spec)[0], table);
}

function checkSwin(window: readonly [number, number], table: Tensor, { extents }: Letters): void {
  const [height, width] = window;
  const tokens = height * width;
  if (extents['i'] !== tokens || extents['j'] !== tokens) {
    const found = `found [${window.join(', ')}] for ${extents['j']} queries and ${extents['i']} keys`;
    throw new ConfigError('positionBias.window', `${found}, expected ${tokens} of each`);
  }
  const rows = (2 * height - 1) * (2 * width - 1);
  if (table.shape[0] !== rows) {
    throw new ConfigError(
      'weights.B',
      `found shape ${formatShape(table.shape)}, expected (${rows}, heads) for windows of [${window.join(', ')}]`,
    );
  }
}

/** Adds Zb after `last`, if there is a bias, and returns the id of the last node. */
export function addPositionBias(
  graph: GraphBuilder,
  { positionBias: own }: HeadConfig,
  { axes, extents, past, nulls }: ScoreLayout,
  last: NodeId,
): NodeId {
  if (!own || !graph.has('B')) return last;
  if (nulls > 0)
    throw new ConfigError('positionBias', 'found beside null keys, which have no position');
  const tableAxes: readonly AxisLetters[] = graph.axesOf('B');
  const bucket = bucketFormula(own, { past, buckets: extents[BUCKET] ?? 0 });
  graph.node('Zb', axes, positionBias(axes, tableAxes, extents, bucket), [last, 'B']);
  return 'Zb';
}
