import numpy as np
from numpy.linalg import norm

np.random.seed(11)

n_heads = 4
n_tokens = 6
d_model = 8
d_head = 3
inputs = np.random.randn(n_tokens, d_model)
W_q = [np.random.randn(d_model, d_head) / 2 for _ in range(n_heads)]
W_k = [np.random.randn(d_model, d_head) / 2 for _ in range(n_heads)]
W_v = [np.random.randn(d_model, d_head) / 2 for _ in range(n_heads)]
W_out = np.random.randn(n_heads * d_head, d_model) / 2
targets = np.random.randn(n_tokens, d_model)


def softmax_rows(a):
    ex = np.exp(a - a.max(1)[:, None])
    return ex / ex.sum(1)[:, None]


# forward pass
queries, keys, values, weights, head_outputs = [], [], [], [], []
for h in range(n_heads):
    q = inputs.dot(W_q[h])
    k = inputs.dot(W_k[h])
    v = inputs.dot(W_v[h])
    scores = q.dot(k.T) / np.sqrt(d_head)
    w = softmax_rows(scores)
    queries.append(q)
    keys.append(k)
    values.append(v)
    weights.append(w)
    head_outputs.append(w.dot(v))
concat = np.concatenate(head_outputs, axis=1)
outputs = concat.dot(W_out)
diff = outputs - targets
loss = np.mean(diff ** 2)
print("loss:", loss)

# backward pass
d_outputs = 2 * diff / diff.size
dW_out = concat.T.dot(d_outputs)
d_concat = d_outputs.dot(W_out.T)
d_heads = np.split(d_concat, n_heads, axis=1)
dW_q, dW_k, dW_v = [], [], []
d_inputs = np.zeros_like(inputs)
for h in range(n_heads):
    w, d_head_out = weights[h], d_heads[h]
    d_v = w.T.dot(d_head_out)
    d_w = d_head_out.dot(values[h].T)
    d_scores = np.empty_like(w)
    for i in range(n_tokens):
        jac = np.diag(w[i]) - np.outer(w[i], w[i])
        d_scores[i] = jac.dot(d_w[i])
    d_scores /= np.sqrt(d_head)
    d_q = d_scores.dot(keys[h])
    d_k = d_scores.T.dot(queries[h])
    dW_q.append(inputs.T.dot(d_q))
    dW_k.append(inputs.T.dot(d_k))
    dW_v.append(inputs.T.dot(d_v))
    d_inputs += d_q.dot(W_q[h].T) + d_k.dot(W_k[h].T) + d_v.dot(W_v[h].T)

for h in range(n_heads):
    print("head", h, norm(dW_q[h]), norm(dW_k[h]), norm(dW_v[h]))
print("dW_out", norm(dW_out), "d_inputs", norm(d_inputs))
