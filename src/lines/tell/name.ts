// Why the first wrong statement is wrong: the search that compares traces, on what it was computed from and its result.
import { check } from '../../compare/check.ts';
import type { Thoroughness } from '../../compare/checkInput.ts';
import { type Key, keyOf, type Kind } from '../../compare/program/program.ts';
import type { Cause, Report } from '../../compare/report.ts';
import { isDType } from '../../formats/dtype.ts';
import type { NamedTensor } from '../../formats/namedTensor.ts';
import { resolveName } from '../../formats/nodeNames.ts';
import { nodeOf } from '../../engine/graph.ts';
import { sizeOf } from '../../engine/tensor.ts';
import type { Catalogue } from '../align/catalogue.ts';
import { ancestorsOf } from '../localise/goals.ts';
import type { Localised } from '../localise/localise.ts';
import type { Recording } from '../recorded/recording.ts';
import { type Reading, readingsOf } from './readings.ts';

/** How thoroughly a cause is looked for: the known mistakes, all of one step, or two mistakes at once. */
const EFFORTS = {
  known: { isBrief: true, inPairs: false },
  single: { isBrief: false, inPairs: false },
  pairs: { isBrief: false, inPairs: true },
};
type Effort = keyof typeof EFFORTS;

/** Readings that known mistakes are tried in, of problems of so many entries and of larger ones; and all mistakes. */
const LARGE = 200_000;
const MOST_READINGS = 8;
const MOST_OF_LARGE = 3;
const MOST_SEARCHED = 2;
/** Nothing beyond the known mistakes is begun after so much work of the searches: some seconds. */
const MOST_WORK = 6e8;

/** Of what is added up or divided between several passes or steps: no single statement does that. */
const OF_SEVERAL_PASSES = /^gradients-(not-zeroed|of-inputs-scaled)$/;

const isValue = (key: Key): boolean => key.startsWith('v:');
const nameOf = (key: Key): string => `${isValue(key) ? '' : 'd'}${key.slice(2)}`;

/** Why the first mistake is one. */
export interface Explanation {
  /** Best first; empty where nothing explains it. */
  readonly causes: readonly Cause[];
  /** What is known where nothing does; else ''. */
  readonly known: string;
  /** The mistakes, the first at the node at which it was explained. */
  readonly wrong: Localised['wrong'];
}

/**
 * Which node a wrong tensor was to be is not sure: the reading counts in which one mistake explains it. What is no node
 * itself, such as the sum of a row, is explained by what was computed from it.
 */
export function explain(
  recording: Recording,
  catalogue: Catalogue,
  localised: Localised,
): Explanation {
  const { wrong } = localised;
  const [first, ...rest] = wrong;
  if (!first) return { causes: [], known: '', wrong };
  const { own, later } = readingsOf(recording, catalogue, localised, first);
  const explained = (reading: Reading, causes: readonly Cause[]): Explanation => {
    const isOwn = own.includes(reading);
    const size = sizeOf(nodeOf(catalogue.graph, causes[0].node).shape);
    const isAsLarge = size === reading.tensor.data.length;
    const { node, kind } = isOwn && !isAsLarge ? readAs(reading) : causes[0];
    const isThere = isOwn || first.node === null || first.kind !== kind;
    return { causes, known: '', wrong: isThere ? [{ ...first, node, kind }, ...rest] : wrong };
  };
  const entries = catalogue.graph.nodes.reduce((sum, { shape }) => sum + sizeOf(shape), 0);
  const readings = [...own, ...later].slice(0, entries > LARGE ? MOST_OF_LARGE : MOST_READINGS);
  const [best] = own;
  let known = '';
  const meter = { work: 0 };
  const searched = (reading: Reading, effort: Effort): readonly Cause[] => {
    if (effort !== 'known' && meter.work > MOST_WORK) return [];
    const report = reportOf(recording, catalogue, localised, reading, {
      ...EFFORTS[effort],
      meter,
    });
    const { node, kind } = readAs(reading);
    const told = report.nodes.find((each) => each.node === node && each.kind === kind);
    if (reading === best && report.causes.length === 0 && told) known = told.note;
    return report.causes;
  };
  const inOrder: (readonly [readonly Reading[], Effort])[] = [
    [readings, 'known'],
    [readings.slice(0, MOST_SEARCHED), 'single'],
  ];
  for (const [some, effort] of inOrder)
    for (const reading of some) {
      const causes = searched(reading, effort);
      if (causes.length === 1) return explained(reading, causes);
    }
  const causes = best ? searched(best, 'pairs') : [];
  // Two mistakes of different steps may as well be one of a step between: the tensor is then another than it is read as.
  const isOneStep = causes.every(({ node, kind }) => keyOf(node, kind) === best.key);
  return causes.length > 0 && isOneStep ? explained(best, causes) : { causes: [], known, wrong };
}

const readAs = ({ key }: Reading): { node: string; kind: Kind } => ({
  node: key.slice(2),
  kind: isValue(key) ? 'value' : 'gradient',
});

/** A tensor beside what is right before it. */
function reportOf(
  recording: Recording,
  { config, graph, state, type }: Catalogue,
  { covered }: Localised,
  { event, key, tensor }: Reading,
  effort: Thoroughness,
): Report {
  const dtype = isDType(type.name) ? type.name : 'float64';
  const trace: NamedTensor[] = [];
  for (const each of ancestorsOf(graph).get(key) ?? []) {
    if (each === key || !covered.has(each)) continue;
    const { shape, data } = state.predict(each);
    trace.push({
      name: nameOf(each),
      dtype,
      tensor: { shape, data: data.map((value) => type.round(value)) },
    });
  }
  trace.push({ name: nameOf(key), dtype, tensor });
  const { how, statement } = recording.events[event];
  const isSum = how === 'gradient' || how === 'leaf';
  const isAdded = recording.statements[statement].kind === 'augmented';
  return check({
    ...{ config, graph, trace, names: {}, resolve: resolveName },
    effort,
    isExcluded: (id) => !isSum && !isAdded && OF_SEVERAL_PASSES.test(id),
  });
}
