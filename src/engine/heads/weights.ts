// From scores to weights, the steps that all heads share: S -> Z -> M -> P -> Pd, each only where asked for.
import type { AxisLetters, Extents } from '../axes.ts';
import { ConfigError, type HeadConfig } from '../config.ts';
import type { GraphBuilder, NodeId } from '../graph.ts';
import { addMask, dropout, scale, scaleAndSoftcap } from '../ops/elementwise.ts';
import { softmax } from '../ops/softmax.ts';
import { broadcast, maskOf } from './mask.ts';

export interface ScoreLayout {
  /** Axes of S, Z, M, P and Pd. */
  readonly axes: readonly AxisLetters[];
  readonly extents: Extents;
  readonly heads: AxisLetters;
  readonly past: number;
}

/** The factor between S and Z; null where the head has no such step. */
export function scaleFactor(config: HeadConfig, keyWidth: number): number | null {
  if (config.scale === undefined && config.head === 'kq')
    return config.softcap === undefined ? null : 1;
  if (config.scale === undefined || config.scale === '1/sqrt(d)') return 1 / Math.sqrt(keyWidth);
  return config.scale;
}

/** Adds the nodes after S and returns the id of the last one, by which the values are weighted. */
export function addWeights(graph: GraphBuilder, config: HeadConfig, layout: ScoreLayout): NodeId {
  const { axes, extents } = layout;
  let last: NodeId = 'S';
  const factor = scaleFactor(config, extents['a']);
  if (factor !== null) {
    const { softcap } = config;
    const operation =
      softcap === undefined ? scale(axes, factor) : scaleAndSoftcap(axes, factor, softcap);
    graph.node('Z', axes, operation, [last]);
    last = 'Z';
  }
  const mask = maskOf(config, layout);
  if (mask) {
    graph.node('M', axes, addMask(axes, mask), [last]);
    last = 'M';
  }
  graph.node('P', axes, softmax(axes, 'i', extents), [last]);
  if (!config.dropout) return 'P';
  const { keep, p } = config.dropout;
  if (!(p >= 0 && p < 1)) throw new ConfigError('dropout.p', `found ${p}, expected 0 <= p < 1`);
  graph.node('Pd', axes, dropout(axes, broadcast('dropout.keep', keep, layout), p), ['P']);
  return 'Pd';
}
