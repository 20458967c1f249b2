// A term too many: a residual connection, weight decay, another path; whatever is proportional to a known tensor.
import { tensorName } from '../../engine/graph.ts';
import { largestMagnitude, map, sameShape, type Tensor } from '../../engine/tensor.ts';
import { shortNumber } from '../search/constants.ts';

import { isMisfit, type Step } from '../program/program.ts';
import { after, times } from '../program/operations.ts';
import type { Edit, Family, Site } from './edit.ts';
import { gradientEdit, stepEdit } from './make.ts';
import { indexAlong } from './piecewise.ts';
import { solve } from './solve.ts';

const ENOUGH = 6;
/** Of two numbers that are read off. */
const ENOUGH_OF_TWO = 16;

export const extra: Family = ({ target, ...site }) => {
  // One factor throughout is no extra term, though the difference is proportional to an operand.
  if (!target || site.ratio !== null || target.user.data.length < ENOUGH) return [];
  const { node, kind, state, graph, precision } = site;
  const { user, predicted } = target;
  const difference = map(user, (value, at) => value - predicted.data[at]);
  if (!difference.data.every(Number.isFinite)) return [];
  const size = largestMagnitude(user);
  const own = tensorName(node.id, kind);
  const edits: Edit[] = [];
  const consider = (name: string, term: Tensor, cost: number): void => {
    if (!sameShape(term.shape, user.shape)) return;
    let [dot, square] = [0, 0];
    term.data.forEach((value, at) => {
      dot += value * difference.data[at];
      square += value * value;
    });
    const factor = dot / square;
    if (!Number.isFinite(factor) || factor === 0) return;
    const off = difference.data.some(
      (value, at) => Math.abs(value - factor * term.data[at]) > precision * size,
    );
    if (off) {
      edits.push(...mixed({ target, ...site }, name, term));
      return;
    }
    const round = Math.abs(factor - Math.round(factor)) < 1e-3 * Math.abs(factor);
    const words =
      Math.abs(factor - 1) < 1e-6
        ? name
        : Math.abs(factor + 1) < 1e-6
          ? `(−${name})`
          : `${shortNumber(factor)} ${name}`;
    const isDecay = kind === 'gradient' && name === node.id;
    const say = {
      id: isDecay
        ? 'weight-decay-in-gradient'
        : name === 'x' || name === 'xPrime'
          ? 'residual-added'
          : 'extra-term',
      title: isDecay
        ? `${own} has an extra term ${words}: the parameter itself`
        : `${own} has an extra term ${words}`,
      why: `What is too much in ${own} is exactly ${words}${isDecay ? ', as an optimiser adds it that decays weights, or a buffer that held the parameter and was added to (+=)' : ''}.`,
      wrong: `${own} = (right ${own}) + ${words}`,
      cost: cost + (round ? 0 : 0.3),
    };
    edits.push(
      kind === 'gradient'
        ? gradientEdit(site, node.id, say, (value) =>
            map(value(), (entry, at) => entry + factor * term.data[at]),
          )
        : stepEdit(site, node.id, say, (step) => withTerm(step, factor, term)),
    );
  };
  for (const other of graph.nodes) {
    if (other.shape.length === 0) continue;
    const isSelf = other.id === node.id;
    if (!(isSelf && kind === 'value'))
      consider(other.id, safe(() => state.value(other.id)) ?? predicted, isSelf ? 1.2 : 1.5);
    if (kind === 'gradient' && !isSelf) {
      const term = safe(() => state.gradient(other.id));
      if (term) consider(`d${other.id}`, term, 1.5);
    }
  }
  if (node.axes.flat().includes('i') && node.axes.flat().includes('j'))
    consider('1 on the diagonal (a query’s own place)', ownPlaces(site), 1.6);
  consider(
    'a constant (an eps or offset)',
    map(user, () => 1),
    1.6,
  );
  if (kind === 'gradient' && node.kind === 'input')
    consider(`sign(${node.id}) (L1 weight decay)`, map(node.value, Math.sign), 1.5);
  return edits;
};

/** 1 where a query meets its own key. */
function ownPlaces({ node, graph }: Pick<Site, 'node' | 'graph'>): Tensor {
  const [key, query] = ['i', 'j'].map((letter) => indexAlong(node.axes, [letter], graph.extents));
  return { shape: node.shape, data: Float64Array.from(key, (at, n) => Number(at === query[n])) };
}

/** Less than the whole of the right tensor and something else beside it: smoothed, gated, blended. */
function mixed({ target, ...site }: Site, name: string, term: Tensor): Edit[] {
  const { node, kind, precision } = site;
  const { user, predicted } = target!;
  if (user.data.length < ENOUGH_OF_TWO) return [];
  const factors = solve([predicted, term], user);
  if (!factors || factors.some((factor) => Math.abs(factor) < 1e-6)) return [];
  const [own, other] = factors;
  const made = (value: Tensor): Tensor =>
    map(value, (entry, at) => own * entry + other * term.data[at]);
  const most = precision * largestMagnitude(user);
  if (made(predicted).data.some((value, at) => !(Math.abs(value - user.data[at]) <= most)))
    return [];
  const tensor = tensorName(node.id, kind);
  const words = `${shortNumber(own)} · (right ${tensor}) + ${shortNumber(other)} · ${name}`;
  const say = {
    id: 'mixed-with-another',
    title: `${tensor} is mixed with something else: ${words}`,
    why: `${tensor} comes out exactly as ${words}: smoothed, gated or blended, where the setup has nothing of the kind.`,
    wrong: `${tensor} = ${words}`,
    isReadOff: true,
    cost: 1.8,
  };
  if (kind === 'gradient') return [gradientEdit(site, node.id, say, (value) => made(value()))];
  const scaled = ({ operation, inputs }: Step): Step => ({
    inputs,
    operation: after(operation, times(own)),
  });
  return [stepEdit(site, node.id, say, (step) => withTerm(scaled(step), other, term))];
}

function safe(read: () => Tensor): Tensor | null {
  try {
    return read();
  } catch (error) {
    if (isMisfit(error)) return null;
    throw error;
  }
}

function withTerm({ operation, inputs }: Step, factor: number, term: Tensor): Step {
  const add = (value: Tensor): Tensor => map(value, (entry, at) => entry + factor * term.data[at]);
  return {
    inputs,
    operation: {
      name: operation.name,
      forward: (given) => add(operation.forward(given)),
      vjp: (at, upstream) => operation.vjp(at, upstream),
    },
  };
}
