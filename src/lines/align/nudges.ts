// Inputs of which one entry was moved a little, for a numerical gradient: what is computed from them tells nothing.
import { type NodeId, nodeOf } from '../../engine/graph.ts';
import { strides } from '../../engine/tensor.ts';
import type { Catalogue } from './catalogue.ts';
import type { Observed } from './observe.ts';
import type { Event, Recording } from '../recorded/recording.ts';
import { nudgedEvents } from '../recorded/repeats.ts';

/** A step of a numerical gradient is no larger. */
const MOST = 0.02;

export class Nudges {
  readonly #recording: Recording;
  readonly #catalogue: Catalogue;
  /** The first event of each event's array. */
  readonly #roots: number[] = [];
  readonly #touched: boolean[] = [];
  /** Of each array that is an input: the offsets that were moved. */
  readonly #moved = new Map<number, Set<number>>();
  /** Of calls that only repeat others: inputs that were moved behind the recorder's back, as gradcheck does. */
  readonly #nudged: ReadonlySet<number>;

  constructor(recording: Recording, catalogue: Catalogue) {
    this.#recording = recording;
    this.#catalogue = catalogue;
    this.#nudged = nudgedEvents(recording);
  }

  /** Whether the event comes of an input that is moved at the time. Events are to be taken in their order. */
  take(event: Event, before: readonly Observed[]): boolean {
    const { id, alias, how, same, reads } = event;
    const isSame = alias !== undefined && (how !== 'bind' || same !== undefined);
    const root = isSame ? this.#roots[alias] : id;
    this.#roots[id] = root;
    const isOfReads = reads.some((read) => this.#touched[read]);
    const isInput = root !== id && this.#isInput(before[root]);
    if (isInput) this.#move(event, root);
    else if (root === id && this.#isMovedCopy(event, before)) this.#moved.set(id, new Set([-1]));
    const isMoved = (this.#moved.get(root)?.size ?? 0) > 0;
    const isOfArray = isInput || root === id ? isMoved : isMoved || this.#touched[alias!];
    const isNudged = this.#nudged.has(id);
    return (this.#touched[id] = isOfArray || isNudged || (isOfReads && !isInput));
  }

  #isInput(seen: Observed): boolean {
    const { graph } = this.#catalogue;
    const isGiven = (id: NodeId): boolean => nodeOf(graph, id).kind === 'input';
    return seen.found.some(({ entry }) => entry.role === 'node' && isGiven(entry.node));
  }

  #move(event: Event, root: number): void {
    const { how, index } = event;
    const own = this.#recording.tensor(event.id);
    const first = this.#recording.tensor(root);
    if (!own || !first || (how !== 'write' && how !== 'update' && how !== 'loop-end')) return;
    const moved = this.#moved.get(root) ?? new Set();
    this.#moved.set(root, moved);
    if (own.data.length === first.data.length && first.data.length > 1) {
      moved.clear();
      const at = movedAt(own.data, first.data);
      if (at !== null) moved.add(at);
      return;
    }
    if (index === undefined || index === 'fancy' || own.data.length !== 1) return;
    const steps = strides(first.shape);
    let at = 0;
    for (const [axis, part] of index.entries()) {
      if (typeof part !== 'number') return;
      at += (part < 0 ? part + first.shape[axis] : part) * steps[axis];
    }
    const step = Math.abs(own.data[0] - first.data[at]);
    if (step === 0) moved.delete(at);
    else if (step <= MOST) moved.add(at);
  }

  /** Something that was made of an input, and is that but for one entry. */
  #isMovedCopy({ id, reads, how }: Event, before: readonly Observed[]): boolean {
    if (how === 'gradient' || how === 'leaf') return false;
    const own = this.#recording.tensor(id);
    if (!own || own.data.length < 2) return false;
    return reads.some((read) => {
      if (read >= id || !this.#isInput(before[read])) return false;
      const other = this.#recording.tensor(read);
      return other !== null && movedAt(own.data, other.data) !== null;
    });
  }
}

/** The one offset at which two tensors differ by a little; null where they differ at none or otherwise. */
function movedAt(a: Float64Array, b: Float64Array): number | null {
  if (a.length !== b.length) return null;
  let found: number | null = null;
  for (let at = 0; at < a.length; at++) {
    if (a[at] === b[at]) continue;
    if (found !== null || !(Math.abs(a[at] - b[at]) <= MOST)) return null;
    found = at;
  }
  return found;
}
