// Two sorts of features put side by side: those that do not turn with their position, then those that do.
import {
  letterStrides,
  offsetTable,
  shapeOf,
  type AxisLetters,
  type Extents,
  type Letter,
} from '../axes.ts';
import {
  accumulates,
  atIndex,
  equals,
  type Formula,
  minus,
  number,
  plus,
  position,
  sum,
  symbol,
  where,
  words,
} from '../formula.ts';
import type { Operation } from '../operation.ts';
import { zeros } from '../tensor.ts';

interface Part {
  readonly axes: readonly AxisLetters[];
  /** Its letter along the joined axis. */
  readonly letter: Letter;
}

/**
 * The last axis of the result, one letter, is the features of the first operand, then those of the second, each
 * repeated along the letters that it lacks (DeepSeek-V2, eq. 18: the rotated part of the keys is that of all heads).
 */
export function beside(
  axes: readonly AxisLetters[],
  parts: readonly [Part, Part],
  extents: Extents,
): Operation {
  const outer = axes.slice(0, -1).flat();
  const [joined] = axes[axes.length - 1];
  const shape = shapeOf(axes, extents);
  const widths = parts.map(({ letter }) => extents[letter]);
  const width = widths[0] + widths[1];
  const blocks = shape.slice(0, -1).reduce((a, b) => a * b, 1);
  /** For each entry of the result, its offset in the operand; -1 in the other. */
  const tables = parts.map((part, n) => {
    const own = offsetTable([...outer, part.letter], letterStrides(part.axes, extents), extents);
    const table = new Int32Array(blocks * width).fill(-1);
    for (let at = 0; at < own.length; at++) {
      const [block, feature] = [Math.floor(at / widths[n]), at % widths[n]];
      table[block * width + feature + (n === 0 ? 0 : widths[0])] = own[at];
    }
    return table;
  });
  return {
    name: 'side by side',
    summary:
      'Puts the features that do not turn and those that turn with their position side by side.',
    forward(inputs) {
      const out = zeros(shape);
      for (const [n, table] of tables.entries())
        for (let at = 0; at < table.length; at++)
          if (table[at] >= 0) out.data[at] = inputs[n].data[table[at]];
      return out;
    },
    vjp: ({ inputs }, upstream) =>
      inputs.map((input, n) => {
        const out = zeros(input.shape);
        const table = tables[n];
        for (let at = 0; at < table.length; at++)
          if (table[at] >= 0) out.data[table[at]] += upstream.data[at];
        return out;
      }),
    partial: (_, slot, outputOffset, inputOffset) =>
      tables[slot][outputOffset] === inputOffset ? 1 : 0,
    reach: (_, slot, inputOffset) =>
      Array.from(tables[slot].keys()).filter((at) => tables[slot][at] === inputOffset),
    formula({ output, inputs }) {
      const start = [0, widths[0]];
      const from = (own: Formula, by: number, isAdded: boolean): Formula => {
        if (by === 0) return own;
        return isAdded ? plus(own, number(by)) : minus(own, number(by));
      };
      const terms = parts.map(({ axes: own, letter }, n) =>
        atIndex(letter, from(position(joined), start[n], false), symbol(inputs[n], own)),
      );
      return {
        forward: equals(symbol(output, axes), where(plus(...terms), words('absent entries are 0'))),
        backward: parts.map(({ axes: own, letter }, n) => {
          const free = outer.filter((each) => !own.flat().includes(each));
          const back = atIndex(
            joined,
            from(position(letter), start[n], true),
            symbol(`d${output}`, axes),
          );
          return accumulates(symbol(`d${inputs[n]}`, own), sum(free, back));
        }),
      };
    },
  };
}
