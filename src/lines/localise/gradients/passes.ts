// Several backward passes whose gradients were to add up: each is right in its part, and one alone is left in .grad.
import type { Tensor } from '../../../engine/tensor.ts';
import { isWhole } from '../../align/align.ts';
import { followed } from '../../recorded/flow.ts';
import { loopsAround } from '../../recorded/loops.ts';
import type { Wrong } from '../localise.ts';
import type { Observed } from '../../align/observe.ts';
import { piecesOf } from '../../align/pieces.ts';
import type { Event } from '../../recorded/recording.ts';
import type { Field } from '../suspects.ts';

const CLEARS =
  /\bzero_grad\(|\.grad\s*=\s*None\b|\.grad\.(zero_|fill_|detach_)\(|\.grad\s*=\s*torch\.zeros/;

/** What one backward pass after the other gave one leaf. */
interface Passes {
  readonly leaf: Observed;
  readonly passes: readonly Tensor[];
  readonly right: Pick<Observed, 'found' | 'pieces'>;
}

/** Leaves whose .grad is none of the nodes, where the sum of what all passes gave is one. */
function* lostSums({ recording, observed, aligner, catalogue }: Field): Generator<Passes> {
  const { events } = recording;
  const leafOf = (id: number): number => followed(events, id);
  const byLeaf = new Map<number, Event[]>();
  for (const event of events) {
    if (event.how !== 'gradient' || event.of === undefined) continue;
    const leaf = leafOf(event.of);
    byLeaf.set(leaf, [...(byLeaf.get(leaf) ?? []), event]);
  }
  for (const leaf of observed) {
    const { how, of, id } = leaf.event;
    if (how !== 'leaf' || of === undefined || leaf.standing === 'right') continue;
    const passes = (byLeaf.get(leafOf(of)) ?? []).flatMap(
      (each) => recording.tensor(each.id) ?? [],
    );
    const own = recording.tensor(id);
    if (passes.length < 2 || !own) continue;
    if (passes.some(({ data }) => data.length !== own.data.length)) continue;
    const data = own.data.map((_, at) => passes.reduce((sum, pass) => sum + pass.data[at], 0));
    const sum = { shape: own.shape, data };
    const found = aligner
      .align(sum)
      .filter(
        (each) => each.entry.role === 'node' && each.entry.kind === 'gradient' && isWhole(each),
      );
    const pieces = found.length > 0 ? [] : piecesOf(sum, aligner, catalogue);
    if (found.length > 0 || pieces.length > 0) yield { leaf, passes, right: { found, pieces } };
  }
}

/** Where the gradients of earlier passes are cleared that the later ones were to be added to; null where none are. */
export function clearedPass(field: Field): Wrong | null {
  const { recording } = field;
  const { statements } = recording;
  const [lost] = lostSums(field);
  if (!lost) return null;
  const { leaf, passes, right } = lost;
  const own = recording.tensor(leaf.event.id)!;
  const last = passes[passes.length - 1];
  if (!own.data.every((value, at) => Math.abs(value - last.data[at]) <= 1e-6 * Math.abs(value)))
    return null;
  const clearing = statements.flatMap(({ text }, id) => (CLEARS.test(text) ? [id] : []));
  const passing = statements.flatMap(({ text }, id) => (/\bbackward\(/.test(text) ? [id] : []));
  const repeated = clearing.find((id) => loopsAround(recording, id).length > 0);
  const statement = repeated ?? clearing.at(-1) ?? passing.at(-1);
  if (statement === undefined) return null;
  const { node } = (right.found[0] ?? right.pieces[0]).entry;
  const { name, id } = leaf.event;
  const note = `${name} is that of the last of ${passes.length} backward passes alone: what the others gave is cleared`;
  return { event: id, statement, node, kind: 'gradient', note, seen: id };
}
