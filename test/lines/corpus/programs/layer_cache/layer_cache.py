"""A layer in the style of a deep learning course: forward(x), backward(dout), parameters in a dict."""
import numpy as np


def softmax(z):
    z = z - np.max(z, axis=-1, keepdims=True)
    e = np.exp(z)
    return e / np.sum(e, axis=-1, keepdims=True)


class MultiHeadAttention:
    def __init__(self, embed_dim, num_heads, rng):
        assert embed_dim % num_heads == 0
        self.D, self.H = embed_dim, num_heads
        self.hd = embed_dim // num_heads
        self.params, self.grads, self.cache = {}, {}, {}
        for n in ("q", "k", "v", "o"):
            self.params["W" + n] = rng.standard_normal((embed_dim, embed_dim)) / np.sqrt(embed_dim)
            self.params["b" + n] = 0.1 * rng.standard_normal(embed_dim)

    def _linear(self, x, n):
        # weights are stored (out, in)
        return x @ self.params["W" + n].T + self.params["b" + n]

    def _linear_backward(self, dout, x, n):
        self.grads["W" + n] = np.tensordot(dout, x, axes=([0, 1], [0, 1]))
        self.grads["b" + n] = dout.sum(axis=(0, 1))
        return dout @ self.params["W" + n]

    def _split(self, t):
        N, T, _ = t.shape
        return t.reshape(N, T, self.H, self.hd).transpose(0, 2, 1, 3)

    def _merge(self, t):
        N, H, T, hd = t.shape
        return t.transpose(0, 2, 1, 3).reshape(N, T, H * hd)

    def forward(self, x, mask=None):
        q = self._split(self._linear(x, "q"))
        k = self._split(self._linear(x, "k"))
        v = self._split(self._linear(x, "v"))
        scores = np.matmul(q, k.transpose(0, 1, 3, 2)) / np.sqrt(self.hd)
        if mask is not None:
            scores = np.where(mask, scores, -1e9)
        attn = softmax(scores)
        merged = self._merge(np.matmul(attn, v))
        self.cache = {"x": x, "q": q, "k": k, "v": v, "attn": attn, "merged": merged}
        return self._linear(merged, "o")

    def backward(self, dout):
        c = self.cache
        dmerged = self._linear_backward(dout, c["merged"], "o")
        dctx = self._split(dmerged)
        dattn = np.matmul(dctx, c["v"].transpose(0, 1, 3, 2))
        dv = np.matmul(c["attn"].transpose(0, 1, 3, 2), dctx)
        dscores = c["attn"] * (dattn - np.sum(dattn * c["attn"], axis=-1, keepdims=True))
        dscores = dscores / np.sqrt(self.hd)
        dq = np.matmul(dscores, c["k"])
        dk = np.matmul(dscores.transpose(0, 1, 3, 2), c["q"])
        dx = self._linear_backward(self._merge(dq), c["x"], "q")
        dx = dx + self._linear_backward(self._merge(dk), c["x"], "k")
        dx = dx + self._linear_backward(self._merge(dv), c["x"], "v")
        return dx


if __name__ == "__main__":
    rng = np.random.default_rng(231)
    N, T, D, H = 2, 5, 12, 3
    layer = MultiHeadAttention(D, H, rng)
    x = rng.standard_normal((N, T, D))
    mask = np.tril(np.ones((T, T), dtype=bool))
    out = layer.forward(x, mask)
    dout = rng.standard_normal(out.shape)
    dx = layer.backward(dout)
    print("out  ", out.mean(), out.std())
    print("dx   ", dx.mean(), dx.std())
    for name, g in layer.grads.items():
        print("%-5s" % name, np.abs(g).sum())
