// The softmax's Jacobian gone wrong: dM = a · L ∘ dP + b · R ∘ Σ(...), the right one being P ∘ dP − P ∘ Σ(P ∘ dP).
import { axisLength } from '../../engine/axes.ts';
import { hasNode, type NodeId } from '../../engine/graph.ts';
import { sizeOf, map, type Tensor } from '../../engine/tensor.ts';
import { gather, permutationTable, softmaxOver, spreadSum } from '../operations.ts';
import type { State } from '../program.ts';
import { type Edit, type Family, longLetters, roles } from './edit.ts';
import { contributionEdit, type Say } from './make.ts';
import { softmaxBackwardSums } from './softmaxBackwardSums.ts';
import { letterNames, subsets } from './softmaxForward.ts';

type Read = (state: State) => Tensor;
interface Term {
  readonly words: string;
  readonly of: Read;
}

const product = (a: Tensor, b: Tensor): Tensor =>
  map(a, (value, at) => (value === 0 || b.data[at] === 0 ? 0 : value * b.data[at]));
const node = (id: NodeId): Term => ({ words: id, of: (state) => state.value(id) });

export const softmaxBackward: Family = (site) => {
  const { graph } = site;
  const { logits, weights } = roles(graph);
  if (site.kind !== 'gradient' || site.node.id !== logits) return [];
  const { axes } = site.node;
  const { extents } = graph;
  const sum = (input: Tensor, letters: readonly string[]): Tensor =>
    spreadSum(input, axes, letters, extents);
  const P = node('P');
  const dP: Read = (state) => state.gradient('P');
  const edits: Edit[] = [];
  const add = (say: Omit<Say, 'why'> & { why?: string }, formula: Read): void => {
    const why = say.why ?? `d${logits} comes out exactly as ${say.wrong.replace(/^.*? = /, '')}.`;
    edits.push(
      contributionEdit(site, 'P', 0, { ...say, why, wrong: say.wrong }, (_, state) =>
        formula(state),
      ),
    );
  };
  /** L ∘ dP + factor · R ∘ D */
  const combine = (
    state: State,
    left: Tensor,
    right: Tensor,
    D: Tensor,
    factor: number,
  ): Tensor => {
    const first = product(left, dP(state));
    const second = product(right, D);
    return map(first, (value, at) => value + factor * second.data[at]);
  };
  const one = (state: State): Tensor => map(state.value('P'), () => 1);

  add(
    {
      id: 'softmax-backward-diagonal',
      title: 'only the diagonal of the softmax Jacobian',
      wrong: `d${logits} = P ∘ (1 − P) ∘ dP`,
      why: "Each weight depends on all scores of its row; p(1 − p) is only the Jacobian's diagonal.",
    },
    (state) =>
      combine(
        state,
        P.of(state),
        map(state.value('P'), (p) => p * p),
        dP(state),
        -1,
      ),
  );
  add(
    {
      id: 'softmax-backward-no-sum',
      title: 'the sum term of the softmax Jacobian is missing',
      wrong: `d${logits} = P ∘ dP`,
      why: 'The row sum Σ P ∘ dP is not subtracted, so the gradients of a row do not add to 0.',
    },
    (state) => product(P.of(state), dP(state)),
  );
  add(
    {
      id: 'softmax-backward-missing',
      title: 'the softmax is left out of the backward pass',
      wrong: `d${logits} = dP`,
    },
    dP,
  );

  add(
    {
      ...{
        id: 'softmax-backward-square',
        title: 'the sum term is P² ∘ Σ dP: the Jacobian row is not summed with its gradients',
      },
      ...{ wrong: `d${logits} = P ∘ dP − P² ∘ Σ dP`, cost: 1.3 },
    },
    (state) =>
      combine(
        state,
        P.of(state),
        map(state.value('P'), (p) => p * p),
        sum(dP(state), ['i']),
        -1,
      ),
  );
  if (extents['i'] === extents['j']) {
    // Row sums kept without keepdims are broadcast along the keys: D of the wrong row.
    const letters = axes.flat();
    const exchanged = letters.map((letter) =>
      letter === 'i' ? 'j' : letter === 'j' ? 'i' : letter,
    );
    const turn = gather(permutationTable(axes, exchanged, extents), site.node.shape);
    add(
      {
        ...{
          id: 'softmax-backward-keepdims',
          title: 'the row sum is broadcast along the wrong axis (keepdims missing)',
        },
        ...{
          wrong: `d${logits}[j, i] = P[j, i] · (dP[j, i] − D[i]), D = Σ P ∘ dP without keepdims`,
          why: 'Without keepdims the sums of the rows line up with the columns; the shapes fit only because the matrix is square.',
        },
      },
      (state) =>
        combine(
          state,
          P.of(state),
          P.of(state),
          turn.forward([sum(product(P.of(state), dP(state)), ['i'])]),
          -1,
        ),
    );
  }
  const { dropout } = site.config;
  if (dropout) {
    const kept: Read = (state) => map(state.value('Pd'), (value) => value * (1 - dropout.p));
    for (const [words, of] of [
      ['P ∘ keep', kept],
      ['Pd', (state: State) => state.value('Pd')],
    ] as const) {
      const say = {
        id: 'softmax-backward-dropped-weights',
        title: `softmax backward: ${words} stands where the weights P belong (P was changed in place)`,
        why: 'The softmax was differentiated with the weights after dropout: P was overwritten.',
      };
      add({ ...say, wrong: `d${logits} = (${words}) ∘ (dP − Σ P ∘ dP)` }, (state) =>
        combine(state, of(state), of(state), sum(product(P.of(state), dP(state)), ['i']), -1),
      );
      add({ ...say, wrong: `d${logits} = P ∘ (dP − Σ (${words}) ∘ dP)` }, (state) =>
        combine(state, P.of(state), P.of(state), sum(product(of(state), dP(state)), ['i']), -1),
      );
      add({ ...say, wrong: `d${logits} = (${words}) ∘ (dP − Σ (${words}) ∘ dP)` }, (state) =>
        combine(state, of(state), of(state), sum(product(of(state), dP(state)), ['i']), -1),
      );
    }
  }

  const lefts: [string, Read][] = [
    ['P', P.of],
    ['1', one],
  ];
  const integrands: [string, string, Read][] = [
    ['P ∘ dP', 'sum', (state) => product(P.of(state), dP(state))],
    ['dP', 'sum-without-weights', dP],
    ['P', 'sum-of-weights', P.of],
    ['dP ∘ dP', 'sum-of-squares', (state) => product(dP(state), dP(state))],
    ...(hasNode(graph, 'Pd')
      ? [
          [
            'P ∘ dPd',
            'sum-of-gradients-before-dropout',
            (state: State) => product(P.of(state), state.gradient('Pd')),
          ] as [string, string, Read],
        ]
      : []),
  ];
  for (const other of [logits, 'S', 'Z', weights, 'M']) {
    if (other === 'P' || !graph.nodes.some(({ id }) => id === other)) continue;
    const of: Read = (state) => state.value(other);
    if (lefts.some(([name]) => name === other)) continue;
    lefts.push([other, of]);
    integrands.push([
      `${other} ∘ dP`,
      'sum-with-wrong-weights',
      (state) => product(of(state), dP(state)),
    ]);
  }
  // Each takes a tenth of a second where the weights have millions of entries.
  const most = sizeOf(site.node.shape) > 200_000 ? 1 : 2;
  const sets = subsets(longLetters(site.node, graph)).concat([[]]);
  for (const [leftWords, left] of lefts) {
    for (const [rightWords, right] of lefts.slice(0, 2)) {
      for (const [integrandWords, what, integrand] of integrands) {
        for (const set of sets) {
          const length = axisLength(set, extents);
          for (const [factorWords, factor] of [
            ['−', -1],
            ['+', 1],
            ['− mean', -1 / length],
            ['− part mean', -extents['i'] / length],
          ] as const) {
            if (factorWords === '− mean' && length === 1) continue;
            if (factorWords === '− part mean' && !(set.includes('i') && set.length > 1)) continue;
            const isRight =
              leftWords === 'P' && rightWords === 'P' && what === 'sum' && set.join() === 'i';
            if (isRight && factorWords === '−') continue;
            const changes =
              Number(leftWords !== 'P') +
              Number(rightWords !== 'P') +
              Number(what !== 'sum') +
              Number(set.join() !== 'i') +
              Number(factorWords !== '−');
            if (changes > most) continue;
            const sumWords = factorWords.includes('mean') ? 'mean' : 'Σ';
            const sign = factorWords === '+' ? '+' : '−';
            const over = set.length === 0 ? '' : `_${set.join('')}`;
            const wrong = `d${logits} = ${leftWords} ∘ dP ${sign} ${rightWords} ∘ ${sumWords}${over}(${integrandWords})`;
            add(
              {
                ...describe(leftWords, rightWords, what, set, factorWords),
                wrong,
                cost: changes === 1 ? 1 : 1.8,
              },
              (state) =>
                combine(state, left(state), right(state), sum(integrand(state), set), factor),
            );
          }
        }
      }
    }
  }
  edits.push(...softmaxBackwardSums(site));
  if (logits === 'M') {
    const { logits: own } = roles(graph);
    const before = graph.nodes.find(({ id }) => id === own);
    const unmasked = before?.kind === 'operation' ? before.inputs[0] : 'S';
    const again = softmaxOver(axes, ['i'], extents);
    add(
      {
        id: 'backward-weights-unmasked',
        title: 'the weights are recomputed without the mask in the backward pass',
        wrong: `d${logits} = P' ∘ (dP − Σ P' ∘ dP), P' = softmax(${unmasked})`,
        cost: 1,
      },
      (state) => {
        const shares = again.forward([state.value(unmasked)]);
        const weighted = product(shares, dP(state));
        const total = sum(weighted, ['i']);
        return map(weighted, (value, at) => value - shares.data[at] * total.data[at]);
      },
    );
  }
  return edits;
};

function describe(
  left: string,
  right: string,
  what: string,
  set: readonly string[],
  factor: string,
): Pick<Say, 'id' | 'title' | 'why'> {
  const slips: [string, string, string][] = [];
  if (set.length === 0)
    slips.push([
      'no-reduction',
      'the product P ∘ dP is not summed over the keys',
      'The term to subtract is a sum over the keys; here nothing is summed.',
    ]);
  else if (set.join() !== 'i')
    slips.push([
      'axis',
      `the row sum runs over ${letterNames(set)} instead of the keys`,
      `Σ P ∘ dP must run over the keys; here it runs over ${letterNames(set)}.`,
    ]);
  if (factor === '+')
    slips.push([
      'sign',
      'the sum term is added instead of subtracted',
      'The sum term has the wrong sign.',
    ]);
  if (factor === '− part mean')
    slips.push([
      'mean-over-others',
      'the row sums are averaged over the others',
      'Each row has its own sum.',
    ]);
  if (factor === '− mean')
    slips.push([
      'mean',
      'a mean stands where the sum over the keys belongs',
      'The sum term is divided by the number of entries summed.',
    ]);
  if (what === 'sum-without-weights')
    slips.push([
      'sum-without-weights',
      'Σ dP instead of Σ P ∘ dP',
      'The gradients are summed without their weights.',
    ]);
  else if (what !== 'sum')
    slips.push([
      what,
      'something else than P ∘ dP is summed',
      'The sum term is of the wrong product.',
    ]);
  if (left !== 'P')
    slips.push([
      left === '1' ? 'unweighted' : 'wrong-weights',
      left === '1' ? 'dP is not multiplied by P' : `${left} stands where the weights P belong`,
      left === '1' ? 'dP enters without its weight P.' : `The weights P are needed, not ${left}.`,
    ]);
  if (right !== 'P')
    slips.push([
      'sum-unweighted',
      'the sum term is not multiplied by P',
      'The sum term is subtracted without its weight P.',
    ]);
  return {
    id: `softmax-backward-${slips.map(([id]) => id).join('-')}`,
    title: `softmax backward: ${slips.map(([, title]) => title).join(', and ')}`,
    why: slips.map(([, , why]) => why).join(' '),
  };
}
