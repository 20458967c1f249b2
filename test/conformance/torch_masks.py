"""Lists of masks as the libraries build them: FlashAttention's windows, FlexAttention's or_masks and and_masks."""
import torch


def rows(given, m):
    """(batch or nothing, tokens) over the queries, heads aside."""
    return given if given.dim() == 1 else given[:, None, None, :]


def split_list(setup):
    """The mask as it is written without a list, its meaning, and the other parts of the list."""
    mask = setup.get("mask", "none")
    if not isinstance(mask, list) or not mask or isinstance(mask[0], list):
        return mask, setup.get("maskMeaning"), []
    names = [part for part in mask if isinstance(part, str)]
    return (names or ["none"])[0], None, [part for part in mask if not isinstance(part, str)]


def per_sequence(value, tensor):
    """A number, or one for each sequence that broadcasts to (batch, heads, m, n)."""
    if not isinstance(value, list):
        return torch.tensor(value)
    own = tensor(value)
    return own.reshape(-1, 1, 1, 1) if own.numel() > 1 else own.reshape(())


def compose(causal, parts, m, n, offset, past, tensor, fill):
    """Who is hidden and what is added, (batch, heads, m, n) or less; `fill` lays a given mask along the scores."""
    q = (offset + torch.arange(m))[:, None]
    k = torch.arange(n)[None, :]
    allowed = q >= k if causal else torch.ones(m, n, dtype=torch.bool)
    bias = torch.zeros(m, n)
    # or_masks(prefix, causal)
    for part in parts:
        if part["kind"] == "prefix":
            allowed = allowed | (k < per_sequence(part["length"], tensor))
    # and_masks of all others
    for part in parts:
        if part["kind"] == "padding" and "lengths" in part:
            allowed = allowed & (k < per_sequence(part["lengths"], tensor))
        elif part["kind"] == "padding":
            allowed = allowed & (rows(tensor(part["keep"]), m) != 0)
        elif part["kind"] == "window":
            if "left" in part:
                allowed = allowed & (k >= q - part["left"])
            if "right" in part:
                allowed = allowed & (k <= q + part["right"])
        elif part["kind"] == "chunked":
            allowed = allowed & (torch.div(q, part["size"], rounding_mode="floor") == torch.div(k, part["size"], rounding_mode="floor"))
        elif part["kind"] == "documents":
            ids = tensor(part["ids"])
            of_query = tensor(part["queryIds"]) if "queryIds" in part else ids[..., past:]
            of_key = ids if ids.dim() == 1 else ids[:, None, None, :]
            of_query = of_query[:, None] if of_query.dim() == 1 else of_query[:, None, :, None]
            allowed = allowed & (of_query == of_key)
        elif part["kind"] == "given":
            given = fill(tensor(part["tensor"]))
            meaning = part.get("meaning", "attend" if given.dtype == torch.bool else "add")
            if meaning == "add":
                bias = bias + given.double()
            else:
                allowed = allowed & (given.bool() if meaning == "attend" else ~given.bool())
    return ~allowed, bias
