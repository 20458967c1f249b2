// A test that sees: programs whose own run hides mistakes; each is planted, and the test that was written must fail.
import { execFileSync, spawnSync } from 'node:child_process';
import { describe, expect, test } from 'vitest';
import { onlyLine, useCli } from './cli.ts';

const cli = useCli();
const python = process.env.ATTENTION_PYTHON ?? '/usr/bin/python3';

interface Planted {
  /** The rule of blind spots that names it. */
  readonly rule: string;
  readonly from: string;
  readonly to: string;
}

/** Four heads, tokens, batch entries and features; dy of ones, a bias of zeros. */
const MHA = `import numpy as np


def split(t, heads):
    b, n, w = t.shape
    return t.reshape(b, n, heads, w // heads).transpose(0, 2, 1, 3)


def merge(t):
    b, h, n, w = t.shape
    return t.transpose(0, 2, 1, 3).reshape(b, n, h * w)


def forward(x, mem, wq, wk, wv, wo, b_o, heads):
    q, k, v = split(x @ wq, heads), split(mem @ wk, heads), split(mem @ wv, heads)
    s = q @ k.swapaxes(-1, -2) / np.sqrt(k.shape[-1])
    p = np.exp(s - s.max(-1, keepdims=True))
    p /= p.sum(-1, keepdims=True)
    o = merge(p @ v)
    return o @ wo + b_o, (x, mem, q, k, v, p, o)


def backward(dy, saved, wq, wk, wv, wo):
    x, mem, q, k, v, p, o = saved
    db_o = dy.sum((0, 1))
    dwo = np.einsum("bnf,bng->fg", o, dy)
    do = split(dy @ wo.T, q.shape[1])
    dv = p.swapaxes(-1, -2) @ do
    dp = do @ v.swapaxes(-1, -2)
    ds = p * (dp - (p * dp).sum(-1, keepdims=True)) / np.sqrt(k.shape[-1])
    dq, dk = merge(ds @ k), merge(ds.swapaxes(-1, -2) @ q)
    dv = merge(dv)
    dwq = np.einsum("bnf,bng->fg", x, dq)
    dwk = np.einsum("bnf,bng->fg", mem, dk)
    dwv = np.einsum("bnf,bng->fg", mem, dv)
    return dq @ wq.T, dk @ wk.T + dv @ wv.T, dwq, dwk, dwv, dwo, db_o


if __name__ == "__main__":
    rng = np.random.default_rng(3)
    n_heads, width = 4, 16
    x, mem = rng.normal(size=(4, 4, width)), rng.normal(size=(4, 4, width))
    wq, wk, wv, wo = (rng.normal(size=(width, width)) * 0.3 for _ in range(4))
    b_o = np.zeros(width)
    dy = np.ones((4, 4, width))
    y, saved = forward(x, mem, wq, wk, wv, wo, b_o, n_heads)
    dx, dmem, dwq, dwk, dwv, dwo, db_o = backward(dy, saved, wq, wk, wv, wo)
`;
const MHA_MISTAKES: readonly Planted[] = [
  {
    rule: 'heads-are-tokens',
    from: 't.reshape(b, n, heads, w // heads).transpose(0, 2, 1, 3)',
    to: 't.reshape(b, heads, n, w // heads)',
  },
  {
    rule: 'batch-is-an-axis',
    from: 'dy.sum((0, 1))',
    to: 'dy.sum((0, 1)) * dy.shape[1] / dy.shape[0]',
  },
  { rule: 'square', from: 'merge(ds.swapaxes(-1, -2) @ q)', to: 'merge(ds @ q)' },
  { rule: 'square', from: 'dv = p.swapaxes(-1, -2) @ do', to: 'dv = p @ do' },
  {
    rule: 'widths',
    from: '/ np.sqrt(k.shape[-1])\n    p =',
    to: '/ np.sqrt(v.shape[-1])\n    p =',
  },
  { rule: 'square-weights', from: 'dy @ wo.T', to: 'dy @ wo' },
  { rule: 'square-weights', from: 'dq @ wq.T', to: 'dq @ wq' },
  {
    rule: 'width-is-length',
    from: '/ np.sqrt(k.shape[-1])\n    dq',
    to: '/ np.sqrt(k.shape[-2])\n    dq',
  },
  { rule: 'equal-upstream', from: '"bnf,bng->fg", o, dy', to: '"bnf,bmg->fg", o, dy / o.shape[1]' },
  { rule: 'zero-bias', from: 'o @ wo + b_o', to: 'o @ wo' },
  { rule: 'zero-bias', from: 'o @ wo + b_o', to: 'o @ wo + 2 * b_o' },
  { rule: 'one-batch-entry', from: 'db_o = dy.sum((0, 1))', to: 'db_o = dy.mean(0).sum(0)' },
];

/** A mask that hides nothing. */
const MASKED = `import numpy as np


def forward(q, k, v, mask):
    s = np.einsum("bjd,bid->bji", q, k) / np.sqrt(q.shape[-1])
    s = np.where(mask[:, None, :], s, -np.inf)
    p = np.exp(s - s.max(-1, keepdims=True))
    p /= p.sum(-1, keepdims=True)
    return np.einsum("bji,biv->bjv", p, v), p


def backward(dout, q, k, v, p):
    dv = np.einsum("bji,bjv->biv", p, dout)
    dp = np.einsum("bjv,biv->bji", dout, v)
    ds = p * (dp - (p * dp).sum(-1, keepdims=True)) / np.sqrt(q.shape[-1])
    return np.einsum("bji,bid->bjd", ds, k), np.einsum("bji,bjd->bid", ds, q), dv


if __name__ == "__main__":
    rng = np.random.default_rng(4)
    B, J, I, D, V = 2, 3, 5, 4, 6
    q, k = rng.normal(size=(B, J, D)), rng.normal(size=(B, I, D))
    v, dout = rng.normal(size=(B, I, V)), rng.normal(size=(B, J, V))
    mask = np.ones((B, I), dtype=bool)
    out, p = forward(q, k, v, mask)
    dq, dk, dv = backward(dout, q, k, v, p)
`;
const MASK_MISTAKES: readonly Planted[] = [
  { rule: 'no-mask', from: 's = np.where(mask[:, None, :], s, -np.inf)', to: 'pass' },
  { rule: 'no-mask', from: 'np.where(mask[:, None, :], s, -np.inf)', to: 's * mask[:, None, :]' },
  {
    rule: 'no-mask',
    from: 'np.where(mask[:, None, :]',
    to: 'np.where(np.roll(mask, 1, 1)[:, None, :]',
  },
  {
    rule: 'no-mask',
    from: '    return np.einsum("bji,biv->bjv", p, v), p',
    to: '    p = np.where(mask[:, None, :], p, 1 / p.shape[-1])\n    return np.einsum("bji,biv->bjv", p, v), p',
  },
];

/** One tile; as many keys as queries. */
const TILED = `import math
import torch


class Tiled(torch.autograd.Function):
    @staticmethod
    def forward(ctx, q, k, v, block):
        scale = 1 / math.sqrt(q.shape[-1])
        o = torch.zeros(*q.shape[:-1], v.shape[-1], dtype=q.dtype)
        m = torch.full(q.shape[:-1], -math.inf, dtype=q.dtype)
        total = torch.zeros_like(m)
        for j in range(0, k.shape[1], block):
            s = q @ k[:, j:j + block].transpose(1, 2) * scale
            m_new = torch.maximum(m, s.amax(-1))
            fix = torch.exp(m - m_new)
            p = torch.exp(s - m_new[..., None])
            total = total * fix + p.sum(-1)
            o = o * fix[..., None] + p @ v[:, j:j + block]
            m = m_new
        o = o / total[..., None]
        ctx.save_for_backward(q, k, v, o, m + torch.log(total))
        ctx.block = block
        return o

    @staticmethod
    def backward(ctx, do):
        q, k, v, o, lse = ctx.saved_tensors
        scale = 1 / math.sqrt(q.shape[-1])
        delta = (do * o).sum(-1, keepdim=True)
        dq, dk, dv = torch.zeros_like(q), torch.zeros_like(k), torch.zeros_like(v)
        for j in range(0, k.shape[1], ctx.block):
            keys = slice(j, j + ctx.block)
            p = torch.exp(q @ k[:, keys].transpose(1, 2) * scale - lse[..., None])
            ds = p * (do @ v[:, keys].transpose(1, 2) - delta) * scale
            dv[:, keys] = p.transpose(1, 2) @ do
            dq += ds @ k[:, keys]
            dk[:, keys] = ds.transpose(1, 2) @ q
        return dq, dk, dv, None


if __name__ == "__main__":
    torch.manual_seed(1)
    q, k, v = (torch.randn(1, 4, 4, dtype=torch.float64, requires_grad=True) for _ in range(3))
    grad = torch.randn(1, 4, 4, dtype=torch.float64)
    out = Tiled.apply(q, k, v, 4)
    (out * grad).sum().backward()
`;
const TILED_MISTAKES: readonly Planted[] = [
  { rule: 'one tile', from: 'o = o * fix[..., None] + p', to: 'o = o + p' },
  { rule: 'one tile', from: 'total = total * fix + p', to: 'total = p' },
  { rule: 'one tile', from: 'dq += ds', to: 'dq = ds' },
  {
    rule: 'a partial tile',
    from: 'range(0, k.shape[1], block)',
    to: 'range(0, k.shape[1] - block + 1, block)',
  },
  {
    rule: 'square',
    from: 'ds.transpose(1, 2) @ q',
    to: 'ds.transpose(1, 2) @ q[:, keys] if q.shape == k.shape else ds @ q',
  },
  {
    rule: 'widths',
    from: 'scale = 1 / math.sqrt(q.shape[-1])\n        delta',
    to: 'scale = 1 / math.sqrt(v.shape[-1])\n        delta',
  },
  {
    rule: 'width-is-length',
    from: 'scale = 1 / math.sqrt(q.shape[-1])\n        o =',
    to: 'scale = 1 / math.sqrt(k.shape[1])\n        o =',
  },
];

/** Weights that objects hold; heads are tokens, and features of a head; inputs that are written in the calls. */
const LAYER = `import numpy as np


class Linear:
    def __init__(self, n_in, n_out, rng):
        self.W = rng.normal(size=(n_in, n_out)) * 0.3

    def forward(self, x):
        self.x = x
        return x @ self.W

    def backward(self, dy):
        self.dW = np.einsum("bnf,bng->fg", self.x, dy)
        return dy @ self.W.T


class Attention:
    def __init__(self, width, heads, rng):
        self.heads = heads
        self.q, self.k, self.v, self.o = (Linear(width, width, rng) for _ in range(4))
        self.b = np.zeros(width)
        self.grads = {}

    def split(self, t):
        b, n, w = t.shape
        return t.reshape(b, n, self.heads, w // self.heads).transpose(0, 2, 1, 3)

    def merge(self, t):
        b, h, n, w = t.shape
        return t.transpose(0, 2, 1, 3).reshape(b, n, h * w)

    def forward(self, x):
        q, k, v = self.split(self.q.forward(x)), self.split(self.k.forward(x)), self.split(self.v.forward(x))
        s = q @ k.swapaxes(-1, -2) / np.sqrt(q.shape[-1])
        p = np.exp(s - s.max(-1, keepdims=True))
        p /= p.sum(-1, keepdims=True)
        self.saved = q, k, v, p
        return self.o.forward(self.merge(p @ v)) + self.b

    def backward(self, dy):
        q, k, v, p = self.saved
        self.grads["b"] = dy.sum((0, 1))
        do = self.split(self.o.backward(dy))
        dv = p.swapaxes(-1, -2) @ do
        dp = do @ v.swapaxes(-1, -2)
        ds = p * (dp - (p * dp).sum(-1, keepdims=True)) / np.sqrt(q.shape[-1])
        dx = self.q.backward(self.merge(ds @ k))
        dx += self.k.backward(self.merge(ds.swapaxes(-1, -2) @ q))
        return dx + self.v.backward(self.merge(dv))


if __name__ == "__main__":
    rng = np.random.default_rng(3)
    layer = Attention(16, 4, rng)
    x = rng.normal(size=(4, 4, 16))
    y = layer.forward(x)
    dx = layer.backward(np.ones((4, 4, 16)))
`;
const LAYER_MISTAKES: readonly Planted[] = [
  {
    rule: 'heads-are-tokens',
    from: 't.reshape(b, n, self.heads, w // self.heads).transpose(0, 2, 1, 3)',
    to: 't.reshape(b, self.heads, n, w // self.heads)',
  },
  { rule: 'square', from: 'ds.swapaxes(-1, -2) @ q', to: 'ds @ q' },
  { rule: 'square-weights', from: 'dy @ self.W.T', to: 'dy @ self.W' },
  {
    rule: 'equal-upstream',
    from: '"bnf,bng->fg", self.x, dy',
    to: '"bnf,bmg->fg", self.x, dy / dy.shape[1]',
  },
  {
    rule: 'width-is-length',
    from: '/ np.sqrt(q.shape[-1])\n        dx',
    to: '/ np.sqrt(q.shape[-2])\n        dx',
  },
];

const MODULE = `import math
import torch
from torch import nn


class SelfAttention(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)

    def forward(self, x):
        B, T, C = x.shape
        q, k, v = self.qkv(x).chunk(3, dim=-1)
        q, k, v = (t.view(B, T, self.heads, C // self.heads).transpose(1, 2) for t in (q, k, v))
        s = q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1])
        p = torch.softmax(s, dim=-1)
        return self.proj((p @ v).transpose(1, 2).reshape(B, T, C))


torch.manual_seed(0)
torch.set_default_dtype(torch.float64)
attn = SelfAttention(width=16, heads=4)
y = attn(torch.randn(2, 4, 16))
loss = (y * torch.randn(2, 4, 16)).sum()
loss.backward()
`;
const MODULE_MISTAKES: readonly Planted[] = [
  {
    rule: 'heads-are-tokens',
    from: 't.view(B, T, self.heads, C // self.heads).transpose(1, 2)',
    to: 't.view(B, self.heads, T, C // self.heads)',
  },
  { rule: 'width-is-length', from: 'math.sqrt(q.shape[-1])', to: 'math.sqrt(q.shape[-2])' },
];

const TARGET = `import numpy as np


def loss_and_grads(x, wq, wk, wv, target):
    q, k, v = x @ wq, x @ wk, x @ wv
    s = q @ k.T / np.sqrt(q.shape[1])
    p = np.exp(s - s.max(1, keepdims=True))
    p /= p.sum(1, keepdims=True)
    out = p @ v
    loss = 0.5 * ((out - target) ** 2).sum()
    dout = out - target
    dv = p.T @ dout
    dp = dout @ v.T
    ds = p * (dp - (p * dp).sum(1, keepdims=True)) / np.sqrt(q.shape[1])
    dq, dk = ds @ k, ds.T @ q
    dx = dq @ wq.T + dk @ wk.T + dv @ wv.T
    return out, dx, x.T @ dq, x.T @ dk, x.T @ dv


np.random.seed(0)
out, dx, dwq, dwk, dwv = loss_and_grads(np.random.randn(4, 4), np.random.randn(4, 4), np.random.randn(4, 4), np.random.randn(4, 4), np.random.randn(4, 4))
`;
const TARGET_MISTAKES: readonly Planted[] = [
  { rule: 'square', from: 'dv = p.T @ dout', to: 'dv = p @ dout' },
  { rule: 'widths', from: 'np.sqrt(q.shape[1])\n    p', to: 'np.sqrt(v.shape[1])\n    p' },
  { rule: 'target', from: 'dout = out - target', to: 'dout = out' },
];

/** A call whose output only the loss sees. */
const LOSS = `import math
import torch
import torch.nn.functional as F

torch.manual_seed(0)
torch.set_default_dtype(torch.float64)


def attend(q, k, v):
    s = q @ k.transpose(-2, -1) / math.sqrt(k.shape[-1])
    return torch.softmax(s, dim=-1) @ v


q, k, v = (torch.randn(2, 4, 4, requires_grad=True) for _ in range(3))
loss = F.mse_loss(attend(q, k, v), torch.randn(2, 4, 4))
loss.backward()
`;
const LOSS_MISTAKES: readonly Planted[] = [
  { rule: 'widths', from: 'k.shape[-1]', to: 'v.shape[-1]' },
];

const run = (file: string): number | null =>
  spawnSync(python, [cli.path(file)], { encoding: 'utf8' }).status;

describe.each([
  ['mha', MHA, MHA_MISTAKES],
  ['masked', MASKED, MASK_MISTAKES],
  ['tiled', TILED, TILED_MISTAKES],
  ['layer', LAYER, LAYER_MISTAKES],
  ['module', MODULE, MODULE_MISTAKES],
  ['target', TARGET, TARGET_MISTAKES],
  ['loss', LOSS, LOSS_MISTAKES],
] as const)('%s', (name, program, mistakes) => {
  test('the right program passes, and every planted mistake fails', async () => {
    cli.write(`${name}.py`, program);
    const written = await cli.run('lines', `${name}.py`, '--test', `sees_${name}.py`);
    expect(written.stdout, written.stderr).toContain('The program passes');
    expect(written.code).toBe(0);
    const unseen: string[] = [];
    for (const { rule, from, to } of mistakes) {
      expect(program.split(from).length, from).toBe(2);
      cli.write(`${name}.py`, program.replace(from, to));
      // Its own run goes through: nothing breaks off.
      if (name !== 'tiled') execFileSync(python, [cli.path(`${name}.py`)]);
      if (run(`sees_${name}.py`) === 0) unseen.push(`${rule}: ${to}`);
    }
    expect(unseen).toEqual([]);
    cli.write(`${name}.py`, program);
    expect(run(`sees_${name}.py`)).toBe(0);
  }, 240_000);
});

test('a program without functions, or one that is wrong already, is told in one line', async () => {
  const script = `import numpy as np

rng = np.random.default_rng(1)
x = rng.normal(size=(5, 6))
wq, wk, wv = rng.normal(size=(6, 4)), rng.normal(size=(6, 4)), rng.normal(size=(6, 3))
s = (x @ wq) @ (x @ wk).T / 2
p = np.exp(s)
p /= p.sum(-1, keepdims=True)
y = p @ (x @ wv)
`;
  cli.write('script.py', script);
  const refused = await cli.run('lines', 'script.py', '--test', 'sees_script.py');
  expect([refused.code, onlyLine(refused)]).toEqual([
    2,
    'script.py: no function of it is called with tensors, which could be given others',
  ]);
  expect(cli.names()).not.toContain('sees_script.py');
}, 60_000);

/** Its class holds all widths and the scale: only how many tokens it is given may be another number. */
const FIXED = `import numpy as np


class Attention:
    def __init__(self):
        rng = np.random.default_rng(5)
        self.heads, self.width, self.scale = 2, 3, 3 ** -0.5
        self.Wq, self.Wk, self.Wv = (rng.normal(size=(6, 6)) * 0.4 for _ in range(3))

    def split(self, t):
        return t.reshape(len(t), self.heads, self.width).transpose(1, 0, 2)

    def forward(self, x):
        q, k, v = self.split(x @ self.Wq), self.split(x @ self.Wk), self.split(x @ self.Wv)
        s = q @ k.transpose(0, 2, 1) * self.scale
        p = np.exp(s - s.max(-1, keepdims=True))
        p /= p.sum(-1, keepdims=True)
        return (p @ v).transpose(1, 0, 2).reshape(len(x), 6)


if __name__ == "__main__":
    layer = Attention()
    y = layer.forward(np.random.default_rng(6).normal(size=(5, 6)))
`;

test('sizes that a class holds stay as they are', async () => {
  cli.write('fixed.py', FIXED);
  const written = await cli.run('lines', 'fixed.py', '--test', 'sees_fixed.py');
  expect(written.stdout, written.stderr).toContain('The program passes');
  cli.write('fixed.py', FIXED.replace('p.sum(-1, ', 'p.sum(-2, '));
  expect(run('sees_fixed.py')).toBe(1);
}, 60_000);

test('where no other sizes run, that is said, and no file is left', async () => {
  const rows = FIXED.replace('p = np.exp(s', 's = s + np.zeros((5, 5))\n        p = np.exp(s');
  cli.write('rows.py', rows);
  const refused = await cli.run('lines', 'rows.py', '--test', 'sees_rows.py');
  expect(refused.code).toBe(2);
  expect(onlyLine(refused)).toMatch(/^rows\.py: with other sizes it ends with ValueError/);
  expect(cli.names().filter((name) => name.startsWith('sees_rows'))).toEqual([]);
}, 60_000);
