"""What each base program means: its setup, and where its tensors are when it has run.

`T(expression)` is evaluated in the program's globals, `LOCALS["main"]["x"]` is the local x of its function main.
`values` names the program's own tensors by node; they are held against the reference of the setup.
"""
from typing import NamedTuple


class T(NamedTuple):
    expression: str


def weights(letters, form):
    """{W_Q: T(form with the letter in place of `?`), ...} for the letters of "qkvo"."""
    return {f"W_{c.upper()}": T(form.replace("?", c)) for c in letters}


def biases(letters, form):
    return {f"b_{c.upper()}": T(form.replace("?", c)) for c in letters}


def gradients(letters, form, kind="W"):
    return {f"d{kind}_{c.upper()}": form.replace("?", c) for c in letters}


SPECS = {}

SPECS["columns"] = dict(
    setup=dict(title="One head, tokens are columns", head="qkv", x=T("X.T"), weights=weights("qkv", "W?.T"), axes="key-first",
               loss=dict(target=T("T.T"))),
    values={"y": "Y.T", "f": "L", "dx": "dX.T", "P": "A.T", **gradients("qkv", "dW?.T")},
)
SPECS["layer_cache"] = dict(
    setup=dict(title="A course's layer, causal", head="multihead", x=T("x"),
               weights={**weights("qkvo", "layer.params['W?'].T"), **biases("qkvo", "layer.params['b?']")},
               heads=3, mask="causal", loss=dict(upstream=T("dout"))),
    values={"y": "out", "dx": "dx", **gradients("qkvo", "layer.grads['W?'].T"), **gradients("qvo", "layer.grads['b?']", "b")},
)
SPECS["llmc_port"] = dict(
    setup=dict(title="llm.c's attention loops", head="multihead",
               start=dict(Q=T("inp[:, :, :C]"), K=T("inp[:, :, C:2 * C]"), V=T("inp[:, :, 2 * C:]")),
               heads=2, mask="causal", loss=dict(upstream=T("dout"))),
    values={"y": "out", "P": "att", "dQ": "dinp[:, :, :C]", "dK": "dinp[:, :, C:2 * C]", "dV": "dinp[:, :, 2 * C:]"},
    tolerance=1e-5,
)
SPECS["einsum_mha"] = dict(
    setup=dict(title="Everything is an einsum", head="multihead", x=T("x"),
               weights={**{f"W_{c.upper()}": T(f"W{c}.reshape(D, H * k)") for c in "qkv"}, "W_O": T("Wo.reshape(H * k, D)")}, heads=2),
    values={"y": "Y", "dx": "dx", **gradients("qkv", "dW?.reshape(D, H * k)"), "dW_O": "dWo.reshape(H * k, D)"},
)
SPECS["head_lists"] = dict(
    setup=dict(title="A list per head", head="multihead", x=T("inputs"),
               weights={**weights("qkv", "np.concatenate(W_?, 1)"), "W_O": T("W_out")}, heads=4,
               loss=dict(expression="sum((y - T) .^ 2) / 48", constants=dict(T=T("targets")))),
    values={"y": "outputs", "f": "loss", "dx": "d_inputs", **gradients("qkv", "np.concatenate(dW_?, 1)"), "dW_O": "dW_out"},
)
SPECS["token_stream"] = dict(
    setup=dict(title="Token by token", head="qkv", x=T("LOCALS['main']['stream']"),
               weights=dict(W_Q=T("LOCALS['main']['w_query']"), W_K=T("LOCALS['main']['w_key']"), W_V=T("LOCALS['main']['w_value']")),
               mask="causal", loss=dict(upstream=T("LOCALS['main']['dys']"))),
    values={"y": "LOCALS['main']['ys']", **{f"d{n}": f"LOCALS['main']['grads'][{i}]" for i, n in enumerate(("x", "W_Q", "W_K", "W_V"))}},
)
merged = "{}.transpose(0, 2, 1, 3).reshape({}.shape[0], {}.shape[2], -1)"


def merge(name):
    """(batch, heads, tokens, width) as (batch, tokens, heads * width)."""
    return merged.format(name, name, name)


SPECS["flash2_causal"] = dict(
    setup=dict(title="FlashAttention-2 on blocks, causal", head="multihead",
               start=dict(Q=T(merge("q")), K=T(merge("k")), V=T(merge("v"))), heads=2, mask="causal", loss=dict(upstream=T(merge("do")))),
    values={"y": merge("o"), **{f"d{c.upper()}": merge(f"d{c}") for c in "qkv"}},
)
SPECS["dataclass_params"] = dict(
    setup=dict(title="Dataclasses for parameters and trace", head="multihead", x=T("x"),
               weights={**weights("qkvo", "params.w_?"), **biases("qv", "params.b_?")}, heads=2, mask="causal", loss=dict(target=T("target"))),
    values={"y": "y", "dx": "dx", **gradients("qkvo", "grads.w_?"), **gradients("qv", "grads.b_?", "b")},
)
SPECS["pullbacks"] = dict(
    setup=dict(title="Pullbacks", head="qkv", x=T("x"), weights=weights("qkv", "w_?"), mask="causal", loss=dict(upstream=T("seed"))),
    values={"y": "y", "dx": "dx", **gradients("qkv", "dw_?")},
)
SPECS["inplace_buffers"] = dict(
    setup=dict(title="In place", head="multihead",
               start={c: T(f"qkv[:, {i} * H * W:{i + 1} * H * W]") for i, c in enumerate("QKV")},
               heads=3, mask="causal", loss=dict(upstream=T("dout.transpose(1, 0, 2).reshape(T, H * W)"))),
    values={"y": "out.transpose(1, 0, 2).reshape(T, H * W)", **{f"d{c}": f"dqkv[:, {i} * H * W:{i + 1} * H * W]" for i, c in enumerate("QKV")}},
    tolerance=1e-5,
)
SPECS["gqa_function"] = dict(
    setup=dict(title="Grouped queries as an autograd Function", head="multihead",
               start=dict(Q=T("q.transpose(1, 2).flatten(2)"), K=T("k.transpose(1, 2).flatten(2)"), V=T("v.transpose(1, 2).flatten(2)")),
               heads=4, kvHeads=2, mask="causal", loss=dict(upstream=T("w.transpose(1, 2).flatten(2)"))),
    values={"y": "out.transpose(1, 2).flatten(2)", **{f"d{c.upper()}": f"{c}.grad.transpose(1, 2).flatten(2)" for c in "qkv"}},
)
SPECS["mha_linears"] = dict(
    setup=dict(title="Four linear layers, causal", head="multihead", x=T("x"),
               weights={**{f"W_{c}": T(f"model.linears[{i}].weight.T") for i, c in enumerate("QKVO")},
                        **{f"b_{c}": T(f"model.linears[{i}].bias") for i, c in enumerate("QKVO")}},
               heads=4, mask="causal", loss=dict(target=T("target"))),
    values={"y": "y", "dx": "x.grad", **{f"dW_{c}": f"model.linears[{i}].weight.grad.T" for i, c in enumerate("QKVO")},
            **{f"db_{c}": f"model.linears[{i}].bias.grad" for i, c in ((0, "Q"), (2, "V"), (3, "O"))}},
    tolerance=2e-5,
)
SPECS["llama_block"] = dict(
    setup=dict(title="LLaMA's attention: RoPE by halves, grouped queries", head="multihead", x=T("h"),
               weights=weights("qkvo", "layer.?_proj.weight.T"), heads=6, kvHeads=2, rope=dict(base=10000, pairing="half"),
               mask="causal", loss=dict(upstream=T("g"))),
    values={"y": "out", "dx": "h.grad", **gradients("qkvo", "layer.?_proj.weight.grad.T")},
)
SPECS["cross_lengths"] = dict(
    setup=dict(title="Cross-attention with padding", head="multihead", x=T("enc"), xPrime=T("dec"), weights=weights("qkvo", "w['?']"),
               mask=T("mask[:, None, None, :]"), maskMeaning="attend",
               loss=dict(expression="sum((y - T) .^ 2) / 3", constants=dict(T=T("goal")))),
    values={"y": "out", "dx": "grads['enc']", "dxPrime": "grads['dec']", **gradients("qkvo", "grads['?']")},
)
