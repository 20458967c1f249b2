"""Grouped queries by h mod kv: the key and value heads are tiled, in NumPy with its own backward pass."""
import numpy as np

rng = np.random.default_rng(14)
H, KV, T, D = 4, 2, 5, 3
query = rng.standard_normal((H, T, D))
key = rng.standard_normal((KV, T, D))
value = rng.standard_normal((KV, T, D))
grad_out = rng.standard_normal((H, T, D))

keys = np.tile(key, (H // KV, 1, 1))
values = np.tile(value, (H // KV, 1, 1))
scores = query @ keys.transpose(0, 2, 1) / np.sqrt(D)
e = np.exp(scores - scores.max(axis=-1, keepdims=True))
attn = e / e.sum(axis=-1, keepdims=True)
out = attn @ values

d_values = attn.transpose(0, 2, 1) @ grad_out
d_attn = grad_out @ values.transpose(0, 2, 1)
d_scores = attn * (d_attn - (d_attn * attn).sum(axis=-1, keepdims=True))
d_scores = d_scores / np.sqrt(D)
d_query = d_scores @ keys
d_keys = d_scores.transpose(0, 2, 1) @ query
d_key = d_keys.reshape(H // KV, KV, T, D).sum(axis=0)
d_value = d_values.reshape(H // KV, KV, T, D).sum(axis=0)
print(out.sum())
