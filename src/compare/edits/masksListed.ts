// Parts of a listed mask that a program leaves out: its padding, window, documents, prefix.
import type { HeadConfig, MaskPart } from '../../engine/config.ts';
import type { Tensor } from '../../engine/tensor.ts';
import type { Add } from './maskLayout.ts';

const WORDS: Readonly<Record<MaskPart['kind'], readonly [title: string, why: string]>> = {
  given: ['the given mask', 'Keys that a given mask hides are seen.'],
  padding: ['the padding mask', 'Keys that are padding are seen.'],
  window: ['the window', 'Keys outside the window are seen.'],
  prefix: ['the prefix of the causal mask', 'Keys of the prefix are hidden from earlier queries.'],
  chunked: ['the mask of chunks', 'Keys of other chunks are seen.'],
  documents: ['the mask of documents', 'Keys of other documents are seen.'],
};

export function listedVariants(
  { masks = [] }: HeadConfig,
  add: Add,
  withConfig: (change: Partial<HeadConfig>) => () => Tensor,
): void {
  for (const [n, { kind }] of masks.entries()) {
    const [name, why] = WORDS[kind];
    const others = masks.filter((_, at) => at !== n);
    add(`mask-${kind}-missing`, `${name} is missing`, why, `no ${name.slice(4)}`, () =>
      withConfig({ masks: others })(),
    );
  }
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
