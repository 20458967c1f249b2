// Numbers of each query that are no node: the log-sum-exp of its scores, and delta, the sum of P dP, as kernels keep them.
import { hasNode, operationNodes } from '../../engine/graph.ts';
import type { Run } from '../../engine/run.ts';
import type { Tensor } from '../../engine/tensor.ts';
import type { NamedTensor } from '../../formats/namedTensor.ts';
import type { Report } from '../report.ts';
import { haveSameNumbers } from '../align/unpacked.ts';

const LSE = /^(?:softmax_?)?(?:lse|log_?sum_?exp|L)$/i;
const DELTA = /^(?:softmax_?d|delta|D|di|d_?i|row_?dot|dot_?do_?o)$/i;

/** Whether a tensor is called so. */
export const isRowSum = (name: string): boolean => LSE.test(name) || DELTA.test(name);

interface Sum {
  readonly kind: 'value' | 'gradient';
  readonly what: string;
  readonly data: Float64Array;
}

/** Largest share of rounding in such numbers, by the type that the trace is of. */
const ALLOWED: Readonly<Record<string, number>> = { float64: 1e-9, float32: 2e-4 };
const COARSE = 5e-2;

/** The report with what its trace holds of these: right ones are said to be, a wrong one is the first where nothing is before it. */
export function withRowSums(
  report: Report,
  trace: readonly NamedTensor[],
  run: Run | null,
): Report {
  const known = run && sumsOf(run);
  if (!known) return report;
  let own = report;
  for (const { name } of report.unaligned) {
    const tensor = trace.find((each) => each.name === name)?.tensor;
    const sums = LSE.test(name) ? known.lse : DELTA.test(name) ? known.delta : [];
    if (!tensor || tensor.data.length !== sums[0]?.data.length) continue;
    const share = ALLOWED[report.dtype] ?? COARSE;
    const right = sums.find(({ data }) =>
      haveSameNumbers(tensor, { shape: tensor.shape, data }, share),
    );
    own = right ? withRight(own, name, right) : withWrong(own, name, sums[0], tensor);
  }
  return own;
}

function withRight(report: Report, name: string, { what }: Sum): Report {
  const { unaligned, conventions, verdict, compared } = report;
  return {
    ...report,
    verdict: verdict === 'unaligned' ? 'match' : verdict,
    compared: compared + 1,
    conventions: [...conventions, `${name} is right: ${what}.`],
    unaligned: unaligned.filter((each) => each.name !== name),
  };
}

function withWrong(
  report: Report,
  name: string,
  { kind, what, data }: Sum,
  tensor: Tensor,
): Report {
  const maxAbs = tensor.data.reduce(
    (most, value, n) => Math.max(most, Math.abs(value - data[n])),
    0,
  );
  const note = `${name} is off by ${maxAbs.toExponential(1)} as ${what}`;
  const unaligned = report.unaligned.map((each) =>
    each.name === name ? { ...each, reason: `off by ${maxAbs.toExponential(1)} as ${what}` } : each,
  );
  if (report.first) return { ...report, unaligned };
  const nodes = report.nodes.map((each) =>
    each.node === 'P' && each.kind === kind
      ? { ...each, status: 'diverges' as const, maxAbs, tolerance: each.tolerance ?? 0, note }
      : each,
  );
  return { ...report, nodes, unaligned, verdict: 'diverges', first: { node: 'P', kind } };
}

/** Both of all rows of the weights, in the order of the rows; null where the run keeps no weights. */
function sumsOf({ graph, values, gradients }: Run): { lse: Sum[]; delta: Sum[] } | null {
  const P = values.get('P');
  const node = operationNodes(graph).find(({ id }) => id === 'P');
  const scores = node && values.get(node.inputs[0]);
  if (!P || !scores || !hasNode(graph, 'P')) return null;
  const dP = gradients.get('P');
  const letters = node.axes.flat();
  const steps = node.axes.map((_, n) => node.shape.slice(n + 1).reduce((a, b) => a * b, 1));
  const axis = node.axes.findIndex((each) => each.includes('i'));
  if (axis < 0 || !letters.includes('j')) return null;
  const [length, step] = [node.shape[axis], steps[axis]];
  const rows = P.data.length / length;
  const lse = new Float64Array(rows);
  const delta = new Float64Array(rows);
  for (let row = 0; row < rows; row++) {
    const start = Math.floor(row / step) * step * length + (row % step);
    let most = start;
    for (let n = 0; n < length; n++) {
      const at = start + n * step;
      if (P.data[at] > P.data[most]) most = at;
      delta[row] += P.data[at] * (dP?.data[at] ?? 0);
    }
    lse[row] = scores.data[most] - Math.log(P.data[most]);
  }
  const what = 'the log-sum-exp of each query’s scores';
  const base = lse.map((value) => value / Math.LN2);
  return {
    lse: [
      { kind: 'value', what, data: lse },
      { kind: 'value', what: `${what}, in base 2`, data: base },
    ],
    delta: dP ? [{ kind: 'gradient', what: 'the sum of P dP of each query', data: delta }] : [],
  };
}
