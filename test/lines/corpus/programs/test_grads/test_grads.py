import numpy as np
import torch

EPS = 1e-6


def mha(x, wq, wk, wv, wo, n_head, key_mask):
    """x (b, t, c); key_mask (b, t), 0 where a token is padding."""
    b, t, c = x.shape
    heads = lambda w: torch.einsum("btc,cd->btd", x, w).reshape(b, t, n_head, -1).permute(0, 2, 1, 3)
    q, k, v = heads(wq), heads(wk), heads(wv)
    att = q @ k.permute(0, 1, 3, 2)
    att = att / q.size(-1) ** 0.5
    att = att + torch.log(key_mask)[:, None, None, :]
    att = att - att.max(dim=-1, keepdim=True).values
    att = torch.exp(att)
    att = att / torch.sum(att, dim=-1, keepdim=True)
    y = att @ v
    y = y.permute(0, 2, 1, 3).reshape(b, t, -1)
    return y @ wo


def inputs(seed, b=2, t=5, c=6, n_head=2, d=8):
    g = torch.Generator().manual_seed(seed)
    rand = lambda *shape: torch.randn(*shape, generator=g, dtype=torch.float64, requires_grad=True)
    key_mask = torch.ones(b, t, dtype=torch.float64)
    key_mask[1, 3:] = 0
    return rand(b, t, c), rand(c, d), rand(c, d), rand(c, d), rand(d, c), n_head, key_mask


def test_gradient_along_random_directions():
    args = inputs(0)
    tensors, rest = args[:5], args[5:]
    y = mha(*args)
    loss = 0.5 * (y ** 2).sum()
    loss.backward()
    print("loss", loss.item(), "grads", [round(p.grad.abs().sum().item(), 6) for p in tensors if p.grad is not None])
    rng = np.random.default_rng(1)
    for p in tensors:
        step = torch.tensor(rng.normal(size=tuple(p.shape)))
        with torch.no_grad():
            values = []
            for sign in (1, -1):
                moved = [t + sign * EPS * step if t is p else t for t in tensors]
                values.append(0.5 * (mha(*moved, *rest) ** 2).sum().item())
        numeric = (values[0] - values[1]) / (2 * EPS)
        analytic = (p.grad * step).sum().item()
        assert abs(numeric - analytic) < 1e-4 * max(1.0, abs(numeric)), (numeric, analytic)


def test_padding_has_no_influence():
    args = list(inputs(2))
    before = mha(*args)
    with torch.no_grad():
        args[0][1, 3:] += 1.0
        after = mha(*args)
    assert torch.allclose(before[1, :3], after[1, :3])


if __name__ == "__main__":
    test_gradient_along_random_directions()
    test_padding_has_no_influence()
    print("ok")
