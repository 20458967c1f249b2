// PyTorch for the conformance programs, and how its numbers are held against the engine's.
import { spawnSync } from 'node:child_process';

const HOW_TO_GET_TORCH =
  'This program needs Python with PyTorch: on Debian "apt-get install python3-torch", elsewhere "pip install torch"; ' +
  'PYTHON names the interpreter (default: /usr/bin/python3, then python3).';

export function findPython() {
  for (const python of [process.env.PYTHON, '/usr/bin/python3', 'python3', 'python']) {
    if (python && spawnSync(python, ['-c', 'import torch']).status === 0) return python;
  }
  console.error(HOW_TO_GET_TORCH);
  process.exit(1);
}

/** Largest difference over the largest expected entry; Infinity where shapes or special values differ. */
export function relativeError(found, expected, least = 1e-3) {
  if (!found || found.shape.join() !== expected.shape.join()) return Infinity;
  let [error, largest] = [0, 0];
  expected.data.forEach((entry, at) => {
    const value = Number(String(entry).replace('inf', 'Infinity'));
    if (!Number.isFinite(value)) {
      if (!Object.is(found.data[at], value)) error = Infinity;
      return;
    }
    const difference = Math.abs(found.data[at] - value);
    error = Number.isNaN(difference) ? Infinity : Math.max(error, difference);
    largest = Math.max(largest, Math.abs(value));
  });
  return error / Math.max(largest, least);
}

export const largestOf = ({ data }) =>
  data.reduce((most, entry) => Math.max(most, Math.abs(Number(entry)) || 0), 1e-3);
