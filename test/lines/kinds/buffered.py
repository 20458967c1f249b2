# A layer of which the mask is a buffer; its keys and values come of one matrix.
import torch


class Layer(torch.nn.Module):
    def __init__(self, width, heads, longest):
        super().__init__()
        self.heads = heads
        self.query = torch.nn.Linear(width, width)
        self.both = torch.nn.Linear(width, 2 * width)
        self.register_buffer("past", torch.ones(longest, longest).tril() > 0)

    def forward(self, x):
        b, n, width = x.shape
        split = (b, n, self.heads, width // self.heads)
        k, v = self.both(x).chunk(2, dim=-1)
        q, k, v = (t.view(split).transpose(1, 2) for t in (self.query(x), k, v))
        s = q @ k.mT * split[-1] ** -0.5
        s = s.masked_fill(self.past[:n, :n].logical_not(), float("-inf"))
        return (s.softmax(-1) @ v).transpose(1, 2).reshape(b, n, width)


torch.manual_seed(6)
torch.set_default_dtype(torch.float64)
layer = Layer(8, 2, 9)
x = torch.randn(2, 5, 8, requires_grad=True)
y = layer(x)
dy = torch.randn(2, 5, 8)
y.backward(dy)
