// Decides about layouts that a tensor's shape does not show: a square matrix transposed, as many tokens as heads.
import { type AxisLetters, isOfHeads } from '../../engine/axes.ts';
import { type Graph, type NodeId, nodeOf } from '../../engine/graph.ts';
import type { Tensor } from '../../engine/tensor.ts';
import type { Aligned, Other, Placed } from './aligned.ts';
import { isWeight } from './orientation.ts';
import { FITS } from '../judge/readings.ts';

/** Nodes that a program lays out alike, and the words of the layout that is not the reference's. */
interface Family {
  readonly has: (axes: readonly AxisLetters[]) => boolean;
  readonly isOther: RegExp;
}

const isToken = (axis: AxisLetters | undefined): boolean => /^[ijt]$/.test(axis?.join('') ?? '');
const isHead = (axis: AxisLetters | undefined): boolean => axis?.every(isOfHeads) === true;
/** Axes from the batch on, without it. */
const inEntry = (axes: readonly AxisLetters[]): readonly AxisLetters[] =>
  axes[0]?.[0] === 'b' ? axes.slice(1) : axes;

const FAMILIES: readonly Family[] = [
  {
    has: (axes) => axes.length === 3 && axes[0][0] === 'b' && isToken(axes[1]),
    isOther: /in the order \((new )?(key|query), batch,/,
  },
  {
    has: (axes) => {
      const [head, token, feature, ...more] = inEntry(axes);
      const isOne = feature !== undefined && !isToken(feature) && more.length === 0;
      return isOne && isHead(head) && isToken(token);
    },
    isOther: /in the order \((batch, )?(new )?(key|query), (kv )?head\b/,
  },
];
/** So many gradients say it where no value does. */
const ENOUGH = 3;

const SCORES = new Set(['S', 'Z', 'M', 'P', 'Pd']);
const group = (node: NodeId): string =>
  SCORES.has(node) ? 'scores' : isWeight(node) ? 'weights' : node;

const areEqual = (a: Tensor, b: Tensor): boolean =>
  a.data.every((value, at) => value === b.data[at] || Object.is(value, b.data[at]));

/** Whether a tensor is the same in that layout: an output that is 0 throughout says nothing of it. */
const isSilent = (placed: Placed, isIt: (layout: string) => boolean): boolean =>
  placed.others().some(({ tensor, layout }) => isIt(layout) && areEqual(tensor, placed.tensor));

/** Whether all of a family that say anything are in the other layout, a value or enough gradients among them. */
function isConvention(graph: Graph, { has, isOther }: Family, placed: readonly Placed[]): boolean {
  const isIt = (layout: string): boolean => isOther.test(layout);
  const own = placed.filter(({ node }) => has(nodeOf(graph, node).axes));
  const others = own.filter(({ other, layout }) => isIt(other?.layout ?? layout));
  if (others.length < ENOUGH && !others.some(({ kind }) => kind === 'value')) return false;
  const isUsual = (each: Placed): boolean => each.layout === '' && !isSilent(each, isIt);
  return own.every((each) => others.includes(each) || !isUsual(each));
}

/**
 * Such an undoing is taken only where nothing contradicts: every value that is given is right with it; a gradient
 * follows its node's value, or all that are laid out alike, or, where no value of its kind is given, all gradients of
 * that kind agree. One transposed gradient among others that are not is a mistake and stays one.
 */
export function settle(graph: Graph, placed: readonly Placed[]): Aligned[] {
  // A loss has no layout, and is a sum in which rounding may be all that is left.
  const values = placed.filter(({ kind, node }) => kind === 'value' && node !== 'f');
  const valuesAgree = values.every(({ fit, other }) => fit !== FITS.not || other);
  const conventions = valuesAgree
    ? FAMILIES.filter((family) => isConvention(graph, family, placed))
    : [];
  const accepts = (each: Placed): boolean => {
    const { other } = each;
    if (!other || !valuesAgree) return false;
    const telling = placed.filter(
      (peer) =>
        group(peer.node) === group(each.node) &&
        (peer === each || !isSilent(peer, (layout) => layout === other.layout)),
    );
    const isOtherwise = (peer: Placed): boolean => peer.other !== undefined || peer.layout !== '';
    const peers = telling.filter(({ kind }) => kind === each.kind);
    if (!peers.every(isOtherwise)) return false;
    const isUsual = conventions.some(
      ({ has, isOther }) => has(nodeOf(graph, each.node).axes) && isOther.test(other.layout),
    );
    if (each.kind === 'value' || isUsual) return true;
    const twins = telling.filter(({ kind }) => kind === 'value');
    if (twins.length > 0) return twins.every(isOtherwise);
    return peers.length > 1 || /weight|kernel/i.test(each.name);
  };
  const own = placed.map((each): Placed => {
    const { other } = each;
    return accepts(each) && other ? { ...each, tensor: other.tensor, layout: other.layout } : each;
  });
  return own.map((each) => {
    const { node, kind, name, dtype, guess, unsummed } = each;
    const { tensor, layout } = followsValues(each, own) ?? each;
    return { node, kind, name, tensor, dtype, layout, guess, ...(unsummed && { unsummed }) };
  });
}

/** A square gradient is laid out as the values of its kind are, if those are all laid out in one other way. */
function followsValues(each: Placed, placed: readonly Placed[]): Other | undefined {
  if (each.kind !== 'gradient' || each.layout !== '' || !SCORES.has(each.node)) return undefined;
  const twins = placed.filter(({ node, kind }) => kind === 'value' && SCORES.has(node));
  const [first] = twins;
  if (!first || first.layout === '' || twins.some(({ layout }) => layout !== first.layout))
    return undefined;
  return each.others().find(({ layout }) => layout === first.layout);
}
