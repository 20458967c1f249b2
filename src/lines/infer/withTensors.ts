// A setup with its tensors exchanged for those of another run or call.
import type { HeadConfig, Loss, WeightId } from '../../engine/config.ts';
import type { Tensor } from '../../engine/tensor.ts';

type Mutable<T> = { -readonly [Key in keyof T]: T[Key] };

/** `tensors` by entry: "x", "weights.W_Q", "loss.constants.T". */
export function withTensors(config: HeadConfig, tensors: ReadonlyMap<string, Tensor>): HeadConfig {
  const all = <Key extends string>(
    at: string,
    given: Readonly<Partial<Record<Key, Tensor>>>,
  ): Partial<Record<Key, Tensor>> =>
    Object.fromEntries(
      Object.entries(given).map(([key, value]) => [key, tensors.get(`${at}${key}`) ?? value]),
    ) as Partial<Record<Key, Tensor>>;
  const { mask, dropout, start } = config;
  const result: Mutable<HeadConfig> = {
    ...config,
    ...all('', {
      ...(config.x && { x: config.x }),
      ...(config.xPrime && { xPrime: config.xPrime }),
      ...(config.xValue && { xValue: config.xValue }),
    }),
    weights: all<WeightId>('weights.', config.weights),
    loss: lossWith(config.loss, tensors),
  };
  if (start) result.start = all<'Q' | 'K' | 'V'>('start.', start);
  if (typeof mask === 'object')
    result.mask = { ...mask, tensor: tensors.get('mask') ?? mask.tensor };
  if (dropout) result.dropout = { ...dropout, keep: tensors.get('dropout.keep') ?? dropout.keep };
  return result;
}

function lossWith(loss: Loss, tensors: ReadonlyMap<string, Tensor>): Loss {
  switch (loss.kind) {
    case 'upstream':
      return { ...loss, G: tensors.get('loss.upstream') ?? loss.G };
    case 'target':
      return { ...loss, T: tensors.get('loss.target') ?? loss.T };
    case 'expression': {
      const entries = Object.entries(loss.constants).map(
        ([key, value]) => [key, tensors.get(`loss.constants.${key}`) ?? value] as const,
      );
      return { ...loss, constants: Object.fromEntries(entries) };
    }
    case 'half-squared-norm':
      return loss;
  }
}
