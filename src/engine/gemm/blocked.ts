// The product by blocks that fit the caches, by the SIMD kernels.
import { CLOSE, copyIn, copyOut, type Kernel, kernel, SCRATCH } from './kernel.ts';
import { type Matrix, stepOf, transposed } from './matrix.ts';

// Where in the scratch they lie, in entries. The panels of B in use stay in the first-level cache, A's block in the second.
const A = 0;
const C = 2 ** 16;
const RAW = 2 ** 17;
/** Columns of a block of B; its rows are those of the deepest block of A. */
const WIDEST = 512;
const DEEPEST = 256;
const B = RAW + WIDEST * (DEEPEST + CLOSE);
const ENTRIES_C = RAW - C;
const ENTRIES_B = SCRATCH - B;

/** How the entries of an operand lie: `steps` null where they follow no rule. */
interface Laid {
  readonly matrix: Matrix;
  readonly steps: { readonly rows: number; readonly cols: number } | null;
}

interface Block {
  readonly row: number;
  readonly rows: number;
  readonly panels: number;
  readonly p: number;
  readonly depth: number;
}

/** Panels of B in the scratch; `skips` as in assembly/products.ts. */
interface Panels {
  readonly panels: number;
  readonly at: number;
  readonly skips: number;
}

function laid(matrix: Matrix): Laid {
  const [rows, cols] = [stepOf(matrix.rows), stepOf(matrix.cols)];
  return { matrix, steps: rows === null || cols === null ? null : { rows, cols } };
}

/** False, and nothing done, where there is no kernel for this machine. */
export function blockedProduct(left: Matrix, right: Matrix, out: Matrix): boolean {
  const own = kernel();
  if (!own || 4 * left.cols.length > ENTRIES_B) return false;
  // Rows are written whole: where the result's columns lie side by side, outᵀ = rightᵀ leftᵀ, with the same sums.
  if (stepOf(out.cols) !== 1 && stepOf(out.rows) === 1)
    product(own, laid(transposed(right)), laid(transposed(left)), transposed(out));
  else product(own, laid(left), laid(right), out);
  return true;
}

function product(own: Kernel, left: Laid, right: Laid, out: Matrix): void {
  const [m, k, n] = [out.rows.length, left.matrix.cols.length, out.cols.length];
  const isTall = left.steps?.rows === 1 && left.steps.cols !== 1;
  const [blockM, blockK] = isTall ? [256, 128] : [128, DEEPEST];
  const widest = Math.min(ENTRIES_C / blockM, Math.floor(ENTRIES_B / k / 4) * 4, WIDEST);
  const outStep = stepOf(out.rows);
  for (let col = 0; col < n; col += widest) {
    const cols = Math.min(widest, n - col);
    const panelsB = Math.ceil(cols / 4);
    const width = 4 * panelsB;
    for (let p = 0; p < k; p += blockK) {
      const block = { row: col, rows: cols, panels: panelsB, p, depth: Math.min(blockK, k - p) };
      packRight(own, right, block, B + p * width);
    }
    const skips = own.isFine(8 * B, k * width, 0);
    for (let row = 0; row < m; row += blockM) {
      const rows = Math.min(blockM, m - row);
      const panels = Math.ceil(rows / 4);
      for (let p = 0; p < k; p += blockK) {
        const block = { row, rows, panels, p, depth: Math.min(blockK, k - p) };
        multiply(own, left, block, { panels: panelsB, at: B + p * width, skips });
      }
      if (outStep !== null && stepOf(out.cols) === 1) {
        const first = out.base + row * outStep + col;
        copyOut(own.scratch, C, width, out.data, {
          first,
          count: rows,
          length: cols,
          stride: outStep,
        });
      } else unpack(own.scratch, width, out, { row, col, rows, cols });
    }
  }
}

/** C += A B for one block of A; C = A B for the first. */
function multiply(own: Kernel, left: Laid, block: Block, right: Panels): void {
  const { panels: panelsB, at: b, skips } = right;
  const { matrix, steps } = left;
  const { row, rows, panels, p, depth } = block;
  const isFirst = Number(p === 0);
  if (steps?.cols === 1) {
    const first = matrix.base + row * steps.rows + p;
    const runs = { first, count: rows, length: depth, stride: steps.rows };
    const stride = copyIn(own.scratch, A, matrix.data, runs);
    own.multiplyRows(
      panels,
      panelsB,
      depth,
      8 * A,
      8 * stride,
      8 * b,
      8 * C,
      32 * panelsB,
      isFirst,
      skips,
    );
  } else if (steps?.rows === 1) {
    const first = matrix.base + row + p * steps.cols;
    // Not a power of two: the columns would share a few lines of the cache.
    const apart = rows + 4;
    for (let n = 0, start = first; n < depth; n++, start += steps.cols)
      own.scratch.set(matrix.data.subarray(start, start + rows), A + n * apart);
    own.multiplyColumns(
      panels,
      panelsB,
      depth,
      8 * A,
      8 * apart,
      32,
      8 * b,
      8 * C,
      32 * panelsB,
      isFirst,
      skips,
    );
  } else {
    pack(own.scratch, A, matrix, block);
    own.multiplyColumns(
      panels,
      panelsB,
      depth,
      8 * A,
      32,
      32 * depth,
      8 * b,
      8 * C,
      32 * panelsB,
      isFirst,
      skips,
    );
  }
}

/** Panels of 4 columns of B: `row` and `rows` of the block are its columns. */
function packRight(own: Kernel, { matrix, steps }: Laid, block: Block, to: number): void {
  const { row: col, rows: cols, panels, p, depth } = block;
  if (steps?.cols === 1) {
    const first = matrix.base + p * steps.rows + col;
    const runs = { first, count: depth, length: cols, stride: steps.rows };
    const stride = copyIn(own.scratch, RAW, matrix.data, runs);
    own.packRows(panels, depth, 8 * RAW, 8 * stride, 8 * to);
  } else if (steps?.rows === 1) {
    const first = matrix.base + p + col * steps.cols;
    const runs = { first, count: cols, length: depth, stride: steps.cols };
    const stride = copyIn(own.scratch, RAW, matrix.data, runs);
    own.packColumns(panels, depth, 8 * RAW, 8 * stride, 8 * to);
  } else pack(own.scratch, to, transposed(matrix), block);
}

/** Panels of 4 rows, zero beyond the end, each with its 4 entries side by side for every column. */
function pack(target: Float64Array, start: number, matrix: Matrix, block: Block): void {
  const { data, base, rows, cols } = matrix;
  const { row, panels, p: first, depth } = block;
  for (let panel = 0; panel < panels; panel++) {
    for (let lane = 0; lane < 4; lane++) {
      const index = row + 4 * panel + lane;
      let at = start + 4 * panel * depth + lane;
      if (index >= rows.length) {
        for (let p = 0; p < depth; p++, at += 4) target[at] = 0;
        continue;
      }
      const from = base + rows[index];
      for (let p = 0; p < depth; p++, at += 4) target[at] = data[from + cols[first + p]];
    }
  }
}

function unpack(
  scratch: Float64Array,
  width: number,
  out: Matrix,
  { row, col, rows, cols }: { row: number; col: number; rows: number; cols: number },
): void {
  for (let r = 0; r < rows; r++) {
    const to = out.base + out.rows[row + r];
    for (let j = 0; j < cols; j++) out.data[to + out.cols[col + j]] = scratch[C + r * width + j];
  }
}
