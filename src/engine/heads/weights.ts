// From scores to weights, the steps that all heads share: S -> Z -> M -> P -> Pd, each only where asked for.
import { ConfigError, type HeadConfig } from '../config.ts';
import type { GraphBuilder, NodeId } from '../graph.ts';
import { addMask, dropout, scale, scaleAndSoftcap } from '../ops/elementwise.ts';
import { scaledScores } from '../ops/scaledScores.ts';
import { softmax } from '../ops/softmax.ts';
import { composedMask } from './mask.ts';
import { addPositionBias } from './positionBias.ts';
import { broadcast, type ScoreLayout } from './scoreLayout.ts';

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
  const by = ['headScale', 'temperature'].filter((id) => graph.has(id));
  const factor = scaleFactor(config, extents['a']) ?? (by.length > 0 ? 1 : null);
  if (factor !== null && by.length > 0) {
    const own = by.map((id) => graph.axesOf(id));
    const operation = scaledScores(axes, own, extents, { factor, cap: config.softcap });
    graph.node('Z', axes, operation, [last, ...by]);
    last = 'Z';
  } else if (factor !== null) {
    const { softcap } = config;
    const operation =
      softcap === undefined ? scale(axes, factor) : scaleAndSoftcap(axes, factor, softcap);
    graph.node('Z', axes, operation, [last]);
    last = 'Z';
  }
  last = addPositionBias(graph, config, layout, last);
  const mask = composedMask(config, layout);
  if (mask) {
    graph.node('M', axes, addMask(axes, mask.mask, mask), [last]);
    last = 'M';
  }
  const sinks = graph.has('sinks') ? graph.axesOf('sinks') : null;
  const beside = sinks ?? (config.softmax === 'plus-one' ? 'one' : null);
  graph.node('P', axes, softmax(axes, 'i', extents, beside), sinks ? [last, 'sinks'] : [last]);
  if (!config.dropout) return 'P';
  const { keep, p } = config.dropout;
  if (!(p >= 0 && p < 1)) throw new ConfigError('dropout.p', `found ${p}, expected 0 <= p < 1`);
  graph.node('Pd', axes, dropout(axes, broadcast('dropout.keep', keep, layout), p), ['P']);
  return 'Pd';
}
