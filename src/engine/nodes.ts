// The ids of all nodes of all heads, as used in files, messages and the panel.
import { WEIGHT_IDS, type WeightId } from './config.ts';
import type { NodeId } from './graph.ts';

const OPERATIONS =
  'xn cKV cQ cKVn cQn K Q V KR QR KRs QRs Kn Qn Ks Qs Vs Kh Qh Vh S Z Zb M P Pd lambda_full Pdiff O On Os gate Og C ya yn yr y f';

export const NODE_IDS: readonly NodeId[] = [
  'x',
  'xPrime',
  'xValue',
  ...WEIGHT_IDS,
  'temperature',
  ...OPERATIONS.split(' '),
];

/** Nodes that are one number. */
export const SCALARS: readonly NodeId[] = ['lambda_share', 'lambda_full', 'f'];

const PARAMETERS: ReadonlySet<NodeId> = new Set<NodeId>(WEIGHT_IDS);

/** Learned: a weight, a bias, a gain. */
export const isWeight = (id: NodeId): id is WeightId => PARAMETERS.has(id);

/** What stands beside the node that uses it and gets a gradient of its own: learned, or a factor that is given. */
export const isParameter = (id: NodeId): boolean => isWeight(id) || id === 'temperature';
