"""Attention by PyTorch's autograd in float64, from setup files: an independent reading of the same format.

    python3 torch_reference.py FOLDER

For every FOLDER/NAME.attention.json writes FOLDER/NAME.expected.json: {"N": {"shape", "data"}, "dN": ...}.
Inline tensors only.
"""
import json
import math
import pathlib
import re
import sys

import torch

from torch_bias import position_bias
from torch_masks import compose, split_list
from torch_rope import rotate

torch.set_default_dtype(torch.float64)
torch.set_num_threads(1)

SPECIAL = {"inf": math.inf, "-inf": -math.inf, "nan": math.nan}


def numbers(nested):
    if isinstance(nested, list):
        return [numbers(each) for each in nested]
    return SPECIAL[nested] if isinstance(nested, str) else nested


def tensor(nested):
    return torch.tensor(numbers(nested))


class Graph:
    """Remembers every node so that its gradient can be read after backward()."""

    def __init__(self):
        self.nodes = {}

    def leaf(self, name, nested):
        return self.keep(name, tensor(nested).double().requires_grad_())

    def keep(self, name, value):
        if not value.is_leaf:
            value.retain_grad()
        self.nodes[name] = value
        return value


def score_heads(setup):
    """Softmaxes: two for each head of differential attention."""
    heads = setup.get("heads", 1) if setup["head"] == "multihead" else 1
    return 2 * heads if "differential" in setup else heads


def fill_shape(setup, scores):
    """(batch, heads, m, n), each at least 1."""
    heads = score_heads(setup)
    m, n = scores.shape[-2:]
    return (scores.numel() // (heads * m * n), heads, m, n)


def normed(own, x, gain, bias):
    """RMS or layer norm over the last axis."""
    if own["kind"] == "layer":
        # As F.layer_norm, but exact where a row is one entry: its rounding there is divided by sqrt(eps).
        centred = x - x.mean(-1, keepdim=True)
        hat = centred / (centred.pow(2).mean(-1, keepdim=True) + own["eps"]).sqrt()
    else:
        hat = x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + own["eps"])
    if gain is not None:
        hat = hat * (1 + gain if own.get("unitOffset") else gain)
    return hat if bias is None else hat + bias


def qk_norm(own, x, count, gain, bias):
    """Of (..., tokens, count * width): of each head, or of all of them."""
    width = x.shape[-1] // count
    if own["over"] == "all":
        spread = lambda p: None if p is None else p.repeat(x.shape[-1] // p.numel())
        return normed(own, x, spread(gain), spread(bias))
    spread = lambda p: None if p is None else p.reshape(-1, width)
    return normed(own, x.reshape(*x.shape[:-1], count, width), spread(gain), spread(bias)).flatten(-2)


def heads_apart(x, count):
    return x.reshape(*x.shape[:-1], count, -1).transpose(-3, -2)


def heads_beside(x):
    return x.transpose(-3, -2).flatten(-2)


def fill_scores(setup, given, scores):
    """A mask of two to four dimensions, in the setup's order of axes, as large as scores (..., m, n)."""
    if setup["axes"] == "key-first":
        given = given.transpose(-1, -2)
    return given.reshape((1,) * (4 - given.dim()) + given.shape).expand(fill_shape(setup, scores)).reshape(scores.shape)


def hidden_and_bias(setup, scores, past):
    """Which entries are masked, and what is added, for scores of shape (..., m, n)."""
    m, n = scores.shape[-2:]
    mask, meaning, parts = split_list(setup)
    offset = n - m if mask == "causal-bottom-right" else past
    distance = offset + torch.arange(m)[:, None] - torch.arange(n)[None, :]
    causal = mask in ("causal", "causal-bottom-right")

    def of_scores(value):
        # Without heads the scores have one axis less than the parts' (batch, heads, m, n).
        return value.expand(fill_shape(setup, scores)).reshape(scores.shape)

    hidden, bias = compose(
        causal, parts, m, n, offset, past, tensor,
        lambda given: fill_scores(setup, given, scores).reshape(fill_shape(setup, scores)),
    )
    hidden, bias = of_scores(hidden), of_scores(bias)
    if not isinstance(mask, str):
        given = tensor(mask)
        meaning = meaning or ("attend" if given.dtype == torch.bool else "add")
        given = fill_scores(setup, given, scores)
        if meaning == "attend":
            hidden = hidden | ~given.bool()
        elif meaning == "ignore":
            hidden = hidden | given.bool()
        else:
            bias = bias + given.double()
    if "window" in setup:
        hidden = hidden | (distance.abs() >= setup["window"])
    if setup.get("alibi"):
        heads = score_heads(setup)
        if setup["alibi"] is True:
            slopes = torch.tensor(alibi_slopes(heads))
        else:
            slopes = tensor(setup["alibi"])
        shape = (heads, 1, 1) if setup["head"] == "multihead" else (1, 1)
        bias = bias - slopes.reshape(shape) * distance.abs()
    return hidden, bias


def alibi_slopes(heads):
    """As the paper's authors take them."""
    def geometric(count):
        start = 2 ** (-(2 ** -(math.log2(count) - 3)))
        return [start * start**h for h in range(count)]

    if math.log2(heads).is_integer():
        return geometric(heads)
    power = 2 ** math.floor(math.log2(heads))
    return geometric(power) + geometric(2 * power)[0::2][: heads - power]


def with_sink(M, sink):
    """The sink is one more key, whose weight is thrown away; its logit broadcasts to (..., m, 1)."""
    column = sink.expand(*M.shape[:-1], 1)
    return torch.softmax(torch.cat([M, column], -1), -1)[..., :-1]


def safe_softmax(M):
    """Zeros where every key is masked."""
    dead = (M == -math.inf).all(-1, keepdim=True)
    return torch.where(dead, torch.zeros(()), torch.softmax(torch.where(dead, torch.zeros(()), M), -1))


def weights(setup, g, S, width, past, sinks=None, nulls=0, table=None):
    """S, Z, M, P, Pd with the queries in the rows; kept under the setup's order of axes."""
    keep = lambda name, value: g.keep(name, value)
    flip = (lambda t: t.transpose(-1, -2)) if setup["axes"] == "key-first" else (lambda t: t)
    step = keep("S", flip(S))
    scale = setup.get("scale")
    softcap = setup.get("softcap")
    factors = [g.nodes[name] for name in ("headScale", "temperature") if name in g.nodes]
    if setup["head"] != "kq" or scale is not None or softcap is not None or factors:
        if scale == "1/sqrt(d)" or (scale is None and setup["head"] != "kq"):
            scale = width**-0.5
        Z = step * (1 if scale is None else scale)
        if "headScale" in g.nodes:
            Z = Z * g.nodes["headScale"].reshape(-1, 1, 1)
        if "temperature" in g.nodes:
            t = g.nodes["temperature"].unsqueeze(-1)
            t = t if setup["head"] != "multihead" else t.unsqueeze(-3)
            Z = Z * (t.transpose(-1, -2) if setup["axes"] == "key-first" else t)
        step = keep("Z", softcap * torch.tanh(Z / softcap) if softcap else Z)
    if table is not None:
        m, n = flip(step).shape[-2:]
        bias = position_bias(setup["positionBias"], table, m, n, past, setup["axes"] == "key-first")
        step = keep("Zb", flip(flip(step) + bias))
    mask, _, parts = split_list(setup)
    # A prefix is only what a causal mask leaves open.
    listed = any(part["kind"] != "prefix" for part in parts)
    masked = not isinstance(mask, str) or mask != "none" or listed or "window" in setup or setup.get("alibi")
    if masked:
        own = flip(step)
        hidden, bias = hidden_and_bias(setup, own[..., : own.shape[-1] - nulls], past)
        hidden = torch.nn.functional.pad(hidden, (0, nulls), value=False)
        bias = torch.nn.functional.pad(bias, (0, nulls))
        M = torch.where(hidden, torch.full((), -math.inf), flip(step) + bias)
        step = keep("M", flip(M))
    if sinks is not None:
        P = with_sink(flip(step), sinks.reshape(-1, 1, 1))
    elif setup.get("softmax") == "plus-one":
        P = with_sink(flip(step), torch.zeros(()))
    else:
        P = safe_softmax(flip(step))
    P = step = keep("P", flip(P))
    if "dropout" in setup:
        kept = fill_scores(setup, tensor(setup["dropout"]["keep"]), flip(P))
        step = keep("Pd", P * flip(kept) / (1 - setup["dropout"]["p"]))
    return flip(step)


def lambda_init(own):
    return own["lambdaInit"] if "lambdaInit" in own else 0.8 - 0.6 * math.exp(-0.3 * own["layer"])


def difference(setup, g, w, P):
    """The authors' two maps, one less lambda times the other; P with the queries in the rows, (..., 2 heads, m, n)."""
    own = setup["differential"]
    if "lambda_share" in w:
        lambda_full = w["lambda_share"]
    else:
        lambda_1 = torch.exp(torch.sum(w["lambda_q1"] * w["lambda_k1"]))
        lambda_2 = torch.exp(torch.sum(w["lambda_q2"] * w["lambda_k2"]))
        lambda_full = g.keep("lambda_full", lambda_1 - lambda_2 + lambda_init(own))
    heads, axis = setup["heads"], P.dim() - 3
    if own.get("pairs") == "halves":
        first, second = P.chunk(2, axis)
    else:
        first, second = P.unflatten(axis, (heads, 2)).unbind(axis + 1)
    left = first - lambda_full * second
    if setup["axes"] == "key-first":
        return g.keep("Pdiff", left.transpose(-1, -2)).transpose(-1, -2)
    return g.keep("Pdiff", left)


def normed_heads(setup, g, w, O):
    """The authors' subln of each head and its factor."""
    own = setup["differential"]
    norm = own.get("norm", {"kind": "rms", "eps": 1e-5})
    if norm != "none":
        gain = w.get("gamma_O")
        if gain is not None and gain.numel() > O.shape[-1]:
            gain = gain.reshape(-1, 1, O.shape[-1])
        O = g.keep("On", normed(norm, O, gain, None))
    return O if lambda_init(own) == 0 else g.keep("Os", O * (1 - lambda_init(own)))


def expression(text, y):
    python = text.replace(".^", "**").replace(".*", "*").replace("./", "/").replace("^", "**")
    scope = {name: getattr(torch, name) for name in ("sum", "mean", "norm", "exp", "log", "sqrt", "tanh", "sin", "cos")}
    scope["dot"] = lambda a, b: (a * b).sum()
    return eval(re.sub(r"\s+", " ", python), {"__builtins__": {}}, {**scope, "y": y})


def loss(setup, y):
    own = setup.get("loss")
    if not own:
        return (y * y).sum() / 2
    if "upstream" in own:
        return (tensor(own["upstream"]) * y).sum()
    if "target" in own:
        return ((y - tensor(own["target"])) ** 2).sum() / 2
    return expression(own["expression"], y)


def temperatures(own, queries, past):
    if isinstance(own, list):
        return own
    position = torch.arange(past, past + queries).double() + 1
    if "logN" in own:
        return (position.log() / math.log(own["logN"])).clamp(min=1).tolist()
    return (1 + own["scale"] * torch.log1p(torch.floor(position / own["floor"]))).tolist()


def attend(setup):
    g = Graph()
    given = dict(setup.get("weights", {}))
    if "lambda_share" in given:
        given["lambda_share"] = given["lambda_share"][0]
    w = {name: g.leaf(name, nested) for name, nested in given.items()}
    start = {name: g.leaf(name, nested) for name, nested in setup.get("start", {}).items()}
    x = g.leaf("x", setup["x"]) if "x" in setup else None
    other = g.leaf("xPrime", setup["xPrime"]) if "xPrime" in setup else x
    content = g.leaf("xValue", setup["xValue"]) if "xValue" in setup else x

    block = setup.get("block", {})
    stream = other

    def block_norm(name, place, value):
        return normed(block[name], value, w.get(f"gamma_{place}"), w.get(f"beta_{place}"))

    if "preNorm" in block:
        other = g.keep("xn", block_norm("preNorm", "pre", stream))
        if "xPrime" not in setup:
            content = content if "xValue" in setup else other
            x = other

    def project(name, source):
        if name in start:
            return start[name]
        value = source @ w[f"W_{name}"]
        return g.keep(name, value + w[f"b_{name}"] if f"b_{name}" in w else value)

    def latent(name, source):
        """Of DeepSeek-V2, with the norm of its code where there is a gain or the setup asks for one."""
        if f"W_{name}" not in w:
            return source
        own, kept = source @ w[f"W_{name}"], name[1:] if name == "DKV" else "Q"
        own = g.keep(f"c{kept}", own)
        asked, gain = setup.get("latentNorm"), w.get(f"gamma_{name}")
        if asked is None and gain is None:
            return own
        asked = {"kind": asked} if isinstance(asked, str) else asked or {"kind": "rms"}
        eps = asked.get("eps", 1e-6 if asked["kind"] == "rms" else 1e-5)
        return g.keep(f"c{kept}n", normed({**asked, "eps": eps}, own, gain, None))

    of_keys, of_queries = latent("DKV", x), latent("DQ", other)
    if "W_DKV" in w:
        content = of_keys
    if "W_KR" in w:
        g.keep("KR", x @ w["W_KR"])
        g.keep("QR", of_queries @ w["W_QR"])
    K, Q = project("K", of_keys), project("Q", of_queries)
    norm = setup.get("qkNorm")
    norm_first = norm and "W_KR" not in w and (norm["place"] == "before-rope" or setup["head"] != "multihead")

    def norm_of(name, value, count):
        return qk_norm(norm, value, count, w.get(f"gamma_{name}"), w.get(f"beta_{name}"))

    if "temperature" in setup:
        earlier = len(setup["past"]["K"][0]) if "past" in setup else 0
        if "past" in setup and K.dim() == 3:
            earlier = len(setup["past"]["K"][0][0])
        g.leaf("temperature", temperatures(setup["temperature"], Q.shape[-2], earlier))
    if norm_first:
        many = setup["head"] == "multihead"
        pair = 2 if "differential" in setup else 1
        heads, kv_heads = (pair * setup["heads"], pair * setup["kvHeads"]) if many else (1, 1)
        K = g.keep("Kn", norm_of("K", K, kv_heads))
        Q = g.keep("Qn", norm_of("Q", Q, heads))
    if setup["head"] != "multihead":
        V = project("V", content) if setup["head"] == "qkv" else x
        S = Q @ K.transpose(-1, -2)
        y = g.keep("y", weights(setup, g, S, K.shape[-1], 0) @ V)
    else:
        V = project("V", content)
        heads, kv_heads = setup.get("heads", 1), setup.get("kvHeads", setup.get("heads", 1))
        past = len(setup["past"]["K"][0][0]) if "past" in setup and K.dim() == 3 else 0
        if "past" in setup and K.dim() == 2:
            past = len(setup["past"]["K"][0])

        def split(name, value, count, rope):
            own = heads_apart(value, count)
            still = None
            if rope and "W_KR" in w:
                # One turned part for the keys of all heads.
                still, own = own, heads_apart(g.nodes[f"{name}R"], 1 if name == "K" else count)
            if rope and "rope" in setup:
                options = setup["rope"]
                places = options.get("positions")
                if name == "Q":
                    places = options.get("queryPositions", places)
                own = rotate(own, options, None if places is None else tensor(places).double(), past)
                if still is not None:
                    own = g.keep(f"{name}Rs", own if name == "Q" else own.squeeze(-3))
                    own = own if name == "Q" else own.unsqueeze(-3)
            if still is not None:
                own = torch.cat([still, own.expand(*still.shape[:-1], -1)], -1)
                if name == "K" and "past" in setup and not norm:
                    own = g.keep("Ks", own)
            if norm and not norm_first and name != "V":
                own = g.keep(f"{name}s", own)
                own = heads_apart(norm_of(name, heads_beside(own), count), count)
                if name != "Q" and "past" in setup:
                    own = g.keep(f"{name}n", own)
            null = name != "Q" and ("null_K" in w or setup.get("zeroKey"))
            if null and f"{name}s" not in g.nodes:
                own = g.keep(f"{name}s", own)
            if null and norm and not norm_first and name != "V":
                own = g.keep(f"{name}n", own)
            if name != "Q" and "past" in setup:
                own = torch.cat([tensor(setup["past"][name]), own], -2)
            nulls = [w[f"null_{name}"].reshape(count, 1, -1)] if f"null_{name}" in w else []
            if setup.get("zeroKey") and name != "Q":
                nulls.append(torch.zeros(count, 1, own.shape[-1]))
            if nulls:
                own = torch.cat([own, *(each.expand(*own.shape[:-2], 1, -1) for each in nulls)], -2)
            return g.keep(f"{name}h", own)

        pair = 2 if "differential" in setup else 1
        Kh, Qh = split("K", K, pair * kv_heads, True), split("Q", Q, pair * heads, True)
        Vh = split("V", V, kv_heads, False)
        group = torch.arange(heads) // (heads // kv_heads)
        if setup.get("grouping") == "interleaved":
            group = torch.arange(heads) % kv_heads
        of_keys = group
        if pair == 2:
            halves = setup["differential"].get("pairs") == "halves"
            both = [group, group + kv_heads] if halves else [2 * group, 2 * group + 1]
            of_keys = torch.cat(both) if halves else torch.stack(both, -1).flatten()
        K_all, V_all = Kh.index_select(-3, of_keys), Vh.index_select(-3, group)
        nulls = ("null_K" in w) + bool(setup.get("zeroKey"))
        P = weights(setup, g, Qh @ K_all.transpose(-1, -2), Kh.shape[-1], past, w.get("sinks"), nulls, w.get("B"))
        if pair == 2:
            P = difference(setup, g, w, P)
        O = g.keep("O", P @ V_all)
        if pair == 2:
            O = normed_heads(setup, g, w, O)
        if "W_gate" in w:
            gate = g.keep("gate", other @ w["W_gate"] + w.get("b_gate", 0))
            opened = gate.sigmoid().reshape(*gate.shape[:-1], heads, -1).transpose(-3, -2)
            O = g.keep("Og", O * opened)
        merged = O.transpose(-3, -2).flatten(-2)
        if "W_O" in w:
            merged = g.keep("C", merged)
            y = merged @ w["W_O"]
            y = y + w["b_O"] if "b_O" in w else y
            steps = [("ya", lambda own: own)]
            if "outputNorm" in block:
                steps.append(("yn", lambda own: block_norm("outputNorm", "out", own)))
            if block.get("residual"):
                steps.append(("yr", lambda own: own + stream))
            if "postNorm" in block:
                steps.append(("y", lambda own: block_norm("postNorm", "post", own)))
            for n, (name, step) in enumerate(steps):
                y = g.keep("y" if n == len(steps) - 1 else name, step(y))
        else:
            y = g.keep("y", merged)
    f = g.keep("f", loss(setup, y))
    f.backward()
    return g.nodes


def plain(value):
    value = value.detach()
    return {"shape": list(value.shape), "data": [str(v) if not math.isfinite(v) else v for v in value.flatten().tolist()]}


def main(folder):
    for path in sorted(pathlib.Path(folder).glob("*.attention.json")):
        setup = json.loads(path.read_text())
        setup.setdefault("axes", "key-first" if setup["head"] == "kq" else "query-first")
        expected = {}
        for name, value in attend(setup).items():
            expected[name] = plain(value)
            expected[f"d{name}"] = plain(value.grad if value.grad is not None else torch.zeros_like(value))
        path.with_name(path.name.replace(".attention.json", ".expected.json")).write_text(json.dumps(expected))


if __name__ == "__main__":
    main(sys.argv[1])
