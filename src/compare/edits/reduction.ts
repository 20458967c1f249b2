// Sums of the backward pass that are not sums: only the last (or first) batch entry, token, head or group member.
import { axisName, letterStrides } from '../../engine/axes.ts';
import { nodeOf } from '../../engine/graph.ts';
import type { Tensor } from '../../engine/tensor.ts';
import { type Edit, type Family, longLetters } from './edit.ts';
import { contributionEdit, contributionsTo, passedBack } from './make.ts';
import { subsets } from '../mistakes/names/softmaxBackward.ts';

export const reduction: Family = (site) => {
  const { node, kind, graph } = site;
  if (kind === 'value') return [];
  const own = new Set(node.axes.flat());
  return contributionsTo(site, node.id).flatMap(({ from, slot }): Edit[] => {
    if (from.operation.name !== 'contraction') return [];
    const summed = longLetters(from, graph).filter((letter) => !own.has(letter));
    const strides = letterStrides(nodeOf(graph, from.id).axes, graph.extents);
    return subsets(summed).flatMap((letters) =>
      (['last', 'first'] as const).map((which) => {
        const keep = letters.map((letter) => ({
          stride: strides.get(letter) ?? 1,
          length: graph.extents[letter],
          index: which === 'last' ? graph.extents[letter] - 1 : 0,
        }));
        const only = (upstream: Tensor): Tensor => ({
          shape: upstream.shape,
          data: upstream.data.map((value, at) =>
            keep.every(({ stride, length, index }) => Math.floor(at / stride) % length === index)
              ? value
              : 0,
          ),
        });
        const names = letters.map((letter) => axisName([letter])).join(' and ');
        return contributionEdit(
          site,
          from.id,
          slot,
          {
            id: `backward-only-${which}-${letters.map((letter) => axisName([letter]).replaceAll(' ', '-')).join('-')}`,
            title: `d${node.id} has only the ${which} ${names}`,
            why: `d${node.id} is a sum over ${names}; here each overwrites the one before (= for +=), or only the ${which} is taken.`,
            wrong: `d${node.id} of ${names} = ${which} only`,
            cost: 1 + 0.1 * letters.length + (which === 'last' ? 0 : 0.05),
          },
          (_, state) =>
            passedBack(state, from.id, slot, { upstream: only(state.gradient(from.id)) }),
        );
      }),
    );
  });
};
