// Biases: missing, added twice, subtracted, another one.
import { map } from '../../engine/tensor.ts';
import { type Edit, type Family, operationAt } from './edit.ts';
import { stepEdit } from './make.ts';

export const bias: Family = (site) => {
  const own = operationAt(site);
  if (site.kind !== 'value' || own?.inputs.length !== 3) return [];
  const [, , name] = own.inputs;
  const edit = (id: string, title: string, wrong: string, factor: number): Edit =>
    stepEdit(
      site,
      own.id,
      { id, title, why: `${own.id} comes out exactly as ${wrong}.`, wrong: `${own.id} = ${wrong}` },
      ({ operation, inputs }) => ({
        inputs,
        operation: {
          name: operation.name,
          forward: (given) =>
            operation.forward(
              given.map((each, n) => (n === 2 ? map(each, (value) => factor * value) : each)),
            ),
          vjp: (at, upstream) =>
            operation
              .vjp(at, upstream)
              .map((part, n) => (n === 2 ? map(part, (value) => factor * value) : part)),
        },
      }),
    );
  return [
    edit('bias-missing', `the bias ${name} is missing`, `without ${name}`, 0),
    edit('bias-twice', `the bias ${name} is added twice`, `with 2 ${name}`, 2),
    edit('bias-subtracted', `the bias ${name} is subtracted`, `with − ${name}`, -1),
  ];
};
