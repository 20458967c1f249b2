// Biases: missing, added twice, subtracted, another one.
import { nodeOf } from '../../engine/graph.ts';
import { scaleFactor } from '../../engine/heads/weights.ts';
import { map, type Tensor } from '../../engine/tensor.ts';
import { shortNumber } from '../search/constants.ts';
import { entrywise, onOperand, times } from '../program/operations.ts';
import { type Edit, type Family, operationAt, type Site } from './edit.ts';
import { withStep } from '../program/program.ts';
import { makeEdit, stepEdit } from './make.ts';

export const bias: Family = (site) => {
  const own = operationAt(site);
  if (site.kind !== 'value' || own?.inputs.length !== 3) return [];
  const [operand, , name] = own.inputs;
  const edit = (id: string, title: string, wrong: string, factor: number): Edit =>
    stepEdit(
      site,
      own.id,
      { id, title, why: `${own.id} comes out exactly as ${wrong}.`, wrong: `${own.id} = ${wrong}` },
      ({ operation }) => onOperand(operation, 2, times(factor)),
    );
  const beforeProduct = (): Edit[] => {
    const { shape } = nodeOf(site.graph, operand);
    const { value } = nodeOf(site.graph, name) as { value: Tensor };
    if (shape[shape.length - 1] !== value.data.length) return [];
    const change = entrywise(
      (entry, at) => entry + value.data[at % value.data.length],
      () => 1,
    );
    const say = {
      id: 'bias-before-product',
      title: `the bias ${name} is added to ${operand} before the product`,
      why: `${own.id} = ${operand} W + b; here the bias goes through W too.`,
      wrong: `${own.id} = (${operand} + ${name}) W`,
      cost: 1.2,
    };
    return [
      stepEdit(site, own.id, say, ({ operation, inputs }) => {
        const first = onOperand(operation, 0, change);
        return {
          inputs,
          operation: {
            name: operation.name,
            forward: (given) =>
              first.forward(given.map((each, n) => (n === 2 ? map(each, () => 0) : each))),
            vjp: (at, upstream) => first.vjp(at, upstream),
          },
        };
      }),
    ];
  };
  return [
    ...(own.id === 'K' ? [allMissing(site)] : []),
    ...solved(site, own.inputs[2], edit),
    ...beforeProduct(),
    edit('bias-missing', `the bias ${name} is missing`, `without ${name}`, 0),
    edit('bias-twice', `the bias ${name} is added twice`, `with 2 ${name}`, 2),
    edit('bias-subtracted', `the bias ${name} is subtracted`, `with − ${name}`, -1),
  ];
};

/** The factor that the tensor itself tells: what is too much is proportional to the bias. */
function solved(
  { target, state, precision, config, graph }: Site,
  name: string,
  edit: (id: string, title: string, wrong: string, factor: number) => Edit,
): Edit[] {
  if (!target) return [];
  const { user, predicted } = target;
  const added = state.value(name).data;
  let [products, squares] = [0, 0];
  for (let at = 0; at < user.data.length; at++) {
    const own = added[at % added.length];
    products += (user.data[at] - predicted.data[at]) * own;
    squares += own * own;
  }
  const factor = 1 + products / squares;
  if (
    !Number.isFinite(factor) ||
    [0, 1, 2, -1].some((each) => Math.abs(factor - each) < 100 * precision)
  )
    return [];
  const scale = scaleFactor(config, graph.extents['a']) ?? 1;
  const [meaning, value] =
    Math.abs(factor / scale - 1) < 1e-4
      ? [' (the scale: the bias is scaled too)', scale]
      : Math.abs(factor / config.heads - 1) < 1e-4
        ? [` (once per head: ${config.heads} times)`, config.heads]
        : ['', factor];
  const number = shortNumber(value);
  return [
    edit(
      'bias-factor',
      `the bias ${name} is added ${number} times${meaning}`,
      `with ${number} ${name}`,
      value,
    ),
  ];
}

/** No projection adds its bias. */
function allMissing(site: Site): Edit {
  const say = {
    id: 'biases-missing',
    title: 'the biases of all projections are missing',
    why: 'All products come out without their bias (bias=False, or weights loaded without it).',
    wrong: 'K = x W_K, Q = x′ W_Q, V = x W_V, y = C W_O',
    cost: 1.1,
  };
  return makeEdit(site, 'K', 'value', say, (program) =>
    [...program.forward]
      .filter(([, { inputs }]) => inputs[2]?.startsWith('b_'))
      .reduce(
        (changed, [id, { operation, inputs }]) =>
          withStep(changed, id, { inputs, operation: onOperand(operation, 2, times(0)) }),
        program,
      ),
  );
}
