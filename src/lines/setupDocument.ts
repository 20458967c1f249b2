// A setup as the document that is saved: what a *.attention.json says.
import type { HeadConfig, Loss, Mask } from '../engine/config.ts';
import type { Tensor } from '../engine/tensor.ts';

/** Where a setup was found, so that it can be found again: the program, its arguments, what computes the attention. */
export interface Source {
  readonly file: string;
  readonly function: string;
  readonly args: readonly string[];
}

type Json = number | string | boolean | readonly Json[] | { readonly [key: string]: Json };

function nested({ shape, data }: Tensor): Json {
  let next = 0;
  const fill = (axis: number): Json =>
    axis === shape.length
      ? number(data[next++])
      : Array.from({ length: shape[axis] }, () => fill(axis + 1));
  return fill(0);
}

const number = (value: number): Json =>
  Number.isFinite(value) ? value : Number.isNaN(value) ? 'nan' : value > 0 ? 'inf' : '-inf';

const each = (tensors: Readonly<Record<string, Tensor | undefined>>): Record<string, Json> =>
  Object.fromEntries(
    Object.entries(tensors).flatMap(([key, value]) => (value ? [[key, nested(value)]] : [])),
  );

function lossOf(loss: Loss): Json | null {
  switch (loss.kind) {
    case 'half-squared-norm':
      return null;
    case 'upstream':
      return { upstream: nested(loss.G) };
    case 'target':
      return { target: nested(loss.T) };
    case 'expression':
      return { expression: loss.expression, constants: each(loss.constants) };
  }
}

const maskOf = (mask: Mask): Record<string, Json> =>
  typeof mask === 'string' ? { mask } : { mask: nested(mask.tensor), maskMeaning: mask.meaning };

export function setupDocument(config: HeadConfig, source: Source): object {
  const {
    head,
    heads,
    kvHeads,
    scale,
    softcap,
    mask,
    dropout,
    rope,
    window,
    alibi,
    past,
    start,
    axes,
  } = config;
  const loss = lossOf(config.loss);
  return {
    ...{ head, source },
    ...each({ x: config.x, xPrime: config.xPrime }),
    weights: each(config.weights),
    ...(head === 'multihead' && { heads, kvHeads }),
    ...(scale !== undefined && { scale }),
    ...(softcap !== undefined && { softcap }),
    ...maskOf(mask),
    ...(dropout && { dropout: { p: dropout.p, keep: nested(dropout.keep) } }),
    ...(rope && { rope }),
    ...(window !== undefined && { window }),
    ...(alibi !== undefined && { alibi: alibi === true ? true : nested(alibi) }),
    ...(past && { past: each(past) }),
    ...(start && { start: each(start) }),
    ...(loss !== null && { loss }),
    axes,
  };
}
