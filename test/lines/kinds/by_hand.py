import torch

torch.manual_seed(3)
T, D, H = 6, 5, 4
x = torch.randn(T, D, dtype=torch.float64, requires_grad=True)
Wq, Wk, Wv = (torch.randn(D, H, dtype=torch.float64, requires_grad=True) for _ in range(3))
goal = torch.randn(T, H, dtype=torch.float64)

q = x @ Wq
k = x @ Wk
v = x @ Wv
s = q @ k.T * H**-0.5
p = s.softmax(1)
y = p @ v
loss = ((y - goal) ** 2).sum()
loss.backward()

with torch.no_grad():
    dy = 2 * (y - goal)
    dp = dy @ v.T
    dv = p.T @ dy
    ds = p * (dp - (dp * p).sum(1, keepdim=True))
    dz = ds * H**-0.5
    dq = dz @ k
    dk = dz.T @ q
    dWq = x.T @ dq
    dWk = x.T @ dk
    dWv = x.T @ dv
    dx = dq @ Wq.T + dk @ Wk.T + dv @ Wv.T

for name, mine, theirs in (('Wq', dWq, Wq.grad), ('Wk', dWk, Wk.grad), ('Wv', dWv, Wv.grad), ('x', dx, x.grad)):
    print(name, (mine - theirs).abs().max().item())
