// What a right program computes: every node and every form beside them, each with the difference that rounding explains.
import type { Letter } from '../../engine/axes.ts';
import type { HeadConfig } from '../../engine/config.ts';
import type { Graph } from '../../engine/graph.ts';
import { FLOAT64, type NumberType } from '../../compare/reference/dtypes.ts';
import { rounding } from '../../compare/reference/noise.ts';
import {
  entriesOf,
  type Key,
  keyOf,
  NOTHING_GIVEN,
  referenceProgram,
  State,
} from '../../compare/program/program.ts';
import { strides } from '../../engine/tensor.ts';
import { addAlibi } from '../forms/alibi.ts';
import { addPositionBias } from '../forms/positionBias.ts';
import { addSinks } from '../forms/sinks.ts';
import {
  addContributions,
  addPerHead,
  addSoftmaxBackward,
  addUnscaled,
} from '../forms/backward.ts';
import { addFactors, addGate, addLambda } from '../forms/factors.ts';
import { type Form, Forms, gradientOf, type Parts, partsOf, valueOf } from '../forms/form.ts';
import {
  addBeforeBias,
  addBiasParts,
  addBilinear,
  addLossForms,
  addRepeated,
} from '../forms/projections.ts';
import { addNorms } from '../forms/norms.ts';
import { addRope, turnedIn } from '../forms/rope.ts';
import { addBeside, addJacobian, addScores, addSoftmax, BEFORE_MASK } from '../forms/scores.ts';
import { addProjectionTerms, addTerms } from '../forms/terms.ts';
import { isSubset, type Lettered, lengthsOf, offsetsIn } from '../recorded/lettered.ts';

export interface Entry extends Form {
  readonly id: number;
  /** "v:P" or "g:P": of the node that it belongs to. */
  readonly key: Key;
  readonly lengths: readonly number[];
  readonly strides: readonly number[];
  /** Largest finite magnitude. */
  readonly size: number;
  /** Largest difference that is taken for rounding. */
  readonly tolerance: number;
  /** 1 where the query may not see the key: what stands there has no effect. */
  readonly hidden: Uint8Array | null;
}

export interface Catalogue {
  readonly graph: Graph;
  readonly config: HeadConfig;
  readonly state: State;
  readonly type: NumberType;
  readonly parts: Parts;
  readonly entries: Entry[];
  /** Which keys each query sees, 1 or 0, with the letters of S; null where all are seen. */
  readonly visible: Lettered | null;
  /** Nothing smaller is told from 0. */
  readonly floor: number;
}

/** Entries of a graph up to which the smallest steps are looked at one by one. */
const SMALL = 40_000;
const SAMPLES = 3;
/**
 * So many simulated errors and units in the last place are taken for rounding. In fine types a mistake is far larger,
 * and rounding is never to be taken for one; in half types the difference is small.
 */
const FINE = { errors: 6, ulps: 24 };
const COARSE = { errors: 3, ulps: 1 };
/** Exponentials of hidden scores that are larger are not compared with the rounding of weights. */
const MOST_HIDDEN = 4;
/** float64 that is off by less is not told from the order of its sums. */
const LEAST_RELATIVE = 1e-11;

function formsOf(parts: Parts): Form[] {
  const { graph } = parts;
  const forms = new Forms(parts.extents);
  for (const { id } of graph.nodes) {
    forms.add('node', 'value', id, id, valueOf(parts, id));
    if (id !== 'f') forms.add('node', 'gradient', id, `d${id}`, gradientOf(parts, id));
  }
  addScores(forms, parts);
  addSoftmax(forms, parts);
  addBeside(forms, parts);
  addSoftmaxBackward(forms, parts);
  addUnscaled(forms, parts);
  addContributions(forms, parts);
  addPerHead(forms, parts);
  addBeforeBias(forms, parts);
  addRepeated(forms, parts);
  addBilinear(forms, parts);
  addLossForms(forms, parts);
  addBiasParts(forms, parts);
  addRope(forms, parts);
  addAlibi(forms, parts);
  addPositionBias(forms, parts);
  addSinks(forms, parts);
  addNorms(forms, parts);
  addFactors(forms, parts);
  addGate(forms, parts);
  addLambda(forms, parts);
  if (entriesOf(graph) > SMALL) return forms.list;
  addJacobian(forms, parts);
  addTerms(forms, parts);
  addProjectionTerms(forms, parts);
  return forms.list;
}

function visibleOf(parts: Parts): Lettered | null {
  if (parts.logits !== 'M') return null;
  const { letters, data } = valueOf(parts, 'M');
  const seen = data.map((value) => (value === -Infinity ? 0 : 1));
  return seen.includes(0) ? { letters, data: seen } : null;
}

/** Lengths of letters that only forms have are told by their tensors. */
function lengthsFor({ letters, data }: Form, parts: Parts): number[] {
  const { extents } = parts;
  const known = lengthsOf(letters, extents);
  const rope = {
    u: turnedIn(parts) / 2,
    w: 2,
    l: extents['i'],
    e: extents['e'] ?? extents['c'],
  };
  const filled = known.map((length, n) => length ?? rope[letters[n] as keyof typeof rope]);
  const open = filled.findIndex((length) => length === undefined);
  if (open < 0) return filled;
  const rest = filled.reduce((size, length, n) => (n === open ? size : size * length), 1);
  filled[open] = data.length / rest;
  return filled;
}

function largest(data: Float64Array, limit = Infinity): number {
  let found = 0;
  for (let at = 0; at < data.length; at++) {
    const size = Math.abs(data[at]);
    if (size > found && size < limit) found = size;
  }
  return found;
}

function furthest(a: Float64Array, b: Float64Array, limit: number): number {
  let found = 0;
  for (let at = 0; at < a.length; at++) {
    const off = Math.abs(a[at] - b[at]);
    if (off > found && off < Infinity && Math.abs(a[at]) < limit) found = off;
  }
  return found;
}

/** The forms of `config`'s run, with tolerances for programs that compute in `type`. */
export function buildCatalogue(config: HeadConfig, graph: Graph, type: NumberType): Catalogue {
  const program = referenceProgram(graph);
  const state = new State(program);
  const parts = partsOf(config, state);
  const forms = formsOf(parts);
  const count = entriesOf(graph) > SMALL ? 1 : SAMPLES;
  const samples = Array.from({ length: count }, (_, n) =>
    formsOf(partsOf(config, new State(program, NOTHING_GIVEN, rounding(type, n + 1)))),
  );
  const visible = visibleOf(parts);
  const { errors, ulps } = type.epsilon < 1e-6 ? FINE : COARSE;
  const entries = forms.map((form, id): Entry => {
    const { letters, data, node, kind, title } = form;
    const lengths = lengthsFor(form, parts);
    const isBeforeMask = title.endsWith(BEFORE_MASK);
    // What is hidden there may be far larger than all weights, and must not make them vague.
    const limit = isBeforeMask ? MOST_HIDDEN : Infinity;
    const size = largest(data, limit);
    const error = Math.max(...samples.map((other) => furthest(data, other[id].data, limit)));
    const plain = Math.max(ulps * type.epsilon, type === FLOAT64 ? LEAST_RELATIVE : 0) * size;
    return {
      ...form,
      ...{ id, lengths, size },
      key: keyOf(node, kind),
      strides: strides(lengths),
      tolerance: errors * error + plain,
      hidden: isBeforeMask ? null : hiddenIn(letters, visible, parts),
    };
  });
  // Not forms: exponentials of large scores may be as large as their rounding.
  const noise = entries.filter(
    ({ role, size, tolerance }) => role === 'node' && size <= 4 * tolerance,
  );
  const floor = Math.max(Number.MIN_VALUE, ...noise.map(({ tolerance }) => tolerance));
  return { graph, config, state, type, parts, entries, visible, floor };
}

/** Adds one more form of the node of `like`, rounded as much as that is. */
export function entryAs(
  catalogue: Catalogue,
  like: Entry,
  title: string,
  { letters, data }: Lettered,
  role: Form['role'],
): void {
  const { entries, parts, visible } = catalogue;
  const lengths = lengthsOf(letters, parts.extents);
  const size = largest(data);
  const tolerance = like.tolerance * Math.max(1, size / (like.size || 1));
  const own = { title, letters, data, role, lengths, size, tolerance };
  const hidden = hiddenIn(letters, visible, parts);
  entries.push({ ...like, ...own, id: entries.length, strides: strides(lengths), hidden });
}

/** Entries of another state of the graph, of those that differ from `reference`; tolerances are the reference's. */
export function entriesFor(config: HeadConfig, state: State, reference: readonly Entry[]): Entry[] {
  // Tiles come after all other forms.
  const forms = formsOf(partsOf(config, state));
  return forms
    .flatMap((form, n): Entry[] => {
      const right = reference[n];
      const isOther = form.data.some((value, at) => {
        const off = Math.abs(value - right.data[at]);
        return off > 10 * right.tolerance || Number.isNaN(off) !== Number.isNaN(right.data[at]);
      });
      if (!isOther) return [];
      const size = largest(form.data);
      const tolerance = right.tolerance * Math.max(1, size / (right.size || 1));
      return [{ ...right, data: form.data, size, tolerance, hidden: null }];
    })
    .map((entry, id) => ({ ...entry, id }));
}

function hiddenIn(
  letters: readonly Letter[],
  visible: Lettered | null,
  { extents }: Parts,
): Uint8Array | null {
  if (!visible || !isSubset(['i', 'j'], letters)) return null;
  if (letters.some((letter) => extents[letter] === undefined)) return null;
  // Letters that the form lacks were summed away: hidden is then what no head or sequence sees.
  const shared = visible.letters.filter((letter) => letters.includes(letter));
  const any = new Uint8Array(shared.reduce((size, letter) => size * extents[letter], 1));
  const fold = offsetsIn(visible.letters, shared, extents);
  visible.data.forEach((seen, at) => {
    if (seen) any[fold[at]] = 1;
  });
  const where = offsetsIn(letters, shared, extents);
  return Uint8Array.from(where, (at) => 1 - any[at]);
}
