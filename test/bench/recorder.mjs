// What recording costs: whole runs of NumPy programs, plain and recorded, the best of several.
//     node test/bench/recorder.mjs [runs]
// ATTENTION_PYTHON names the interpreter; it needs NumPy. Ends with 1 where a limit is passed.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const python = process.env.ATTENTION_PYTHON ?? '/usr/bin/python3';
const recorder = fileURLToPath(new URL('../../python/attention_lines', import.meta.url));
const runs = Number(process.argv[2] ?? 5);

const dense = `
import numpy as np

T, C, H = 512, 256, 4
D = C // H
rng = np.random.default_rng(0)
x, t = rng.normal(size=(T, C)), rng.normal(size=(T, C))
wq, wk, wv, wo = (rng.normal(size=(C, C)) * 0.05 for _ in range(4))


def split(a):
    return a.reshape(T, H, D).transpose(1, 0, 2)


def merge(a):
    return a.transpose(1, 0, 2).reshape(T, C)


for step in range(5):
    q, k, v = split(x @ wq), split(x @ wk), split(x @ wv)
    s = q @ k.transpose(0, 2, 1) / np.sqrt(D)
    s = np.where(np.tril(np.ones((T, T), dtype=bool)), s, -np.inf)
    e = np.exp(s - s.max(axis=-1, keepdims=True))
    p = e / e.sum(axis=-1, keepdims=True)
    c = merge(p @ v)
    dy = c @ wo - t
    do = split(dy @ wo.T)
    dp = do @ v.transpose(0, 2, 1)
    ds = p * (dp - (dp * p).sum(axis=-1, keepdims=True)) / np.sqrt(D)
    dq, dk, dv = ds @ k, ds.transpose(0, 2, 1) @ q, p.transpose(0, 2, 1) @ do
    dx = merge(dq) @ wq.T + merge(dk) @ wk.T + merge(dv) @ wv.T
    wq = wq - 1e-4 * x.T @ merge(dq)
`;

const tiles = `
import numpy as np

T, D, B = 512, 64, 64
rng = np.random.default_rng(0)
q, k, v, do = (rng.normal(size=(8, T, D)) for _ in range(4))
out, lse = np.zeros((8, T, D)), np.zeros((8, T))
for h in range(8):
    for i in range(0, T, B):
        qi = q[h, i:i + B] / np.sqrt(D)
        m, l, acc = np.full(B, -np.inf), np.zeros(B), np.zeros((B, D))
        for j in range(0, T, B):
            s = qi @ k[h, j:j + B].T
            m_new = np.maximum(m, s.max(axis=1))
            p = np.exp(s - m_new[:, None])
            alpha = np.exp(m - m_new)
            l = alpha * l + p.sum(axis=1)
            acc = alpha[:, None] * acc + p @ v[h, j:j + B]
            m = m_new
        out[h, i:i + B] = acc / l[:, None]
        lse[h, i:i + B] = m + np.log(l)
`;

const programs = [
  { name: 'dense, T = 512', source: dense, most: 3 },
  { name: 'tiles of 64 x 64', source: tiles, most: 2 },
];

const folder = mkdtempSync(join(tmpdir(), 'attention-bench-'));

/** @param {string[]} args */
function seconds(args) {
  const began = process.hrtime.bigint();
  const { status, stderr } = spawnSync(python, args, { cwd: folder, encoding: 'utf8' });
  if (status !== 0) throw new Error(stderr);
  return Number(process.hrtime.bigint() - began) / 1e9;
}

let failed = 0;
for (const { name, source, most } of programs) {
  writeFileSync(join(folder, 'program.py'), source);
  const best = { plain: Infinity, recorded: Infinity };
  for (let run = 0; run < runs; run++) {
    best.plain = Math.min(best.plain, seconds(['program.py']));
    const command = [recorder, '--record', 'recording', 'program.py'];
    best.recorded = Math.min(best.recorded, seconds(command));
  }
  const ratio = best.recorded / best.plain;
  if (ratio > most) failed += 1;
  const { size } = statSync(join(folder, 'recording'));
  const times = `${best.plain.toFixed(2)} s, recorded ${best.recorded.toFixed(2)} s`;
  const limit = `${ratio.toFixed(2)} times (at most ${most})`;
  console.log(`${name}: ${times}: ${limit}, ${(size / 2 ** 20).toFixed(0)} MiB`);
}
rmSync(folder, { recursive: true, force: true });
process.exitCode = failed > 0 ? 1 : 0;
