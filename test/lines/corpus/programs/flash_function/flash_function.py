"""FlashAttention in PyTorch tiles with base-2 exponentials, as a Function; keys may be more than queries."""
import math
import torch

LOG2E = 1.44269504088896340736


class TiledAttention(torch.autograd.Function):
    @staticmethod
    def forward(ctx, q, k, v, tile_q, tile_k):
        scale = LOG2E / math.sqrt(q.shape[-1])
        o = torch.zeros(*q.shape[:-1], v.shape[-1], dtype=q.dtype)
        lse = torch.zeros(q.shape[:-1], dtype=q.dtype)
        for i, qi in enumerate(q.split(tile_q, dim=1)):
            rows = slice(i * tile_q, i * tile_q + qi.shape[1])
            m = torch.full(qi.shape[:-1], -math.inf, dtype=q.dtype)
            l = torch.zeros_like(m)
            acc = torch.zeros(*qi.shape[:-1], v.shape[-1], dtype=q.dtype)
            for kj, vj in zip(k.split(tile_k, dim=1), v.split(tile_k, dim=1)):
                s = torch.bmm(qi, kj.transpose(1, 2)) * scale
                m_new = torch.maximum(m, s.amax(-1))
                correction = torch.exp2(m - m_new)
                p = torch.exp2(s - m_new.unsqueeze(-1))
                l = l * correction + p.sum(-1)
                acc = acc * correction.unsqueeze(-1) + torch.bmm(p, vj)
                m = m_new
            o[:, rows] = acc / l.unsqueeze(-1)
            lse[:, rows] = m + torch.log2(l)
        ctx.save_for_backward(q, k, v, o, lse)
        ctx.tiles = tile_q, tile_k
        return o

    @staticmethod
    def backward(ctx, do):
        q, k, v, o, lse = ctx.saved_tensors
        tile_q, tile_k = ctx.tiles
        scale = 1 / math.sqrt(q.shape[-1])
        D = (do * o).sum(-1)
        dq, dk, dv = torch.zeros_like(q), torch.zeros_like(k), torch.zeros_like(v)
        for j in range(0, k.shape[1], tile_k):
            kj, vj = k[:, j:j + tile_k], v[:, j:j + tile_k]
            for i in range(0, q.shape[1], tile_q):
                qi, doi = q[:, i:i + tile_q], do[:, i:i + tile_q]
                s = torch.bmm(qi, kj.transpose(1, 2)) * (scale * LOG2E)
                p = torch.exp2(s - lse[:, i:i + tile_q, None])
                dv[:, j:j + tile_k] += torch.bmm(p.transpose(1, 2), doi)
                dp = torch.bmm(doi, vj.transpose(1, 2))
                ds = p * (dp - D[:, i:i + tile_q, None]) * scale
                dq[:, i:i + tile_q] += torch.bmm(ds, kj)
                dk[:, j:j + tile_k] += torch.bmm(ds.transpose(1, 2), qi)
        return dq, dk, dv, None, None


def main():
    torch.manual_seed(55)
    q = torch.randn(3, 7, 4, dtype=torch.float64, requires_grad=True)
    k = torch.randn(3, 10, 4, dtype=torch.float64, requires_grad=True)
    v = torch.randn(3, 10, 6, dtype=torch.float64, requires_grad=True)
    out = TiledAttention.apply(q, k, v, 3, 4)
    grad = torch.randn_like(out)
    (out * grad).sum().backward()
    print(out.norm().item(), q.grad.norm().item(), k.grad.norm().item(), v.grad.norm().item())
    return out


if __name__ == "__main__":
    main()
