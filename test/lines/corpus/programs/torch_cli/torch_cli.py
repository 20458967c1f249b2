"""python torch_cli.py --heads 3 --kv-heads 1 --causal: attention written with functions only, gradients by autograd."""
import argparse
import torch


def get_args():
    p = argparse.ArgumentParser()
    p.add_argument("--seed", type=int, default=0)
    p.add_argument("--batch", type=int, default=2)
    p.add_argument("--length", type=int, default=4)
    p.add_argument("--heads", type=int, default=2)
    p.add_argument("--kv-heads", type=int, default=2)
    p.add_argument("--head-dim", type=int, default=3)
    p.add_argument("--causal", action="store_true")
    return p.parse_args()


def project(x, weight, bias, heads):
    y = torch.addmm(bias, x.flatten(0, 1), weight.t())
    return y.view(x.shape[0], x.shape[1], heads, -1).transpose(1, 2)


def share(t, heads):
    """Every key/value head serves heads // t.size(1) query heads, one after the other."""
    b, g, n, d = t.shape
    return t.unsqueeze(2).expand(b, g, heads // g, n, d).flatten(1, 2)


def attend(q, k, v, causal):
    z = torch.matmul(q, k.transpose(-1, -2)).div(k.size(-1) ** 0.5)
    if causal:
        n = z.size(-1)
        z = z + torch.zeros(n, n).masked_fill(torch.ones(n, n).triu(1).bool(), -1e9)
    return torch.matmul(z.softmax(-1), v)


def main():
    a = get_args()
    torch.manual_seed(a.seed)
    width = a.heads * a.head_dim
    x = torch.randn(a.batch, a.length, width, requires_grad=True)
    shapes = {"q": a.heads, "k": a.kv_heads, "v": a.kv_heads, "o": a.heads}
    weight = {n: (torch.randn(h * a.head_dim if n != "o" else width, width) / width ** 0.5).requires_grad_() for n, h in shapes.items()}
    bias = {n: torch.randn(h * a.head_dim if n != "o" else width).mul_(0.1).requires_grad_() for n, h in shapes.items()}
    q = project(x, weight["q"], bias["q"], a.heads)
    k = share(project(x, weight["k"], bias["k"], a.kv_heads), a.heads)
    v = share(project(x, weight["v"], bias["v"], a.kv_heads), a.heads)
    ctx = attend(q, k, v, a.causal).transpose(1, 2).flatten(2)
    out = ctx @ weight["o"].t() + bias["o"]
    goal = torch.randn_like(out)
    loss = torch.nn.functional.mse_loss(out, goal, reduction="sum") / 2
    grads = torch.autograd.grad(loss, [x, *weight.values(), *bias.values()], allow_unused=True)
    print("loss %.6f" % loss.item())
    for name, g in zip(["x", *weight, *("b" + n for n in bias)], grads):
        print(name, "-" if g is None else "%.5f" % g.norm().item())


if __name__ == "__main__":
    main()
