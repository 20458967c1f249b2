# Weights that are moved one by one, each along its gradient.
import numpy as np
rng = np.random.default_rng(4)
T, C, D = 5, 6, 4
x, dy = rng.normal(size=(T, C)), rng.normal(size=(T, D))
Wq, Wk, Wv = (rng.normal(size=(C, D)) for _ in range(3))
params = {'q': Wq, 'k': Wk, 'v': Wv}
def gradients(params):
    Q, K, V = x @ params['q'], x @ params['k'], x @ params['v']
    S = Q @ K.T / np.sqrt(D)
    P = np.exp(S - S.max(1, keepdims=True))
    P = P / P.sum(1, keepdims=True)
    y = P @ V
    dV = P.T @ dy
    dP = dy @ V.T
    dS = P * (dP - (P * dP).sum(1, keepdims=True)) / np.sqrt(D)
    dQ = dS @ K
    dK = dS.T @ Q
    return {'q': x.T @ dQ, 'k': x.T @ dK, 'v': x.T @ dV}
log = []
for step in range(3):
    grads = gradients(params)
    log.append(grads)
    for name in params:
        params[name] = params[name] - 0.1 * grads[name]
