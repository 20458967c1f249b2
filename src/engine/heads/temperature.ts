// Factors on the scores that depend on a query's position: log-n scaling and Llama 4's temperature.
import type { HeadConfig, Temperature } from '../config.ts';
import type { Tensor } from '../tensor.ts';

const isTensor = (own: Tensor | Temperature): own is Tensor => 'data' in own;

function factorAt(position: number, own: Temperature): number {
  if ('logN' in own) return Math.max(1, Math.log(position + 1) / Math.log(own.logN));
  return 1 + own.scale * Math.log(1 + Math.floor((position + 1) / own.floor));
}

/** One factor for each of `queries` new tokens after `past` earlier ones; as it is where it is given. */
export function temperatureOf(
  { temperature, past }: HeadConfig,
  queries: number,
): Tensor | undefined {
  if (!temperature || isTensor(temperature)) return temperature;
  const earlier = past?.K.shape.at(-2) ?? 0;
  const data = Float64Array.from({ length: queries }, (_, j) => factorAt(earlier + j, temperature));
  return { shape: [queries], data };
}
