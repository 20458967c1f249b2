# An autograd.Function of scaled dot products, under a loss that is neither a square nor a sum.
import torch

torch.manual_seed(5)


class Weighted(torch.autograd.Function):
    @staticmethod
    def forward(ctx, queries, keys, values):
        ctx.scale = queries.shape[-1] ** -0.5
        weights = torch.softmax(queries @ keys.mT * ctx.scale, dim=-1)
        ctx.save_for_backward(queries, keys, values, weights)
        return weights @ values

    @staticmethod
    def backward(ctx, passed):
        queries, keys, values, weights = ctx.saved_tensors
        dweights = passed @ values.mT
        dlogits = weights * (dweights - (weights * dweights).sum(-1, keepdim=True))
        dqueries = dlogits @ keys * ctx.scale
        dkeys = dlogits.mT @ queries * ctx.scale
        return dqueries, dkeys, weights.mT @ passed


queries = torch.randn(2, 4, 6, dtype=torch.float64, requires_grad=True)
keys = torch.randn(2, 5, 6, dtype=torch.float64, requires_grad=True)
values = torch.randn(2, 5, 3, dtype=torch.float64, requires_grad=True)
mixed = Weighted.apply(queries, keys, values)
objective = torch.cosh(mixed).mean()
objective.backward()
print(objective.item(), keys.grad.norm().item())
