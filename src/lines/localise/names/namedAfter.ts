// Gradients that are called after the person's own names of what they are of, such as dbias of bias, and are others.
import { keyOf } from '../../../compare/program/program.ts';
import { sameShape } from '../../../engine/tensor.ts';
import { isWhole } from '../../align/align.ts';
import type { Event } from '../../recorded/recording.ts';
import { isNothing } from '../goals.ts';
import type { Mistaken } from './mistaken.ts';
import { inputsByName, ofWhich } from './ofInputs.ts';
import type { Field } from '../suspects.ts';

/**
 * What is called after an input, is of its shape and all that the program has under this name in the end, where its gradient
 * is nowhere: right as something else, or as a part of it.
 */
export function namedAfterInputs(field: Field): Mistaken[] {
  const { recording, observed, covered, goals, catalogue } = field;
  const inputs = inputsByName(
    observed,
    ({ node, key }) => goals.includes(keyOf(node, 'gradient')) && covered.has(key),
  );
  const last = new Map<string, Event>();
  for (const event of recording.events) if (event.how !== 'gradient') last.set(event.name, event);
  return [...last.values()].flatMap((event): Mistaken[] => {
    const { name, id, how, loops, shape } = event;
    const of = ofWhich(name);
    const input = of === null ? undefined : inputs.get(of);
    if (!input || how !== 'bind' || loops.length > 0 || !sameShape(shape, input.shape)) return [];
    const key = keyOf(input.node, 'gradient');
    const { found, standing, added } = observed[id];
    const isOther =
      (standing === 'right' || standing === 'partial') &&
      !added &&
      found.length > 0 &&
      found.every(({ entry }) => entry.key !== key);
    if (!isOther || covered.has(key) || isNothing(catalogue, key)) return [];
    const [{ entry }] = found;
    const is = entry.kind === 'gradient' ? `d${entry.node}` : entry.node;
    const part = found.some(isWhole) ? '' : 'a part of ';
    const note = `${name} is ${part}${is}, not d${input.node}`;
    return [{ event: id, node: input.node, kind: 'gradient', note }];
  });
}
