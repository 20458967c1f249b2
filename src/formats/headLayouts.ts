// Given projections, and what y is held against, in the layouts in which programs have them by heads.
import type { HeadConfig } from '../engine/config.ts';
import type { Tensor } from '../engine/tensor.ts';

type Start = NonNullable<HeadConfig['start']>;

/** (batch, heads, tokens, width) or (batch, tokens, heads, width), of so many heads, as (batch, tokens, heads * width). */
export function headsSideBySide(own: Tensor, heads: number): Tensor {
  if (own.shape.length !== 4) return own;
  const [batch, first, second, width] = own.shape;
  if (first !== heads)
    return second === heads ? { shape: [batch, first, second * width], data: own.data } : own;
  const data = new Float64Array(own.data.length);
  for (let row = 0; row < batch * heads * second; row++) {
    const [token, head] = [row % second, Math.floor(row / second) % heads];
    const entry = Math.floor(row / second / heads) * second + token;
    data.set(own.data.subarray(row * width, (row + 1) * width), (entry * heads + head) * width);
  }
  return { shape: [batch, second, heads * width], data };
}

export function startSideBySide({ Q, K, V }: Start, heads: number, kvHeads: number): Start {
  return {
    ...(Q && { Q: headsSideBySide(Q, heads) }),
    ...(K && { K: headsSideBySide(K, kvHeads) }),
    ...(V && { V: headsSideBySide(V, kvHeads) }),
  };
}
