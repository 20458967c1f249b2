// Numbers of each query that are no node: the log-sum-exp of its scores, and delta, the sum of P dP, as kernels keep them.
import { type Letter, shapeOf } from '../../engine/axes.ts';
import { type Formula, toText } from '../../engine/formula.ts';
import { type Graph, hasNode, nodeOf } from '../../engine/graph.ts';
import { largestMagnitude, map, type Tensor, zeros } from '../../engine/tensor.ts';
import { layoutsOf } from '../align/layouts.ts';
import type { CheckInput } from '../checkInput.ts';
import type { Context, Site } from '../edits/edit.ts';
import { makeEdit } from '../edits/make.ts';
import { sayOf } from '../mistakes/family.ts';
import { computedBy, hunt } from '../mistakes/hunt.ts';
import { parsed } from '../mistakes/text.ts';
import { vocabularyOf } from '../mistakes/vocabulary.ts';
import { keyOf, type Kind, NOTHING_GIVEN, referenceProgram, State } from '../program/program.ts';
import { FLOAT64 } from '../reference/dtypes.ts';
import type { Cause, Report } from '../report.ts';
import { causesOf } from '../search/causes.ts';
import { difference, haveSameNumbers } from './judge.ts';

/** A tensor of one number for each query, in the formulas of a setup. */
interface RowSum {
  readonly kind: Kind;
  readonly names: RegExp;
  readonly what: string;
  readonly formula: string;
  /** As programs compute it. */
  readonly forms: readonly string[];
  /** What such a tensor holds rightly, too. */
  readonly also: readonly (readonly [what: string, formula: string])[];
  readonly numpy: string;
  readonly pytorch: string;
}

const ROW_SUMS: readonly RowSum[] = [
  {
    kind: 'value',
    names: /^(?:softmax_?)?(?:lse|log_?sum_?exp|L)$/i,
    what: 'the log-sum-exp of each query’s scores',
    // With sinks, too.
    formula: 'max_i(logits) - log(max_i(P))',
    forms: [
      'most = max_i(logits); most + log(sum_i(exp(logits - most)))',
      'log(sum_i(exp(logits)))',
    ],
    also: [
      [
        'the log-sum-exp of each query’s scores, in base 2',
        '(max_i(logits) - log(max_i(P))) / log(2)',
      ],
    ],
    numpy: 'm = M.max(-1); L = m + np.log(np.exp(M - m[..., None]).sum(-1))',
    pytorch: 'L = torch.logsumexp(M, -1)',
  },
  {
    kind: 'gradient',
    names: /^(?:softmax_?d|delta|D|di|d_?i|row_?dot|dot_?do_?o)$/i,
    what: 'the sum of P dP of each query',
    formula: 'sum_i(P * dP)',
    forms: ['sum_i(P * dP)'],
    also: [],
    numpy: 'D = (P * dP).sum(-1)  # or (O * dO).sum(-1)',
    pytorch: 'D = (P * dP).sum(-1)  # or (O * dO).sum(-1)',
  },
];

/** Such names stand for other things as well, l for the sum whose logarithm L is taken of. */
const SHORT = /^..?$/;
const DENOMINATORS = [
  ['the denominator of each query’s softmax', '1 / max_i(P) * exp(max_i(logits))'],
  ['the denominator of each query’s softmax, the maximum subtracted', '1 / max_i(P)'],
] as const;

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
  const rows = new Rows({ config, graph, type: FLOAT64, state }, ALLOWED[report.dtype] ?? COARSE);
  return named.reduce((own, { name }) => {
    const tensor = trace.find((each) => each.name === name)?.tensor;
    const sum = ROW_SUMS.find(({ names }) => names.test(name));
    return tensor && sum ? rows.judged(own, name, sum, tensor) : own;
  }, report);
}

/** Whether the weights are one matrix of queries and keys for each head. */
const isOneMatrix = (graph: Graph): boolean =>
  hasNode(graph, 'P') && nodeOf(graph, 'P').axes.some((axis) => axis.join() === 'j');

class Rows {
  readonly #context: Context;
  readonly #share: number;
  readonly #axes: readonly (readonly Letter[])[];

  constructor(context: Context, share: number) {
    [this.#context, this.#share] = [context, share];
    this.#axes = nodeOf(context.graph, 'P').axes.filter((axis) => axis.join() !== 'i');
  }

  judged(report: Report, name: string, sum: RowSum, tensor: Tensor): Report {
    const { extents } = this.#context.graph;
    const right = this.#computed(sum, sum.formula)!;
    // A query that sees no key has none.
    const counting = (rows: Tensor): Tensor =>
      map(rows, (value, at) => (Number.isFinite(right.data[at]) ? value : 0));
    const layouts = layoutsOf(tensor.shape, this.#axes, extents).flatMap((layout) => {
      const rows = layout.undo(tensor, sum.kind);
      return rows ? [{ words: layout.words, own: counting(rows) }] : [];
    });
    const known = [
      [sum.what, sum.formula] as const,
      ...sum.also,
      ...(SHORT.test(name) ? DENOMINATORS : []),
    ];
    for (const [what, text] of known) {
      const due = counting(this.#computed(sum, text)!);
      const layout = layouts.find(({ own }) => this.#isNear(own, due));
      if (layout) return withRight(report, name, what, layout.words);
    }
    if (layouts.length === 0) return report;
    return this.#wrong(report, name, sum, layouts[0].own, counting(right));
  }

  #isNear(own: Tensor, due: Tensor): boolean {
    return difference(own, due).maxAbs <= this.#share * largestMagnitude(due);
  }

  #wrong(report: Report, name: string, sum: RowSum, own: Tensor, right: Tensor): Report {
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
    const causes = this.#causes(name, sum, own, right);
    if (causes.length === 0 && (first || SHORT.test(name))) return { ...report, unaligned };
    const isMoved =
      causes.length === 0 && haveSameNumbers(own, right, 1e-6 * largestMagnitude(right));
    const note = `${name} is ${off}${isMoved ? '; its numbers are right, but of other queries' : ''}`;
    const nodes = report.nodes.map((each) =>
      each.node === 'P' && each.kind === kind
        ? { ...each, status: 'diverges' as const, maxAbs, tolerance: each.tolerance ?? 0, note }
        : each,
    );
    return { ...report, nodes, unaligned, causes, verdict: 'diverges', first: { node: 'P', kind } };
  }

  /** The formula that made the person's rows, where there is one. */
  #causes(name: string, sum: RowSum, own: Tensor, right: Tensor): Cause[] {
    const site = this.#site(sum, own, right);
    const forms = sum.forms.flatMap((text): Formula[] => {
      const formula = parsed(text, vocabularyOf(this.#context));
      return formula && this.#isNear(computedBy(site, formula), right) ? [formula] : [];
    });
    const [mistake] = forms
      .flatMap((form) => hunt(site, false, form))
      .sort((a, b) => a.cost - b.cost);
    if (!mistake) return [];
    const say = { ...sayOf(site, mistake, name, forms[0]), numpy: sum.numpy, pytorch: sum.pytorch };
    const why = `${name} is ${sum.what}; here it is ${toText(mistake.formula)}.`;
    const edit = makeEdit(site, 'P', sum.kind, { ...say, why }, (program) => program);
    return causesOf({ edits: [edit], residual: this.#share, runnerUp: null, others: [] });
  }

  #computed(sum: RowSum, text: string): Tensor | null {
    const formula = parsed(text, vocabularyOf(this.#context));
    return formula && computedBy(this.#site(sum), formula);
  }

  /** As if the rows were a node. */
  #site({ kind, what }: RowSum, user = zeros([]), predicted = zeros([])): Site {
    const { graph } = this.#context;
    const shape = shapeOf(this.#axes, graph.extents);
    return {
      ...this.#context,
      node: { ...nodeOf(graph, 'P'), id: what, axes: this.#axes, shape },
      ...{ kind, ratio: null, deviation: 1, precision: this.#share },
      goal: { key: keyOf('P', kind), user, look: (each) => each },
      target: { user, predicted },
    };
  }
}

function withRight(report: Report, name: string, what: string, words: string): Report {
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
