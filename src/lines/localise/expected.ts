// Which node a wrong result was to be.
import { operationNodes, type NodeId } from '../../engine/graph.ts';
import { sizeOf } from '../../engine/tensor.ts';
import { type Key, type Kind, keyOf } from '../../compare/program/program.ts';
import { nodeNamed, type Observed } from '../align/observe.ts';
import { makersOf } from './goals.ts';
import type { Field, Suspect } from './suspects.ts';

/** The target of a loss goes by the key of the outputs' gradient. */
const isPassedBack = (key: Key): boolean => key.startsWith('g:') && key !== 'g:y';

function named(
  { recording, catalogue }: Field,
  event: number,
): { node: NodeId | null; kind: Kind | 'other' } {
  const found = nodeNamed(recording.events[event]);
  const isNode = found && catalogue.graph.nodes.some(({ id }) => id === found.node);
  return isNode ? found : { node: null, kind: 'other' };
}

/** Beside the product, something divides or multiplies. */
const SCALED = /\/|[^*]\*[^*]|\bsqrt\b|\b(div|mul)_?\(/;

/** Whether it is computed from a rotation's frequencies, angles, cosines, and nothing else that is known. */
function isOfTables({ flow, observed }: Field, event: number): boolean {
  const known = flow.sources[event]
    .map((id) => observed[id].found)
    .filter(({ length }) => length > 0);
  const isTable = (found: Observed['found']): boolean =>
    found.every(({ entry: { title } }) => TABLE.test(title));
  return known.length > 0 && known.every(isTable);
}

const TABLE = /^−?RoPE’s /;

/** Which node the wrong result was to be: by its name if that fits, else the next that its operands make. */
export function expected(
  field: Field,
  event: number,
  { operands, event: seen }: Suspect,
): { node: NodeId | null; kind: Kind | 'other' } {
  const { catalogue, covered, recording, observed } = field;
  const { graph } = catalogue;
  const [joined] = observed[seen].otherwise ?? [];
  if (joined) return { node: joined.entry.node, kind: joined.entry.kind };
  if (isOfTables(field, seen)) return { node: 'Qh', kind: 'value' };
  const own = observed[event].found[0];
  if (own && observed[event].standing === 'partial')
    return { node: own.entry.node, kind: own.entry.kind };
  const size = sizeOf(recording.events[event].shape);
  const nodes = operationNodes(graph);
  const makers = makersOf(graph);
  const byName = named(field, event);
  const score = (key: Key): number => {
    const from = makers.get(key);
    const used = operands.filter((keys) => keys.some((each) => from?.has(each))).length;
    const node = graph.nodes.find(({ id }) => id === key.slice(2))!;
    const total = sizeOf(node.shape);
    const fits = total === size ? 2 : size > 1 && total % size === 0 ? 1 : 0;
    const isNamed = byName.node !== null && keyOf(byName.node, byName.kind as Kind) === key;
    return used > 0 || isNamed ? used * 2 + fits + (isNamed ? 3 : 0) : 0;
  };
  const order = [
    ...nodes.map(({ id }) => keyOf(id, 'value')),
    ...[...graph.nodes].reverse().map(({ id }) => keyOf(id, 'gradient')),
  ];
  // Of a gradient no value is made.
  const isBackward = operands.some((keys) => keys.length > 0 && keys.every(isPassedBack));
  // Nor of values a gradient, while the outputs are still to come.
  const isForward = !covered.has('v:y') && !operands.some((keys) => keys.some(isPassedBack));
  const open = order.filter(
    (key) =>
      !covered.has(key) &&
      makers.has(key) &&
      !(isBackward && key.startsWith('v:')) &&
      !(isForward && key.startsWith('g:')),
  );
  const [best] = open.map((key) => ({ key, value: score(key) })).sort((a, b) => b.value - a.value);
  if (!best || best.value === 0) return { node: null, kind: 'other' };
  // Scores are called s, scaled or not.
  const { text } = recording.statements[recording.events[event].statement];
  if (best.key === 'v:S' && open.includes('v:Z') && SCALED.test(text))
    return { node: 'Z', kind: 'value' };
  return { node: best.key.slice(2), kind: best.key.startsWith('v:') ? 'value' : 'gradient' };
}
