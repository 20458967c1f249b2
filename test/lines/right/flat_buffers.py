# In the manner of C: every array is one flat buffer, of tokens, weights and gradients alike, and the same loops project all.
import numpy as np

B, n, d, H, a = 2, 5, 7, 2, 3


def project(out, rows, weight, shift, inner, outer):
    for t in range(B * n):
        for o in range(outer):
            total = shift[o]
            for i in range(inner):
                total += rows[t * inner + i] * weight[o * inner + i]
            out[t * outer + o] = total


def project_back(drows, dweight, dshift, dout, rows, weight, inner, outer):
    for t in range(B * n):
        for o in range(outer):
            g = dout[t * outer + o]
            dshift[o] += g
            for i in range(inner):
                drows[t * inner + i] += g * weight[o * inner + i]
                dweight[o * inner + i] += g * rows[t * inner + i]


rng = np.random.default_rng(2)
x, goal = rng.normal(size=B * n * d), rng.normal(size=B * n * d)
w = {name: rng.normal(size=H * a * d) * 0.5 for name in "qkvo"}
s = {name: rng.normal(size=H * a) * 0.1 for name in "qkv"}
s["o"] = rng.normal(size=d) * 0.1
q, k, v, z = (np.zeros(B * n * H * a) for _ in range(4))
p, y = np.zeros(B * H * n * n), np.zeros(B * n * d)
for out, name in ((q, "q"), (k, "k"), (v, "v")):
    project(out, x, w[name], s[name], d, H * a)
for b in range(B):
    for h in range(H):
        for t in range(n):
            at, row = ((b * n + t) * H + h) * a, ((b * H + h) * n + t) * n
            for u in range(t + 1):
                other = ((b * n + u) * H + h) * a
                p[row + u] = q[at : at + a] @ k[other : other + a] / a**0.5
            e = np.exp(p[row : row + t + 1] - p[row : row + t + 1].max())
            p[row : row + t + 1] = e / e.sum()
            for u in range(t + 1):
                other = ((b * n + u) * H + h) * a
                z[at : at + a] += p[row + u] * v[other : other + a]
project(y, z, w["o"], s["o"], H * a, d)
loss = ((y - goal) ** 2).mean()

dy = 2 * (y - goal) / y.size
dw = {name: np.zeros_like(each) for name, each in w.items()}
ds = {name: np.zeros_like(each) for name, each in s.items()}
dq, dk, dv, dz, dx = (np.zeros_like(each) for each in (q, k, v, z, x))
project_back(dz, dw["o"], ds["o"], dy, z, w["o"], H * a, d)
for b in range(B):
    for h in range(H):
        for t in range(n):
            at, row = ((b * n + t) * H + h) * a, ((b * H + h) * n + t) * n
            dp = np.zeros(t + 1)
            for u in range(t + 1):
                other = ((b * n + u) * H + h) * a
                dp[u] = dz[at : at + a] @ v[other : other + a]
                dv[other : other + a] += p[row + u] * dz[at : at + a]
            own = p[row : row + t + 1]
            de = own * (dp - own @ dp) / a**0.5
            for u in range(t + 1):
                other = ((b * n + u) * H + h) * a
                dq[at : at + a] += de[u] * k[other : other + a]
                dk[other : other + a] += de[u] * q[at : at + a]
for each, name in ((dq, "q"), (dk, "k"), (dv, "v")):
    project_back(dx, dw[name], ds[name], each, x, w[name], d, H * a)
print(loss, dx.sum(), dw["q"].sum(), ds["o"].sum())
