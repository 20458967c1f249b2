// Any function of the scores with any way to normalise it, where exp and the sum over the keys belong.
import { after, entrywise, identity, times } from '../program/operations.ts';
import { type StepOperation } from '../program/program.ts';
import { FUNCTIONS } from '../program/transforms/functions.ts';
import { normTransforms } from '../program/transforms/norms.ts';
import type { Transform } from '../program/transforms/transform.ts';
import { type Edit, type Family, roles } from './edit.ts';
import { stepEdit } from './make.ts';

/** Hidden scores have no share whatever the function. */
function visible({ operation }: Transform): StepOperation {
  const isHidden = (value: number): boolean => value === -Infinity;
  const cover = entrywise(
    (value) => (isHidden(value) ? 0 : value),
    (value) => Number(!isHidden(value)),
  );
  const own = after(cover, operation);
  return {
    ...own,
    forward: ([input]) => {
      const out = own.forward([input]);
      return { ...out, data: out.data.map((value, at) => (isHidden(input.data[at]) ? 0 : value)) };
    },
  };
}

const asItIs: Transform = {
  ...{
    id: 'no-exponential',
    title: (name) => name,
    formula: (name) => name,
    cost: 1.3,
    isLinear: true,
  },
  operation: identity,
};

export const softmaxShapes: Family = (site) => {
  const { node, kind, graph } = site;
  if (kind !== 'value' || node.id !== 'P') return [];
  const { logits } = roles(graph);
  const norms = normTransforms(node.axes, ['i'], graph.extents).filter(({ id }) =>
    /^(normalised-by-sum|l2-normalised|divided-by-its-maximum)/.test(id),
  );
  return [asItIs, ...FUNCTIONS].flatMap((weight): Edit[] => {
    const name = weight.formula(logits);
    const first = visible(weight);
    const add = (
      words: string,
      wrong: string,
      operation: () => StepOperation,
      cost: number,
    ): Edit =>
      stepEdit(
        site,
        'P',
        {
          id: weight.id === 'exponential' ? 'softmax-not-normalised-by-sum' : weight.id,
          title: `the weights are ${name} ${words}, not exp(${logits}) divided by its sum (softmax)`,
          why: `P comes out exactly as ${wrong}.`,
          wrong: `P = ${wrong}`,
          cost: weight.cost + cost,
        },
        operation,
      );
    return [
      add('as they are', name, () => first, 0.2),
      ...norms.map((norm) =>
        add(
          norm.title('').trim().replace(/^is /, ''),
          norm.formula(name),
          () => after(first, norm.operation),
          0.1,
        ),
      ),
      ...[
        [1 / graph.extents['i'], 'divided by the number of keys'] as const,
        [1 / Math.sqrt(graph.extents['i']), 'divided by the root of the number of keys'] as const,
      ].map(([factor, words]) =>
        add(words, `${name} ${words}`, () => after(first, times(factor)), 0.3),
      ),
    ];
  });
};
