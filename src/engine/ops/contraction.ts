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

/**
 * Sums left * right over the letters that `out` lacks, as matrix products.
 * Every letter stands in at least two of the three.
 */
export function contract(
  left: Tensor,
  leftAxes: Axes,
  right: Tensor,
  rightAxes: Axes,
  outAxes: Axes,
  extents: Extents,
): Tensor {
  const strides = [leftAxes, rightAxes, outAxes].map((axes) => letterStrides(axes, extents));
  const [inLeft, inRight, inOut] = strides;
  const letters = [...new Set([...leftAxes.flat(), ...rightAxes.flat()])];
  const kind = (l: boolean, r: boolean, o: boolean): Letter[] =>
    letters.filter(
      (letter) => inLeft.has(letter) === l && inRight.has(letter) === r && inOut.has(letter) === o,
    );
  const batch = kind(true, true, true);
  const rows = kind(true, false, true);
  const cols = kind(false, true, true);
  const summed = kind(true, true, false);
  const tables = (group: Letter[]): Int32Array[] =>
    strides.map((stride) => offsetTable(group, stride, extents));
  const [batchLeft, batchRight, batchOut] = tables(batch);
  const [rowLeft, , rowOut] = tables(rows);
  const [, colRight, colOut] = tables(cols);
  const [sumLeft, sumRight] = tables(summed);

  // Each of its entries is in one product: all are written.
  const out = blank(shapeOf(outAxes, extents));
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
  return {
    name: 'contraction',
    summary,
    forward([left, right, bias]) {
      if (!right) throw new RangeError(`${spec}: found one operand, expected two`);
      const result = contract(left, operands[0], right, operands[1], out, extents);
      if (bias) addBias(result, out, bias, operands[2], extents);
      return result;
    },
    vjp({ inputs: [left, right, bias] }, upstream) {
      const contributions = [
        contract(upstream, out, right, operands[1], operands[0], extents),
        contract(left, operands[0], upstream, out, operands[1], extents),
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
