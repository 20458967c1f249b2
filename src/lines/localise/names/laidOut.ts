// Tensors that lie otherwise than what has the same shape as they: a gradient that is transposed, outputs that are not merged.
import { nodeOf } from '../../../engine/graph.ts';
import { type Alignment, isWhole } from '../../align/align.ts';
import type { Mistaken } from './mistaken.ts';
import type { Observed } from '../../align/observe.ts';
import type { Field } from '../suspects.ts';

const order = ({ axes }: Alignment): string => axes.flat().join('');
const shapeOf = ({ event }: Observed): string => event.shape.join();

/** All that is a node's value or gradient as a whole. */
function wholes({ observed }: Field, node: string, kind: 'value' | 'gradient'): Observed[] {
  return observed.filter(({ standing, found: [best] }) => {
    const isNode = best?.entry.role === 'node' && best.entry.node === node;
    return standing === 'right' && isNode && best.entry.kind === kind && isWhole(best);
  });
}

/**
 * A gradient that lies transposed beside its equally shaped input: `W -= rate * dW` takes the two for alike. Where the
 * program has it the right way round too, that is the one it uses.
 */
export function transposedGradients(field: Field): Mistaken[] {
  const { observed, catalogue, flow } = field;
  const found: Mistaken[] = [];
  for (const node of catalogue.graph.nodes) {
    if (node.kind !== 'input' || node.axes.flat().length < 2) continue;
    const values = wholes(field, node.id, 'value').filter(({ event }) => event.how !== 'argument');
    const shapes = new Set(values.map(shapeOf));
    const orders = new Set(values.map(({ found: [best] }) => order(best)));
    if (orders.size !== 1 || shapes.size !== 1) continue;
    const gradients = wholes(field, node.id, 'gradient').filter((each) =>
      shapes.has(shapeOf(each)),
    );
    if (gradients.length === 0) continue;
    if (gradients.some(({ found: some }) => some.some((each) => orders.has(order(each))))) continue;
    const [first] = gradients;
    if (flow.users[first.event.id].some((user) => observed[user].standing === 'off')) continue;
    const note = `d${node.id} is transposed`;
    found.push({ event: first.event.id, node: node.id, kind: 'gradient', note });
  }
  return found;
}

/** Outputs that are written one by one, or into one axis, in another order than their gradient, which is of the same shape. */
export function unmergedOutputs(field: Field): Mistaken[] {
  const { observed, catalogue } = field;
  const { output } = catalogue.parts;
  const isOutput = ({ entry }: Alignment): boolean =>
    entry.role === 'node' && (entry.key === 'v:y' || entry.key === `v:${output}`);
  const isGiven = (each: Alignment): boolean =>
    each.entry.role === 'node' && each.entry.key === 'g:y' && isWhole(each);
  const letters = (id: string): string =>
    [...nodeOf(catalogue.graph, id).axes.flat()].sort().join();
  if (letters('y') !== letters(output)) return [];
  const given = observed.find(({ found }) => found.some(isGiven));
  if (!given) return [];
  const orders = new Set(given.found.filter(isGiven).map(order));
  const made = observed.filter(
    (each) =>
      shapeOf(each) === shapeOf(given) && each.found.some((one) => isOutput(one) && isWhole(one)),
  );
  const isAlike = ({ found }: Observed): boolean =>
    found.some((each) => isOutput(each) && orders.has(order(each)));
  const last = made.at(-1);
  const isFlat = last?.event.how === 'loop-end' || last?.event.shape.length === 1;
  if (!last || !isFlat || made.some(isAlike)) return [];
  const note = 'the outputs lie in another order than their gradient: the heads are not merged';
  return [{ event: last.event.id, node: 'y', kind: 'value', note }];
}
