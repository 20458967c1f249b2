// A term too many: a residual connection, weight decay, another path; or something mixed in, beside less of the right tensor.
import { tensorName } from '../../engine/graph.ts';
import { largestMagnitude, map, sameShape, type Tensor } from '../../engine/tensor.ts';
import { shortNumber } from '../search/constants.ts';
import { isMisfit } from '../program/program.ts';
import type { Edit, Family, Site } from './edit.ts';
import { gradientEdit, type Say, stepEdit } from './make.ts';
import { indexAlong } from './piecewise.ts';
import { solve } from './solve.ts';

const ENOUGH = 6;
/** Of two numbers that are read off. */
const ENOUGH_OF_TWO = 16;

interface Term {
  readonly name: string;
  readonly tensor: Tensor;
  readonly cost: number;
}

/** So much of the right tensor, and so much of another. */
type Share = readonly [own: number, other: number];

export const extra: Family = (site) => {
  const { target, ratio } = site;
  // One factor throughout is no extra term, though the difference is proportional to an operand.
  if (!target || ratio !== null || target.user.data.length < ENOUGH) return [];
  const { user, predicted } = target;
  const difference = map(user, (value, at) => value - predicted.data[at]);
  if (!difference.data.every(Number.isFinite)) return [];
  return termsOf(site).flatMap((term) => {
    const [factor] = solve([term.tensor], difference) ?? [0];
    const share: Share = [1, factor];
    return factor !== 0 && isMadeOf(site, term, share) ? [addedEdit(site, term, factor)] : [];
  });
};

/** Less than the whole of the right tensor and something else beside it: smoothed, gated, blended. */
export const mixed: Family = (site) => {
  const { target, ratio } = site;
  if (!target || ratio !== null || target.user.data.length < ENOUGH_OF_TWO) return [];
  return termsOf(site).flatMap((term) => {
    const factors = solve([target.predicted, term.tensor], target.user);
    if (!factors || factors.some((factor) => Math.abs(factor) < 1e-6)) return [];
    const share: Share = [factors[0], factors[1]];
    return isMadeOf(site, term, share) ? [mixedEdit(site, term, share)] : [];
  });
};

/** What may have been added, in the shape of the person's tensor. */
function termsOf(site: Site): Term[] {
  const { node, kind, state, graph, target } = site;
  const terms: Term[] = [];
  const add = (name: string, tensor: Tensor | null, cost: number): void => {
    if (tensor && sameShape(tensor.shape, target!.user.shape)) terms.push({ name, tensor, cost });
  };
  for (const { id, shape } of graph.nodes) {
    if (shape.length === 0) continue;
    const isSelf = id === node.id;
    if (!(isSelf && kind === 'value'))
      add(
        id,
        ifAny(() => state.value(id)),
        isSelf ? 1.2 : 1.5,
      );
    if (kind === 'gradient' && !isSelf)
      add(
        `d${id}`,
        ifAny(() => state.gradient(id)),
        1.5,
      );
  }
  const letters = node.axes.flat();
  if (letters.includes('i') && letters.includes('j'))
    add('I (a query’s own place)', own(site), 1.6);
  const constant = map(target!.user, () => 1);
  add('a constant (an eps or offset)', constant, 1.6);
  if (kind === 'gradient' && node.kind === 'input')
    add(`sign(${node.id}) (L1 weight decay)`, map(node.value, Math.sign), 1.5);
  return terms;
}

/** 1 where a query meets its own key. */
function own({ node, graph }: Site): Tensor {
  const [key, query] = ['i', 'j'].map((letter) => indexAlong(node.axes, [letter], graph.extents));
  return { shape: node.shape, data: Float64Array.from(key, (at, n) => Number(at === query[n])) };
}

function ifAny(read: () => Tensor): Tensor | null {
  try {
    return read();
  } catch (error) {
    if (isMisfit(error)) return null;
    throw error;
  }
}

function isMadeOf({ target, precision }: Site, { tensor }: Term, [own_, other]: Share): boolean {
  const { user, predicted } = target!;
  const most = precision * largestMagnitude(user);
  return user.data.every((value, at) => {
    const made = own_ * predicted.data[at] + other * tensor.data[at];
    return Math.abs(value - made) <= most;
  });
}

function editOf(site: Site, say: Say, { tensor }: Term, [own_, other]: Share): Edit {
  const { node, kind } = site;
  const made = (value: Tensor): Tensor =>
    map(value, (entry, at) => own_ * entry + other * tensor.data[at]);
  if (kind === 'gradient') return gradientEdit(site, node.id, say, (value) => made(value()));
  return stepEdit(site, node.id, say, ({ operation }) => ({
    name: operation.name,
    forward: (inputs) => made(operation.forward(inputs)),
    vjp: (at, upstream) =>
      operation.vjp(at, own_ === 1 ? upstream : map(upstream, (g) => own_ * g)),
  }));
}

function addedEdit(site: Site, term: Term, factor: number): Edit {
  const { node, kind } = site;
  const { name, cost } = term;
  const tensor = tensorName(node.id, kind);
  const isRound = Math.abs(factor - Math.round(factor)) < 1e-3 * Math.abs(factor);
  const isOne = Math.abs(Math.abs(factor) - 1) < 1e-6;
  const words = isOne ? (factor > 0 ? name : `(−${name})`) : `${shortNumber(factor)} ${name}`;
  const isDecay = kind === 'gradient' && name === node.id && node.kind === 'input';
  const decay =
    ', as an optimiser adds it that decays weights, or a buffer that held the parameter and was added to (+=)';
  const say = {
    id: isDecay
      ? 'weight-decay-in-gradient'
      : /^x(Prime)?$/.test(name)
        ? 'residual-added'
        : 'extra-term',
    title: `${tensor} has an extra term ${words}${isDecay ? ': the parameter itself' : ''}`,
    why: `What is too much in ${tensor} is exactly ${words}${isDecay ? decay : ''}.`,
    wrong: `${tensor} = (right ${tensor}) + ${words}`,
    cost: cost + (isRound ? 0 : 0.3),
  };
  return editOf(site, say, term, [1, factor]);
}

function mixedEdit(site: Site, term: Term, share: Share): Edit {
  const tensor = tensorName(site.node.id, site.kind);
  const [of, other] = share.map(shortNumber);
  const words = `${of} · (right ${tensor}) + ${other} · ${term.name}`;
  const { node, kind } = site;
  const isUpdated = kind === 'gradient' && node.kind === 'input' && term.name === node.id;
  const say = {
    id: isUpdated ? 'gradient-holds-parameter' : 'mixed-with-another',
    title: isUpdated
      ? `${tensor} holds the parameter after a step of the optimiser: ${words}`
      : `${tensor} is mixed with something else: ${words}`,
    why: isUpdated
      ? `${tensor} comes out exactly as ${words}: the parameter itself stands where its gradient belongs.`
      : `${tensor} comes out exactly as ${words}: smoothed, gated or blended, where the setup has nothing of the kind.`,
    wrong: `${tensor} = ${words}`,
    isReadOff: true,
    cost: 1.8,
  };
  return editOf(site, say, term, share);
}
