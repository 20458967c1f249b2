// Why the first wrong statement is wrong: the search that compares traces, on what it was computed from and its result.
import { check } from '../../compare/check.ts';
import { type Key, keyOf } from '../../compare/program/program.ts';
import type { Cause } from '../../compare/report.ts';
import { isDType } from '../../formats/dtype.ts';
import type { NamedTensor } from '../../formats/namedTensor.ts';
import { resolveName } from '../../formats/nodeNames.ts';
import { sizeOf } from '../../engine/tensor.ts';
import type { Catalogue } from '../align/catalogue.ts';
import { ancestorsOf } from '../localise/goals.ts';
import type { Localised } from '../localise/localise.ts';
import type { Recording } from '../recorded/recording.ts';

/** Causes of the first mistake, best first; none where its tensor is only a part of a node, or nothing explains it. */
export function causesOf(
  recording: Recording,
  { config, graph, state, type }: Catalogue,
  { wrong, covered }: Localised,
): readonly Cause[] {
  const [first] = wrong;
  if (!first?.node || first.kind === 'other') return [];
  const node = graph.nodes.find(({ id }) => id === first.node);
  const tensor = recording.tensor(first.event);
  if (!node || !tensor || tensor.data.length !== sizeOf(node.shape)) return [];
  const key = keyOf(node.id, first.kind);
  const dtype = isDType(type.name) ? type.name : 'float64';
  const name = (each: Key): string => (each.startsWith('v:') ? each.slice(2) : `d${each.slice(2)}`);
  const trace: NamedTensor[] = [];
  for (const each of ancestorsOf(graph).get(key) ?? []) {
    if (each === key || !covered.has(each)) continue;
    const { shape, data } = state.predict(each);
    trace.push({
      name: name(each),
      dtype,
      tensor: { shape, data: data.map((value) => type.round(value)) },
    });
  }
  trace.push({ name: name(key), dtype, tensor });
  const names = {};
  const { causes } = check({ config, graph, trace, names, resolve: resolveName });
  return causes.filter(({ node: at, kind }) => keyOf(at, kind) === key);
}
