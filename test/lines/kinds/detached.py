# Attention of a decoder to an encoder's tokens, tokens first, in PyTorch.
import torch

torch.manual_seed(6)
torch.set_default_dtype(torch.float64)
w_q, w_k, w_v = (torch.randn(n, 4, requires_grad=True) for n in (3, 5, 5))
states = torch.randn(4, 2, 3, requires_grad=True)
memory = torch.randn(6, 2, 5, requires_grad=True)


def attend(states, memory):
    tokens = states.size(0)
    length = memory.size(0)
    q = states @ w_q
    k = memory @ w_k
    v = memory @ w_v
    s = torch.einsum("tbd,sbd->bts", q, k) / 2
    assert s.shape[1:] == (tokens, length)
    return torch.einsum("bts,sbd->tbd", s.softmax(-1), v)


upstream = torch.randn(4, 2, 4)
out = attend(states, memory)
(out * upstream).sum().backward()
