// The loss of a setup in another run of its program: its constants are read from there, and what it divides by follows the
// sizes of y.
import type { AxisLetters } from '../../engine/axes.ts';
import type { Loss } from '../../engine/config.ts';
import type { Tensor } from '../../engine/tensor.ts';

const DIVISOR = /(\/ *)(\d+)(?![\d.])/;

/** The tensors of a loss by where they stand in a setup. */
export function constantsOf(loss: Loss): [entry: string, tensor: Tensor][] {
  switch (loss.kind) {
    case 'half-squared-norm':
      return [];
    case 'upstream':
      return [['loss.G', loss.G]];
    case 'target':
      return [['loss.T', loss.T]];
    case 'expression':
      return Object.entries(loss.constants).map(([id, tensor]) => [`loss.${id}`, tensor]);
  }
}

export function lossWith(loss: Loss, tensors: ReadonlyMap<string, Tensor>): Loss {
  switch (loss.kind) {
    case 'upstream':
      return { ...loss, G: tensors.get('loss.G')! };
    case 'target':
      return { ...loss, T: tensors.get('loss.T')! };
    case 'expression':
      return {
        ...loss,
        constants: Object.fromEntries(
          Object.keys(loss.constants).map((id) => [id, tensors.get(`loss.${id}`)!]),
        ),
      };
    case 'half-squared-norm':
      return loss;
  }
}

/**
 * What a loss that divides by a number may be at other sizes: a mean over all of y, over its rows or tokens, or that number
 * as it stands where no sizes give it.
 */
export function lossesAt(
  loss: Loss,
  y: readonly AxisLetters[],
  was: Readonly<Record<string, number>>,
  is: Readonly<Record<string, number>>,
): Loss[] {
  if (loss.kind !== 'expression') return [loss];
  const [, , divisor] = DIVISOR.exec(loss.expression) ?? [];
  if (divisor === undefined) return [loss];
  const meant = new Set<number>();
  for (const axes of subsetsOf(y)) {
    const product = (extents: Readonly<Record<string, number>>): number =>
      axes.flat().reduce((size, letter) => size * (extents[letter] ?? 1), 1);
    if (product(was) === Number(divisor)) meant.add(product(is));
  }
  if (meant.size === 0) return [loss];
  return [...meant].map((by) => ({
    ...loss,
    expression: loss.expression.replace(DIVISOR, (_, slash: string) => `${slash}${by}`),
  }));
}

const subsetsOf = <Element>(some: readonly Element[]): Element[][] =>
  some.reduce<Element[][]>((all, each) => [...all, ...all.map((one) => [...one, each])], [[]]);
