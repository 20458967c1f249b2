// Wrong programs of which the fix is found: from the statement that is told to the edit that is proven. Python runs them.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { buildGraph } from '../../../src/engine/heads/build.ts';
import { findFixes } from '../../../src/lineRun/fixes.ts';
import { infer } from '../../../src/lines/infer/infer.ts';
import { judge } from '../../../src/lines/judge.ts';
import { parseRecording, type Recording } from '../../../src/lines/recording.ts';
import { record, recorderIn } from '../../../src/recorder/record.ts';

const recorder = recorderIn(process.cwd());
const python = process.env.ATTENTION_PYTHON ?? '/usr/bin/python3';
const hasNumpy = spawnSync(python, ['-c', 'import numpy']).status === 0;
if (!hasNumpy) console.warn(`${python} has no NumPy: no fix is looked for`);
const folder = mkdtempSync(join(tmpdir(), 'found-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** Sums one number at a time; the projections share one function, and the wrong index is in another. */
const LOOPS = `import numpy as np
rng = np.random.default_rng(3)
B, T, C, H = 2, 4, 6, 2
D = C // H
def project(a, w):
    out = np.zeros((B, T, w.shape[1]))
    for b in range(B):
        for t in range(T):
            for o in range(w.shape[1]):
                total = 0.0
                for c in range(C):
                    total += a[b, t, c] * w[c, o]
                out[b, t, o] = total
    return out
def attend(qkv):
    out = np.zeros((B, T, C))
    for b in range(B):
        for h in range(H):
            for t in range(T):
                scores = np.full(T, -np.inf)
                for u in range(t + 1):
                    scores[u] = qkv[b, t, h * D:(h + 1) * D] @ qkv[b, u, C + h * D:C + (h + 1) * D] / np.sqrt(D)
                p = np.exp(scores - scores.max())
                p = p / p.sum()
                for u in range(t + 1):
                    for i in range(D):
                        out[b, t, h * D + i] += p[u] * qkv[b, u, 2 * C + h * D + i]
    return out
x, W, Wo = rng.normal(size=(B, T, C)), rng.normal(size=(C, 3 * C)), rng.normal(size=(C, C))
y = project(attend(project(x, W)), Wo)
`;

const recorded = (file: string): Promise<Recording> =>
  record({ recorder, python, file, args: [], cwd: folder }).then(({ bytes }) =>
    parseRecording(bytes),
  );

let count = 0;

/** The line after the first fix; the setup is that of the program that is meant. */
async function mended(meant: string, from: string, to: string): Promise<string | undefined> {
  const file = join(folder, `p${count++}.py`);
  writeFileSync(file, meant);
  const { config } = infer(await recorded(file))!;
  const graph = buildGraph(config);
  expect(meant).toContain(from);
  writeFileSync(file, meant.replace(from, to));
  const recording = await recorded(file);
  const judged = judge(recording, config, graph);
  const bench = { python, recorder, file, args: [], cwd: folder, timeout: 60 };
  // Nothing depends on how fast the machine is: how many runs are allowed is what tells.
  const limits = { seconds: 600, runs: 60 };
  const { fixes } = await findFixes({ recording, judged, config, graph, bench, limits });
  return fixes[0]?.after.trim();
}

test.skipIf(!hasNumpy)('an index of another loop that is equal the first time', async () => {
  const fix = await mended(LOOPS, 'qkv[b, u, 2 * C', 'qkv[b, t, 2 * C');
  expect(fix).toBe('out[b, t, h * D + i] += p[u] * qkv[b, u, 2 * C + h * D + i]');
});
