"""Heads by einsum with a learned temperature, kept as its logarithm."""
import numpy as np


def parameters(rng, d, h, k):
    return {
        'q': rng.normal(size=(d, h, k)) / d**0.5,
        'k': rng.normal(size=(d, h, k)) / d**0.5,
        'v': rng.normal(size=(d, h, k)) / d**0.5,
        'o': rng.normal(size=(h, k, d)) / d**0.5,
        'log_temperature': np.array(-0.3),
    }


def forward(p, x):
    q, k, v = (np.einsum('btd,dhk->bhtk', x, p[name]) for name in 'qkv')
    dots = np.einsum('bhik,bhjk->bhij', q, k)
    logits = np.exp(p['log_temperature']) * dots
    e = np.exp(logits - logits.max(-1, keepdims=True))
    a = e / e.sum(-1, keepdims=True)
    z = np.einsum('bhij,bhjk->bhik', a, v)
    return np.einsum('bhik,hkd->bid', z, p['o']), (q, k, v, dots, a, z)


def backward(p, x, target):
    y, (q, k, v, dots, a, z) = forward(p, x)
    dy = (y - target) / len(x)
    g = {'o': np.einsum('bhik,bid->hkd', z, dy)}
    dz = np.einsum('bid,hkd->bhik', dy, p['o'])
    da = np.einsum('bhik,bhjk->bhij', dz, v)
    dv = np.einsum('bhij,bhik->bhjk', a, dz)
    dlogits = a * (da - (a * da).sum(-1, keepdims=True))
    temperature = np.exp(p['log_temperature'])
    g['log_temperature'] = (dlogits * dots).sum() * temperature
    ddots = dlogits * temperature
    dq = np.einsum('bhij,bhjk->bhik', ddots, k)
    dk = np.einsum('bhij,bhik->bhjk', ddots, q)
    for name, each in (('q', dq), ('k', dk), ('v', dv)):
        g[name] = np.einsum('btd,bhtk->dhk', x, each)
    return 0.5 * ((y - target) ** 2).sum() / len(x), g


rng = np.random.default_rng(4)
p = parameters(rng, 6, 2, 5)
x, target = rng.normal(size=(3, 4, 6)), rng.normal(size=(3, 4, 6))
loss, g = backward(p, x, target)
print(round(loss, 6), {name: round(float(abs(each).sum()), 6) for name, each in g.items()})
