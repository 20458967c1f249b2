// Multi-head latent attention (DeepSeek-V2): keys and values from a latent, a part of keys and queries that turns.
import { parseSpec } from '../axes.ts';
import { ConfigError, type HeadConfig } from '../config.ts';
import type { GraphBuilder, NodeId } from '../graph.ts';
import { beside } from '../ops/beside.ts';
import { compose } from '../ops/compose.ts';
import { rearrange } from '../ops/layout.ts';
import type { Rotation } from '../ops/ropeAngles.ts';
import { rotary } from '../ops/rotary.ts';
import type { projector } from './inputs.ts';
import type { Letters } from './letters.ts';
import { addNorm } from './norms.ts';

type Project = ReturnType<typeof projector>;

/** Of latents, where the setup does not say. */
export const USUAL_NORM = { kind: 'rms', eps: 1e-6 } as const;

/** Learns the width of whole keys from their two parts. Throws ConfigError for what does not go together with them. */
export function fitRotatedPart(config: HeadConfig, letters: Letters): void {
  const { W_KR, W_QR } = config.weights;
  if (!W_KR && !W_QR) return;
  if (!W_KR || !W_QR)
    throw new ConfigError(`weights.${W_KR ? 'W_QR' : 'W_KR'}`, 'not given, and the other part is');
  if (config.rope && config.qkNorm?.place === 'before-rope')
    throw new ConfigError(
      'qkNorm.place',
      'found before-rope beside weights.W_KR, whose part turns alone, expected after-rope',
    );
  const { a, d, z } = letters.extents;
  if (a !== undefined && a !== d + z)
    throw new ConfigError(
      'weights.W_KR',
      `found ${z} features beside ${d} of W_K, expected ${a} together, the width of a key elsewhere`,
    );
  letters.set('a', d + z, `W_K and W_KR: ${d} + ${z}`);
}

/** Adds the latents of keys and values, and of queries, where there are any. */
export function addLatents(
  graph: GraphBuilder,
  config: HeadConfig,
  project: Project,
  { b, token, letters }: { b: string; token: string; letters: Letters },
): void {
  const latents = [
    { id: 'cKV', name: 'DKV', spec: `${b}${token} m`, over: 'm', of: 'keys and values' },
    { id: 'cQ', name: 'DQ', spec: `${b}j n`, over: 'n', of: 'queries' },
  ] as const;
  for (const { id, name, spec, over, of } of latents) {
    if (!graph.has(`W_${name}`)) continue;
    project(id, spec, `The latents: few features, from which the ${of} of all heads are made.`);
    if (!graph.has(`gamma_${name}`) && !config.latentNorm) continue;
    const place = { id: `${id}n`, of: id, axes: graph.axesOf(id), over: [over], parameters: name };
    addNorm(graph, config.latentNorm ?? USUAL_NORM, place, letters.extents);
  }
}

interface RotatedPlace {
  /** The id of the node that is added. */
  readonly as: NodeId;
  readonly b: string;
  readonly at: string;
  readonly heads: string;
  readonly letters: Letters;
}

/** Adds the projection of each head, and beside it the part that turns. */
export function addRotatedPart(
  graph: GraphBuilder,
  rotation: Rotation | undefined,
  project: Project,
  id: 'K' | 'Q',
  { as, b, at, heads, letters }: RotatedPlace,
): void {
  const { extents } = letters;
  const isShared = id === 'K';
  const spec = isShared ? `${b}${at} z` : `${b}${at} (${heads} z)`;
  project(
    `${id}R`,
    spec,
    `The part of the ${isShared ? 'keys, one for all heads,' : 'queries'} that turns.`,
  );
  let turned: NodeId = `${id}R`;
  if (rotation) {
    turned = `${id}Rs`;
    const apart = isShared ? spec : `${b}(${heads}) ${at} z`;
    const [axes] = parseSpec(apart);
    const steps = isShared
      ? []
      : [rearrange(`${spec} -> ${apart}`, extents, 'Splits it into heads.')];
    const turn = rotary(axes, extents, rotation);
    graph.node(turned, axes, compose([...steps, turn]), [`${id}R`]);
  }
  const [axes] = parseSpec(`${b}(${heads}) ${at} a`);
  const parts = [
    { axes: graph.axesOf(id), letter: 'd' },
    { axes: graph.axesOf(turned), letter: 'z' },
  ] as const;
  graph.node(as, axes, beside(axes, parts, extents), [id, turned]);
}
