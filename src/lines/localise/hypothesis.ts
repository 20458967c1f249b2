// What a person's statements would make of their own tensor if it stood for a node that it is not: whose fault it is then.
import { nodeOf } from '../../engine/graph.ts';
import type { Tensor } from '../../engine/tensor.ts';
import { type Key, referenceProgram, State } from '../../compare/program/program.ts';
import { Aligner, type Alignment, tellingOf } from '../align/align.ts';
import { type Catalogue, entriesFor, type Entry } from '../align/catalogue.ts';
import { lengthsOf, lettered, zip } from '../recorded/lettered.ts';

/** A node's tensor with the part that `alignment` covers replaced by a person's; null where letters do not fit. */
export function replaced(
  { graph, state }: Catalogue,
  key: Key,
  tensor: Tensor,
  { axes, ranges }: Alignment,
): Tensor | null {
  const node = nodeOf(graph, key.slice(2));
  const letters = node.axes.flat();
  const along = axes.flat();
  if (along.some((letter) => !letters.includes(letter))) return null;
  const lengths = lengthsOf(letters, graph.extents);
  const steps = new Map<string, number>();
  let stride = 1;
  for (let n = letters.length - 1; n >= 0; n--) {
    steps.set(letters[n], stride);
    stride *= lengths[n];
  }
  let base = 0;
  for (const letter of letters) {
    const range = ranges.get(letter);
    // A letter that the tensor lacks: it cannot stand for all of them.
    if (!range && graph.extents[letter] > 1) return null;
    if (!along.includes(letter)) base += (range?.start ?? 0) * steps.get(letter)!;
  }
  const data = state.predict(key).data.slice();
  const { shape } = tensor;
  for (let at = 0; at < tensor.data.length; at++) {
    let rest = at;
    let to = base;
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      let n = rest % shape[axis];
      rest = Math.floor(rest / shape[axis]);
      for (const letter of [...axes[axis]].reverse()) {
        const { start, step, count } = ranges.get(letter)!;
        to += (start + (n % count) * step) * steps.get(letter)!;
        n = Math.floor(n / count);
      }
    }
    // Not computed.
    if (!Number.isNaN(tensor.data[at])) data[to] = tensor.data[at];
  }
  return { shape: node.shape, data };
}

/** Weights that are recomputed from other logits with the log-sum-exp that the forward pass kept. */
function recomputed({ entries, parts, graph }: Catalogue, state: State): Entry | null {
  const lse = entries.find(({ title }) => title.startsWith('log-sum-exp of'));
  const weights = entries.find(({ key, role }) => key === 'v:P' && role === 'node');
  if (!lse || !weights) return null;
  const logits = lettered(nodeOf(graph, parts.logits).axes, state.value(parts.logits));
  const { data } = zip(logits, lse, parts.extents, (a, b) => Math.exp(a - b));
  const size = data.reduce((most, value) => Math.max(most, value), 0);
  return { ...weights, data, size, tolerance: weights.tolerance * Math.max(1, size), hidden: null };
}

/** Other weights beside the D = Σ dO O of the right outputs, as a forward pass kept them. */
function besideRowTerm({ entries, parts, graph, state }: Catalogue, tensor: Tensor): State | null {
  const rows = entries.find(({ title }) => title === 'D = Σ P dP');
  const { axes } = nodeOf(graph, 'P');
  if (!rows) return null;
  const gradient = lettered(axes, state.gradient('P'));
  const left = zip(gradient, rows, parts.extents, (a, b) => a - b);
  const own = zip(left, lettered(axes, tensor), parts.extents, (a, b) => (b === 0 ? 0 : a * b));
  const { shape } = nodeOf(graph, parts.logits);
  const gradients = new Map([[parts.logits, { shape, data: own.data }]]);
  return new State(referenceProgram(graph), { values: new Map(), gradients });
}

/**
 * A run in which a node has another value or gradient; `isKept` where the outputs were right and only what was kept for the
 * backward pass is the other one.
 */
function supposedState(
  { graph, state }: Catalogue,
  key: Key,
  tensor: Tensor,
  isKept: boolean,
): State {
  const given = new Map([[key.slice(2), tensor]]);
  const none = new Map<string, Tensor>();
  const gradients = isKept ? new Map([['y', state.gradient('y')]]) : none;
  return new State(
    referenceProgram(graph),
    key.startsWith('v:') ? { values: given, gradients } : { values: none, gradients: given },
  );
}

/** Forms of a run in which a node has another value; aligns with those that differ from the right run's. */
export class Supposed {
  readonly #aligner: Aligner;

  constructor(catalogue: Catalogue, key: Key, tensor: Tensor, isKept = false) {
    const { config, entries } = catalogue;
    const state = supposedState(catalogue, key, tensor, isKept);
    const other = entriesFor(config, state, entries);
    const again = recomputed(catalogue, state);
    if (again) other.push({ ...again, id: other.length });
    const beside = key === 'v:P' ? besideRowTerm(catalogue, tensor) : null;
    for (const entry of beside ? entriesFor(config, beside, entries) : [])
      other.push({ ...entry, id: other.length });
    this.#aligner = new Aligner({ ...catalogue, entries: other });
  }

  /** Whether a tensor is what the run makes of its node. */
  makes(tensor: Tensor): boolean {
    return this.#aligner.align(tensor, tellingOf(tensor), { hasGaps: true }).length > 0;
  }
}
