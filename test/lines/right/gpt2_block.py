# A block of GPT-2: what the residual connection adds is normed before the MLP, and goes past it.
import numpy as np

np.random.seed(7)
B, T, C, NH = 2, 4, 12, 3
P = dict(
    ln1_w=np.random.rand(C) + 0.5, ln1_b=np.random.randn(C) * 0.1,
    c_attn_w=np.random.randn(C, 3 * C) * 0.2, c_attn_b=np.random.randn(3 * C) * 0.1,
    c_proj_w=np.random.randn(C, C) * 0.2, c_proj_b=np.random.randn(C) * 0.1,
    ln2_w=np.random.rand(C) + 0.5, ln2_b=np.random.randn(C) * 0.1,
    fc_w=np.random.randn(C, 4 * C) * 0.2, fc_b=np.random.randn(4 * C) * 0.1,
    out_w=np.random.randn(4 * C, C) * 0.2, out_b=np.random.randn(C) * 0.1,
)
G = {k: np.zeros_like(v) for k, v in P.items()}


def layernorm(x, w, b):
    mean = x.mean(-1, keepdims=True)
    rstd = 1 / np.sqrt(((x - mean) ** 2).mean(-1, keepdims=True) + 1e-5)
    norm = (x - mean) * rstd
    return norm * w + b, (norm, rstd)


def layernorm_grad(dout, w, cache, kw, kb):
    norm, rstd = cache
    G[kw] += (dout * norm).sum((0, 1))
    G[kb] += dout.sum((0, 1))
    dn = dout * w
    return rstd * (dn - dn.mean(-1, keepdims=True) - norm * (dn * norm).mean(-1, keepdims=True))


def linear_grad(dout, inp, w, kw, kb):
    G[kw] += inp.reshape(-1, inp.shape[-1]).T @ dout.reshape(-1, dout.shape[-1])
    G[kb] += dout.sum((0, 1))
    return dout @ w.T


def gelu(x):
    u = np.sqrt(2 / np.pi) * (x + 0.044715 * x ** 3)
    return 0.5 * x * (1 + np.tanh(u))


def gelu_grad(x):
    c = np.sqrt(2 / np.pi)
    t = np.tanh(c * (x + 0.044715 * x ** 3))
    return 0.5 * (1 + t) + 0.5 * x * (1 - t ** 2) * c * (1 + 3 * 0.044715 * x ** 2)


x = np.random.randn(B, T, C)
h1, ln1 = layernorm(x, P["ln1_w"], P["ln1_b"])
qkv = h1 @ P["c_attn_w"] + P["c_attn_b"]
q, k, v = np.split(qkv, 3, axis=-1)
q, k, v = (t.reshape(B, T, NH, C // NH).transpose(0, 2, 1, 3) for t in (q, k, v))
att = q @ k.transpose(0, 1, 3, 2) / np.sqrt(C // NH)
att = np.where(np.tril(np.ones((T, T), bool)), att, -1e10)
att = np.exp(att - att.max(-1, keepdims=True))
att = att / att.sum(-1, keepdims=True)
a = (att @ v).transpose(0, 2, 1, 3).reshape(B, T, C)
res1 = x + (a @ P["c_proj_w"] + P["c_proj_b"])
h2, ln2 = layernorm(res1, P["ln2_w"], P["ln2_b"])
fc = h2 @ P["fc_w"] + P["fc_b"]
act = gelu(fc)
res2 = res1 + (act @ P["out_w"] + P["out_b"])
loss = (res2 ** 2).mean()

d = 2 * res2 / res2.size
dact = linear_grad(d, act, P["out_w"], "out_w", "out_b")
dfc = dact * gelu_grad(fc)
dh2 = linear_grad(dfc, h2, P["fc_w"], "fc_w", "fc_b")
dres1 = d + layernorm_grad(dh2, P["ln2_w"], ln2, "ln2_w", "ln2_b")
da = linear_grad(dres1, a, P["c_proj_w"], "c_proj_w", "c_proj_b")
da = da.reshape(B, T, NH, C // NH).transpose(0, 2, 1, 3)
datt = da @ v.transpose(0, 1, 3, 2)
dv = att.transpose(0, 1, 3, 2) @ da
ds = att * (datt - (datt * att).sum(-1, keepdims=True)) / np.sqrt(C // NH)
dq, dk = ds @ k, ds.transpose(0, 1, 3, 2) @ q
dqkv = np.concatenate([t.transpose(0, 2, 1, 3).reshape(B, T, C) for t in (dq, dk, dv)], -1)
dh1 = linear_grad(dqkv, h1, P["c_attn_w"], "c_attn_w", "c_attn_b")
dx = dres1 + layernorm_grad(dh1, P["ln1_w"], ln1, "ln1_w", "ln1_b")
print(loss, np.linalg.norm(dx), {k: round(float(np.linalg.norm(g)), 6) for k, g in G.items()})
