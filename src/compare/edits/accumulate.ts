// Accumulators gone wrong: a path dropped, counted twice, overwriting the others; not zeroed; cut off.
import type { NodeId } from '../../engine/graph.ts';
import { pathOf, pathWords } from '../../engine/paths.ts';
import { map, type Tensor, zeros } from '../../engine/tensor.ts';
import { namesOf, shortNumber } from '../search/constants.ts';
import { type Program, withAccumulator, withContribution } from '../program/program.ts';
import type { Edit, Family, Site } from './edit.ts';
import { contributionsTo, gradientEdit, makeEdit, type Say } from './make.ts';
import { solve } from './solve.ts';

export const accumulate: Family = (site) => {
  const { node, kind } = site;
  if (kind === 'value') return [];
  const parts = contributionsTo(site, node.id);
  const own = `d${node.id}`;
  const edits: Edit[] = [
    gradientEdit(
      site,
      node.id,
      {
        id: 'gradient-detached',
        title: `${own} is 0: nothing is passed back to ${node.id}`,
        why: `No gradient arrives at ${node.id}: its contributions are never written or added up; with autograd, it was detached or copied on the way.`,
        wrong: `${own} = 0`,
        numpy: 'keep the contribution of every use',
        pytorch: 'no .detach(), .data, .numpy() or torch.tensor(...) on the way',
      },
      (value) => zeros(value().shape),
    ),
    ...paths(site, parts),
  ];
  if (node.kind === 'input') edits.push(...allLeaves(site));
  return edits;
};

type Parts = ReturnType<typeof contributionsTo>;

const nameOf = (from: NodeId, to: NodeId): string =>
  `${from} → ${to} (${pathWords[pathOf(from, to)]})`;

/** The contributions of the paths, each so many times. */
const weighed = (site: Site, parts: Parts, counts: readonly number[], say: Say): Edit =>
  makeEdit(site, site.node.id, 'gradient', say, (program: Program) =>
    parts.reduce((changed, { from, slot }, n) => {
      const scaled = (own: () => Tensor): Tensor => map(own(), (entry) => entry * counts[n]);
      return counts[n] === 1 ? changed : withContribution(changed, from.id, slot, scaled);
    }, program),
  );

/** Each path 0, 1 or 2 times, or alone; then any factors. */
function paths(site: Site, parts: Parts): Edit[] {
  const { node } = site;
  if (parts.length < 2) return [];
  const own = `d${node.id}`;
  const names = parts.map(({ from }) => nameOf(from.id, node.id));
  /** The path `n` so many times, the others otherwise. */
  const use = (n: number, count: number, others: number, say: Say): Edit =>
    weighed(
      site,
      parts,
      parts.map((_, k) => (k === n ? count : others)),
      say,
    );
  const once = names.flatMap((name, n) => [
    use(n, 0, 1, {
      id: 'path-dropped',
      title: `${own} lacks the path ${name}`,
      why: `${node.id} reaches f by ${parts.length} paths; the contribution of ${name} is missing.`,
      wrong: `${own} without ${name}`,
    }),
    use(n, 2, 1, {
      id: 'path-counted-twice',
      title: `${own} has the path ${name} twice`,
      why: 'A node must be visited once, after all that use it; here this contribution is added twice.',
      wrong: `${own} + ${name}`,
    }),
  ]);
  // Of two paths, the one that is left is that of a path dropped.
  const isOfTwo = parts.length === 2;
  const alone = names.map((name, n) =>
    use(n, 1, 0, {
      id: 'gradient-overwritten',
      title: `only the path ${name} survives in ${own}`,
      why: `The contributions overwrite each other (= for +=)${isOfTwo ? ', or a path is missing' : ''}: only ${name} is left.`,
      wrong: `${own} = ${name}`,
      cost: isOfTwo ? 1.01 : 1,
    }),
  );
  return [...once, ...alone, ...anyFactors(site, parts, names)];
}

/** The factors of the paths, as the person's tensor tells them. */
function anyFactors(site: Site, parts: Parts, names: readonly string[]): Edit[] {
  const { node, target, precision, state } = site;
  if (!target || target.user.data.length <= 2 * parts.length) return [];
  const terms = parts.map(({ from, slot }) => state.contribution(from.id, slot));
  const near = Math.max(1e-9, 8 * precision);
  const counts = solve(terms, target.user)?.map(
    (factor) => [1, 0].find((whole) => Math.abs(factor - whole) < near) ?? factor,
  );
  if (!counts || counts.every((count) => count === 1)) return [];
  const text = counts
    .map((count, n) => {
      if (count === 1) return '';
      const most = Math.max(1e-8, 8 * precision);
      const [name] = namesOf(count, site, parts[n].from.id, 'gradient', most);
      return `${names[n]} ${shortNumber(count)} times${name ? ` (${name.meaning})` : ''}`;
    })
    .filter(Boolean)
    .join(', ');
  const own = `d${node.id}`;
  const say = {
    id: 'path-factors',
    title: `${own} has ${text}`,
    why: `${own} comes out exactly with these factors on its paths.`,
    wrong: `${own}: ${text}`,
    cost: 1.5,
  };
  return [weighed(site, parts, counts, say)];
}

/** More backward passes than that are hardly added up by mistake: a loss scale. */
const MOST_STEPS = 64;

/** The gradients of all inputs, or of all parameters, by one factor. */
function allLeaves(site: Site): Edit[] {
  const { nodes } = site.graph;
  const inputs = nodes.filter(({ kind }) => kind === 'input').map(({ id }) => id);
  const parameters = inputs.filter((id) => /^[Wb]_/.test(id));
  const isParameter = parameters.includes(site.node.id) && parameters.length < inputs.length;
  return [
    ...byOneFactor(site, inputs, 'inputs'),
    ...(isParameter ? byOneFactor(site, parameters, 'parameters') : []),
  ];
}

/** Not zeroed between steps, or divided afterwards. */
function byOneFactor(site: Site, leaves: readonly NodeId[], words: string): Edit[] {
  const { node, ratio, precision, state } = site;
  if (ratio === null || ratio === 1) return [];
  const near = Math.max(1e-9, 4 * precision);
  const times = Math.round(ratio);
  const isWhole = times >= 2 && times <= MOST_STEPS && Math.abs(ratio / times - 1) < near;
  const factor = isWhole ? times : ratio;
  const number = isWhole ? String(times) : shortNumber(ratio);
  // With no gradient between f and the inputs in the trace the factor may come from anywhere above.
  const seen = [...state.given.gradients.keys()].some((id) => id !== 'f' && !leaves.includes(id));
  const given = leaves.filter((id) => state.given.gradients.has(id));
  const isOne = given.length === 1;
  const which = isOne ? `d${given[0]} is` : `the gradients of the ${words} are`;
  const each = isOne ? which : `Each of the ${given.length} given gradients of the ${words} is`;
  const [name] = namesOf(ratio, site, node.id, 'gradient', near);
  const say: Say = isWhole
    ? {
        id: 'gradients-not-zeroed',
        title: `${which} ${number} times too large: not zeroed between steps${seen ? '' : ', or the upstream gradient has that factor'}`,
        why: `${each} ${number} times the right one${seen ? ' while those of the steps between are right' : ''}: ${number} backward passes were added up${seen ? '.' : `, or dy is ${number} times too large (a loss without its 1/2). Log dy, and it can be told.`}`,
        wrong: `.grad after ${number} backward passes without zero_grad`,
        numpy: 'dW = np.zeros_like(W)  # before each backward pass',
        pytorch: 'optimizer.zero_grad()  # before each backward pass',
        cost: 0.98,
      }
    : {
        id: 'gradients-of-inputs-scaled',
        title: `${which} ${number} times the right one${isOne ? '' : 's'}${name ? `: ${name.meaning}` : ` (${unnamed(ratio)})`}`,
        why: 'One factor on what the backward pass made of the parameters: an average, a learning rate or a clipped norm.',
        wrong: `${isOne ? `d${given[0]}` : 'all gradients'} · ${number}`,
        cost: 1.6,
      };
  const scaled = (value: () => Tensor): Tensor => map(value(), (entry) => entry * factor);
  return [
    makeEdit(site, node.id, 'gradient', say, (program: Program) =>
      leaves.reduce((own, id) => withAccumulator(own, id, scaled), program),
    ),
  ];
}

function unnamed(ratio: number): string {
  const power = Math.log2(Math.abs(ratio));
  if (power > 6 && Math.abs(power - Math.round(power)) < 1e-6)
    return 'a loss scale that was not taken out again';
  return 'clipped to a norm, averaged, or times a learning rate or momentum';
}
