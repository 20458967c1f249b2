// The step itself in detail: the formula, the terms behind the selected entry, the accumulator.
import { type Binding, bindingAt } from '../engine/axes.ts';
import { toText } from '../engine/formula.ts';
import { toMath } from '../engine/mathml.ts';
import { type NodeId, nodeOf } from '../engine/graph.ts';
import { pathShares, pathWords } from '../engine/paths.ts';
import { accumulator, type Contribution, type Run } from '../engine/run.ts';
import { gradientTerms, operationOf, valueTerms } from '../engine/terms.ts';
import { indexOf, type Tensor } from '../engine/tensor.ts';
import { bindOperand, entryOffset, entryText } from './entry.ts';
import { detail, gradientRange } from './nodePicture.ts';
import type { Picture } from './picture.ts';
import type { AccumulationView, PathView, TermsView, ViewOptions } from './stepView.ts';
import { workedView } from './worked.ts';
import { contributionAt, type Position, type Timeline } from './timeline.ts';

/** Terms behind the selected entry: what the walk's term level runs over. */
export function termCountAt(
  run: Run,
  timeline: Timeline,
  step: number,
  contribution: number | null,
  selection: Binding,
): number {
  const { phase, node } = timeline.steps[step];
  if (node === null) return 0;
  if (phase === 'forward') {
    return valueTerms(run, node, entryOffset(run, nodeOf(run.graph, node), selection))?.length ?? 0;
  }
  const current = contributionAt(timeline, { step, contribution, term: null });
  if (!current) return 0;
  return gradientTerms(run, current, entryOffset(run, nodeOf(run.graph, current.to), selection))
    .terms.length;
}

/** "y passes its gradient on to x (as value) and P (through the weights)." */
export function passingOn(contributions: readonly Contribution[]): string {
  const targets = contributions.map(({ to, path }) => `${to} (${pathWords[path]})`);
  const last = targets.pop();
  const list = targets.length === 0 ? last : `${targets.join(', ')} and ${last}`;
  return `${contributions[0].from} passes its gradient on to ${list}.`;
}

export function backwardView(
  run: Run,
  position: Position,
  current: Contribution,
  options: ViewOptions,
) {
  const node = nodeOf(run.graph, current.to);
  const source = operationOf(run.graph, current.from);
  const offset = entryOffset(run, node, options.selection);
  const { before, after } = accumulator(run.contributions, current.index);
  const all = run.contributions.filter(({ to }) => to === current.to);
  const ordinal = all.findIndex(({ index }) => index === current.index) + 1;
  const names = { output: source.id, inputs: source.inputs };
  const formula = source.operation.formula(names).backward[current.slot];
  const writing = {
    binding: bindOperand(formula, node, offset, options.selection, run),
    extents: run.graph.extents,
  };
  const { terms, omitted, total } = gradientTerms(run, current, offset);
  const target = entryText(current.to, indexOf(node.shape, offset));
  const range = gradientRange(run, node.id);
  const show = (value: Tensor): Picture => detail(run, node, value, options, range);
  const accumulation: AccumulationView = {
    before: before && show(before),
    contribution: show(current.value),
    after: show(after),
    entry: {
      before: before?.data[offset] ?? 0,
      contribution: current.value.data[offset],
      after: after.data[offset],
    },
    ordinal,
    of: all.length,
    path: current.path,
  };
  const termsView: TermsView = {
    terms: terms.map(({ output, upstream, partial, product, zero }) => {
      const from = entryText(current.from, output);
      return {
        label: `d${from} · ∂${from}/∂${target}`,
        factors: [upstream, partial],
        product,
        zero,
      };
    }),
    omitted,
    total,
    current: position.term,
  };
  const paths = pathShares(run, current.to).map(({ contribution, share }): PathView => ({
    path: contribution.path,
    from: contribution.from,
    share,
    entry: contribution.value.data[offset],
    arrived: contribution.index <= current.index,
  }));
  return {
    focus: { node: current.to, kind: 'gradient' as const, index: indexOf(node.shape, offset) },
    formula: {
      general: toMath(formula),
      bound: toMath(formula, writing),
      text: toText(formula, writing),
    },
    accumulation,
    terms: termsView,
    // What f's gradient is made of is what f is made of.
    worked: current.from === 'f' ? workedView(run, 'f', options.selection) : null,
    paths,
  };
}

export function forwardView(run: Run, position: Position, id: NodeId, options: ViewOptions) {
  const node = operationOf(run.graph, id);
  const value = run.values.get(id)!;
  const offset = entryOffset(run, node, options.selection);
  const { forward: formula } = node.operation.formula({ output: id, inputs: node.inputs });
  const writing = {
    binding: { ...options.selection, ...bindingAt(node.axes, run.graph.extents, offset) },
    extents: run.graph.extents,
  };
  const terms = valueTerms(run, id, offset);
  return {
    focus: { node: id, kind: 'value' as const, index: indexOf(node.shape, offset) },
    formula: {
      general: toMath(formula),
      bound: toMath(formula, writing),
      text: toText(formula, writing),
    },
    value: { picture: detail(run, node, value, options), entry: value.data[offset] },
    terms: terms && {
      terms: terms.map(({ factors, product }) => ({
        label: factors.map((factor) => entryText(factor.node, factor.index)).join(' · '),
        factors: factors.map((factor) => factor.value),
        product,
        zero: product === 0 ? ('value' as const) : null,
      })),
      omitted: 0,
      total: terms.reduce((sum, { product }) => sum + product, 0),
      current: position.term,
    },
    worked: workedView(run, id, options.selection),
    sentence: [node.operation.summary, node.operation.remark?.(offset) ?? ''].join(' ').trim(),
  };
}
