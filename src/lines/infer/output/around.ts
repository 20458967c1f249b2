// What stands around the attention in a layer: norms before and after it, the residual connection.
import type { Block, HeadConfig, Norm } from '../../../engine/config.ts';
import type { Tensor } from '../../../engine/tensor.ts';
import { type Context, merged, nameOf, tokens } from '../entries/builder.ts';
import { gather } from '../values/layout.ts';
import type { Output } from './loss.ts';
import { isGradientName } from '../values/names.ts';
import { normBetween } from '../operands/normBetween.ts';
import type { FoundNorm } from '../operands/norms.ts';
import type { Rows } from '../values/rows.ts';
import type { Projection } from '../operands/trace.ts';
import { isGradient, type Value } from '../values/values.ts';
import { sumOf } from '../values/virtual.ts';

type Mutable<T> = { -readonly [Key in keyof T]: T[Key] };

/** The tensor that goes past the attention, as (batch, token, feature). */
interface Stream {
  readonly value: Value;
  readonly tensor: Tensor;
  /** The norm between it and what is projected. */
  readonly norm: FoundNorm | null;
}

const asRows = ({ shape, data }: Tensor, eps: number): Rows => ({
  ...{ data, eps },
  outer: shape.slice(0, -2),
  tokens: shape[shape.length - 2],
  width: shape[shape.length - 1],
});

/**
 * What comes of the attention's output in its layer: added to what went past it, normed before or after. Fills in the
 * block and gives the output of all.
 */
export function addAround(context: Context, output: Output): Output {
  const { config, build, model } = context;
  const { query, key } = model;
  const own = config.xPrime ? query.projection : key.projection;
  if (config.head !== 'multihead' || !own || own.x.isVirtual) return output;
  for (const stream of streamsOf(context, own, output)) {
    const found = withResidual(context, output, stream);
    if (!found) continue;
    const { value, block, last } = found;
    const weights: Mutable<HeadConfig['weights']> = { ...config.weights };
    const add = (
      place: 'preNorm' | 'outputNorm' | 'postNorm',
      norm: FoundNorm | null,
    ): Norm | null => {
      if (!norm) return null;
      const id = { preNorm: 'pre', outputNorm: 'out', postNorm: 'post' }[place] as 'pre';
      const bind = (entry: `gamma_${typeof id}` | `beta_${typeof id}`, of: Value | null): void => {
        if (!of) return;
        const layout = { offset: 0, axes: [[{ size: of.tensor.data.length, stride: 1 }]] };
        weights[entry] = build.tensor(`weights.${entry}`, of, layout, `${nameOf(of)}: of the norm`);
      };
      bind(`gamma_${id}`, norm.gain);
      bind(`beta_${id}`, norm.bias);
      const { kind, eps, unitOffset } = norm;
      return { kind, eps, ...(unitOffset && { unitOffset }) };
    };
    const [pre, out, post] = [
      add('preNorm', stream.norm),
      add('outputNorm', block.out),
      add('postNorm', block.post),
    ];
    config.weights = weights;
    config.block = {
      residual: true,
      ...(pre && { preNorm: pre }),
      ...(out && { outputNorm: out }),
      ...(post && { postNorm: post }),
    } satisfies Block;
    build.note('block', value, `${nameOf(stream.value)} is added to the attention's output`);
    build.last = value;
    if (pre) rebindInput(context, own, stream.value);
    const family = model.lookup.find(last, output.eps);
    return { ...output, y: last, time: value.time, family };
  }
  return output;
}

/** The input is what the norm before the attention is of. */
function rebindInput({ config, build }: Context, own: Projection, value: Value): void {
  const entry = config.xPrime ? 'xPrime' : 'x';
  const at = build.bindings.findIndex((each) => each.entry === entry);
  if (at >= 0) build.bindings.splice(at, 1);
  const before = build.inferred.findIndex((each) => each.entry === entry);
  if (before >= 0) build.inferred.splice(before, 1);
  const note = `${nameOf(value)}: what is normed before the attention`;
  config[entry] = build.tensor(entry, value, inputLayout(own), note);
}

function inputLayout({ xLayout }: Projection): ReturnType<typeof tokens> {
  const factors = xLayout.axes.flat();
  const [token, feature] = factors.slice(-2);
  return tokens(merged(factors.slice(0, -2)), token, [feature]);
}

/** What may go past: the input itself, or what the input is a norm of. */
function* streamsOf({ values }: Context, own: Projection, output: Output): Generator<Stream> {
  const layout = inputLayout(own);
  const input = gather(own.x.tensor, layout);
  if (input.shape.join() !== output.y.shape.join()) return;
  yield { value: own.x, tensor: input, norm: null };
  const ancestors = values.ancestors(own.x);
  const result = asRows(input, own.x.eps);
  for (const value of values.all) {
    const isBefore =
      ancestors.has(value.id) &&
      value.kind === 'float' &&
      !value.isVirtual &&
      value.tensor.shape.join() === own.x.tensor.shape.join();
    if (!isBefore) continue;
    const tensor = gather(value.tensor, layout);
    const norm = normBetween(values, asRows(tensor, value.eps), result);
    if (norm) yield { value, tensor, norm };
  }
}

interface Around {
  readonly value: Value;
  readonly last: Tensor;
  readonly block: { readonly out: FoundNorm | null; readonly post: FoundNorm | null };
}

function withResidual(context: Context, output: Output, stream: Stream): Around | null {
  const { values } = context;
  const { model } = context;
  const bare = model.output?.y ?? model.mixed?.output;
  const from = [...output.family, bare].filter((y) => y !== undefined);
  const bound = bare && sumOf(bare);
  const later = values.all.filter(
    (value) =>
      value.kind === 'float' &&
      !value.isVirtual &&
      (value.time > output.time || value === bound) &&
      value.tensor.data.length === output.y.data.length &&
      !value.parts.some(isGradient) &&
      (value === bound || from.some((y) => values.descends(value, bound ?? y))),
  );
  const read = later
    .sort((a, b) => a.time - b.time)
    .flatMap((value) =>
      output.readings(value).map((layout) => ({ value, tensor: gather(value.tensor, layout) })),
    );
  const outs: { norm: FoundNorm | null; tensor: Tensor }[] = [{ norm: null, tensor: output.y }];
  for (const { tensor } of read) {
    const result = asRows(tensor, output.eps);
    const norm = normBetween(values, asRows(output.y, output.eps), result);
    if (norm) outs.push({ norm, tensor });
  }
  for (const { norm: out, tensor } of outs) {
    const data = tensor.data.map((value, n) => value + stream.tensor.data[n]);
    const sum = { shape: tensor.shape, data };
    const rows = asRows(sum, output.eps);
    const found = read.find((each) => isNear(each.tensor, sum, output.eps));
    const normed = read.flatMap(({ value, tensor: own }) => {
      if (!reads(context, value, found?.value)) return [];
      const result = asRows(own, output.eps);
      const post = normBetween(values, rows, result);
      return post ? [{ value, last: own, block: { out, post } }] : [];
    });
    // A program may bind what is normed before its gains.
    const [whole] = [...normed.filter(({ block }) => block.post.gain), ...normed];
    if (whole && !(found && goesPast(context, found.value, whole.value))) return whole;
    if (found) return { value: found.value, last: found.tensor, block: { out, post: null } };
  }
  return null;
}

/** Whether the sum is added to what comes of its norm: the norm is one before something else, and none of this attention. */
const goesPast = ({ values }: Context, sum: Value, norm: Value): boolean =>
  values.all.some(
    (value) =>
      value.time > norm.time &&
      value.tensor.shape.join() === sum.tensor.shape.join() &&
      values.descends(value, norm) &&
      value.parts.some((event) => {
        const { text } = values.recording.statements[event.statement];
        const isRead = values.sources(event).some(({ id }) => values.ofEvent(id) === sum);
        return isRead && /\+/.test(text) && !isGradientName(event.name) && !isGradient(event);
      }),
  );

/** Whether a value comes right of the sum, if that is recorded. */
const reads = ({ values }: Context, value: Value, sum: Value | undefined): boolean =>
  sum === undefined || (value.time > sum.time && values.descends(value, sum));

function isNear(a: Tensor, b: Tensor, eps: number): boolean {
  const size = b.data.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  return a.data.every((value, n) => Math.abs(value - b.data[n]) <= 8 * eps * size);
}
