"""Attention one token after the other, as in decoding: keys and values are appended, nobody sees the future."""
import numpy as np


def attend(stream, w_query, w_key, w_value):
    """Yields for each token its weights over the tokens so far and its mixture of values."""
    keys, values = [], []
    for token in stream:
        query = token @ w_query
        keys.append(token @ w_key)
        values.append(token @ w_value)
        logits = np.array([query @ key for key in keys]) / np.sqrt(len(query))
        weights = np.exp(logits - logits.max())
        weights = weights / weights.sum()
        yield query, weights, sum(w * v for w, v in zip(weights, values))


def gradients(stream, steps, dys, w_query, w_key, w_value):
    n = len(stream)
    keys = stream @ w_key
    values = stream @ w_value
    dquery = np.zeros((n, w_query.shape[1]))
    dkey = np.zeros_like(keys)
    dvalue = np.zeros_like(values)
    for t in reversed(range(n)):
        query, weights, _ = steps[t]
        dweights = values[:t + 1] @ dys[t]
        dvalue[:t + 1] += np.outer(weights, dys[t])
        dlogits = weights * (dweights - weights @ dweights)
        dlogits = dlogits / np.sqrt(len(query))
        dquery[t] = dlogits @ keys[:t + 1]
        dkey[:t + 1] += np.outer(dlogits, query)
    dstream = dquery @ w_query.T + dkey @ w_key.T + dvalue @ w_value.T
    return dstream, stream.T @ dquery, stream.T @ dkey, stream.T @ dvalue


def main():
    gen = np.random.default_rng(5)
    stream = gen.normal(size=(6, 4))
    w_query, w_key = gen.normal(size=(2, 4, 3))
    w_value = gen.normal(size=(4, 5))
    steps = list(attend(stream, w_query, w_key, w_value))
    ys = np.stack([step[-1] for step in steps])
    dys = gen.normal(size=ys.shape)
    grads = gradients(stream, steps, dys, w_query, w_key, w_value)
    print("y", ys.sum())
    for name, g in zip(["stream", "w_query", "w_key", "w_value"], grads):
        print("d" + name, np.round(g, 4).tolist())


main()
