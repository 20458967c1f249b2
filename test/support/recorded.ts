// Programs as text, run by Python under the recorder.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseRecording, type Recording } from '../../src/lines/recorded/recording.ts';

const python = process.env.ATTENTION_PYTHON ?? '/usr/bin/python3';
const recorder = fileURLToPath(new URL('../../python/attention_lines', import.meta.url));
const has = (modules: string): boolean =>
  spawnSync(python, ['-c', `import ${modules}`]).status === 0;

export const hasNumpy = has('numpy');
export const hasTorch = hasNumpy && has('torch');
if (!hasTorch)
  console.warn(`${python} has no ${hasNumpy ? 'PyTorch' : 'NumPy'}: programs are left out`);

/** Throws what the program wrote as errors where it does not end as it should. */
export function recorded(
  source: string,
  ends: 'well' | 'badly' = 'well',
): { recording: Recording; stdout: string } {
  const folder = mkdtempSync(join(tmpdir(), 'recorded-'));
  try {
    const [file, out] = ['program.py', 'recording'].map((name) => join(folder, name));
    writeFileSync(file, source);
    const { stdout, stderr, status } = spawnSync(python, ['-B', recorder, '--record', out, file], {
      encoding: 'utf8',
    });
    if ((status === 0) !== (ends === 'well')) throw new Error(stderr);
    return { recording: parseRecording(readFileSync(out)), stdout };
  } finally {
    rmSync(folder, { recursive: true });
  }
}
