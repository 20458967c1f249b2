// A batch that a program takes in several calls, whose gradients it adds up: one setup for all of them.
import { ConfigError, type HeadConfig } from '../../engine/config.ts';
import { buildGraph } from '../../engine/heads/build.ts';
import { run } from '../../engine/run.ts';
import { sizeOf, type Tensor } from '../../engine/tensor.ts';
import type { Event, Recording } from '../recorded/recording.ts';
import { gather, type Layout } from './values/layout.ts';
import type { Binding, Inference } from './types.ts';
import { withTensors } from './withTensors.ts';

/** More calls are not put together. */
const MOST_CALLS = 32;

/** Entries that each call has of its own. */
const MOVING = /^(x|xPrime|xValue|loss\..+)$/;

interface Call {
  readonly config: HeadConfig;
  readonly y: Tensor;
  readonly loss: number;
  /** Of the weights. */
  readonly gradients: ReadonlyMap<string, Tensor>;
}

const PRECISION: Readonly<Record<string, number>> = { float64: 1e-8, float32: 1e-3 };
const COARSE = 5e-2;

function isNear(own: Float64Array, other: Float64Array, dtype: string): boolean {
  if (own.length !== other.length) return false;
  const size = other.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  const near = (PRECISION[dtype] ?? COARSE) * size;
  return size > 0 && own.every((value, at) => Math.abs(value - other[at]) <= near);
}

const transposed = ({ shape, data }: Tensor): Float64Array => {
  const [rows, columns] = shape;
  return data.map((_, at) => data[(at % rows) * columns + Math.floor(at / rows)]);
};

/** Whether an event has the numbers of a tensor, in its order or transposed. */
function isOf(recording: Recording, { id, dtype }: Event, tensor: Tensor): boolean {
  const own = recording.tensor(id)?.data;
  if (own?.length !== tensor.data.length) return false;
  if (isNear(own, tensor.data, dtype)) return true;
  return tensor.shape.length === 2 && isNear(own, transposed(tensor), dtype);
}

/** The events of the statement and name of a binding's from it on, until one is what an earlier one is; null where they differ in shape. */
function laterEvents(recording: Recording, { keys, shape }: Binding): Event[] | null {
  const [{ statement, how, name, occurrence }] = keys;
  const all = recording.events
    .filter((event) => event.statement === statement && event.how === how && event.name === name)
    .slice(occurrence);
  const contents = all.map(({ id }) => recording.tensor(id)?.data ?? []);
  const isSame = (one: ArrayLike<number>, other: ArrayLike<number>): boolean =>
    Array.prototype.every.call(one, (each, at) => each === other[at]);
  const end = contents.findIndex((each, n) =>
    contents.slice(0, n).some((before) => isSame(each, before)),
  );
  const own = end < 0 ? all : all.slice(0, end);
  return own.every((event) => event.shape.join() === shape.join()) ? own : null;
}

/** The calls after the first one, as setups with the same weights; [] where there are none, or they cannot be told. */
function callsOf(recording: Recording, { config, bindings }: Inference): HeadConfig[] {
  const moving = bindings.filter(({ entry }) => MOVING.test(entry));
  if (moving.some(({ keys }) => keys.length > 1) || !moving.some(({ entry }) => entry === 'x'))
    return [];
  const events = moving.map((binding) => laterEvents(recording, binding));
  const counts = events.map((each) => each?.length ?? 0);
  const [count] = counts;
  if (count < 2 || count > MOST_CALLS || counts.some((each) => each !== count)) return [];
  return Array.from({ length: count }, (_, n) => {
    const tensors = new Map<string, Tensor>();
    moving.forEach(({ entry, layout }, at) => {
      const tensor = recording.tensor(events[at]![n].id);
      if (tensor) tensors.set(entry, gather(tensor, layout));
    });
    return withTensors(config, tensors);
  });
}

function callOf(config: HeadConfig): Call {
  const { values, gradients } = run(buildGraph(config));
  const own = Object.keys(config.weights).flatMap((id) => {
    const gradient = gradients.get(id);
    return gradient ? [[id, gradient] as const] : [];
  });
  return {
    ...{ config, y: values.get('y')!, loss: values.get('f')!.data[0] },
    gradients: new Map(own),
  };
}

/** The first calls whose outputs the program has, by one and the same statement: later ones may be with other weights. */
function computed(recording: Recording, calls: readonly Call[]): readonly Call[] {
  const [first] = calls;
  const found = recording.events
    .filter((event) => isOf(recording, event, first.y))
    .map(({ statement, name }) => {
      const runs = recording.events.filter(
        (event) => event.statement === statement && event.name === name,
      );
      const end = calls.findIndex(({ y }) => !runs.some((each) => isOf(recording, each, y)));
      return end < 0 ? calls.length : end;
    });
  return calls.slice(0, Math.max(0, ...found));
}

/** Whether what held a gradient of the first call has later been made another than that of any call: a sum. */
function areAdded(recording: Recording, calls: readonly Call[]): boolean {
  const { events } = recording;
  const [first] = calls;
  return [...first.gradients].some(([id, gradient]) => {
    const sum = gradient.data.map((_, at) =>
      calls.reduce((total, each) => total + each.gradients.get(id)!.data[at], 0),
    );
    return events.some((event) => {
      if (sizeOf(event.shape) !== gradient.data.length) return false;
      if (isOf(recording, event, { shape: gradient.shape, data: sum })) return true;
      if (event.how === 'gradient' || !isOf(recording, event, gradient)) return false;
      return events.some(
        (later) =>
          later.id > event.id &&
          later.statement === event.statement &&
          later.name === event.name &&
          recording.tensor(later.id) !== null &&
          !calls.some((call) => isOf(recording, later, call.gradients.get(id)!)),
      );
    });
  });
}

/** The tensors of all calls along their batch axis, which is made where there is none. */
function joined(tensors: readonly Tensor[]): Tensor {
  const [{ shape }] = tensors;
  const data = new Float64Array(tensors.length * tensors[0].data.length);
  tensors.forEach((tensor, n) => data.set(tensor.data, n * tensor.data.length));
  const [batch, ...rest] = shape;
  const all = shape.length > 2 ? [batch * tensors.length, ...rest] : [tensors.length, ...shape];
  return { shape: all, data };
}

function joinedBinding({ entry, keys, shape, layout }: Binding, count: number): Binding {
  const [key] = keys;
  const { offset, axes } = layout;
  const calls = { size: count, stride: sizeOf(shape) };
  const all: Layout['axes'] =
    axes.length > 2 ? [[calls, ...axes[0]], ...axes.slice(1)] : [[calls], ...axes];
  return {
    entry,
    keys: Array.from({ length: count }, (_, n) => ({ ...key, occurrence: key.occurrence + n })),
    grid: [count],
    shape: [count, ...shape],
    layout: { offset, axes: all },
  };
}

/** A loss that is a mean over each call's tokens is that of all calls times their number. */
function withLoss(config: HeadConfig, count: number): HeadConfig {
  const { loss } = config;
  if (loss.kind !== 'expression') return config;
  return { ...config, loss: { ...loss, expression: `${count} * (${loss.expression})` } };
}

/** The setup of all calls of a program that adds up their gradients; what was found where there is only one, or no sum. */
export function withLaterCalls(recording: Recording, found: Inference): Inference {
  try {
    const configs = callsOf(recording, found);
    if (configs.length < 2) return found;
    const calls = computed(recording, configs.map(callOf));
    if (calls.length < 2 || !areAdded(recording, calls)) return found;
    return together(found, calls) ?? found;
  } catch (error) {
    if (error instanceof ConfigError) return found;
    throw error;
  }
}

function together(found: Inference, calls: readonly Call[]): Inference | null {
  const moving = found.bindings.filter(({ entry }) => MOVING.test(entry));
  const tensors = new Map(
    moving.map(({ entry }) => [entry, joined(calls.map(({ config }) => tensorOf(config, entry)))]),
  );
  const all = withTensors(found.config, tensors);
  const loss = calls.reduce((sum, each) => sum + each.loss, 0);
  const config = [all, withLoss(all, calls.length)].find((each) =>
    isNear(Float64Array.of(callOf(each).loss), Float64Array.of(loss), 'float64'),
  );
  if (!config) return null;
  const bindings = found.bindings.map((binding) =>
    MOVING.test(binding.entry) ? joinedBinding(binding, calls.length) : binding,
  );
  return { ...found, config, bindings };
}

function tensorOf({ x, xPrime, xValue, loss }: HeadConfig, entry: string): Tensor {
  const constants = loss.kind === 'expression' ? loss.constants : {};
  const all: Readonly<Record<string, Tensor | undefined>> = {
    ...{ x, xPrime, xValue },
    ...Object.fromEntries(
      Object.entries(constants).map(([name, tensor]) => [`loss.constants.${name}`, tensor]),
    ),
    ...(loss.kind === 'target' && { 'loss.target': loss.T }),
    ...(loss.kind === 'upstream' && { 'loss.upstream': loss.G }),
  };
  return all[entry]!;
}
