import torch

torch.manual_seed(8)
x, target = torch.randn(4, 5, dtype=torch.float64), torch.randn(4, 3, dtype=torch.float64)
wq, wk, wv = (torch.nn.Parameter(torch.randn(5, 3, dtype=torch.float64)) for _ in range(3))
sinks = torch.nn.Parameter(torch.randn(1, dtype=torch.float64))


def attention(q, k, v):
    s = torch.einsum("qd,kd->qk", q, k)
    s *= 3**-0.5
    s += torch.triu(s.new_full((4, 4), -float("inf")), diagonal=1)
    both = torch.cat([s, sinks.reshape(1, 1).expand(4, -1)], dim=-1)
    p = torch.softmax(both, dim=-1)[..., :-1]
    return p @ v


optimizer = torch.optim.SGD([wq, wk, wv, sinks], lr=0.1)
for _ in range(2):
    y = attention(x @ wq, x @ wk, x @ wv)
    loss = ((y - target) ** 2).sum() / 2
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
