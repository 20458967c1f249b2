"""What each base program means: its setup, and where its tensors are when it has run.

`T(expression)` is evaluated in the program's globals, `LOCALS["main"]["x"]` is the local x of its function main.
`values` names the program's own tensors by node (a second one of the same node with a '); they are held
against the reference of the setup.
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
SPECS["bloom_heads"] = dict(
    setup=dict(title="BLOOM's heads: ALiBi", head="multihead", x=T("x"),
               weights={**{f"W_{c}": T(f"model.query_key_value.weight[{i} * 20:{i + 1} * 20].T") for i, c in enumerate("QKV")},
                        **{f"b_{c}": T(f"model.query_key_value.bias[{i} * 20:{i + 1} * 20]") for i, c in enumerate("QKV")},
                        "W_O": T("model.dense.weight.T"), "b_O": T("model.dense.bias")},
               heads=5, alibi=[2 ** (-8 * (h + 1) / 5) for h in range(5)], mask="causal", loss=dict(upstream=T("torch.sin(torch.arange(y.numel()).view_as(y))"))),
    values={"y": "y", "dx": "x.grad", **{f"dW_{c}": f"model.query_key_value.weight.grad[{i} * 20:{i + 1} * 20].T" for i, c in enumerate("QKV")},
            "db_Q": "model.query_key_value.bias.grad[:20]", "db_V": "model.query_key_value.bias.grad[40:]", "dW_O": "model.dense.weight.grad.T"},
    tolerance=2e-5,
)
SPECS["rope_complex"] = dict(
    setup=dict(title="Rotary embedding by complex numbers, grouped queries", head="multihead", x=T("x"), weights=weights("qkvo", "model.w?"),
               heads=4, kvHeads=2, rope=dict(base=100, pairing="interleaved"), mask="causal"),
    values={"y": "y", "f": "loss", "dx": "x.grad", **gradients("qkvo", "model.w?.grad")},
)
SPECS["rope_manual"] = dict(
    setup=dict(title="Rotary attention by hand", head="multihead", x=T("x"),
               weights={**{f"W_{c}": T(f"layer.Wqkv[:, {i}].reshape(7, 12)") for i, c in enumerate("QKV")}, "W_O": T("layer.Wo.reshape(12, 7)")},
               heads=2, rope=dict(base=500, pairing="interleaved"), mask="causal", loss=dict(upstream=T("dy"))),
    values={"y": "y", "dx": "dx", **{f"dW_{c}": f"layer.dWqkv[:, {i}].reshape(7, 12)" for i, c in enumerate("QKV")}, "dW_O": "layer.dWo.reshape(12, 7)"},
)


def flat(name):
    """(heads, tokens, width) as (tokens, heads * width)."""
    return f"{name}.swapaxes(0, 1).reshape({name}.shape[1], -1)"


SPECS["keyrows_alibi"] = dict(
    setup=dict(title="Scores key first, ALiBi", head="multihead", start={c: T(flat(c)) for c in "QKV"}, heads=4, alibi=True, mask="causal",
               axes="key-first", loss=dict(upstream=T(flat("R")))),
    values={"y": flat("out"), **{f"d{c}": flat(f"g{c}") for c in "QKV"}},
)
main = "LOCALS['main']"
SPECS["gemma_local"] = dict(
    setup=dict(title="Gemma 2's local layer", head="multihead", x=T(f"{main}['hidden']"),
               weights={"W_Q": T(f"{main}['attn'].qkv_proj.weight[:20].T"), "W_K": T(f"{main}['attn'].qkv_proj.weight[20:30].T"),
                        "W_V": T(f"{main}['attn'].qkv_proj.weight[30:].T"), "W_O": T(f"{main}['attn'].o_proj.weight.T")},
               heads=4, kvHeads=2, scale=0.7071067811865476, softcap=2, window=3, mask="causal", loss=dict(target=T(f"{main}['labels']"))),
    values={"y": f"{main}['out']", "dx": f"{main}['hidden'].grad", "dW_Q": f"{main}['attn'].qkv_proj.weight.grad[:20].T",
            "dW_K": f"{main}['attn'].qkv_proj.weight.grad[20:30].T", "dW_V": f"{main}['attn'].qkv_proj.weight.grad[30:].T",
            "dW_O": f"{main}['attn'].o_proj.weight.grad.T"},
    tolerance=2e-5,
)
demo = "LOCALS['demo']"
SPECS["dropped"] = dict(
    setup=dict(title="Dropout with a given keep-mask", head="multihead", x=T(f"{demo}['x']"), weights=weights("qkv", demo + "['W?']"),
               dropout=dict(p=0.3, keep=T(f"{demo}['keep'][:, None]")), loss=dict(upstream=T(f"{demo}['g']"))),
    values={"y": f"{demo}['out']", **{f"d{n}": f"{demo}['grads'][{i}]" for i, n in enumerate(("x", "W_Q", "W_K", "W_V"))}},
)
SPECS["decoder_cross"] = dict(
    setup=dict(title="A decoder looks at a padded memory", head="multihead", x=T("memory"), xPrime=T("tgt"),
               weights={"W_Q": T("layer.to_q.weight.T"), "W_K": T("layer.to_kv.weight[:12].T"), "W_V": T("layer.to_kv.weight[12:].T"),
                        "W_O": T("layer.to_out.weight.T"), "b_Q": T("layer.to_q.bias"), "b_K": T("layer.to_kv.bias[:12]"),
                        "b_V": T("layer.to_kv.bias[12:]"), "b_O": T("layer.to_out.bias")},
               heads=3, mask=T("pad[:, None, None, :]"), maskMeaning="ignore", loss=dict(upstream=T("weight"))),
    values={"y": "out", "dx": "memory.grad", "dxPrime": "tgt.grad", "dW_Q": "layer.to_q.weight.grad.T", "dW_K": "layer.to_kv.weight.grad[:12].T",
            "dW_V": "layer.to_kv.weight.grad[12:].T", "dW_O": "layer.to_out.weight.grad.T", "db_Q": "layer.to_q.bias.grad"},
)
SPECS["sheet_loops"] = dict(
    setup=dict(title="The exercise, index by index", head="kq", x=T("x"), weights=dict(W_K=T("WK.T"), W_Q=T("WQ.T"))),
    values={"y": "y", "f": "f", "P": "p.T", "dP": "dfdp.T", "dS": "dfds.T", "dx": "dfdx", "dW_K": "dWK.T", "dW_Q": "dWQ.T"},
)
SPECS["sheet_torch"] = dict(
    setup=dict(title="The exercise with autograd", head="kq", x=T("x"), xPrime=T("x_prime"), weights=dict(W_K=T("W_K"), W_Q=T("W_Q")),
               loss=dict(expression="sum(log(cosh(y)))")),
    values={"y": "y", "f": "f", "P": "p.T", **{f"d{n}": f"grads[{i}]" for i, n in enumerate(("x", "xPrime", "W_K", "W_Q"))},
            "dP": "dp.T", "dS": "ds.T", "dx'": "dx", "dxPrime'": "dx_prime", "dW_K'": "dW_K", "dW_Q'": "dW_Q"},
)
SPECS["two_files"] = dict(
    setup=dict(title="Layers in a file of their own", head="multihead", x=T("tokens"),
               weights={**weights("qkvo", "block.?.W"), **biases("qkvo", "block.?.b")}, heads=3, mask="causal", loss=dict(target=T("want"))),
    values={"y": "got", "dx": "dtokens", **gradients("qkvo", "block.?.dW"), **gradients("qvo", "block.?.db", "b")},
)
SPECS["cli_mqa"] = dict(
    args=["--batch", "2", "--tokens", "5", "--heads", "3", "--width", "4", "--model", "6", "--seed", "3"],
    setup=dict(title="Multi-query attention", head="multihead", x=T(f"{main}['x']"),
               weights={"W_Q": T(f"{main}['p']['q'].reshape(6, 12)"), "W_K": T(f"{main}['p']['k']"), "W_V": T(f"{main}['p']['v']"),
                        "W_O": T(f"{main}['p']['o'].reshape(12, 6)")},
               heads=3, kvHeads=1, mask="causal", loss=dict(upstream=T(f"{main}['dy']"))),
    values={"y": f"{main}['y']", "dx": f"{main}['dx']", "dW_Q": f"{main}['g']['q'].reshape(6, 12)", "dW_K": f"{main}['g']['k']",
            "dW_V": f"{main}['g']['v']", "dW_O": f"{main}['g']['o'].reshape(12, 6)"},
)
test = "LOCALS['test_gradients']"
SPECS["test_attention_layer"] = dict(
    setup=dict(title="A unit test: the last query sees all keys", head="multihead",
               start={c.upper(): T(flat(f"{test}['{c}']")) for c in "qkv"}, heads=2, mask="causal-bottom-right", loss=dict(upstream=T(flat(f"{test}['grad']")))),
    values={"y": flat(f"{test}['out']"), **{f"d{c.upper()}": flat(f"{test}['grads'][{i}]") for i, c in enumerate("qkv")}},
)
SPECS["bf16_block"] = dict(
    setup=dict(title="bfloat16", head="multihead", x=T("x"), weights=weights("qkvo", "w?"), heads=2, mask="causal", loss=dict(upstream=T("upstream"))),
    values={"y": "out", "dx": "x.grad", **gradients("qkvo", "w?.grad")},
    tolerance=0.03,
)
SPECS["flash_function"] = dict(
    setup=dict(title="Tiles in PyTorch, base 2", head="multihead", start={c.upper(): T(f"{main}['{c}'][:, :, :]") for c in "qkv"},
               loss=dict(upstream=T(f"{main}['grad']"))),
    values={"y": f"{main}['out']", **{f"d{c.upper()}": f"{main}['{c}'].grad" for c in "qkv"}},
)
SPECS["time_first"] = dict(
    setup=dict(title="Time first", head="multihead", x=T("x.transpose(0, 1)"),
               weights={**{f"W_{c}": T(f"mha.in_proj_weight[{i} * C:{i + 1} * C].T") for i, c in enumerate("QKV")},
                        **{f"b_{c}": T(f"mha.in_proj_bias[{i} * C:{i + 1} * C]") for i, c in enumerate("QKV")},
                        "W_O": T("mha.out_proj.weight.T"), "b_O": T("mha.out_proj.bias")},
               heads=2, mask=T("padding[:, None, None, :]"), maskMeaning="ignore",
               loss=dict(expression="sum((y - T) .^ 2) / 3", constants=dict(T=T("target.transpose(0, 1)")))),
    values={"y": "y.transpose(0, 1)", "f": "loss", "dx": "x.grad.transpose(0, 1)",
            **{f"dW_{c}": f"mha.in_proj_weight.grad[{i} * C:{i + 1} * C].T" for i, c in enumerate("QKV")},
            "db_V": "mha.in_proj_bias.grad[2 * C:]", "dW_O": "mha.out_proj.weight.grad.T", "db_O": "mha.out_proj.bias.grad"},
)
SPECS["tape"] = dict(
    setup=dict(title="A tape", head="qkv", x=T("x.data"), weights={**weights("qkv", "w_?.data"), "b_V": T("b_v.data")}, mask="causal",
               loss=dict(target=T("goal"))),
    values={"y": "y.data", "f": "loss.data", "dx": "x.grad", **gradients("qkv", "w_?.grad"), "db_V": "b_v.grad", "P": "weights.data", "dP": "weights.grad"},
)
SPECS["half_storage"] = dict(
    setup=dict(title="Weights kept in float16", head="multihead", x=T("x"),
               weights={**{f"W_{n}": T(f"weights[0][:, {i} * c:{i + 1} * c]") for i, n in enumerate("QKV")}, "W_O": T("weights[1]")},
               heads=4, mask="causal", loss=dict(upstream=T("dout"))),
    values={"y": "out", "dx": "dx", **{f"dW_{n}": f"dW_qkv[:, {i} * c:{i + 1} * c]" for i, n in enumerate("QKV")}, "dW_O": "dW_o"},
    tolerance=1e-3,
)
SPECS["online_softmax"] = dict(
    setup=dict(title="The first FlashAttention's tiles", head="qkv", x=T("x_enc"), xPrime=T("x_dec"), weights={f"W_{c}": T(f"W_{c}") for c in "QKV"},
               loss=dict(upstream=T("dO"))),
    values={"y": "O", "dx": "dx_enc", "dxPrime": "dx_dec", **{f"dW_{c}": f"dW_{c}" for c in "QKV"}},
)
SPECS["lecture_notebook"] = dict(
    setup=dict(title="A lecture's notebook", head="multihead", x=T("x"), weights={**weights("qkvo", "params['W?']"), "b_O": T("params['bo']")}, heads=2,
               loss=dict(expression="sum((y - T) .^ 2) / 4", constants=dict(T=T("y_true")))),
    values={"y": "y", "dx": "dx", **gradients("qkvo", "grads['W?']"), "db_O": "grads['bo']"},
)
SPECS["torch_notebook"] = dict(
    setup=dict(title="A sliding window", head="multihead", x=T("x"),
               weights={"W_Q": T("net.q.weight.T"), "W_K": T("net.kv.weight[:10].T"), "W_V": T("net.kv.weight[10:].T"),
                        "W_O": T("net.out.weight.T"), "b_O": T("net.out.bias")},
               heads=2, window=3, mask="causal", loss=dict(expression="sum((y - T) .^ 2) / 140", constants=dict(T=T("goal")))),
    values={"y": "pred", "f": "loss", "dx": "x.grad", "dW_Q": "net.q.weight.grad.T", "dW_K": "net.kv.weight.grad[:10].T",
            "dW_V": "net.kv.weight.grad[10:].T", "dW_O": "net.out.weight.grad.T", "db_O": "net.out.bias.grad"},
    tolerance=2e-5,
)
SPECS["square"] = dict(
    setup=dict(title="All sizes equal", head="qkv", x=T("x"), weights=weights("qkv", "W?"), loss=dict(upstream=T("dout"))),
    values={"y": "out", "P": "att", "dx": "dx", **gradients("qkv", "dW?")},
)
test = "LOCALS['test_gradient_along_random_directions']"
SPECS["test_grads"] = dict(
    setup=dict(title="Tests by plain assertions", head="multihead", x=T(f"{test}['args'][0]"),
               weights={f"W_{c}": T(f"{test}['args'][{i + 1}]") for i, c in enumerate("QKVO")}, heads=2,
               mask=T(f"{test}['args'][6][:, None, None, :] > 0"), maskMeaning="attend"),
    values={"y": f"{test}['y']", "f": f"{test}['loss']", "dx": f"{test}['args'][0].grad",
            **{f"dW_{c}": f"{test}['args'][{i + 1}].grad" for i, c in enumerate("QKVO")}},
)
SPECS["torch_cli"] = dict(
    args=["--heads", "4", "--kv-heads", "2", "--length", "6", "--head-dim", "4", "--causal", "--seed", "5"],
    setup=dict(title="Functions only, grouped queries", head="multihead", x=T(f"{main}['x']"),
               weights={**weights("qkvo", main + "['weight']['?'].T"), **biases("qkvo", main + "['bias']['?']")}, heads=4, kvHeads=2, mask="causal",
               loss=dict(target=T(f"{main}['goal']"))),
    values={"y": f"{main}['out']", "dx": f"{main}['grads'][0]", **{f"dW_{c}": f"{main}['grads'][{i + 1}].T" for i, c in enumerate("QKVO")},
            **{f"db_{c}": f"{main}['grads'][{i}]" for i, c in ((5, "Q"), (7, "V"), (8, "O"))}},
    tolerance=2e-5,
)
SPECS["kv_cache"] = dict(
    setup=dict(title="A chunk after a cache", head="multihead", x=T("x"), weights=weights("qkvo", "W?"), heads=2, mask="causal",
               past=dict(K=T("past_k"), V=T("past_v")), loss=dict(upstream=T("dy"))),
    values={"y": "y", "dx": "dx", **gradients("qkvo", "dW?")},
)
