// The text of a setup whose x is a tensor of a file.

/** Keys and queries of that width, where x is wider. */
const WIDEST_HEAD = 64;

/** The text of the setup. `shape` is (tokens, features), or has a batch axis in front. Throws RangeError otherwise. */
export function setupText(file: string, key: string | null, shape: readonly number[]): string {
  if (shape.length < 2 || shape.length > 3) {
    throw new RangeError(
      `A setup's x has the axes (tokens, features) or (batch, tokens, features); this tensor has ${shape.length}.`,
    );
  }
  const width = shape[shape.length - 1];
  const inner = Math.min(width, WIDEST_HEAD);
  const weight = (seed: number): object => ({
    ...{ random: 'normal', shape: [width, inner], seed },
    std: Number((1 / Math.sqrt(Math.max(width, 1))).toPrecision(3)),
  });
  const setup = {
    title: key ?? file,
    head: 'kq',
    x: key === null ? { file } : { file, key },
    weights: { W_K: weight(1), W_Q: weight(2) },
  };
  return `${JSON.stringify(setup, null, 2)}\n`;
}
