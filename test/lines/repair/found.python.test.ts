// Wrong programs of which the fix is found: from the statement that is told to the edit that is proven. Python runs them.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import type { HeadConfig } from '../../../src/engine/config.ts';
import { buildGraph } from '../../../src/engine/heads/build.ts';
import type { Tensor } from '../../../src/engine/tensor.ts';
import { findFixes } from '../../../src/lineRun/fixes.ts';
import { infer } from '../../../src/lines/infer/infer.ts';
import { judge } from '../../../src/lines/judge.ts';
import { parseRecording, type Recording } from '../../../src/lines/recorded/recording.ts';
import { record, recorderIn } from '../../../src/recorder/record.ts';

const recorder = recorderIn(process.cwd());
const python = process.env.ATTENTION_PYTHON ?? '/usr/bin/python3';
const hasNumpy = spawnSync(python, ['-c', 'import numpy']).status === 0;
if (!hasNumpy) console.warn(`${python} has no NumPy: no fix is looked for`);
const hasTorch = spawnSync(python, ['-c', 'import torch']).status === 0;
if (!hasTorch) console.warn(`${python} has no PyTorch: autograd is not mended`);
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

/** Gradients of sequences are added up in a dict; the setup is that of all of them. */
const SUMS = `import numpy as np
rng = np.random.default_rng(5)
B, T, C, D = 3, 4, 5, 4
x, dy = rng.normal(size=(B, T, C)), rng.normal(size=(B, T, D))
W = {name: rng.normal(size=(C, D)) for name in ('q', 'k', 'v')}
total = {name: np.zeros((C, D)) for name in W}
y, dx = np.zeros((B, T, D)), np.zeros_like(x)
for b in range(B):
    q, k, v = (x[b] @ W[name] for name in ('q', 'k', 'v'))
    s = q @ k.T / np.sqrt(D)
    p = np.exp(s - s.max(axis=1, keepdims=True))
    p = p / p.sum(axis=1, keepdims=True)
    y[b] = p @ v
    dp = dy[b] @ v.T
    ds = p * (dp - (p * dp).sum(axis=1, keepdims=True)) / np.sqrt(D)
    grads = {'q': ds @ k, 'k': ds.T @ q, 'v': p.T @ dy[b]}
    for name, g in grads.items():
        total[name] += x[b].T @ g
        dx[b] += g @ W[name].T
`;

/** The input is added to what the attention gives; the setup is of the attention alone. */
const STREAM = `import numpy as np
rng = np.random.default_rng(6)
T, C = 5, 4
x, dy = rng.normal(size=(T, C)), rng.normal(size=(T, C))
W = {name: rng.normal(size=(C, C)) for name in ('q', 'k', 'v')}
q, k, v = (x @ W[name] for name in ('q', 'k', 'v'))
s = q @ k.T / np.sqrt(C)
p = np.exp(s - s.max(axis=1, keepdims=True))
p = p / p.sum(axis=1, keepdims=True)
y = p @ v + x
dp = dy @ v.T
ds = p * (dp - (p * dp).sum(axis=1, keepdims=True)) / np.sqrt(C)
dWq, dWk, dWv = x.T @ (ds @ k), x.T @ (ds.T @ q), x.T @ (p.T @ dy)
`;

const TWICE = `import torch
torch.manual_seed(2)
x, G = torch.randn(5, 4, dtype=torch.float64), torch.randn(5, 3, dtype=torch.float64)
Wq, Wk, Wv = (torch.randn(4, 3, dtype=torch.float64, requires_grad=True) for _ in range(3))
q, k, v = x @ Wq, x @ Wk, x @ Wv
p = torch.softmax(q @ k.T / 3 ** 0.5, dim=-1)
y = p @ v
y.backward(G, retain_graph=True)
print(Wq.grad.norm().item())
`;

const recorded = (file: string): Promise<Recording> =>
  record({ recorder, python, file, args: [], cwd: folder }).then(({ bytes }) =>
    parseRecording(bytes),
  );

function sums(recording: Recording): HeadConfig {
  const of = (name: string): Tensor =>
    recording.tensor(recording.events.find((event) => event.name === name)!.id)!;
  return {
    ...{ head: 'qkv', axes: 'query-first', heads: 1, kvHeads: 1, mask: 'none' },
    ...{ x: of('x'), weights: { W_Q: of("W['q']"), W_K: of("W['k']"), W_V: of("W['v']") } },
    loss: { kind: 'upstream', G: of('dy') },
  };
}

let count = 0;

/** The line after the first fix; the setup is that of the program that is meant. */
async function mended(
  meant: string,
  from: string,
  to: string,
  configOf = (recording: Recording): HeadConfig => infer(recording)!.config,
): Promise<string | undefined> {
  const file = join(folder, `p${count++}.py`);
  writeFileSync(file, meant);
  const config = configOf(await recorded(file));
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

test.skipIf(!hasNumpy)('a sum of which each part takes the place of the last', async () => {
  const fix = await mended(SUMS, 'total[name] += x', 'total[name] = x', sums);
  expect(fix).toBe('total[name] += x[b].T @ g');
});

test.skipIf(!hasNumpy)(
  'a sum with the output is not taken away: it may be the input that was meant',
  async () => {
    const fix = await mended(STREAM, '@ v + x', '@ v + q', sums);
    expect([undefined, 'y = p @ v + x']).toContain(fix);
  },
);

test.skipIf(!hasTorch)('a pass that is run twice', async () => {
  const once = 'print(Wq.grad.norm().item())\n';
  expect(await mended(TWICE, once, `${once}y.backward(G)\n`)).toBe('');
});

/** A step of training: two of its gradients are computed after it. */
const STEP = `import numpy as np
rng = np.random.default_rng(8)
T, C, D = 5, 4, 3
x, dy = rng.normal(size=(T, C)), rng.normal(size=(T, C))
W = {name: rng.normal(size=(C, D)) for name in ('q', 'k')}
Wv = rng.normal(size=(C, C))
q, k, v = x @ W['q'], x @ W['k'], x @ Wv
s = q @ k.T / np.sqrt(D)
p = np.exp(s - s.max(axis=1, keepdims=True))
p = p / p.sum(axis=1, keepdims=True)
y = p @ v
dv = p.T @ dy
dp = dy @ v.T
ds = p * (dp - (p * dp).sum(axis=1, keepdims=True)) / np.sqrt(D)
dq, dk = ds @ k, ds.T @ q
dWq, dWk, dWv = x.T @ dq, x.T @ dk, x.T @ dv
dx = dq @ W['q'].T + dk @ W['k'].T + dv @ Wv.T
Wv -= 0.1 * dWv
`;

test.skipIf(!hasNumpy)('a step that comes too soon is moved, and not taken away', async () => {
  const last = STEP.split('\n').slice(-3, -1).join('\n');
  const soon = last.split('\n').toReversed().join('\n');
  const fix = await mended(STEP, last, soon);
  expect(fix?.split('\n')).toContain('Wv -= 0.1 * dWv');
});

/** Positions are turned by tables; what the backward pass needs is put into an attribute. */
const TURNED = `import numpy as np
rng = np.random.default_rng(9)
T, D = 5, 4
class Turned:
    def tables(self):
        angle = np.arange(T)[:, None] * 10 ** (-np.arange(0, D, 2) / D)
        return np.cos(angle), np.sin(angle)
    def turn(self, a, cos, sin):
        out = np.empty_like(a)
        out[:, 0::2] = a[:, 0::2] * cos - a[:, 1::2] * sin
        out[:, 1::2] = a[:, 0::2] * sin + a[:, 1::2] * cos
        return out
    def forward(self, q, k, v):
        cos, sin = self.tables()
        qr, kr = self.turn(q, cos, sin), self.turn(k, cos, sin)
        s = qr @ kr.T / np.sqrt(D)
        p = np.exp(s - s.max(axis=1, keepdims=True))
        p = p / p.sum(axis=1, keepdims=True)
        self.saved = (qr, kr, v, p, cos, sin)
        return p @ v
    def backward(self, g):
        qr, kr, v, p, cos, sin = self.saved
        dp = g @ v.T
        ds = p * (dp - (p * dp).sum(axis=1, keepdims=True)) / np.sqrt(D)
        return self.turn(ds @ kr, cos, -sin), self.turn(ds.T @ qr, cos, -sin), p.T @ g
q, k, v, dy = (rng.normal(size=(T, D)) for _ in range(4))
layer = Turned()
y = layer.forward(q, k, v)
dq, dk, dv = layer.backward(dy)
`;

test.skipIf(!hasNumpy)('what is put away twice, and something else not at all', async () => {
  const saved = 'self.saved = (qr, kr, v, p, cos, sin)';
  expect(await mended(TURNED, saved, saved.replace(', v,', ', kr,'))).toBe(saved);
});

/** What the attention is of is another tensor of the same shape, given to the function that computes it. */
const GIVEN = `import numpy as np
rng = np.random.default_rng(9)
B, T, C, D = 2, 5, 6, 4
def normed(a):
    return (a - a.mean(-1, keepdims=True)) / np.sqrt(a.var(-1, keepdims=True) + 1e-5)
def attention(a, w):
    q, k, v = a @ w['q'], a @ w['k'], a @ w['v']
    s = q @ k.swapaxes(-1, -2) / np.sqrt(D)
    p = np.exp(s - s.max(axis=-1, keepdims=True))
    p = p / p.sum(axis=-1, keepdims=True)
    return p @ v @ w['o'], (a, q, k, v, p)
x, w = rng.normal(size=(B, T, C)), {name: rng.normal(size=(C, D)) for name in 'qkv'}
w['o'] = rng.normal(size=(D, C))
def block(x, w):
    n = normed(x)
    return attention(n, w)
y, cache = block(x, w)
`;

test.skipIf(!hasNumpy)('another tensor that is given to a function', async () => {
  const fix = await mended(GIVEN, 'attention(n, w)', 'attention(x, w)');
  expect(fix).toBe('return attention(n, w)');
});

/** What is printed is told apart by its place in what the function returns alone. */
const RETURNED = `import numpy as np
rng = np.random.default_rng(9)
T, C, D, E = 5, 4, 3, 2
x, wq, wk, wv = rng.normal(size=(T, C)), *rng.normal(size=(2, C, D)), rng.normal(size=(C, E))
dy = rng.normal(size=(T, E))
def weights(x, wq, wk):
    s = x @ wq @ (x @ wk).T / np.sqrt(D)
    p = np.exp(s - s.max(axis=1, keepdims=True))
    return p / p.sum(axis=1, keepdims=True)
def gradients(x, p, dy, wq, wk, wv):
    dp = dy @ (x @ wv).T
    ds = p * (dp - (p * dp).sum(axis=1, keepdims=True)) / np.sqrt(D)
    a, b, c = ds @ (x @ wk), ds.T @ (x @ wq), p.T @ dy
    whole = a @ wq.T + b @ wk.T + c @ wv.T
    return whole, x.T @ a, x.T @ b, x.T @ c
p = weights(x, wq, wk)
y = p @ (x @ wv)
for label, each in zip(['x', 'wq', 'wk', 'wv'], gradients(x, p, dy, wq, wk, wv)):
    print(label, each.sum())
`;

test.skipIf(!hasNumpy)('what is returned in another order, and only that', async () => {
  const order = 'return whole, x.T @ a, x.T @ b, x.T @ c';
  const other = 'return whole, x.T @ b, x.T @ a, x.T @ c';
  expect(await mended(RETURNED, order, other)).toBe(order);
});

/** A number of tokens that is 1 where there is an axis more. */
const PULLED = `import numpy as np
rng = np.random.default_rng(9)
T, C, D = 5, 4, 3
def product(a, b):
    return a @ b, lambda g: (g @ b.swapaxes(-1, -2), a.swapaxes(-1, -2) @ g)
def attention(x, wq, wk, wv):
    (q, from_q), (k, from_k), (v, from_v) = product(x, wq), product(x, wk), product(x, wv)
    s = q @ k.swapaxes(-1, -2) / np.sqrt(D)
    p = np.exp(s - s.max(axis=-1, keepdims=True))
    p = p / p.sum(axis=-1, keepdims=True)
    def back(dy):
        dp = dy @ v.swapaxes(-1, -2)
        ds = p * (dp - (p * dp).sum(axis=-1, keepdims=True)) / np.sqrt(D)
        (xq, dwq), (xk, dwk) = from_q(ds @ k), from_k(ds.swapaxes(-1, -2) @ q)
        xv, dwv = from_v(p.swapaxes(-1, -2) @ dy)
        return xq + xk + xv, dwq, dwk, dwv
    return p @ v, back
x, wq, wk, wv = rng.normal(size=(T, C)), *rng.normal(size=(3, C, D))
y, back = attention(x, wq, wk, wv)
dx, dwq, dwk, dwv = back(rng.normal(size=(T, D)))
`;

test.skipIf(!hasNumpy)('no axis of length 1 in the place of the mistake', async () => {
  const product = 'return a @ b, lambda g: (g @ b.swapaxes(-1, -2), a.swapaxes(-1, -2) @ g)';
  const divided = product.replace('a.swapaxes(-1, -2) @ g', 'a.swapaxes(-1, -2) @ g / len(a)');
  expect(await mended(PULLED, product, divided)).toBe(product);
});

/** Gradients of queries and keys are stacked; each is computed as the other one is. */
const STACKED = `import numpy as np
rng = np.random.default_rng(9)
T, C, D = 5, 4, 6
def half(a, b):
    return a[:, : D // 2] * b, a[:, D // 2 :] * b
def turned(a, cos, sin):
    u, w = half(a, 1.0)
    return np.concatenate([u * cos - w * sin, w * cos + u * sin], axis=1)
class Layer:
    def __init__(self):
        self.w = rng.normal(size=(3, C, D))
    def forward(self, x):
        angle = np.arange(T)[:, None] * 10000.0 ** (-np.arange(D // 2) / (D // 2))
        cos, sin = np.cos(angle), np.sin(angle)
        q, k, v = x @ self.w
        qr, kr = turned(q, cos, sin), turned(k, cos, sin)
        s = qr @ kr.T / np.sqrt(D)
        p = np.exp(s - s.max(1, keepdims=True))
        p = p / p.sum(1, keepdims=True)
        self.saved = x, qr, kr, v, p, cos, sin
        return p @ v
    def backward(self, dy):
        x, qr, kr, v, p, cos, sin = self.saved
        dp = dy @ v.T
        ds = p * (dp - (p * dp).sum(1, keepdims=True)) / np.sqrt(D)
        dqr, dkr = ds @ kr, ds.T @ qr
        dq = turned(dqr, cos, -sin)
        dk = turned(dkr, cos, -sin)
        dqkv = np.stack([dq, dk, p.T @ dy])
        self.dw = np.einsum('td,nte->nde', x, dqkv)
        return np.einsum('nte,nde->td', dqkv, self.w)
layer, x, dy = Layer(), rng.normal(size=(T, C)), rng.normal(size=(T, D))
y = layer.forward(x)
dx = layer.backward(dy)
`;

test.skipIf(!hasNumpy)('gradients that are stacked in another order', async () => {
  const fix = await mended(STACKED, 'np.stack([dq, dk,', 'np.stack([dk, dq,');
  expect(fix).toBe('dqkv = np.stack([dq, dk, p.T @ dy])');
});

test.skipIf(!hasNumpy)('a step that is taken for the queries, and not for the keys', async () => {
  const fix = await mended(STACKED, 'dk = turned(dkr, cos, -sin)', 'dk = dkr');
  expect(fix).toBe('dk = turned(dkr, cos, -sin)');
});

/** A layer with biases: that of the keys has no gradient, by hand or not. */
const BIASES = `import torch
torch.manual_seed(2)
F = torch.nn.functional
class Layer(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.norm, self.qkv, self.out = torch.nn.LayerNorm(6), torch.nn.Linear(6, 18), torch.nn.Linear(6, 6)
    def forward(self, x):
        q, k, v = self.qkv(self.norm(x)).split(6, dim=2)
        q, k, v = (a.view(2, 5, 3, 2).transpose(1, 2) for a in (q, k, v))
        att = F.softmax(q @ k.transpose(-2, -1) / 2 ** 0.5, dim=-1)
        return self.out((att @ v).transpose(1, 2).reshape(2, 5, 6))
layer = Layer().double()
x, target = torch.randn(2, 5, 6, dtype=torch.float64, requires_grad=True), torch.randn(2, 5, 6, dtype=torch.float64)
((layer(x) - target) ** 2).sum().backward()
for name, each in layer.named_parameters():
    print(name, each.grad.norm().item())
`;

test.skipIf(!hasTorch)('a layer of which the keys have a bias', async () => {
  const fix = await mended(BIASES, 'dim=-1', 'dim=-2');
  expect(fix).toBe('att = F.softmax(q @ k.transpose(-2, -1) / 2 ** 0.5, dim=-1)');
});

/** Keys and values are handed over in a dict. */
const KEPT = `import numpy as np
rng = np.random.default_rng(9)
T, C, D, E = 5, 4, 3, 2
enc, dy = rng.normal(size=(T, C)), rng.normal(size=(T, E))
w = {'q': rng.normal(size=(C, D)), 'k': rng.normal(size=(C, D)), 'v': rng.normal(size=(C, E))}
def forward(enc, w):
    q, k, v = enc @ w['q'], enc @ w['k'], enc @ w['v']
    s = q @ k.T / np.sqrt(D)
    p = np.exp(s - s.max(1, keepdims=True))
    p = p / p.sum(1, keepdims=True)
    return p @ v, (q, k, v, p)
def backward(dy, enc, w, saved):
    q, k, v, p = saved
    dp, dv = dy @ v.T, p.T @ dy
    ds = p * (dp - (p * dp).sum(1, keepdims=True)) / np.sqrt(D)
    dq, dk = ds @ k, ds.T @ q
    d = {}
    d['q'] = np.einsum('tc,td->cd', enc, dq)
    d['k'] = np.einsum('tc,td->cd', enc, dk)
    d['v'] = np.einsum('tc,td->cd', enc, dv)
    return d
y, saved = forward(enc, w)
grads = backward(dy, enc, w, saved)
for key in grads:
    print(key, np.abs(grads[key]).sum())
`;

test.skipIf(!hasNumpy)(
  'a gradient in the place of another one beside another mistake',
  async () => {
    const wrong = KEPT.replace('enc, dv)', 'enc, dk[:, : dv.shape[1]])');
    const fix = await mended(KEPT, KEPT, wrong.replace('/ np.sqrt(D)\n    p', '/ D\n    p'));
    expect(fix === undefined || fix.includes('enc, dv)')).toBe(true);
  },
);
