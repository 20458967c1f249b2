import numpy as np

# b batch, s query position, t key position, h head, k head dim, d model dim


def forward(x, Wq, Wk, Wv, Wo):
    Q = np.einsum("bsd,dhk->bhsk", x, Wq)
    K = np.einsum("btd,dhk->bhtk", x, Wk)
    V = np.einsum("btd,dhk->bhtk", x, Wv)
    logits = np.einsum("bhsk,bhtk->bhst", Q, K) / np.sqrt(Wq.shape[-1])
    logits -= logits.max(-1, keepdims=True)
    P = np.exp(logits)
    P /= np.einsum("bhst->bhs", P)[..., None]
    O = np.einsum("bhst,bhtk->bhsk", P, V)
    Y = np.einsum("bhsk,hkd->bsd", O, Wo)
    return Y, (x, Q, K, V, P, O)


def backward(dY, saved, Wq, Wk, Wv, Wo):
    x, Q, K, V, P, O = saved
    scale = Q.shape[-1] ** -0.5
    dWo = np.einsum("bhsk,bsd->hkd", O, dY)
    dO = np.einsum("bsd,hkd->bhsk", dY, Wo)
    dV = np.einsum("bhst,bhsk->bhtk", P, dO)
    dP = np.einsum("bhsk,bhtk->bhst", dO, V)
    row = np.einsum("bhst,bhst->bhs", P, dP)
    dlogits = P * (dP - row[:, :, :, None])
    dQ = scale * np.einsum("bhst,bhtk->bhsk", dlogits, K)
    dK = scale * np.einsum("bhst,bhsk->bhtk", dlogits, Q)
    dWq = np.einsum("bsd,bhsk->dhk", x, dQ)
    dWk = np.einsum("btd,bhtk->dhk", x, dK)
    dWv = np.einsum("btd,bhtk->dhk", x, dV)
    dx = np.einsum("bhsk,dhk->bsd", dQ, Wq)
    dx += np.einsum("bhtk,dhk->btd", dK, Wk)
    dx += np.einsum("bhtk,dhk->btd", dV, Wv)
    return dx, dWq, dWk, dWv, dWo


rng = np.random.default_rng(2024)
B, S, H, k, D = 3, 4, 2, 5, 7
x = rng.normal(size=(B, S, D))
Wq, Wk, Wv = rng.normal(scale=0.4, size=(3, D, H, k))
Wo = rng.normal(scale=0.4, size=(H, k, D))
Y, saved = forward(x, Wq, Wk, Wv, Wo)
dY = Y                                    # loss = sum(Y ** 2) / 2
dx, dWq, dWk, dWv, dWo = backward(dY, saved, Wq, Wk, Wv, Wo)
print("loss %.8f" % (0.5 * np.einsum("bsd,bsd->", Y, Y)))
for name, g in dict(dx=dx, dWq=dWq, dWk=dWk, dWv=dWv, dWo=dWo).items():
    print(name, "%.8f" % np.sqrt(np.sum(g * g)))
