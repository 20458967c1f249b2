// From what is asked for to its computation graph.
import { type HeadConfig, MAX_NODE_ENTRIES } from '../config.ts';
import type { Graph } from '../graph.ts';
import { buildMultihead } from './multihead.ts';
import { buildSingle } from './single.ts';

/**
 * Throws ConfigError where tensors do not fit, naming both and their shapes, and where a node has too many entries. Of
 * a single head that is computed in tiles, a node may have `mostEntries`.
 */
export function buildGraph(config: HeadConfig, mostEntries = MAX_NODE_ENTRIES): Graph {
  return config.head === 'multihead' ? buildMultihead(config) : buildSingle(config, mostEntries);
}
