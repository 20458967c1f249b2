// A program's recording, written down step by step: what a recorder would give of it.
import { sizeOf, type Tensor } from '../../../src/engine/tensor.ts';
import type { Event, Recording, Statement } from '../../../src/lines/recorded/recording.ts';

export interface Step {
  readonly text: string;
  readonly name: string;
  readonly value: Tensor | number;
  readonly reads?: readonly string[];
  readonly how?: Event['how'];
  readonly loops?: readonly number[];
  readonly dtype?: string;
  /** Of a gradient: the name whose gradient it is. */
  readonly of?: string;
}

/** A recording of steps in their order; steps of the same text are one statement. */
export function recordingOf(steps: readonly Step[]): Recording {
  const texts = [...new Set(steps.map(({ text }) => text))];
  const statements = texts.map((text, n): Statement => ({
    ...{ file: 0, function: 0, kind: 'assign', text, loads: [], targets: [] },
    ...{ line: n + 1, endLine: n + 1, column: 1, endColumn: text.length + 1 },
  }));
  const latest = new Map<string, number>();
  const tensors: Tensor[] = [];
  const events = steps.map((step, id): Event => {
    const { text, name, value, reads = [], how = 'bind', loops = [], of } = step;
    const tensor = typeof value === 'number' ? { shape: [], data: Float64Array.of(value) } : value;
    tensors.push(tensor);
    const event = {
      ...{ id, statement: texts.indexOf(text), frame: 0, loops, name, how },
      ...{ dtype: step.dtype ?? 'float64', shape: tensor.shape },
      reads: reads.map((each) => latest.get(each) as number),
      ...(typeof value === 'number' && { value }),
      ...(of !== undefined && { of: latest.get(of) as number }),
    };
    latest.set(name, id);
    return event;
  });
  return {
    ...{ version: 1, python: { version: '3', executable: 'python3' }, main: 'own.py', args: [] },
    files: [{ path: 'own.py', source: texts.join('\n') }],
    functions: [{ file: 0, name: '', line: 1, endLine: texts.length, calls: 1 }],
    ...{ statements, events, exit: { code: 0 }, leftOut: { bytes: 0, events: 0 }, notes: [] },
    tensor: (id) => tensors[id],
  };
}

/** Normally distributed numbers, the same for the same seed. */
export function normal(shape: readonly number[], seed: number): Tensor {
  let state = seed * 7919 + 13;
  const uniform = (): number => {
    state = (Math.imul(state, 1664525) + 1013904223) | 0;
    return ((state >>> 8) + 0.5) / 2 ** 24;
  };
  const data = Float64Array.from(
    { length: sizeOf(shape) },
    () => Math.sqrt(-2 * Math.log(uniform())) * Math.cos(2 * Math.PI * uniform()),
  );
  return { shape, data };
}

/** a b of matrices. */
export function matmul(a: Tensor, b: Tensor): Tensor {
  const [rows, inner] = a.shape;
  const cols = b.shape[1];
  const data = new Float64Array(rows * cols);
  for (let r = 0; r < rows; r++)
    for (let c = 0; c < cols; c++)
      for (let k = 0; k < inner; k++)
        data[r * cols + c] += a.data[r * inner + k] * b.data[k * cols + c];
  return { shape: [rows, cols], data };
}

export function transpose({ shape: [rows, cols], data }: Tensor): Tensor {
  const turned = data.map((_, n) => data[(n % rows) * cols + Math.floor(n / rows)]);
  return { shape: [cols, rows], data: turned };
}

export const mapped = (
  { shape, data }: Tensor,
  change: (value: number, at: number) => number,
): Tensor => ({
  shape,
  data: data.map(change),
});

/** Each row's exponentials over their sum. */
export function softmax(scores: Tensor): Tensor {
  const [rows, cols] = scores.shape;
  const data = scores.data.map(Math.exp);
  for (let r = 0; r < rows; r++) {
    const row = data.subarray(r * cols, (r + 1) * cols);
    const sum = row.reduce((a, b) => a + b, 0);
    row.forEach((value, n) => (row[n] = value / sum));
  }
  return { shape: scores.shape, data };
}

/** Columns from `from` to `to`. */
export function columns({ shape: [rows, cols], data }: Tensor, from: number, to: number): Tensor {
  const width = to - from;
  const out = new Float64Array(rows * width);
  for (let r = 0; r < rows; r++) out.set(data.subarray(r * cols + from, r * cols + to), r * width);
  return { shape: [rows, width], data: out };
}
