// What every peer computes, on the same numbers, and how it is asked: causal attention forward and backward.
//   node PEER.mjs N [HEADS]: one head of width 64 (x, W_K, W_Q, W_V), or HEADS heads with W_O
// It prints one line of JSON when it is ready, then one for each line it reads: the time of one more run; at the end
// of its input the memory that it took.
import { createInterface } from 'node:readline';

const WIDTH = 64;

/** The same numbers in every language, in (-scale / 2, scale / 2). */
export function numbers(length, seed, scale = 1) {
  const out = new Float64Array(length);
  for (let n = 0; n < length; n++)
    out[n] = ((((n + 1) * 7919 + seed * 104_729) % 10_007) / 10_007 - 0.5) * scale;
  return out;
}

export function task() {
  const [n, heads = 1] = process.argv.slice(2).map(Number);
  const width = WIDTH * heads;
  const scale = 4 / Math.sqrt(width);
  const matrix = (rows, cols, seed, own = 1) => ({
    shape: [rows, cols],
    data: numbers(rows * cols, seed, own),
  });
  return {
    n,
    heads,
    d: WIDTH,
    width,
    x: matrix(n, width, 1, 2),
    W_K: matrix(width, width, 2, scale),
    W_Q: matrix(width, width, 3, scale),
    W_V: matrix(width, width, 4, scale),
    W_O: heads > 1 ? matrix(width, width, 5, scale) : undefined,
    G: matrix(n, width, 6),
  };
}

/**
 * @param {string} version what is measured
 * @param {() => Promise<{ f: number, dx: ArrayLike<number> }> | { f: number, dx: ArrayLike<number> }} once
 */
export async function serve(version, once) {
  const say = (message) => process.stdout.write(`${JSON.stringify(message)}\n`);
  const before = process.memoryUsage.rss();
  say({ version });
  for await (const line of createInterface({ input: process.stdin })) {
    if (line !== 'run') break;
    const began = performance.now();
    const { f, dx } = await once();
    const ms = performance.now() - began;
    let size = 0;
    for (const value of dx) size += Math.abs(value);
    say({ ms, f, dx: size });
  }
  say({ megabytes: process.resourceUsage().maxRSS / 1024 - before / 2 ** 20 });
  process.exit(0);
}
