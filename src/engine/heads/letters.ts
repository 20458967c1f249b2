// Lengths of the letters, learnt from the tensors that are given; says which two do not fit, and their shapes.
import {
  axisLabel,
  axisLength,
  type AxisLetters,
  type Extents,
  type Letter,
  parseSpec,
} from '../axes.ts';
import { ConfigError } from '../config.ts';
import { formatShape, type Tensor } from '../tensor.ts';

export class Letters {
  readonly #lengths: Record<Letter, number> = {};
  readonly #origin: Record<Letter, string> = {};

  get extents(): Extents {
    return this.#lengths;
  }

  set(letter: Letter, length: number, origin: string): void {
    this.#lengths[letter] = length;
    this.#origin[letter] = origin;
  }

  /** The first of several specs whose axes are as long as the tensor's, else the first. */
  choose(value: Tensor, specs: readonly string[]): string {
    const fits = (spec: string): boolean => {
      const [axes] = parseSpec(spec);
      return (
        axes.length === value.shape.length &&
        axes.every((axis, n) => axisLength(axis, this.#lengths) === value.shape[n])
      );
    };
    return specs.length === 1 ? specs[0] : (specs.find(fits) ?? specs[0]);
  }

  /** Learns the letters that `value` is the first to have and checks the others. Throws ConfigError. */
  fit(entry: string, value: Tensor, spec: string): void {
    const [axes] = parseSpec(spec);
    const found = `found shape ${formatShape(value.shape)}`;
    if (value.shape.length !== axes.length) {
      throw new ConfigError(
        entry,
        `${found}, expected ${axes.length} axes: ${this.#describe(axes)}`,
      );
    }
    axes.forEach((axis, n) => this.#fitAxis(entry, found, axes, axis, value.shape[n]));
  }

  #fitAxis(
    entry: string,
    found: string,
    axes: AxisLetters[],
    axis: AxisLetters,
    length: number,
  ): void {
    const unknown = axis.filter((letter) => this.#lengths[letter] === undefined);
    const known = axis.filter((letter) => this.#lengths[letter] !== undefined);
    const share = axisLength(known, this.#lengths);
    if (unknown.length === 0) {
      if (share === length) return;
      const because = [...new Set(known.map((letter) => this.#origin[letter]))].join(' and ');
      throw new ConfigError(
        entry,
        `${found}, expected ${this.#describe(axes)}: ${share} comes from ${because}`,
      );
    }
    if (length === 0)
      throw new ConfigError(entry, `${found}; an axis of length 0 leaves nothing to compute`);
    if (length % share !== 0) {
      const because = [...new Set(known.map((letter) => this.#origin[letter]))].join(' and ');
      throw new ConfigError(
        entry,
        `${found}, expected ${length} to be a multiple of ${share} (${because})`,
      );
    }
    this.set(unknown[0], length / share, `${entry} ${found.slice('found '.length)}`);
  }

  /** "(i = 4, c)". */
  #describe(axes: readonly AxisLetters[]): string {
    const label = (axis: AxisLetters): string =>
      axis.every((letter) => this.#lengths[letter] !== undefined)
        ? `${axisLabel(axis)} = ${axisLength(axis, this.#lengths)}`
        : axisLabel(axis);
    return `(${axes.map(label).join(', ')})`;
  }
}
