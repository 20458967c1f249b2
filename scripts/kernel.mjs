// node scripts/kernel.mjs: compiles the engine's SIMD kernels and writes them into kernelBytes.ts.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { root } from './lib/setup.mjs';

const folder = join(root, 'src', 'engine', 'gemm');
const compiler = join(root, 'node_modules', 'assemblyscript', 'bin', 'asc.js');
// Constants lie behind the scratch memory of kernel.ts.
const options =
  '-O3 --enable simd --runtime stub --noAssert --importMemory --memoryBase 8421376 --maximumMemory 65536'.split(
    ' ',
  );

/** @returns {string} the text of kernelBytes.ts */
export function compileKernel() {
  const out = mkdtempSync(join(tmpdir(), 'kernel-'));
  try {
    const sources = ['products', 'softmax', 'entries'].map((name) =>
      join('assembly', `${name}.ts`),
    );
    const args = [compiler, ...sources, ...options, '--outFile', join(out, 'kernel.wasm')];
    execFileSync(process.execPath, args, { cwd: folder });
    const code = readFileSync(join(out, 'kernel.wasm')).toString('base64');
    return (
      '// Compiled from assembly/ by scripts/kernel.mjs; a test holds the two together.\n' +
      `export const KERNEL =\n  '${code}';\n`
    );
  } finally {
    rmSync(out, { recursive: true });
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url))
  writeFileSync(join(folder, 'kernelBytes.ts'), compileKernel());
