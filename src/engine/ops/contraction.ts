// Contraction: every product of attention (projections, scores, weighted sums) is one, named by its letters.
import {
  bindingAt,
  letterStrides,
  offsetAt,
  offsetTable,
  parseSpec,
  shapeOf,
  type AxisLetters,
  type Binding,
  type Extents,
  type Letter,
} from '../axes.ts';
import { accumulates, equals, plus, product, sum, symbol } from '../formula.ts';
import { gemm } from '../gemm/gemm.ts';
import type { Operation } from '../operation.ts';
import { multiplyAll } from '../parallel.ts';
import { blank, type Tensor, zeros } from '../tensor.ts';

type Axes = readonly AxisLetters[];

/** Where the entries of a product's two operands and of its result are: offsets by batch, row, column and summand. */
interface Plan {
  readonly shape: readonly number[];
  readonly batch: readonly Int32Array[];
  readonly rows: readonly Int32Array[];
  readonly cols: readonly Int32Array[];
  readonly summed: readonly Int32Array[];
}

/** Every letter stands in at least two of the three. */
function planOf(leftAxes: Axes, rightAxes: Axes, outAxes: Axes, extents: Extents): Plan {
  const strides = [leftAxes, rightAxes, outAxes].map((axes) => letterStrides(axes, extents));
  const [inLeft, inRight, inOut] = strides;
  const letters = [...new Set([...leftAxes.flat(), ...rightAxes.flat()])];
  const tables = (l: boolean, r: boolean, o: boolean): Int32Array[] => {
    const group = letters.filter(
      (letter) => inLeft.has(letter) === l && inRight.has(letter) === r && inOut.has(letter) === o,
    );
    return strides.map((stride) => offsetTable(group, stride, extents));
  };
  return {
    shape: shapeOf(outAxes, extents),
    batch: tables(true, true, true),
    rows: tables(true, false, true),
    cols: tables(false, true, true),
    summed: tables(true, true, false),
  };
}

function multiply(plan: Plan, left: Tensor, right: Tensor): Tensor {
  const [batchLeft, batchRight, batchOut] = plan.batch;
  const [rowLeft, , rowOut] = plan.rows;
  const [, colRight, colOut] = plan.cols;
  const [sumLeft, sumRight] = plan.summed;
  // Each of its entries is in one product: all are written.
  const out = blank(plan.shape);
  const matrices = [
    { data: left.data, base: 0, rows: rowLeft, cols: sumLeft },
    { data: right.data, base: 0, rows: sumRight, cols: colRight },
    { data: out.data, base: 0, rows: rowOut, cols: colOut },
  ] as const;
  const bases = [batchLeft, batchRight, batchOut] as const;
  if (multiplyAll(matrices, bases)) return out;
  for (let each = 0; each < batchOut.length; each++) {
    const [a, b, c] = matrices.map((own, n) => ({ ...own, base: bases[n][each] }));
    gemm(a, b, c);
  }
  return out;
}

/**
 * Sums left * right over the letters that `out` lacks, as matrix products.
 * Every letter stands in at least two of the three.
 */
export const contract = (
  left: Tensor,
  leftAxes: Axes,
  right: Tensor,
  rightAxes: Axes,
  outAxes: Axes,
  extents: Extents,
): Tensor => multiply(planOf(leftAxes, rightAxes, outAxes, extents), left, right);

/** Sums over the letters that `outAxes` lacks: a bias's gradient. */
function reduce(source: Tensor, axes: Axes, outAxes: Axes, extents: Extents): Tensor {
  const stride = letterStrides(axes, extents);
  const kept = offsetTable(outAxes.flat(), stride, extents);
  const summed = offsetTable(
    axes.flat().filter((letter) => !outAxes.flat().includes(letter)),
    stride,
    extents,
  );
  const out = zeros(shapeOf(outAxes, extents));
  for (let at = 0; at < kept.length; at++) {
    let total = 0;
    for (const offset of summed) total += source.data[kept[at] + offset];
    out.data[at] = total;
  }
  return out;
}

/** Broadcasts a bias along the axes it lacks and adds it to `target`, in place. */
function addBias(target: Tensor, axes: Axes, bias: Tensor, biasAxes: Axes, extents: Extents): void {
  const stride = letterStrides(axes, extents);
  const own = offsetTable(biasAxes.flat(), stride, extents);
  const rest = offsetTable(
    axes.flat().filter((letter) => !biasAxes.flat().includes(letter)),
    stride,
    extents,
  );
  for (const base of rest) {
    for (let at = 0; at < own.length; at++) target.data[base + own[at]] += bias.data[at];
  }
}

/** Operands swap roles in the backward pass: the gradient of one is the upstream contracted with the other. */
const otherSlot = (slot: number): number => 1 - slot;

/** Letters of `letters`, each run over all its values. */
function* runs(letters: readonly Letter[], extents: Extents, start: Binding): Generator<Binding> {
  if (letters.length === 0) {
    yield start;
    return;
  }
  const [first, ...rest] = letters;
  for (let value = 0; value < extents[first]; value++) {
    yield* runs(rest, extents, { ...start, [first]: value });
  }
}

/**
 * out = sum of left * right over the letters missing in out, plus a bias where the spec names a third operand:
 * contraction('i c, c a, a -> i a', extents, '...') is K = x W_K + b_K.
 */
export function contraction(spec: string, extents: Extents, summary: string): Operation {
  const axes = parseSpec(spec);
  const operands = axes.slice(0, -1);
  const out = axes[axes.length - 1];
  const outLetters = out.flat();
  const summed = [...new Set(operands.flat(2))].filter((letter) => !outLetters.includes(letter));
  const missing = (letters: readonly Letter[], from: Axes): Letter[] =>
    letters.filter((letter) => !from.flat().includes(letter));
  const bindings = (slot: number, outputOffset: number, inputOffset: number): Binding | null => {
    const output = bindingAt(out, extents, outputOffset);
    const input = bindingAt(operands[slot], extents, inputOffset);
    const agree = operands[slot]
      .flat()
      .every((letter) => (output[letter] ?? input[letter]) === input[letter]);
    return agree ? { ...output, ...input } : null;
  };
  const plans = new Map<string, Plan>();
  /** Made once for each direction, when it is needed. */
  const plan = (direction: string, left: Axes, right: Axes, result: Axes): Plan => {
    const own = plans.get(direction) ?? planOf(left, right, result, extents);
    plans.set(direction, own);
    return own;
  };
  return {
    name: 'contraction',
    summary,
    forward([left, right, bias]) {
      if (!right) throw new RangeError(`${spec}: found one operand, expected two`);
      const result = multiply(plan('forward', operands[0], operands[1], out), left, right);
      if (bias) addBias(result, out, bias, operands[2], extents);
      return result;
    },
    vjp({ inputs: [left, right, bias] }, upstream) {
      const contributions = [
        multiply(plan('left', out, operands[1], operands[0]), upstream, right),
        multiply(plan('right', operands[0], out, operands[1]), left, upstream),
      ];
      if (bias) contributions.push(reduce(upstream, out, operands[2], extents));
      return contributions;
    },
    partial({ inputs }, slot, outputOffset, inputOffset) {
      const binding = bindings(slot, outputOffset, inputOffset);
      if (!binding) return 0;
      if (slot === 2) return 1;
      const other = otherSlot(slot);
      return inputs[other].data[offsetAt(operands[other], extents, binding)];
    },
    reach(_, slot, inputOffset) {
      const input = bindingAt(operands[slot], extents, inputOffset);
      const free = missing(outLetters, operands[slot]);
      const offsets = Array.from(runs(free, extents, input), (binding) =>
        offsetAt(out, extents, binding),
      );
      return offsets.sort((a, b) => a - b);
    },
    summands(_, outputOffset) {
      const output = bindingAt(out, extents, outputOffset);
      const at = (slot: number, binding: Binding): { slot: number; offset: number } => ({
        slot,
        offset: offsetAt(operands[slot], extents, binding),
      });
      const products = Array.from(runs(summed, extents, output), (binding) => [
        at(0, binding),
        at(1, binding),
      ]);
      return operands.length === 3 ? [...products, [at(2, output)]] : products;
    },
    formula({ output, inputs }) {
      const operand = (slot: number): ReturnType<typeof symbol> =>
        symbol(inputs[slot], operands[slot]);
      const upstream = symbol(`d${output}`, out);
      const biasTerm = operands.length === 3 ? [operand(2)] : [];
      return {
        forward: equals(
          symbol(output, out),
          plus(sum(summed, product(operand(0), operand(1))), ...biasTerm),
        ),
        backward: operands.map((own, slot) =>
          accumulates(
            symbol(`d${inputs[slot]}`, own),
            sum(
              missing(outLetters, own),
              slot === 2 ? upstream : product(upstream, operand(otherSlot(slot))),
            ),
          ),
        ),
      };
    },
  };
}
