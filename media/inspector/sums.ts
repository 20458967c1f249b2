// Row and column sums of the drawn matrix, asked for when they are to be seen.
import { signal } from '@preact/signals';
import type { TensorInfo } from '../../src/inspect/messages.ts';
import { MOST_SUMS } from '../../src/inspect/sums.ts';
import { ask } from './ask.ts';
import type { Matrices } from './matrices.ts';
import { looking } from './state.ts';

export interface KnownSums {
  readonly rows: Float64Array;
  readonly cols: Float64Array;
}

const known = signal<{ key: string; sums: KnownSums } | null>(null);
let asked = '';

/** Null while they are not wanted, not known, or where there is more than one matrix. */
export function sumsFor(info: TensorInfo, { all }: Matrices): KnownSums | null {
  const [matrix] = all;
  if (!looking.value.sums || all.length !== 1 || Math.max(matrix.rows, matrix.cols) > MOST_SUMS)
    return null;
  const { slicing } = matrix;
  const key = JSON.stringify([info.id, info.version, slicing]);
  if (known.value?.key === key) return known.value.sums;
  if (asked !== key) {
    asked = key;
    ask({ kind: 'sums', tensor: info.id, version: info.version, slicing }, (answer) => {
      if (answer?.kind !== 'sums') return;
      const sums = { rows: new Float64Array(answer.rows), cols: new Float64Array(answer.cols) };
      known.value = { key, sums };
    });
  }
  return null;
}
