"""Decoder tokens look at encoder tokens; the encoder's sentences have different lengths."""
import numpy as np


def make_padding_mask(lengths, max_len):
    return np.arange(max_len)[None, :] < np.asarray(lengths)[:, None]     # (batch, max_len), True = token


def cross_attention(dec, enc, w, mask):
    q = dec @ w["q"]
    k = enc @ w["k"]
    v = enc @ w["v"]
    scores = np.einsum("bqd,bkd->bqk", q, k) / np.sqrt(q.shape[-1])
    scores = np.where(mask[:, None, :], scores, -np.inf)
    top = scores.max(axis=2, keepdims=True)
    unnorm = np.exp(scores - top)
    probs = unnorm / unnorm.sum(axis=2, keepdims=True)
    ctx = probs @ v
    return ctx @ w["o"], (q, k, v, probs, ctx)


def cross_attention_grad(dout, dec, enc, w, saved):
    q, k, v, probs, ctx = saved
    d = {}
    d["o"] = np.einsum("bqd,bqe->de", ctx, dout)
    dctx = dout @ w["o"].T
    dprobs = dctx @ v.transpose(0, 2, 1)
    dv = probs.transpose(0, 2, 1) @ dctx
    dscores = probs * dprobs
    dscores -= probs * dscores.sum(axis=2, keepdims=True)
    dscores /= np.sqrt(q.shape[-1])
    dq = dscores @ k
    dk = dscores.transpose(0, 2, 1) @ q
    d["q"] = np.einsum("bqe,bqd->ed", dec, dq)
    d["k"] = np.einsum("bke,bkd->ed", enc, dk)
    d["v"] = np.einsum("bke,bkd->ed", enc, dv)
    d["dec"] = dq @ w["q"].T
    d["enc"] = dk @ w["k"].T + dv @ w["v"].T
    return d


def loss_fn(out, goal):
    return np.sum((out - goal) ** 2) / len(out)


rng = np.random.RandomState(1)
batch, len_dec, len_enc, d_dec, d_enc, d_att, d_val = 3, 4, 6, 5, 7, 4, 3
dec = rng.normal(size=(batch, len_dec, d_dec))
enc = rng.normal(size=(batch, len_enc, d_enc))
w = {
    "q": rng.normal(size=(d_dec, d_att)),
    "k": rng.normal(size=(d_enc, d_att)),
    "v": rng.normal(size=(d_enc, d_val)),
    "o": rng.normal(size=(d_val, d_dec)),
}
goal = rng.normal(size=(batch, len_dec, d_dec))
mask = make_padding_mask([6, 3, 5], len_enc)
out, saved = cross_attention(dec, enc, w, mask)
dout = 2 * (out - goal) / batch
grads = cross_attention_grad(dout, dec, enc, w, saved)
print("loss", loss_fn(out, goal))
for key in grads:
    print(key, np.abs(grads[key]).sum())
