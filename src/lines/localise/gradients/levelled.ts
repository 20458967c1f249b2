// Gradients of which every entry is one and the same number: summed, or averaged, over all axes where one was to stay.
import { sizeOf } from '../../../engine/tensor.ts';
import type { Catalogue, Entry } from '../../align/catalogue.ts';
import { handedOn } from '../../recorded/flow.ts';
import type { Mistaken } from '../names/mistaken.ts';
import type { Field } from '../suspects.ts';

const COMPUTED = new Set(['bind', 'update', 'write']);

/** Of gradients that never come out. */
export function levelledGradients(field: Field): Mistaken[] {
  const { recording, observed, catalogue, goals, covered, flow } = field;
  const open = catalogue.entries.filter(
    ({ key, role, data }) =>
      role === 'node' && goals.includes(key) && !covered.has(key) && data.length > 1,
  );
  if (open.length === 0) return [];
  const biases = open.filter(({ node }) => /^b_[QKV]$/.test(node));
  const all: readonly (typeof open)[] = [
    ...open.map((each) => [each]),
    ...(biases.length > 1 ? [joined(catalogue)] : []),
  ];
  return observed.flatMap(({ event, standing }): Mistaken[] => {
    const { id, how, shape, name } = event;
    if (standing !== 'neutral' || !COMPUTED.has(how) || sizeOf(shape) < 2) return [];
    const own = recording.tensor(id)?.data;
    if (!own || own[0] === 0 || own.some((value) => value !== own[0])) return [];
    if (handedOn(recording, event) !== null) return [];
    const isMade = flow.sources[id].some(
      (source) =>
        observed[source].standing === 'right' &&
        observed[source].found.length + observed[source].pieces.length > 0,
    );
    const level = all.find((entries) => isLevel(own, entries));
    if (!isMade || !level) return [];
    const [{ node }] = level;
    const nodes = level.map((each) => `d${each.node}`).join(', ');
    const note = `every entry of ${name} is one number, that of all of ${nodes} together`;
    return [{ event: id, node, kind: 'gradient', note }];
  });
}

/** The gradients of queries', keys' and values' biases side by side. */
const joined = ({ entries }: Catalogue): Entry[] =>
  entries.filter(({ role, key }) => role === 'node' && /^g:b_[QKV]$/.test(key));

/** Whether a number is the sum, or the mean, of as many entries. */
function isLevel(own: Float64Array, entries: readonly Entry[]): boolean {
  const size = entries.reduce((total, { data }) => total + data.length, 0);
  const sum = entries.reduce(
    (total, { data }) => data.reduce((all, value) => all + value, total),
    0,
  );
  const tolerance = size * Math.max(...entries.map((each) => each.tolerance));
  return (
    size === own.length &&
    Math.abs(sum) > 4 * tolerance &&
    [sum, sum / size].some((each) => Math.abs(own[0] - each) <= tolerance)
  );
}
