"""Attention of published models by PyTorch's autograd in float64, each written from the model's public description.

    python3 models.py < MODELS.json > EXPECTED.json
    python3 models.py --names

MODELS.json: {name: {"tensors": {"x", "W_K", ...: {"shape", "data"}}, "upstream": {...}}}. The answer has y and every
tensor's gradient. Sizes that shapes do not tell stand in the programs, as a model's configuration has them.
"""
import json
import math
import sys

import torch

torch.set_default_dtype(torch.float64)
torch.set_num_threads(1)


def tensor(own):
    return torch.tensor(own["data"]).reshape(own["shape"])


def rms(x, weight, eps=1e-6):
    return weight * (x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + eps))


def rotate_half(x):
    u, w = x.chunk(2, -1)
    return torch.cat((-w, u), -1)


def half_rope(q, k, base):
    """As in Hugging Face's Llama: (heads, tokens, width)."""
    tokens, width = q.shape[-2:]
    inverse = 1.0 / base ** (torch.arange(0, width, 2) / width)
    angles = torch.outer(torch.arange(tokens).double(), inverse)
    cos, sin = (torch.cat((part, part), -1) for part in (angles.cos(), angles.sin()))
    return q * cos + rotate_half(q) * sin, k * cos + rotate_half(k) * sin


def split(x, width):
    return x.view(x.shape[0], -1, width).transpose(0, 1)


def merged(x):
    return x.transpose(0, 1).reshape(x.shape[1], -1)


def causal(q, k, v, groups=1):
    k, v = k.repeat_interleave(groups, 0), v.repeat_interleave(groups, 0)
    scores = q @ k.transpose(-1, -2) / math.sqrt(q.shape[-1])
    hidden = torch.ones(scores.shape[-2:], dtype=torch.bool).triu(1)
    return scores.masked_fill(hidden, -math.inf).softmax(-1) @ v


def gpt2(t, heads=12):
    """GPT-2 small (its model.py): biases, causal, a weight of its own after the heads are merged."""
    q, k, v = (split(t["x"] @ t[f"W_{n}"] + t[f"b_{n}"], t["x"].shape[1] // heads) for n in "QKV")
    return merged(causal(q, k, v)) @ t["W_O"] + t["b_O"]


def vit(t, heads=2):
    """Vision Transformer (arXiv 2010.11929, eq. 2): z + MSA(LN(z)), every token sees every other, timm's eps."""
    h = torch.nn.functional.layer_norm(t["x"], t["x"].shape[1:], t["gamma_pre"], t["beta_pre"], 1e-6)
    q, k, v = (split(h @ t[f"W_{n}"] + t[f"b_{n}"], h.shape[1] // heads) for n in "QKV")
    weights = (q * q.shape[-1] ** -0.5 @ k.transpose(-2, -1)).softmax(-1)
    return t["x"] + merged(weights @ v) @ t["W_O"] + t["b_O"]


def qwen3(t, width=4, groups=2):
    """Qwen3 (arXiv 2505.09388): RMS norm of each head of q and k, then RoPE, grouped queries, no biases."""
    q = rms(split(t["x"] @ t["W_Q"], width), t["gamma_Q"])
    k = rms(split(t["x"] @ t["W_K"], width), t["gamma_K"])
    q, k = half_rope(q, k, 1e6)
    return merged(causal(q, k, split(t["x"] @ t["W_V"], width), groups)) @ t["W_O"]


def olmo2(t, width=4):
    """OLMo 2 (arXiv 2501.00656): RMS norm of the whole of q and k before the heads are split."""
    q = split(rms(t["x"] @ t["W_Q"], t["gamma_Q"]), width)
    k = split(rms(t["x"] @ t["W_K"], t["gamma_K"]), width)
    q, k = half_rope(q, k, 5e5)
    return merged(causal(q, k, split(t["x"] @ t["W_V"], width))) @ t["W_O"]


def gpt_oss(t, width=4, groups=2, window=4):
    """gpt-oss (its reference sdpa): the sink is one more column of the scores, dropped after the softmax."""
    q, k, v = (split(t["x"] @ t[f"W_{n}"] + t[f"b_{n}"], width) for n in "QKV")
    q, k = half_rope(q, k, 150000)
    k, v = k.repeat_interleave(groups, 0), v.repeat_interleave(groups, 0)
    scores = q @ k.transpose(-1, -2) / math.sqrt(width)
    tokens = scores.shape[-1]
    everything = torch.ones(tokens, tokens, dtype=torch.bool)
    scores = scores.masked_fill(everything.triu(1) | everything.tril(-window), -math.inf)
    sinks = t["sinks"].reshape(-1, 1, 1).expand(-1, tokens, 1)
    weights = torch.softmax(torch.cat([scores, sinks], -1), -1)[..., :-1]
    return merged(weights @ v) @ t["W_O"] + t["b_O"]


def qwen3_next(t, width=4, groups=2):
    """Qwen3-Next's full attention: zero-centred RMS norms of q and k, an output gate of each entry."""
    q = rms(split(t["x"] @ t["W_Q"], width), 1 + t["gamma_Q"])
    k = rms(split(t["x"] @ t["W_K"], width), 1 + t["gamma_K"])
    q, k = half_rope(q, k, 1e7)
    out = merged(causal(q, k, split(t["x"] @ t["W_V"], width), groups))
    return (out * torch.sigmoid(t["x"] @ t["W_gate"])) @ t["W_O"]


def pair_rope(x, base):
    """RoFormer's: neighbours turn together, as complex numbers."""
    tokens, width = x.shape[-2:]
    angles = torch.outer(torch.arange(tokens).double(), base ** (-torch.arange(0, width, 2) / width))
    turned = torch.view_as_complex(x.reshape(*x.shape[:-1], -1, 2).contiguous())
    return torch.view_as_real(turned * torch.polar(torch.ones_like(angles), angles)).flatten(-2)


def deepseek_mla(t, heads=2):
    """DeepSeek-V2 (arXiv 2405.04434, eq. 9 to 19), with the norms of the latents of its code."""
    latent = rms(t["x"] @ t["W_DKV"], t["gamma_DKV"])
    k, v = (split(latent @ t[n], t[n].shape[1] // heads) for n in ("W_K", "W_V"))
    latent_q = rms(t["x"] @ t["W_DQ"], t["gamma_DQ"])
    q = split(latent_q @ t["W_Q"], t["W_Q"].shape[1] // heads)
    q_turned = pair_rope(split(latent_q @ t["W_QR"], t["W_QR"].shape[1] // heads), 10000.0)
    k_turned = pair_rope(t["x"] @ t["W_KR"], 10000.0).expand(heads, -1, -1)
    return merged(causal(torch.cat([q, q_turned], -1), torch.cat([k, k_turned], -1), v)) @ t["W_O"]


def gemma3_layer(t, width=4, groups=2, window=4):
    """Gemma 3's attention half of a layer: x + norm(attention(norm(x))), zero-centred RMS norms."""
    h = rms(t["x"], 1 + t["gamma_pre"])
    q = rms(split(h @ t["W_Q"], width), 1 + t["gamma_Q"])
    k = rms(split(h @ t["W_K"], width), 1 + t["gamma_K"])
    q, k = half_rope(q, k, 1e4)
    k, v = (each.repeat_interleave(groups, 0) for each in (k, split(h @ t["W_V"], width)))
    everything = torch.ones(h.shape[0], h.shape[0], dtype=torch.bool)
    hidden = everything.triu(1) | everything.tril(-window)
    weights = (0.5 * q @ k.transpose(-1, -2)).masked_fill(hidden, -math.inf).softmax(-1)
    return t["x"] + rms(merged(weights @ v) @ t["W_O"], 1 + t["gamma_out"])


def torch_multihead(t, heads=2):
    """PyTorch's own nn.MultiheadAttention, batch first, through the function that it calls."""
    y, _ = torch.nn.functional.multi_head_attention_forward(
        *(t[n].transpose(0, 1) for n in ("xPrime", "x", "xValue")),
        embed_dim_to_check=6, num_heads=heads, in_proj_weight=None,
        in_proj_bias=torch.cat([t["b_Q"], t["b_K"], t["b_V"]]),
        bias_k=t["null_K"].reshape(1, 1, -1), bias_v=t["null_V"].reshape(1, 1, -1), add_zero_attn=True,
        dropout_p=0.0, out_proj_weight=t["W_O"].T, out_proj_bias=t["b_O"], use_separate_proj_weight=True,
        q_proj_weight=t["W_Q"].T, k_proj_weight=t["W_K"].T, v_proj_weight=t["W_V"].T,
    )
    return y.transpose(0, 1)


def llama3(t, width=4, groups=2):
    """Llama 3.1 (its reference code): apply_scaling on the frequencies, then complex pairs; here in Hugging Face's halves."""
    inverse = []
    for freq in 1.0 / 500000 ** (torch.arange(0, width, 2) / width):
        wavelen = 2 * math.pi / freq
        if wavelen < 8192 / 4:
            inverse.append(freq)
        elif wavelen > 8192 / 1:
            inverse.append(freq / 8)
        else:
            smooth = (8192 / wavelen - 1) / (4 - 1)
            inverse.append((1 - smooth) * freq / 8 + smooth * freq)
    angles = torch.outer(torch.arange(t["x"].shape[0]).double(), torch.stack(inverse))
    cos, sin = (torch.cat((part, part), -1) for part in (angles.cos(), angles.sin()))
    q, k, v = (split(t["x"] @ t[f"W_{n}"], width) for n in "QKV")
    q, k = q * cos + rotate_half(q) * sin, k * cos + rotate_half(k) * sin
    return merged(causal(q, k, v, groups)) @ t["W_O"]


def gemma3_local(t, width=4, groups=2, window=3, scale=0.4):
    """Gemma 3 (arXiv 2503.19786): RMS norm with gains (1 + weight), RoPE of base 10000, a sliding window of the past."""
    q, k, v = (split(t["x"] @ t[f"W_{n}"], width) for n in "QKV")
    q, k = half_rope(rms(q, 1 + t["gamma_Q"]), rms(k, 1 + t["gamma_K"]), 10000)
    k, v = k.repeat_interleave(groups, 0), v.repeat_interleave(groups, 0)
    scores = q @ k.transpose(-1, -2) * scale
    everything = torch.ones(scores.shape[-2:], dtype=torch.bool)
    hidden = everything.triu(1) | everything.tril(-window)
    return merged(scores.masked_fill(hidden, -math.inf).softmax(-1) @ v) @ t["W_O"]


def t5(t, heads=2, buckets=8, max_distance=16, lengths=(6, 4)):
    """T5 (arXiv 1910.10683) as in Hugging Face: unscaled scores, relative_attention_bias, an extended attention mask."""
    x = t["x"]
    batch, tokens, _ = x.shape
    q, k, v = ((x @ t[f"W_{n}"]).view(batch, tokens, heads, -1).transpose(1, 2) for n in "QKV")
    relative = torch.arange(tokens)[None, :] - torch.arange(tokens)[:, None]
    half = buckets // 2
    distance = relative.abs()
    exact = half // 2
    large = exact + (torch.log(distance.float() / exact) / math.log(max_distance / exact) * (half - exact)).long()
    bucket = (relative > 0).long() * half + torch.where(distance < exact, distance, large.clamp(max=half - 1))
    bias = t["B"][bucket].permute(2, 0, 1)
    padding = torch.arange(tokens)[None, :] >= torch.tensor(lengths)[:, None]
    scores = q @ k.transpose(3, 2) + bias[None] + padding[:, None, None, :] * torch.finfo(torch.float64).min
    return (scores.softmax(-1) @ v).transpose(1, 2).reshape(batch, tokens, -1) @ t["W_O"]


def swin(t, heads=2, window=(2, 3)):
    """Swin Transformer (arXiv 2103.14030, WindowAttention): relative_position_bias_table, -100 between regions."""
    x = t["x"]
    windows, tokens, channels = x.shape
    q, k, v = (
        (x @ t[f"W_{n}"] + t[f"b_{n}"]).reshape(windows, tokens, heads, channels // heads).transpose(1, 2) for n in "QKV"
    )
    attn = (q * (channels // heads) ** -0.5) @ k.transpose(-2, -1)
    coords = torch.stack(torch.meshgrid(*(torch.arange(side) for side in window), indexing="ij")).flatten(1)
    relative = coords[:, :, None] - coords[:, None, :] + torch.tensor(window)[:, None, None] - 1
    index = relative[0] * (2 * window[1] - 1) + relative[1]
    attn = attn + t["B"][index.view(-1)].view(tokens, tokens, -1).permute(2, 0, 1).unsqueeze(0)
    regions = torch.tensor([[0, 0, 0, 0, 0, 0], [0, 0, 1, 0, 0, 1]])
    differ = regions[:, None, :] - regions[:, :, None]
    attn = attn + (differ != 0)[:, None] * -100.0
    y = (attn.softmax(-1) @ v).transpose(1, 2).reshape(windows, tokens, channels)
    return y @ t["W_O"] + t["b_O"]


def differential(t, heads=2, depth=3):
    """Differential Transformer (arXiv 2410.05258, its multihead_diffattn.py): view(.., num_heads, 2, ..), subln."""
    lambda_init = 0.8 - 0.6 * math.exp(-0.3 * depth)
    tokens = t["x"].shape[0]
    q, k, v = (t["x"] @ t[f"W_{n}"] for n in "QKV")
    head_dim = q.shape[1] // heads // 2
    q = pair_rope(q.view(tokens, 2 * heads, head_dim).transpose(0, 1), 10000.0) * head_dim**-0.5
    k = pair_rope(k.view(tokens, 2 * heads, head_dim).transpose(0, 1), 10000.0)
    v = v.view(tokens, heads, 2 * head_dim).transpose(0, 1)
    attn_mask = torch.triu(torch.full((tokens, tokens), -math.inf), 1)
    attn_weights = torch.softmax(q @ k.transpose(-1, -2) + attn_mask, -1)
    lambda_1 = torch.exp(torch.sum(t["lambda_q1"] * t["lambda_k1"], -1))
    lambda_2 = torch.exp(torch.sum(t["lambda_q2"] * t["lambda_k2"], -1))
    attn_weights = attn_weights.view(heads, 2, tokens, tokens)
    attn = (attn_weights[:, 0] - (lambda_1 - lambda_2 + lambda_init) * attn_weights[:, 1]) @ v
    attn = rms(attn, t["gamma_O"], 1e-5) * (1 - lambda_init)
    return attn.transpose(0, 1).reshape(tokens, heads * 2 * head_dim) @ t["W_O"]


MODELS = {
    "gpt2-heads": gpt2, "vit": vit,
    "qwen3": qwen3, "olmo2": olmo2, "gpt-oss": gpt_oss, "torch-multihead": torch_multihead,
    "llama3": llama3, "gemma3-local": gemma3_local, "t5": t5, "swin": swin, "qwen3-next": qwen3_next,
    "deepseek-mla": deepseek_mla, "gemma3-layer": gemma3_layer,
    "differential": differential,
}


def plain(value):
    return {"shape": list(value.shape), "data": value.detach().flatten().tolist()}


def answer(name, own):
    tensors = {key: tensor(each).requires_grad_() for key, each in own["tensors"].items()}
    y = MODELS[name](tensors)
    (y * tensor(own["upstream"])).sum().backward()
    return {"y": plain(y), **{f"d{key}": plain(each.grad) for key, each in tensors.items()}}


if __name__ == "__main__":
    if sys.argv[1:] == ["--names"]:
        json.dump(list(MODELS), sys.stdout)
        sys.exit()
    given = json.load(sys.stdin)
    json.dump({name: answer(name, own) for name, own in given.items()}, sys.stdout)
