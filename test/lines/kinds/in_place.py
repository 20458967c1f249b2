# Keys that are padding hidden in place, in PyTorch.
import torch

torch.manual_seed(4)
torch.set_default_dtype(torch.float64)
q, k, v = (torch.randn(2, 5, 4, requires_grad=True) for _ in range(3))
pad = torch.zeros(2, 5, dtype=torch.bool)
pad[0, 4:] = True
pad[1, 3:] = True


def attend(q, k, v, pad):
    scores = q @ k.transpose(1, 2) / 2
    scores.masked_fill_(pad[:, None, :], float("-inf"))
    weights = scores.softmax(dim=-1)
    return weights @ v


upstream = torch.randn(2, 5, 4)
out = attend(q, k, v, pad)
(out * upstream).sum().backward()
