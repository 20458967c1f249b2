// From what is asked for to its computation graph.
import type { HeadConfig } from '../config.ts';
import type { Graph } from '../graph.ts';
import { buildMultihead } from './multihead.ts';
import { buildSingle } from './single.ts';

/** Throws ConfigError where tensors do not fit, naming both and their shapes. */
export function buildGraph(config: HeadConfig): Graph {
  return config.head === 'multihead' ? buildMultihead(config) : buildSingle(config);
}
