"""The sentences of a batch one by one through an autograd.Function, each with a loss of its own; gradients are added up."""
import torch


class Attend(torch.autograd.Function):
    @staticmethod
    def forward(ctx, q, k, v):
        scale = q.shape[-1] ** -0.5
        future = torch.ones(q.shape[0], k.shape[0], dtype=torch.bool).triu(1)
        weights = (q @ k.T * scale).masked_fill(future, float('-inf')).softmax(-1)
        ctx.save_for_backward(q, k, v, weights)
        return weights @ v

    @staticmethod
    def backward(ctx, upstream):
        q, k, v, weights = ctx.saved_tensors
        inner = upstream @ v.T
        inner = weights * (inner - (inner * weights).sum(-1, keepdim=True))
        inner = inner * q.shape[-1] ** -0.5
        return inner @ k, inner.T @ q, weights.T @ upstream


torch.manual_seed(3)
torch.set_default_dtype(torch.float64)
sentences, goals = torch.randn(3, 5, 4), torch.randn(3, 5, 3)
weights = {name: torch.randn(4, 6) / 2 for name in ('wq', 'wk', 'wv')}
weights['wo'] = torch.randn(6, 3) / 2
weights['bk'] = torch.randn(6)
sums = {name: torch.zeros_like(each) for name, each in weights.items()}
for sentence, goal in zip(sentences, goals):
    own = {name: each.clone().requires_grad_() for name, each in weights.items()}
    tokens = sentence.clone().requires_grad_()
    q, k, v = tokens @ own['wq'], tokens @ own['wk'] + own['bk'], tokens @ own['wv']
    heads = [Attend.apply(q[:, at], k[:, at], v[:, at]) for at in (slice(0, 3), slice(3, 6))]
    out = torch.cat(heads, dim=1) @ own['wo']
    loss = ((out - goal) ** 2).sum() / 2
    found = torch.autograd.grad(loss, [tokens, *own.values()])
    for name, gradient in zip(own, found[1:]):
        sums[name] += gradient
    print(f'{loss.item():.5f}')
print(sums['wq'].norm().item())
