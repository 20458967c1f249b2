// A setup as the document that is saved: what a *.attention.json says.
import type { HeadConfig, Loss, Mask, Rope } from '../../engine/config.ts';
import { PLAIN_OPTIONS } from '../../formats/setupTypes.ts';
import { toJsonNumber } from '../../formats/specialNumber.ts';
import type { Tensor } from '../../engine/tensor.ts';

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
      ? toJsonNumber(data[next++])
      : Array.from({ length: shape[axis] }, () => fill(axis + 1));
  return fill(0);
}

/** How a tensor is written: its numbers, or where they are. */
export type WriteTensor = (entry: string, tensor: Tensor) => Json;

const inline: WriteTensor = (_, tensor) => nested(tensor);

const each = (
  tensors: Readonly<Record<string, Tensor | undefined>>,
  at: string,
  write: WriteTensor,
): Record<string, Json> =>
  Object.fromEntries(
    Object.entries(tensors).flatMap(([key, value]) =>
      value ? [[key, write(`${at}${key}`, value)]] : [],
    ),
  );

function lossOf(loss: Loss, write: WriteTensor): Json | null {
  switch (loss.kind) {
    case 'half-squared-norm':
      return null;
    case 'upstream':
      return { upstream: write('loss.upstream', loss.G) };
    case 'target':
      return { target: write('loss.target', loss.T) };
    case 'expression':
      return {
        expression: loss.expression,
        constants: each(loss.constants, 'loss.constants.', write),
      };
  }
}

const maskOf = (mask: Mask, write: WriteTensor): Record<string, Json> =>
  typeof mask === 'string'
    ? { mask }
    : { mask: write('mask', mask.tensor), maskMeaning: mask.meaning };

function ropeOf(rope: Rope, write: WriteTensor): Record<string, Json> {
  const { base, invFreq, positions, queryPositions, ...others } = rope;
  const plain = Object.entries(others).filter(([, value]) => value !== undefined);
  return {
    // Own frequencies stand in place of a base.
    ...(!invFreq && { base }),
    ...(Object.fromEntries(plain) as Record<string, Json>),
    ...each({ invFreq, positions, queryPositions }, 'rope.', write),
  };
}

export function setupDocument(
  config: HeadConfig,
  source: Source,
  write: WriteTensor = inline,
): object {
  const { head, heads, kvHeads, mask, dropout, rope, alibi, temperature, past, start, axes } =
    config;
  const plain = PLAIN_OPTIONS.filter((option) => config[option] !== undefined);
  const loss = lossOf(config.loss, write);
  return {
    ...{ head, source },
    ...each({ x: config.x, xPrime: config.xPrime, xValue: config.xValue }, '', write),
    weights: each(config.weights, 'weights.', write),
    ...(head === 'multihead' && { heads, kvHeads }),
    ...Object.fromEntries(plain.map((option) => [option, config[option]])),
    ...maskOf(mask, write),
    ...(dropout && { dropout: { p: dropout.p, keep: write('dropout.keep', dropout.keep) } }),
    ...(rope && { rope: ropeOf(rope, write) }),
    ...(alibi !== undefined && { alibi: alibi === true ? true : write('alibi', alibi) }),
    ...(temperature && {
      temperature: 'data' in temperature ? write('temperature', temperature) : temperature,
    }),
    ...(past && { past: each({ ...past }, 'past.', write) }),
    ...(start && { start: each({ ...start }, 'start.', write) }),
    ...(loss !== null && { loss }),
    axes,
  };
}
