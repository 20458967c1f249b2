// An operation of one tensor X that a formula's text says.
import type { AxisLetters, Extents, Letter } from '../../../engine/axes.ts';
import { Evaluator } from '../../../engine/evaluate.ts';
import { type Formula, symbol } from '../../../engine/formula.ts';
import type { Tensor } from '../../../engine/tensor.ts';
import { vjpOf } from '../../../engine/vjp.ts';
import { parsed } from '../../mistakes/text.ts';
import type { StepOperation } from '../program.ts';

/** What is reduced over k is reduced over `group`. Without axes each entry is for itself. */
export function formulaOperation(
  name: string,
  text: string,
  axes: readonly AxisLetters[] = [['k']],
  extents?: Extents,
  group: readonly Letter[] = ['k'],
): StepOperation {
  const X = symbol('X', axes);
  let known: Formula | null = null;
  const formula = (): Formula =>
    (known ??= parsed(text, {
      term: (each) => (each === 'X' ? X : null),
      letters: (each) => (each === 'k' ? group : []),
    })!);
  const letters = axes.flat();
  const lengthsOf = ({ data }: Tensor): number[] =>
    extents ? letters.map((letter) => extents[letter]) : [data.length];
  const evaluator = (tensor: Tensor): Evaluator =>
    new Evaluator(() => ({ axes, tensor }), extents ?? { k: tensor.data.length });
  return {
    name,
    forward: ([input]) => ({
      shape: input.shape,
      data: evaluator(input).tensor(formula(), axes).data,
    }),
    vjp({ inputs: [input] }, { data }) {
      const upstream = { letters, lengths: lengthsOf(input), data };
      const back = vjpOf(formula(), upstream, evaluator(input)).get('X');
      return [{ shape: input.shape, data: back ?? new Float64Array(data.length) }];
    },
  };
}
