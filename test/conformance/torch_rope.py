"""Rotary embeddings as Hugging Face's modeling_rope_utils describes them: frequencies, magnitude, sections, positions."""
import math

import torch


def frequencies(dim, base, scaling):
    """dim / 2 of them, and the factor on cosine and sine."""
    exponent = torch.arange(0, dim, 2).double() / dim
    if not scaling:
        return 1.0 / base**exponent, 1.0
    factor = scaling["factor"]
    if scaling["kind"] == "linear":
        return 1.0 / base**exponent / factor, 1.0
    if scaling["kind"] == "ntk":
        return 1.0 / (base * factor ** (dim / (dim - 2))) ** exponent, 1.0
    if scaling["kind"] == "llama3":
        low, high = scaling.get("lowFreqFactor", 1), scaling.get("highFreqFactor", 4)
        old = scaling["originalLength"]
        inv_freq = 1.0 / base**exponent
        wavelen = 2 * math.pi / inv_freq
        scaled = torch.where(wavelen > old / low, inv_freq / factor, inv_freq)
        smooth = (old / wavelen - low) / (high - low)
        smoothed = (1 - smooth) * inv_freq / factor + smooth * inv_freq
        is_medium = ~(wavelen < old / high) & ~(wavelen > old / low)
        return torch.where(is_medium, smoothed, scaled), 1.0

    def correction_dim(rotations):
        return (dim * math.log(scaling["originalLength"] / (rotations * 2 * math.pi))) / (2 * math.log(base))

    low, high = correction_dim(scaling.get("betaFast", 32)), correction_dim(scaling.get("betaSlow", 1))
    if scaling.get("truncate", True):
        low, high = math.floor(low), math.ceil(high)
    low, high = max(low, 0), min(high, dim - 1)
    if low == high:
        high += 0.001
    ramp = torch.clamp((torch.arange(dim // 2).double() - low) / (high - low), 0, 1)
    extrapolation = 1 - ramp
    pos_freqs = base**exponent
    inv_freq = (1.0 / (factor * pos_freqs)) * (1 - extrapolation) + (1.0 / pos_freqs) * extrapolation
    usual = 1.0 if factor <= 1 else 0.1 * math.log(factor) + 1.0
    return inv_freq, scaling.get("magnitude", usual)


def angles(options, dim, positions, first, tokens):
    """(tokens, pairs) or (batch, 1, tokens, pairs), and the magnitude."""
    base, scaling = options.get("base", 10000), options.get("scaling")
    if positions is None:
        positions = torch.arange(first, first + tokens).double()
    if "sections" not in options:
        if "invFreq" in options:
            inv_freq, magnitude = torch.tensor(options["invFreq"]), 1.0
        else:
            inv_freq, magnitude = frequencies(dim, base, scaling)
        angle = positions[..., None] * inv_freq
    else:
        sections = options["sections"]
        magnitude = 1.0
        if options.get("sectionFrequencies") == "own":
            parts = [frequencies(2 * count, base, scaling) for count in sections]
            magnitude = parts[0][1]
            parts = [part for part, _ in parts]
        else:
            if "invFreq" in options:
                whole = torch.tensor(options["invFreq"])
            else:
                whole, magnitude = frequencies(dim, base, scaling)
            parts = whole.split(sections)
        angle = torch.cat([place[..., None] * part for place, part in zip(positions, parts)], -1)
    return (angle[:, None] if angle.dim() == 3 else angle), magnitude


def rotate(x, options, positions, first):
    """x (..., heads, tokens, width): the first features turned, the others as they are."""
    dim = options.get("features", x.shape[-1])
    turned, rest = x[..., :dim], x[..., dim:]
    angle, magnitude = angles(options, dim, positions, first, x.shape[-2])
    cos, sin = angle.cos() * magnitude, angle.sin() * magnitude
    if options.get("pairing", "half") == "half":
        u, w = turned[..., : dim // 2], turned[..., dim // 2 :]
        out = torch.cat([u * cos - w * sin, w * cos + u * sin], -1)
    else:
        u, w = turned[..., 0::2], turned[..., 1::2]
        out = torch.stack([u * cos - w * sin, w * cos + u * sin], -1).flatten(-2)
    return torch.cat([out, rest], -1)
