// Options of a setup cut to its first batch entry.
import type { MaskPart, Rope } from '../../engine/config.ts';
import type { Tensor } from '../../engine/tensor.ts';

/** The positions of the first batch entry. */
export function cutPositions(rope: Rope, batch: number | undefined): Rope {
  const front = rope.sections ? 1 : 0;
  const first = (tensor: Tensor | undefined): Tensor | undefined => {
    if (!tensor || batch === undefined || tensor.shape.length <= front + 1) return tensor;
    const tokens = tensor.shape[front + 1];
    const count = front ? tensor.shape[0] : 1;
    const data = new Float64Array(count * tokens);
    for (let n = 0; n < count; n++) {
      const start = n * batch * tokens;
      data.set(tensor.data.subarray(start, start + tokens), n * tokens);
    }
    return { shape: [...(front ? [count] : []), tokens], data };
  };
  const [positions, queryPositions] = [rope.positions, rope.queryPositions].map(first);
  return { ...rope, ...(positions && { positions }), ...(queryPositions && { queryPositions }) };
}

/** The parts of the first batch entry. `scores` cuts what is laid along the scores. */
export function cutParts(
  masks: readonly MaskPart[],
  batch: number | undefined,
  scores: (tensor: Tensor) => Tensor,
): MaskPart[] {
  /** Of a tensor whose last `own` axes are not the batch. */
  const first = (tensor: Tensor, own: number): Tensor => {
    const { shape, data } = tensor;
    if (batch === undefined || shape.length <= own) return tensor;
    const rest = shape.slice(1);
    return { shape: [1, ...rest], data: data.slice(0, data.length / shape[0]) };
  };
  return masks.map((part): MaskPart => {
    switch (part.kind) {
      case 'given':
        return { ...part, tensor: scores(part.tensor) };
      case 'padding':
        return 'keep' in part
          ? { ...part, keep: first(part.keep, 1) }
          : { ...part, lengths: first(part.lengths, 0) };
      case 'prefix':
        return { ...part, length: first(part.length, 0) };
      case 'documents':
        return {
          ...part,
          ids: first(part.ids, 1),
          ...(part.queryIds && { queryIds: first(part.queryIds, 1) }),
        };
      default:
        return part;
    }
  });
}
