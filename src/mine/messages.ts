// What "run mine" and the process in which the person's module runs say to each other.
import { type DType, isDType } from '../formats/dtype.ts';
import type { CodeLine } from '../formats/namedTensor.ts';
import { sizeOf, type Tensor } from '../engine/tensor.ts';
import { WireError } from './wire.ts';

/** A setup's entries by name, each a tensor, a number, a word or an object of such; nested arrays for the person. */
export type Inputs = Readonly<Record<string, unknown>>;

/** A boolean tensor, which `Tensor` cannot tell from one of zeros and ones. */
export interface Flags extends Tensor {
  readonly dtype: 'bool';
}

/** A tensor of the person's, flat. */
export interface Output {
  readonly name: string;
  readonly dtype: DType;
  readonly shape: readonly number[];
  readonly data: Float64Array;
}

const PHASES = ['load', 'forward', 'backward'] as const;
export type Phase = (typeof PHASES)[number];

export type ToRunner =
  | { readonly type: 'run'; readonly module: string; readonly inputs: Inputs }
  /** df/dy at the y that forward gave. */
  | { readonly type: 'upstream'; readonly upstream: Tensor };

export type FromRunner =
  | { readonly type: 'ready' }
  | { readonly type: 'begins'; readonly phase: Phase }
  | {
      readonly type: 'forward';
      readonly outputs: readonly Output[];
      /** It waits for the upstream gradient. */
      readonly hasBackward: boolean;
    }
  | { readonly type: 'backward'; readonly outputs: readonly Output[] }
  | {
      readonly type: 'failed';
      readonly message: string;
      readonly stack: string;
      readonly place: CodeLine | null;
    };

type Fields<T> = { readonly [Key in keyof T]: unknown };

const isText = (value: unknown): value is string => typeof value === 'string';
const isLength = (value: unknown): value is number =>
  Number.isSafeInteger(value) && Number(value) >= 0;

function isOutput(value: unknown): value is Output {
  if (typeof value !== 'object' || value === null) return false;
  const { name, dtype, shape, data } = value as Fields<Output>;
  if (!isText(name) || !isText(dtype) || !isDType(dtype)) return false;
  if (!Array.isArray(shape) || !shape.every(isLength) || !(data instanceof Float64Array))
    return false;
  return data.length === sizeOf(shape);
}

const areOutputs = (value: unknown): value is Output[] =>
  Array.isArray(value) && value.every(isOutput);

function isPlace(value: unknown): value is CodeLine | null {
  if (value === null) return true;
  if (typeof value !== 'object') return false;
  const { file, line } = value as Fields<CodeLine>;
  return isText(file) && isLength(line);
}

/** The person's module shares its process with the runner and may write what it likes. Throws WireError. */
export function fromRunner(message: unknown): FromRunner {
  if (typeof message !== 'object' || message === null)
    throw new WireError(`${String(message)} as a message`);
  const { type, ...rest } = message as Record<string, unknown>;
  const isWhole =
    type === 'ready' ||
    (type === 'begins' && PHASES.some((phase) => phase === rest.phase)) ||
    (type === 'forward' && areOutputs(rest.outputs) && typeof rest.hasBackward === 'boolean') ||
    (type === 'backward' && areOutputs(rest.outputs)) ||
    (type === 'failed' && isText(rest.message) && isText(rest.stack) && isPlace(rest.place));
  if (!isWhole) throw new WireError('a message that the runner does not send');
  return message as FromRunner;
}
