// The ids of all nodes of all heads, as used in files, messages and the panel.
import type { NodeId } from '../engine/graph.ts';

export const NODE_IDS: readonly NodeId[] = [
  'x xPrime W_K W_Q W_V W_O b_K b_Q b_V b_O',
  'K Q V Kh Qh Vh',
  'S Z M P Pd O C y f',
].flatMap((ids) => ids.split(' '));
