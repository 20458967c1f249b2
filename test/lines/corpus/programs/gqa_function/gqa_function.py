import torch
from torch.autograd import Function


class GroupedQueryAttention(Function):
    """q: (batch, heads, tokens, dim); k, v: (batch, kv_heads, tokens, dim)."""

    @staticmethod
    def forward(ctx, q, k, v, sm_scale):
        batch, heads, tokens, dim = q.shape
        kv_heads = k.shape[1]
        group = heads // kv_heads
        qg = q.view(batch, kv_heads, group, tokens, dim)
        logits = torch.einsum("bgrid,bgjd->bgrij", qg, k) * sm_scale
        causal = torch.arange(tokens)[:, None] >= torch.arange(tokens)[None, :]
        logits = logits.masked_fill(~causal, float("-inf"))
        lse = torch.logsumexp(logits, dim=-1, keepdim=True)
        probs = torch.exp(logits - lse)
        out = torch.einsum("bgrij,bgjd->bgrid", probs, v)
        ctx.save_for_backward(qg, k, v, out, lse)
        ctx.sm_scale = sm_scale
        return out.reshape(batch, heads, tokens, dim)

    @staticmethod
    def backward(ctx, grad):
        qg, k, v, out, lse = ctx.saved_tensors
        grad = grad.view(out.shape)
        logits = torch.einsum("bgrid,bgjd->bgrij", qg, k) * ctx.sm_scale
        probs = torch.exp(logits - lse).tril()
        dv = torch.einsum("bgrij,bgrid->bgjd", probs, grad)
        dprobs = torch.einsum("bgrid,bgjd->bgrij", grad, v)
        delta = (grad * out).sum(-1, keepdim=True)
        dlogits = probs * (dprobs - delta) * ctx.sm_scale
        dq = torch.einsum("bgrij,bgjd->bgrid", dlogits, k)
        dk = torch.einsum("bgrij,bgrid->bgjd", dlogits, qg)
        return dq.flatten(1, 2), dk, dv, None


if __name__ == "__main__":
    torch.manual_seed(20)
    torch.set_default_dtype(torch.float64)
    B, H, G, T, D = 2, 4, 2, 5, 3
    q = torch.randn(B, H, T, D, requires_grad=True)
    k = torch.randn(B, G, T, D, requires_grad=True)
    v = torch.randn(B, G, T, D, requires_grad=True)
    w = torch.randn(B, H, T, D)
    out = GroupedQueryAttention.apply(q, k, v, D ** -0.5)
    loss = (out * w).sum()
    loss.backward()
    print("loss", loss.item())
    print("dq", q.grad.abs().sum().item(), "dk", k.grad.abs().sum().item(), "dv", v.grad.abs().sum().item())
