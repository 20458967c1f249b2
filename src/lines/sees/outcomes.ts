// What a test can hold against the reference: what the calls give, and what methods leave in their object.
import type { Recording } from '../recorded/recording.ts';
import type { Calls } from './calls.ts';
import { meaning, namedAs } from './meaning.ts';
import type { Given, Outcome } from './types.ts';

/** Outputs and gradients that the calls give. */
export function returned({ recording, observed, catalogue, calls }: Calls): Outcome[] {
  return calls.flatMap(({ made }) =>
    made.flatMap(({ name, event }) => {
      const tensor = recording.tensor(event.id);
      const is = meaning(observed.get(event.id)) ?? (tensor && namedAs(event, tensor, catalogue));
      const isResult = is && (is.entry.kind === 'gradient' || is.entry.node === 'y');
      return isResult && is.entry.role === 'node' ? [{ name, is }] : [];
    }),
  );
}

/** Gradients that methods leave in their object: beside the weight whose gradient it is. */
export function attributeOutcomes(
  { recording, observed }: Calls,
  given: readonly Given[],
): Outcome[] {
  const { events, statements, functions } = recording;
  const found = new Map<string, Outcome>();
  for (const event of events) {
    const is =
      event.name.startsWith('self.') && event.how === 'bind'
        ? meaning(observed.get(event.id))
        : null;
    if (!is || is.entry.kind !== 'gradient' || is.entry.role !== 'node') continue;
    const [type] = functions[statements[event.statement].function].name.split('.', 1);
    const weights = given.filter(
      (each) => each.isAttribute && each.is?.entry.node === is.entry.node,
    );
    const owners = weights.flatMap(({ name }) => ownerOf(recording, name, type) ?? []);
    if (owners.length === 1) {
      const name = owners[0] + event.name.slice('self'.length);
      found.set(name, { name, is });
    }
  }
  return [...found.values()];
}

/** The object of class `type` that a weight belongs to: of "layer.q.W" "layer.q", where that class has a "self.W". */
function ownerOf(
  { events, statements, functions }: Recording,
  weight: string,
  type: string,
): string | null {
  const cuts = [...weight.matchAll(/[.[]/g)].map(({ index }) => index).reverse();
  for (const cut of cuts) {
    const own = `self${weight.slice(cut)}`;
    const has = events.some(
      ({ name, statement }) =>
        name === own && functions[statements[statement].function].name === `${type}.__init__`,
    );
    if (has) return weight.slice(0, cut);
  }
  return null;
}
