// Programs of several styles, recorded by Python and inferred: each gives its own y, with nothing to ask.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, expect, test } from 'vitest';
import type { HeadConfig } from '../../../src/engine/config.ts';
import { buildGraph } from '../../../src/engine/heads/build.ts';
import { run } from '../../../src/engine/run.ts';
import { infer } from '../../../src/lines/infer/infer.ts';
import { parseRecording, type Recording } from '../../../src/lines/recorded/recording.ts';

const python = process.env.ATTENTION_PYTHON ?? '/usr/bin/python3';
const has = (modules: string): boolean =>
  spawnSync(python, ['-c', `import ${modules}`]).status === 0;
const hasNumpy = has('numpy');
const hasTorch = hasNumpy && has('torch');
if (!hasTorch)
  console.warn(`${python} has no ${hasNumpy ? 'PyTorch' : 'NumPy'}: programs are left out`);

const folder = mkdtempSync(join(tmpdir(), 'infer-'));
afterAll(() => rmSync(folder, { recursive: true }));

function record(name: string): { recording: Recording; stdout: string } {
  const recorder = fileURLToPath(new URL('../../../python/attention_lines', import.meta.url));
  const out = join(folder, `${name}.rec`);
  const { stdout, stderr, status } = spawnSync(
    python,
    ['-B', recorder, '--record', out, `${name}.py`],
    { cwd: fileURLToPath(new URL('programs/', import.meta.url)), encoding: 'utf8' },
  );
  if (status !== 0) throw new Error(`${name} ended with ${status}:\n${stderr}`);
  return { recording: parseRecording(readFileSync(out)), stdout };
}

type Expected = Partial<Record<keyof HeadConfig, unknown>>;

function check(name: string, expected: Expected, digits: number): void {
  const { recording, stdout } = record(name);
  const found = infer(recording);
  expect(found?.questions).toEqual([]);
  if (!found) return;
  expect(found.config).toMatchObject(expected);
  const y = run(buildGraph(found.config)).values.get('y');
  const sum = y?.data.reduce((a, b) => a + b, 0);
  if (!Number.isNaN(Number(stdout))) expect(sum).toBeCloseTo(Number(stdout), digits);
}

test.skipIf(!hasNumpy).each<[string, Expected]>([
  ['padded_tiles', { mask: 'causal', heads: 1 }],
  ['alibi', { alibi: true, mask: 'none', heads: 4 }],
  ['cache', { mask: 'causal', heads: 2 }],
  ['dropout_np', { mask: 'none', dropout: { p: 0.25 }, loss: { kind: 'upstream' } }],
  ['llmc', { mask: 'causal', heads: 2, loss: { kind: 'upstream' } }],
  ['llmcflat', { mask: 'causal', heads: 2, loss: { kind: 'upstream' } }],
  ['flashcausal', { mask: 'causal', loss: { kind: 'upstream' } }],
  ['tape', { mask: 'none', loss: { kind: 'target' } }],
  ['online', { head: 'kq', mask: 'none', loss: { kind: 'target' } }],
  ['grouped_einsum', { mask: 'causal', heads: 4, kvHeads: 2, loss: { kind: 'upstream' } }],
  ['perbatch', { mask: 'causal', heads: 2, loss: { expression: 'sum((y - T) .^ 2) / 72' } }],
])('%s', (name, expected) => {
  check(name, expected, 6);
});

test.skipIf(!hasTorch).each<[string, Expected, number]>([
  ['decoder', { mask: 'causal', heads: 2, loss: { kind: 'upstream' } }, 3],
  ['dropout_torch', { mask: 'causal', dropout: { p: 0.3 }, loss: { expression: 'sum(y)' } }, 3],
  ['relbias', { positionBias: { kind: 'learned' }, loss: { kind: 'upstream' } }, 6],
  ['cross_gqa', { heads: 4, kvHeads: 2, loss: { expression: 'sum(y .^ 2) / 48' } }, 3],
  ['bf16', { mask: 'causal', heads: 4, loss: { kind: 'upstream' } }, 0],
])('%s', (name, expected, digits) => {
  check(name, expected, digits);
});
