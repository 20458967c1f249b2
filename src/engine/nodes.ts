// The ids of all nodes of all heads, as used in files, messages and the panel.
import { WEIGHT_IDS, type WeightId } from './config.ts';
import type { NodeId } from './graph.ts';

const OPERATIONS = 'K Q V Kn Qn Ks Qs Vs Kh Qh Vh S Z Zb M P Pd O C y f';

export const NODE_IDS: readonly NodeId[] = [
  'x',
  'xPrime',
  'xValue',
  ...WEIGHT_IDS,
  ...OPERATIONS.split(' '),
];

const PARAMETERS: ReadonlySet<NodeId> = new Set<NodeId>(WEIGHT_IDS);

/** Learned: a weight, a bias, a gain. */
export const isParameter = (id: NodeId): id is WeightId => PARAMETERS.has(id);
