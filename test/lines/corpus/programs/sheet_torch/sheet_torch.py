"""The exercise, checked with autograd: keys and values are the x_i, queries come from other tokens x'_j."""
import torch

torch.manual_seed(6)
torch.set_default_dtype(torch.double)


def weights(x, x_prime, W_K, W_Q):
    """p with p[i, j]: how much token i counts for query j."""
    logits = torch.einsum("ic,ca,ea,je->ij", x, W_K, W_Q, x_prime)
    logits = logits - torch.logsumexp(logits, dim=0, keepdim=True)
    return logits.exp()


def mix(p, x):
    return torch.einsum("ij,ic->jc", p, x)


n, m, d, e, a = 6, 3, 4, 5, 3
x = torch.randn(n, d).requires_grad_()
x_prime = torch.randn(m, e).requires_grad_()
W_K = (0.5 * torch.randn(d, a)).requires_grad_()
W_Q = (0.5 * torch.randn(e, a)).requires_grad_()

p = weights(x, x_prime, W_K, W_Q)
y = mix(p, x)
f = torch.log(torch.cosh(y)).sum()
grads = torch.autograd.grad(f, (x, x_prime, W_K, W_Q), create_graph=False)

# the formula of the sheet
with torch.no_grad():
    g = torch.tanh(y)
    B = W_K @ W_Q.T
    dp = x @ g.T
    ds = p * (dp - (p * dp).sum(0))
    dx = p @ g + ds @ x_prime @ B.T
    dx_prime = ds.T @ x @ B
    dW_K = x.T @ ds @ x_prime @ W_Q
    dW_Q = x_prime.T @ ds.T @ x @ W_K
print("f", f.item())
for name, auto, mine in zip(("x", "x'", "W_K", "W_Q"), grads, (dx, dx_prime, dW_K, dW_Q)):
    print(f"{name:4s} autograd {auto.norm():.6f} formula {mine.norm():.6f} difference {(auto - mine).abs().max():.2e}")
