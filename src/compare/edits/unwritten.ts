// A value that is 0 everywhere: never written.
import { isZero } from '../../engine/tensor.ts';
import { after, times } from '../program/operations.ts';
import { type Family, operationAt } from './edit.ts';
import { stepEdit } from './make.ts';

export const unwritten: Family = (site) => {
  const { target, node, kind } = site;
  if (kind !== 'value' || !target || !operationAt(site) || !isZero(target.user)) return [];
  return [
    stepEdit(
      site,
      node.id,
      {
        id: 'left-at-zero',
        title: `${node.id} is 0 everywhere: never written, or multiplied by 0`,
        why: `All ${target.user.data.length} entries of ${node.id} are 0, though what it is computed from is not. An array made by zeros() is not filled, its result goes elsewhere, or a step before that is not in the trace gives 0.`,
        wrong: `${node.id} = 0`,
      },
      ({ operation }) => after(operation, times(0)),
    ),
  ];
};
