import torch

torch.manual_seed(9)
x, G = torch.randn(4, 5, dtype=torch.float64, requires_grad=True), torch.randn(4, 2, dtype=torch.float64)
wq, wk, wv = (torch.randn(5, 2, dtype=torch.float64, requires_grad=True) for _ in range(3))


class Attention(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, wq, wk, wv):
        q, k, v = x @ wq, x @ wk, x @ wv
        p = torch.softmax(q @ k.T / 2**0.5, dim=-1)
        ctx.save_for_backward(x, wq, wk, wv, q, k, v, p)
        return p @ v

    @staticmethod
    def backward(ctx, dy):
        x, wq, wk, wv, q, k, v, p = ctx.saved_tensors
        dv = p.T @ dy
        dp = dy @ v.T
        ds = p * (dp - (dp * p).sum(-1, keepdim=True)) / 2**0.5
        dq, dk = ds @ k, ds.T @ q
        g_wq, g_wk, g_wv = x.T @ dq, x.T @ dk, x.T @ dv
        return dq @ wq.T + dk @ wk.T + dv @ wv.T, g_wq, g_wk, g_wv


(Attention.apply(x, wq, wk, wv) * G).sum().backward()
print(torch.autograd.gradcheck(Attention.apply, (x, wq, wk, wv), raise_exception=False))
