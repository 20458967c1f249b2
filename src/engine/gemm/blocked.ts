// The product by blocks that fit the caches, each packed into panels for the SIMD kernel.
import { KERNEL } from './kernelBytes.ts';
import type { Matrix } from './matrix.ts';

// Rows, columns and summands of a block: the panels of B in use stay in the first-level cache, A's in the second.
const BLOCK_M = 128;
const BLOCK_N = 512;
const BLOCK_K = 256;
const PAGE = 65_536; // bytes of a page of WebAssembly's memory

// Node and browsers have it; TypeScript declares it with the DOM only.
declare const WebAssembly: {
  readonly Memory: new (size: { initial: number }) => { readonly buffer: ArrayBuffer };
  readonly Module: new (code: Uint8Array) => object;
  readonly Instance: new (
    module: object,
    imports: object,
  ) => { readonly exports: Readonly<Record<string, unknown>> };
};

type Multiply = (
  panelsA: number,
  panelsB: number,
  k: number,
  a: number,
  b: number,
  c: number,
) => void;

interface Kernel {
  readonly multiply: Multiply;
  readonly a: Float64Array;
  readonly b: Float64Array;
  readonly c: Float64Array;
}

let kernel: Kernel | null | undefined;

/** null where there is no WebAssembly or it lacks SIMD. */
function load(): Kernel | null {
  const lengths = [BLOCK_M * BLOCK_K, BLOCK_K * BLOCK_N, BLOCK_M * BLOCK_N];
  const bytes = lengths.reduce((sum, length) => sum + 8 * length, 0);
  try {
    const memory = new WebAssembly.Memory({ initial: Math.ceil(bytes / PAGE) });
    const code = Uint8Array.from(atob(KERNEL), (letter) => letter.charCodeAt(0));
    const { exports } = new WebAssembly.Instance(new WebAssembly.Module(code), { env: { memory } });
    let at = 0;
    const [a, b, c] = lengths.map((length) => {
      const view = new Float64Array(memory.buffer, at, length);
      at += 8 * length;
      return view;
    });
    return { multiply: exports.multiply as Multiply, a, b, c };
  } catch {
    return null;
  }
}

/** False, and nothing done, where there is no kernel for this machine. */
export function blockedProduct(left: Matrix, right: Matrix, out: Matrix): boolean {
  kernel ??= load();
  if (!kernel) return false;
  const { multiply, a, b, c } = kernel;
  const [m, k, n] = [left.rows.length, left.cols.length, right.cols.length];
  for (let col = 0; col < n; col += BLOCK_N) {
    const panelsB = Math.ceil(Math.min(BLOCK_N, n - col) / 4);
    for (let row = 0; row < m; row += BLOCK_M) {
      const panelsA = Math.ceil(Math.min(BLOCK_M, m - row) / 4);
      c.fill(0, 0, 16 * panelsA * panelsB);
      for (let p = 0; p < k; p += BLOCK_K) {
        const depth = Math.min(BLOCK_K, k - p);
        pack(left.data, left.base, left.rows, row, panelsA, left.cols, p, depth, a);
        pack(right.data, right.base, right.cols, col, panelsB, right.rows, p, depth, b);
        multiply(panelsA, panelsB, depth, a.byteOffset, b.byteOffset, c.byteOffset);
      }
      unpack(c, 4 * panelsB, out, row, col);
    }
  }
  return true;
}

/** Panels of 4 along `wide`, zero beyond its end, each with its 4 entries side by side for every entry of `deep`. */
function pack(
  data: Float64Array,
  base: number,
  wide: Int32Array,
  from: number,
  panels: number,
  deep: Int32Array,
  first: number,
  depth: number,
  target: Float64Array,
): void {
  for (let panel = 0; panel < panels; panel++) {
    for (let lane = 0; lane < 4; lane++) {
      const index = from + 4 * panel + lane;
      let at = 4 * panel * depth + lane;
      if (index >= wide.length) {
        for (let p = 0; p < depth; p++, at += 4) target[at] = 0;
        continue;
      }
      const start = base + wide[index];
      for (let p = 0; p < depth; p++, at += 4) target[at] = data[start + deep[first + p]];
    }
  }
}

function unpack(c: Float64Array, width: number, out: Matrix, row: number, col: number): void {
  const rows = Math.min(BLOCK_M, out.rows.length - row);
  const cols = Math.min(BLOCK_N, out.cols.length - col);
  for (let r = 0; r < rows; r++) {
    const to = out.base + out.rows[row + r];
    for (let j = 0; j < cols; j++) out.data[to + out.cols[col + j]] = c[r * width + j];
  }
}
