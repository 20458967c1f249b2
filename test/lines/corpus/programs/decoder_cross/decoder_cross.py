import torch
import torch.nn as nn


class CrossAttention(nn.Module):
    """Queries from the decoder, keys and values from the memory; the memory may be padded."""

    def __init__(self, d_model, d_memory, nhead):
        super().__init__()
        self.nhead = nhead
        self.to_q = nn.Linear(d_model, d_model, bias=True)
        self.to_kv = nn.Linear(d_memory, d_model * 2, bias=True)
        self.to_out = nn.Linear(d_model, d_model, bias=True)
        self.scale = (d_model // nhead) ** -0.5

    def separate(self, t):
        b, n, d = t.shape
        return t.view(b, n, self.nhead, d // self.nhead).permute(0, 2, 1, 3)

    def forward(self, tgt, memory, key_padding_mask=None):
        q = self.separate(self.to_q(tgt)) * self.scale
        k, v = self.to_kv(memory).chunk(2, dim=-1)
        k, v = self.separate(k), self.separate(v)
        sim = q @ k.mT
        if key_padding_mask is not None:
            # True where the memory is padding
            sim.masked_fill_(key_padding_mask[:, None, None, :], float("-inf"))
        attn = sim - sim.amax(dim=-1, keepdim=True).detach()
        attn = attn.exp()
        attn = attn / attn.sum(dim=-1, keepdim=True)
        out = attn @ v
        b, h, n, d = out.shape
        out = out.permute(0, 2, 1, 3).reshape(b, n, h * d)
        return self.to_out(out)


torch.manual_seed(77)
torch.set_default_dtype(torch.float64)
layer = CrossAttention(d_model=12, d_memory=9, nhead=3)
tgt = torch.randn(2, 4, 12, requires_grad=True)
memory = torch.randn(2, 7, 9, requires_grad=True)
pad = torch.zeros(2, 7, dtype=torch.bool)
pad[0, 5:] = True
pad[1, 6:] = True
out = layer(tgt, memory, pad)
weight = torch.linspace(-1, 1, out.numel()).view_as(out)
loss = (out * weight).sum() + 0.0
loss.backward()
print("loss", loss.item())
print("tgt", tgt.grad.norm().item(), "memory", memory.grad.norm().item())
for k, p in layer.named_parameters():
    print(k, p.grad.norm().item())
