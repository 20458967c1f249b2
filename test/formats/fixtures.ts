// Reads the files that fixtures/make.py wrote with NumPy, ml_dtypes and safetensors.
import { readFileSync } from 'node:fs';
import type { NamedTensor } from '../../src/formats/namedTensor.ts';

export function fixture(name: string): Uint8Array {
  return new Uint8Array(readFileSync(new URL(`fixtures/${name}`, import.meta.url)));
}

interface Expected {
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly data: readonly number[];
}

/** What NumPy says is in the tensor of this name. */
export function expectedTensors(): ReadonlyMap<string, Expected> {
  const text = new TextDecoder().decode(fixture('expected.json'));
  const all = JSON.parse(text) as Record<
    string,
    { dtype: string; shape: number[]; data: (number | string)[] }
  >;
  const number = (value: number | string): number =>
    typeof value === 'number' ? value : Number(value.replace('inf', 'Infinity'));
  return new Map(
    Object.entries(all).map(([name, { dtype, shape, data }]) => {
      return [name, { dtype, shape, data: data.map(number) }];
    }),
  );
}

/** The parts that `Expected` has, as plain arrays. */
export function parts({ dtype, tensor }: NamedTensor): Expected {
  return { dtype, shape: [...tensor.shape], data: [...tensor.data] };
}
