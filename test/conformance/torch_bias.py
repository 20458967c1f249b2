"""Learned biases of the scores by position, as Hugging Face's T5 and Microsoft's Swin Transformer look them up."""
import math

import torch


def t5_bucket(relative_position, bidirectional, num_buckets, max_distance):
    relative_buckets = 0
    if bidirectional:
        num_buckets //= 2
        relative_buckets = relative_buckets + (relative_position > 0).long() * num_buckets
        relative_position = relative_position.abs()
    else:
        relative_position = -torch.min(relative_position, torch.zeros_like(relative_position))
    max_exact = num_buckets // 2
    is_small = relative_position < max_exact
    # float32 as in the model, whatever the default is.
    large = max_exact + (
        torch.log(relative_position.to(torch.float32) / max_exact) / math.log(max_distance / max_exact) * (num_buckets - max_exact)
    ).to(torch.long)
    large = torch.min(large, torch.full_like(large, num_buckets - 1))
    return relative_buckets + torch.where(is_small, relative_position, large)


def swin_index(height, width):
    coords = torch.stack(torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")).flatten(1)
    relative = (coords[:, :, None] - coords[:, None, :]).permute(1, 2, 0).contiguous()
    relative[:, :, 0] += height - 1
    relative[:, :, 1] += width - 1
    relative[:, :, 0] *= 2 * width - 1
    return relative.sum(-1)


def position_bias(options, table, m, n, past, key_first):
    """(heads, m, n)."""
    if options["kind"] == "learned":
        return table.transpose(-1, -2) if key_first else table
    if options["kind"] == "swin":
        index = swin_index(*options["window"])
        return table[index.view(-1)].view(m, n, -1).permute(2, 0, 1)
    context = torch.arange(past, past + m)[:, None]
    memory = torch.arange(n)[None, :]
    bucket = t5_bucket(memory - context, options.get("bidirectional", True), len(table), options.get("maxDistance", 128))
    return table[bucket].permute(2, 0, 1)
