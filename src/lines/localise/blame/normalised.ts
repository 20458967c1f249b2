// Exponentials that go by the name of weights, or that a function gives back for them, and were never divided by their sums.
import { handedFrom } from '../../recorded/flow.ts';
import { nodeNamed, type Observed } from '../../align/observe.ts';
import type { Field } from '../suspects.ts';

const EXPONENTIALS = /^exp\(/;
const UNDIVIDED = / before the division by the row sums$|^exp\(.*\) \w+$/;
const SUMS = /^row sums of exp\(/;

const isTitled = ({ found }: Observed, title: RegExp): boolean =>
  found.some(({ entry }) => title.test(entry.title));

/** Where they were to be divided; null where that was left for later, as tiles do: their sums are there. */
export function undividedAt(field: Field, operand: number): number | null {
  const { recording, observed, flow } = field;
  const { events } = recording;
  if (observed.some((each) => isTitled(each, SUMS))) return null;
  const isExponential = (id: number): boolean =>
    isTitled(observed[id], EXPONENTIALS) && events[id].loops.length === 0;
  const seen = new Set([operand]);
  for (const id of seen)
    for (const source of flow.sources[id]) if (isTitled(observed[id], UNDIVIDED)) seen.add(source);
  const from = [...seen].find(isExponential);
  let named: number | null = null;
  if (from === undefined) return null;
  for (const at of handedFrom(recording, from)) {
    if (events[at].how === 'return') return at;
    const name = nodeNamed(events[at]);
    if (events[at].how === 'bind' && name?.node === 'P' && name.kind === 'value') named = at;
  }
  return named;
}
