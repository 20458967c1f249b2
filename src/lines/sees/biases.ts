// Biases of zeros that a program is given: its own run cannot show them, so that no setup is inferred with them.
import type { HeadConfig, WeightId } from '../../engine/config.ts';
import type { Tensor } from '../../engine/tensor.ts';
import { resolveName } from '../../formats/nodeNames.ts';
import type { Recording } from '../recorded/recording.ts';

const WEIGHT_OF: Readonly<Partial<Record<string, WeightId>>> = {
  b_K: 'W_K',
  b_Q: 'W_Q',
  b_V: 'W_V',
  b_O: 'W_O',
};

/** The setup with every bias that has the name and the length of one and is all zeros; null where there is none. */
export function withZeroBiases(config: HeadConfig, recording: Recording): HeadConfig | null {
  const found: Partial<Record<WeightId, Tensor>> = {};
  for (const { id, name, shape, how } of recording.events) {
    if (shape.length !== 1 || how !== 'bind') continue;
    const resolved = resolveName(name);
    const weight = resolved?.kind === 'value' && WEIGHT_OF[resolved.node];
    if (!resolved || !weight || config.weights[resolved.node as WeightId]) continue;
    const value = recording.tensor(id);
    if (config.weights[weight]?.shape.at(-1) !== shape[0]) continue;
    if (value?.data.every((each) => each === 0)) found[resolved.node as WeightId] = value;
  }
  const isAny = Object.keys(found).length > 0;
  return isAny ? { ...config, weights: { ...config.weights, ...found } } : null;
}
