// How the attentions of a program are told apart: by number, function and call. Pure.
import type { Attention } from '../../lines/infer/types.ts';
import { placeWords } from '../../lines/recorded/place.ts';

export interface AttentionLabel {
  readonly label: string;
  readonly description: string;
}

const headsOf = (heads: number): string => `${heads} ${heads === 1 ? 'head' : 'heads'}`;

/** In the order of time; what one line computes several times is told by its call. */
export function attentionLabels(all: readonly Attention[]): AttentionLabel[] {
  const isSame = (a: Attention, b: Attention): boolean =>
    a.file === b.file && a.cell === b.cell && a.line === b.line;
  return all.map((each, n) => {
    const { heads, function: name } = each;
    const calls = all.filter((other) => isSame(each, other)).length;
    const call = all.slice(0, n + 1).filter((other) => isSame(each, other)).length;
    const which = calls > 1 ? `, call ${call} of ${calls}` : '';
    return {
      label: `${n + 1}: ${name || 'outside of functions'}${which}`,
      description: `${headsOf(heads)}, ${placeWords(each)}`,
    };
  });
}
