// Which node each of a person's tensors is: by name, then by layout, then by numbers alone.
import { formatShape } from '../../engine/tensor.ts';
import { type Graph, hasNode, nodeOf, type NodeId } from '../../engine/graph.ts';
import type { Tensor } from '../../engine/tensor.ts';
import type { NamedTensor } from '../../formats/namedTensor.ts';
import type { ResolvedName } from '../../formats/nodeNames.ts';
import type { LeftOut } from '../../formats/parts.ts';
import type { Aligned, Other, Placed } from './aligned.ts';
import { type Layout, layoutsOf } from './layouts.ts';
import { isMask, type Misfit, readingsOf, shapeReason } from './misfits.ts';
import { orient } from './orientation.ts';
import { type Key, type Kind, keyOf } from '../program/program.ts';
import { type Fit, FITS } from '../judge/readings.ts';
import { settle } from './settle.ts';

export interface Alignment {
  readonly tensors: readonly Aligned[];
  /** Named as nodes, which they cannot be. */
  readonly misfits: readonly Misfit[];
  /** The rest. */
  readonly unaligned: readonly LeftOut[];
  /** Whether the gradients of all weights are (out, in). */
  readonly isOutIn: boolean;
}

export interface AlignInput {
  readonly graph: Graph;
  readonly trace: readonly NamedTensor[];
  /** formats' resolveName with the setup's names. */
  readonly resolve: (name: string, rank: number) => ResolvedName | null;
  /** Whether the setup says which node a name is. */
  readonly isExact: (name: string) => boolean;
  /** How well a tensor fits the reference, up to rounding. */
  readonly fitOf: (key: Key, tensor: Tensor) => Fit;
  /** The reference's tensor. */
  readonly right: (key: Key) => Tensor;
  /** Whether a few entries of a large tensor, given by offset, leave it possible that it matches. */
  readonly resembles: (key: Key, entryAt: (offset: number) => number) => boolean;
}

/** Where a head has no such node, the one that holds the same numbers. */
const STANDS_FOR: Readonly<Record<NodeId, readonly NodeId[]>> = {
  ...{
    xPrime: ['x'],
    xValue: ['x'],
    Qh: ['Q'],
    Kh: ['K'],
    Vh: ['V'],
    Z: ['S'],
    M: ['Z', 'S'],
    Pd: ['P'],
    O: ['y'],
    C: ['y'],
    Og: ['Os', 'On', 'O'],
    ...{ Os: ['On', 'O'], On: ['O'], Pdiff: ['Pd', 'P'] },
    ...{ xn: ['xPrime', 'x'], cKVn: ['cKV'], cQn: ['cQ'], ya: ['y'], yn: ['ya', 'y'], yr: ['y'] },
    ...{ KRs: ['KR'], QRs: ['QR'] },
    ...{ Kn: ['Kh', 'K'], Qn: ['Qh', 'Q'], Ks: ['Kh', 'K'], Qs: ['Qh', 'Q'], Vs: ['Vh', 'V'] },
  },
};
/** Nodes tried where the shape does not fit the one that the name says. */
const IF_SHAPE: Readonly<Record<NodeId, readonly NodeId[]>> = {
  ...{
    y: ['C', 'Og', 'Os', 'On', 'O'],
    C: ['Og', 'Os', 'On', 'O'],
    ...{ Qh: ['Q'], Kh: ['K'], Vh: ['V'], Q: ['Qh'], K: ['Kh'], V: ['Vh'] },
  },
};
/**
 * Later nodes that a usual name may also mean: the numbers decide. Not earlier ones: masked scores that equal the
 * scaled ones are a mask that is missing.
 */
const ALSO: Readonly<Record<NodeId, readonly NodeId[]>> = {
  ...{
    S: ['Z', 'M'],
    Z: ['M'],
    ...{ P: ['Pd', 'Pdiff'], Pd: ['Pdiff'] },
    O: ['On', 'Os', 'Og', 'C', 'ya', 'y'],
    ...{ On: ['Os', 'Og', 'C', 'ya', 'y'], Os: ['Og', 'C', 'ya', 'y'] },
    ...{ Og: ['C', 'ya', 'y'], C: ['ya', 'y'] },
    y: ['ya', 'yn', 'yr'],
    ...{ ya: ['yn'], yn: ['yr'], x: ['xn'], cKV: ['cKVn'], cQ: ['cQn'] },
    Q: ['Qn', 'Qs', 'Qh'],
    K: ['Kn', 'Ks', 'Kh'],
    V: ['Vs', 'Vh'],
    ...{ Vs: ['Vh'], Qn: ['Qh'], Kn: ['Kh'], Qs: ['Qn', 'Qh'], Ks: ['Kn', 'Kh'] },
  },
};

/** Variables that hold the scores first and the weights that are made of them next. */
const REUSED = /^(att|attn|attention|wei|weights|affinit(y|ies)|a|w)$/i;
const SCORES: readonly NodeId[] = ['M', 'Z', 'S'];

/** Why an entry is not compared, and the node that its name says. */
interface Refused {
  readonly reason: string;
  readonly node?: NodeId;
  readonly kind?: Kind;
}

export function align(input: AlignInput): Alignment {
  const placed = new Map<Key, Placed>();
  const left: (Refused & { entry: NamedTensor })[] = [];
  // What a name was found to mean for a value it means for the gradient too: scores that are scaled already.
  const meant = new Map<NodeId, NodeId>();
  const isGradient = ({ name, tensor }: NamedTensor): boolean =>
    input.resolve(name, tensor.shape.length)?.kind === 'gradient';
  const valuesFirst = [
    ...input.trace.filter((entry) => !isGradient(entry)),
    ...input.trace.filter(isGradient),
  ];
  for (const entry of valuesFirst) {
    const placedSo = place(input, entry, meant);
    const found = 'reason' in placedSo ? readOtherwise(input, entry, meant, placedSo) : placedSo;
    if ('reason' in found) {
      left.push({ ...found, entry });
      continue;
    }
    if (found.kind === 'value' && found.fit !== FITS.not) meant.set(found.named, found.node);
    const key = keyOf(found.node, found.kind);
    const earlier = placed.get(key);
    if (!earlier) placed.set(key, found);
    else if (earlier.fit < found.fit || (earlier.fit === found.fit && isNearer(found, earlier))) {
      placed.set(key, found);
      left.push({
        entry: input.trace.find(({ name }) => name === earlier.name)!,
        reason: `${found.name} is ${found.node}`,
      });
    } else left.push({ entry, reason: taken(found, earlier) });
  }
  const unaligned: LeftOut[] = [];
  const misfits = new Map<Key, Misfit>();
  for (const { entry, reason, node, kind } of left) {
    const { name, tensor } = entry;
    const proposal = propose(input, entry, placed);
    const key = node !== undefined && kind && keyOf(node, kind);
    if (proposal) placed.set(keyOf(proposal.node, proposal.kind), proposal);
    else if (key && !placed.has(key) && !misfits.has(key))
      misfits.set(key, { node, kind, name, tensor, reason, isSure: isSure(input, name, node) });
    else unaligned.push({ name, reason });
  }
  const { placed: oriented, isOutIn } = orient([...placed.values()], input.right);
  return {
    tensors: settle(input.graph, oriented),
    misfits: [...misfits.values()],
    unaligned,
    isOutIn,
  };
}

/** Why a tensor is not compared whose node another one is. */
const taken = ({ named, node, kind, fit }: Placed, { name }: Placed): string =>
  named !== node && kind === 'value' && fit === FITS.not
    ? `this setup has no ${named}, and the numbers are not those of ${node} either, which ${name} is`
    : `${name} is already ${node}`;

/** Whether the name of the one says its node, and that of the other one that the node only stands for. */
const isNearer = (one: Placed, other: Placed): boolean =>
  one.named === one.node && other.named !== other.node;

/**
 * Whether a name can mean no other thing than the node: its id, that of its gradient, or the setup's word for it.
 * Never of f: what a program calls its loss is its own affair.
 */
const isSure = ({ isExact }: AlignInput, name: string, node: NodeId): boolean =>
  node !== 'f' && (isExact(name) || name.replace(/^d(?=.)|^grad[_/]|[._/]grad$/, '') === node);

/** Where the shape does not fit: as what is summed, cut or one of several, if that fits. */
function readOtherwise(
  input: AlignInput,
  entry: NamedTensor,
  meant: ReadonlyMap<NodeId, NodeId>,
  refused: Refused,
): Placed | Refused {
  const { node, kind } = refused;
  if (node === undefined || !kind) return refused;
  let best: Placed | null = null;
  for (const { tensor, words, unsummed } of readingsOf(input.graph, node, kind, entry.tensor)) {
    const found = place(input, { ...entry, tensor }, meant);
    if ('reason' in found) continue;
    const layout = unsummed ? found.layout : [words, found.layout].filter(Boolean).join(', ');
    const read = { ...found, layout, ...(unsummed && { unsummed }) };
    if (found.fit !== FITS.not) return read;
    best ??= read;
  }
  return isSure(input, entry.name, node) && best ? best : refused;
}

/** The node that a name says, or where this head has none, the one that holds the same numbers. */
const standIns = (graph: Graph, node: NodeId): NodeId[] =>
  hasNode(graph, node)
    ? [node]
    : (STANDS_FOR[node] ?? []).filter((id) => hasNode(graph, id)).slice(0, 1);

/** Why a tensor of a name and shape is no node, whatever its numbers. */
export function misfit(
  graph: Graph,
  resolved: ResolvedName | null,
  shape: readonly number[],
  own = resolved ? standIns(graph, resolved.node) : [],
): string {
  if (!resolved) return 'no node has this name';
  const expected = own.map((id) => `${id} is ${formatShape(nodeOf(graph, id).shape)}`).join(', ');
  return `its shape ${formatShape(shape)} does not fit: ${expected || `this head has no ${resolved.node}`}`;
}

/** The node that the name says, in the layout that the shape and the numbers say; or why there is none. */
function place(
  { graph, resolve, isExact, fitOf, resembles }: AlignInput,
  { name, tensor, dtype }: NamedTensor,
  meant: ReadonlyMap<NodeId, NodeId>,
): Placed | Refused {
  const resolved = resolve(name, tensor.shape.length);
  if (!resolved) return { reason: misfit(graph, resolved, tensor.shape) };
  const { node, kind } = resolved;
  const isId = name === node || name === `d${node}` || isExact(name);
  const moved = kind === 'gradient' && !isExact(name) ? meant.get(node) : undefined;
  const named = standIns(graph, node);
  const own = moved ? [moved, ...named.filter((id) => id !== moved)] : named;
  // A gradient that equals another node's may be a step left out: only its shape can overrule the name.
  const later = isId ? ALSO[node] : [...(ALSO[node] ?? []), ...(REUSED.test(name) ? SCORES : [])];
  const also =
    moved !== undefined || (own.includes(node) && (isId || kind === 'gradient'))
      ? []
      : (later ?? []).filter((id) => hasNode(graph, id) && !own.includes(id));
  const results: { id: NodeId; layout: Layout; undone: Tensor; fit: Fit }[] = [];
  let best: (typeof results)[number] | undefined;
  for (const id of [...own, ...also]) {
    for (const layout of best
      ? []
      : layoutsOf(tensor.shape, nodeOf(graph, id).axes, graph.extents)) {
      const { ambiguous, placeOf } = layout;
      // Another order of a large tensor takes long to make, and seldom is the person's.
      if (
        ambiguous &&
        placeOf &&
        !resembles(keyOf(id, kind), (offset) => tensor.data[placeOf(offset)])
      )
        continue;
      const undone = layout.undo(tensor, kind);
      if (!undone) continue;
      const result = { id, layout, undone, fit: fitOf(keyOf(id, kind), undone) };
      results.push(result);
      if (result.fit === FITS.asItIs && !layout.ambiguous) best = result;
      if (best) break;
    }
  }
  const fallback =
    results.length > 0 ? [] : (IF_SHAPE[node] ?? []).filter((id) => hasNode(graph, id));
  for (const id of fallback) {
    for (const layout of layoutsOf(tensor.shape, nodeOf(graph, id).axes, graph.extents)) {
      const undone = layout.undo(tensor, kind);
      if (undone) results.push({ id, layout, undone, fit: fitOf(keyOf(id, kind), undone) });
    }
  }
  const closest = (results_: typeof results): (typeof results)[number] | undefined =>
    results_.reduce<(typeof results)[number] | undefined>(
      (most, each) => (each.fit > (most?.fit ?? FITS.not) ? each : most),
      undefined,
    );
  best ??=
    closest(results.filter(({ layout }) => !layout.ambiguous)) ??
    results.find(({ id, layout }) => id === own[0] && !layout.ambiguous) ??
    results.find(({ layout }) => !layout.ambiguous);
  if (!best) {
    if (node === 'M' && kind === 'value' && isMask(tensor))
      return { reason: 'it is a mask; M is the masked scores' };
    if (own.length === 0) return { reason: `this head has no ${node}` };
    return { reason: shapeReason(graph, own, tensor), node: own[0], kind };
  }
  const { id: chosen } = best;
  const other =
    best.fit === FITS.not
      ? closest(results.filter(({ id, layout }) => id === chosen && layout.ambiguous))
      : undefined;
  const asOther = ({ words }: Layout, undone: Tensor): Other => ({ tensor: undone, layout: words });
  return {
    named: node,
    others: () =>
      layoutsOf(tensor.shape, nodeOf(graph, chosen).axes, graph.extents).flatMap((layout) => {
        const undone = layout.ambiguous ? layout.undo(tensor, kind) : null;
        return undone ? [asOther(layout, undone)] : [];
      }),
    ...{
      node: best.id,
      kind,
      name,
      tensor: best.undone,
      dtype,
      layout: best.layout.words,
      fit: best.fit,
    },
    guess: best.id === node ? '' : `its numbers are those of ${best.id}`,
    ...(other && { other: asOther(other.layout, other.undone) }),
  };
}

/** The one node, not given otherwise, that has these numbers. */
function propose(
  { graph, fitOf }: AlignInput,
  { name, tensor, dtype }: NamedTensor,
  placed: ReadonlyMap<Key, Placed>,
): Placed | null {
  if (tensor.data.length < 2) return null;
  const found = graph.nodes.flatMap(({ id, axes }) =>
    (['value', 'gradient'] as const).flatMap((kind) => {
      const key = keyOf(id, kind);
      if (placed.has(key)) return [];
      for (const layout of layoutsOf(tensor.shape, axes, graph.extents)) {
        const undone: Tensor | null = layout.undo(tensor, kind);
        if (undone && fitOf(key, undone) >= FITS.byConvention)
          return [{ id, kind, layout, undone }];
      }
      return [];
    }),
  );
  const plain = found.filter(({ layout }) => layout.words === '');
  const best = plain.length === 1 ? plain[0] : found.length === 1 ? found[0] : null;
  if (!best) return null;
  const { id, kind, layout, undone } = best;
  const guess = 'by its numbers; the name says nothing';
  const own = { node: id, kind, name, tensor: undone, dtype, layout: layout.words, guess };
  return { ...own, named: id, others: () => [], fit: FITS.asItIs };
}
