// A backward function that does not read the gradient it is given: ones, or its own output, stand in its place.
import { tensorName } from '../../engine/graph.ts';
import { map, type Tensor } from '../../engine/tensor.ts';
import { withContribution } from '../program.ts';
import { type Edit, type Family, roles, type Site } from './edit.ts';
import { contributionsTo, makeEdit, passedBack } from './make.ts';

export const upstreamIgnored: Family = (site) => {
  const { node, kind, graph } = site;
  if (kind !== 'gradient') return [];
  const { output } = roles(graph);
  return contributionsTo(site, node.id)
    .filter(({ from }) => from.id === output || from.id === 'y')
    .flatMap(({ from }) => readings(site, from.id));
};

function readings(site: Site, from: string): Edit[] {
  const { node, state } = site;
  const name = tensorName(from, 'gradient');
  const use = (words: string, wrong: string, of: (right: Tensor) => Tensor, cost: number): Edit =>
    makeEdit(
      site,
      node.id,
      'gradient',
      {
        id: 'upstream-ignored',
        title: `the backward pass ignores its upstream gradient: it computes as if ${name} were ${words}`,
        why: `What follows comes out exactly if ${name} is ${words}. The loss is then not the one that is differentiated: f = Σ y has such a gradient, and with another one nothing of it arrives.`,
        wrong: `${name} = ${wrong}`,
        numpy: `def backward(d${from}): ...  # use the d${from} that is passed in, not np.ones_like(${from})`,
        pytorch: `def backward(ctx, d${from}): ...  # use d${from}, not torch.ones_like(${from})`,
        cost,
      },
      (program) =>
        state.program.backward
          .get(from)!
          .inputs.reduce(
            (changed, _, slot) =>
              withContribution(changed, from, slot, (_own, own) =>
                passedBack(own, from, slot, { upstream: of(own.gradient(from)) }),
              ),
            program,
          ),
    );
  return [
    use('all ones', '1 everywhere', (right) => map(right, () => 1), 1.12),
    use(
      'the mean’s, 1/N in every entry',
      '1/N everywhere',
      (right) => map(right, () => 1 / right.data.length),
      1.25,
    ),
  ];
}
