// Numbers of each query that are no node: the log-sum-exp of its scores, and delta, the sum of P dP, as kernels keep them.
import type { Letter } from '../../engine/axes.ts';
import { type Formula, toText } from '../../engine/formula.ts';
import { type Graph, hasNode, nodeOf, type OperationNode } from '../../engine/graph.ts';
import { largestMagnitude, map, type Tensor } from '../../engine/tensor.ts';
import { type Layout, layoutsOf } from '../align/layouts.ts';
import type { CheckInput } from '../checkInput.ts';
import { type Context, roles, type Site } from '../edits/edit.ts';
import { makeEdit } from '../edits/make.ts';
import { sayOf } from '../mistakes/family.ts';
import { computedBy, hunt } from '../mistakes/hunt.ts';
import { parsed } from '../mistakes/text.ts';
import { vocabularyOf } from '../mistakes/vocabulary.ts';
import { type Kind, NOTHING_GIVEN, referenceProgram, State } from '../program/program.ts';
import { FLOAT64 } from '../reference/dtypes.ts';
import type { Cause, Report } from '../report.ts';
import { causesOf } from '../search/causes.ts';
import { difference } from './judge.ts';

interface RowSum {
  readonly kind: Kind;
  readonly names: RegExp;
  readonly what: string;
  /** As programs compute it, each in the formulas of a setup. */
  readonly forms: readonly string[];
  /** What stands for it rightly, as a factor. */
  readonly units: readonly (readonly [factor: number, words: string])[];
  readonly numpy: string;
  readonly pytorch: string;
}

const ROW_SUMS: readonly RowSum[] = [
  {
    kind: 'value',
    names: /^(?:softmax_?)?(?:lse|log_?sum_?exp|L)$/i,
    what: 'the log-sum-exp of each query’s scores',
    forms: [
      'most = max_i(logits); most + log(sum_i(exp(logits - most)))',
      'log(sum_i(exp(logits)))',
    ],
    units: [
      [1, ''],
      [1 / Math.LN2, ', in base 2'],
    ],
    numpy: 'm = M.max(-1); L = m + np.log(np.exp(M - m[..., None]).sum(-1))',
    pytorch: 'L = torch.logsumexp(M, -1)',
  },
  {
    kind: 'gradient',
    names: /^(?:softmax_?d|delta|D|di|d_?i|row_?dot|dot_?do_?o)$/i,
    what: 'the sum of P dP of each query',
    forms: ['sum_i(P * dP)'],
    units: [[1, '']],
    numpy: 'D = (P * dP).sum(-1)  # or (O * dO).sum(-1)',
    pytorch: 'D = (P * dP).sum(-1)  # or (O * dO).sum(-1)',
  },
];

/** Whether a tensor is called so. */
export const isRowSum = (name: string): boolean => ROW_SUMS.some(({ names }) => names.test(name));

/** Largest share of rounding in such numbers, by the type that the trace is of. */
const ALLOWED: Readonly<Record<string, number>> = { float64: 1e-9, float32: 2e-4 };
const COARSE = 5e-2;

/** The report with what its trace holds of these: right ones are said to be, a wrong one is the first where nothing is before it. */
export function withRowSums(report: Report, input: CheckInput): Report {
  const { config, graph, trace, computed } = input;
  const named = report.unaligned.filter(({ name }) => isRowSum(name));
  if (named.length === 0 || !isOneMatrix(graph)) return report;
  const known = computed?.graph === graph ? computed : NOTHING_GIVEN;
  const state = new State(referenceProgram(graph), known);
  const context: Context = { config, graph, type: FLOAT64, state };
  const share = ALLOWED[report.dtype] ?? COARSE;
  return named.reduce((own, { name }) => {
    const tensor = trace.find((each) => each.name === name)?.tensor;
    const sum = ROW_SUMS.find(({ names }) => names.test(name));
    return tensor && sum ? withOne(own, { name, tensor, sum, share, context }) : own;
  }, report);
}

interface Given {
  readonly name: string;
  readonly tensor: Tensor;
  readonly sum: RowSum;
  readonly share: number;
  readonly context: Context;
}

function withOne(report: Report, given: Given): Report {
  const { name, tensor, sum, share, context } = given;
  const { graph } = context;
  const right = rightRows(context, sum.kind);
  const layouts = layoutsOf(tensor.shape, rowAxes(graph), graph.extents);
  const read = layouts.flatMap((layout) => {
    const own = layout.undo(tensor, sum.kind);
    return own ? [{ layout, own }] : [];
  });
  for (const { layout, own } of read) {
    const unit = sum.units.find(([factor]) => isNear(own, right, factor, share));
    if (unit) return withRight(report, name, `${sum.what}${unit[1]}`, layout);
  }
  return read.length === 0 ? report : withWrong(report, given, right, read[0].own);
}

function isNear(own: Tensor, right: Tensor, factor: number, share: number): boolean {
  const due = map(right, (value) => factor * value);
  return difference(own, due).maxAbs <= share * largestMagnitude(due);
}

function withRight(report: Report, name: string, what: string, { words }: Layout): Report {
  const { unaligned, conventions, verdict, compared } = report;
  const order = words === '' ? '' : `, ${words}`;
  return {
    ...report,
    verdict: verdict === 'unaligned' ? 'match' : verdict,
    compared: compared + 1,
    conventions: [...conventions, `${name} is right: ${what}${order}.`],
    unaligned: unaligned.filter((each) => each.name !== name),
  };
}

function withWrong(report: Report, given: Given, right: Tensor, own: Tensor): Report {
  const { name, sum } = given;
  const { kind, what } = sum;
  const { maxAbs } = difference(own, right);
  const off = `off by ${maxAbs.toExponential(1)} as ${what}`;
  const unaligned = report.unaligned.map((each) =>
    each.name === name ? { ...each, reason: off } : each,
  );
  const { first } = report;
  // What follows from a wrong tensor before it.
  if (first?.kind === 'value' || (first && report.causes.length > 0))
    return { ...report, unaligned };
  const causes = causeOf(given, right, own);
  if (first && causes.length === 0) return { ...report, unaligned };
  const note = `${name} is ${off}${causes.length === 0 && isMoved(own, right) ? '; its numbers are right, but of other queries' : ''}`;
  const nodes = report.nodes.map((each) =>
    each.node === 'P' && each.kind === kind
      ? { ...each, status: 'diverges' as const, maxAbs, tolerance: each.tolerance ?? 0, note }
      : each,
  );
  return { ...report, nodes, unaligned, causes, verdict: 'diverges', first: { node: 'P', kind } };
}

function isMoved(own: Tensor, right: Tensor): boolean {
  const [a, b] = [own.data.slice().sort(), right.data.slice().sort()];
  const most = 1e-6 * largestMagnitude(right);
  return a.every((value, n) => Math.abs(value - b[n]) <= most);
}

/** The formula that made the person's rows, where there is one. */
function causeOf({ name, sum, share, context }: Given, right: Tensor, own: Tensor): Cause[] {
  const { graph } = context;
  const { kind } = sum;
  const axes = rowAxes(graph);
  const site: Site = {
    ...context,
    node: { ...nodeOf(graph, 'P'), id: name, axes, shape: right.shape },
    ...{ kind, ratio: null, deviation: 1, precision: share },
    goal: { key: kind === 'value' ? 'v:P' : 'g:P', user: own, look: (each) => each },
    target: { user: own, predicted: right },
  };
  const vocabulary = vocabularyOf(context);
  const forms = sum.forms.flatMap((text): Formula[] => {
    const formula = parsed(text, vocabulary);
    // Sinks are in the denominator too.
    return formula && isNear(computedBy(site, formula), right, 1, 1e-6) ? [formula] : [];
  });
  const found = forms
    .flatMap((form) => hunt(site, form))
    .sort((a, b) => a.slips.length - b.slips.length || a.cost - b.cost);
  if (found.length === 0) return [];
  const [mistake] = found;
  const say = { ...sayOf(site, mistake, name, forms[0]), numpy: sum.numpy, pytorch: sum.pytorch };
  const why = `${name} is ${sum.what}; here it is ${toText(mistake.formula)}.`;
  const edit = makeEdit(context, 'P', kind, { ...say, why }, (program) => program);
  const residual = share;
  return causesOf({ edits: [edit], residual, runnerUp: null, others: [] });
}

/** Whether the weights are one matrix of queries and keys for each head. */
function isOneMatrix(graph: Graph): boolean {
  return hasNode(graph, 'P') && nodeOf(graph, 'P').axes.some((axis) => axis.join() === 'j');
}

const rowAxes = (graph: Graph): readonly (readonly Letter[])[] =>
  nodeOf(graph, 'P').axes.filter((axis) => axis.join() !== 'i');

/** Of all rows of the weights, in their order. */
function rightRows({ graph, state }: Context, kind: Kind): Tensor {
  const P = state.value('P');
  const other = kind === 'value' ? state.value(roles(graph).logits) : state.gradient('P');
  const { axes, shape } = nodeOf(graph, 'P') as OperationNode;
  const axis = axes.findIndex((each) => each.join() === 'i');
  const step = shape.slice(axis + 1).reduce((a, b) => a * b, 1);
  const length = shape[axis];
  const data = Float64Array.from({ length: P.data.length / length }, (_, row) => {
    const start = Math.floor(row / step) * step * length + (row % step);
    let [most, total] = [start, 0];
    for (let n = 0; n < length; n++) {
      const at = start + n * step;
      if (P.data[at] > P.data[most]) most = at;
      total += P.data[at] * other.data[at];
    }
    return kind === 'gradient' ? total : other.data[most] - Math.log(P.data[most]);
  });
  return { shape: shape.filter((_, n) => n !== axis), data };
}
