"""gpt-oss: a learned sink of each head in the denominator, a sliding window, grouped queries, biases."""
import math
import torch


class Attention(torch.nn.Module):
    def __init__(self, hidden=6, n_heads=4, n_kv=2, head_dim=4, window=3):
        super().__init__()
        self.n_heads, self.n_kv, self.head_dim, self.window = n_heads, n_kv, head_dim, window
        self.sinks = torch.nn.Parameter(torch.randn(n_heads))
        self.qkv = torch.nn.Linear(hidden, head_dim * (n_heads + 2 * n_kv))
        self.out = torch.nn.Linear(head_dim * n_heads, hidden)
        self.sm_scale = 1 / math.sqrt(head_dim)

    def forward(self, x):
        t = x.shape[0]
        qkv = self.qkv(x)
        q = qkv[:, : self.n_heads * self.head_dim]
        k = qkv[:, self.n_heads * self.head_dim : (self.n_heads + self.n_kv) * self.head_dim]
        v = qkv[:, (self.n_heads + self.n_kv) * self.head_dim :]
        q = q.view(t, self.n_kv, self.n_heads // self.n_kv, self.head_dim)
        k = k.view(t, self.n_kv, self.head_dim)
        v = v.view(t, self.n_kv, self.head_dim)
        return self.out(sdpa(q, k, v, self.sinks, self.sm_scale, self.window))


def sdpa(Q, K, V, S, sm_scale, sliding_window):
    n_tokens, n_kv, q_mult, d_head = Q.shape
    K = K[:, :, None, :].expand(-1, -1, q_mult, -1)
    V = V[:, :, None, :].expand(-1, -1, q_mult, -1)
    S = S.reshape(n_kv, q_mult, 1, 1).expand(-1, -1, n_tokens, -1)
    mask = torch.triu(Q.new_full((n_tokens, n_tokens), -float("inf")), diagonal=1)
    mask += torch.tril(mask.new_full((n_tokens, n_tokens), -float("inf")), diagonal=-sliding_window)
    QK = torch.einsum("qhmd,khmd->hmqk", Q, K)
    QK = QK * sm_scale
    QK = QK + mask[None, None, :, :]
    QK = torch.cat([QK, S], dim=-1)
    W = torch.softmax(QK, dim=-1)
    W = W[..., :-1]
    attn = torch.einsum("hmqk,khmd->qhmd", W, V)
    return attn.reshape(n_tokens, -1)


torch.manual_seed(2)
block = Attention().double()
x = torch.randn(6, 6, dtype=torch.float64, requires_grad=True)
y = block(x)
target = torch.randn(6, 6, dtype=torch.float64)
loss = 0.5 * ((y - target) ** 2).sum()
loss.backward()
print(float(y.sum()))
