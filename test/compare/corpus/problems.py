"""Random problems for the corpus: sizes, options and tensors, and the setup file that describes them."""
import numpy as np

DEFAULTS = dict(B=2, m=3, n=5, D=8, E=6, H=2, Hk=2, dh=4, dv=4, out=7, self_attention=False, bias=False, W_O=True,
                mask="none", softcap=None, dropout=None, rope=None, loss="upstream", scale=None, base=10000, window=None,
                spread=1.0, alibi=False)


def make(seed, **options):
    """Options completed, and the arrays of one problem (float64)."""
    o = {**DEFAULTS, **options}
    o["Hk"] = options.get("Hk", o["H"])
    if o["self_attention"]:
        o["m"], o["E"] = o["n"], o["D"]
    rng = np.random.default_rng(seed)
    normal = lambda *shape: rng.standard_normal(shape)
    batch = [o["B"]] if o["B"] else []
    a = {"x": normal(*batch, o["n"], o["D"]) * o["spread"]}
    if not o["self_attention"]:
        a["xPrime"] = normal(*batch, o["m"], o["E"]) * o["spread"]
    a["W_Q"] = normal(o["E"], o["H"] * o["dh"]) / 2
    a["W_K"] = normal(o["D"], o["Hk"] * o["dh"]) / 2
    a["W_V"] = normal(o["D"], o["Hk"] * o["dv"]) / 2
    if o["W_O"]:
        a["W_O"] = normal(o["H"] * o["dv"], o["out"]) / 2
    if o["bias"]:
        for name in ["Q", "K", "V"] + (["O"] if o["W_O"] else []):
            a[f"b_{name}"] = normal(a[f"W_{name}"].shape[1])
    width = o["out"] if o["W_O"] else o["H"] * o["dv"]
    a["G"] = normal(*batch, o["m"], width)
    rows = (o["B"] or 1, o["H"], o["m"], o["n"])
    if o["mask"] == "padding":
        a["mask"] = np.ones((rows[0], 1, 1, o["n"]), bool)
        for b in range(rows[0]):
            a["mask"][b, ..., o["n"] - 1 - b % 2:] = False
    if o["mask"] in ("boolean", "ignore"):
        a["mask"] = rng.random((o["m"], o["n"])) < 0.6
        a["mask"][np.arange(o["m"]), rng.integers(0, o["n"], o["m"])] = True
        if o["mask"] == "ignore":
            a["mask"] = ~a["mask"]
    if o["mask"] == "additive":
        a["mask"] = np.where(rng.random((o["m"], o["n"])) < 0.3, -np.inf, normal(o["m"], o["n"]))
        a["mask"][:, 0] = 0.0
    if o["dropout"]:
        a["keep"] = rng.random(rows) >= o["dropout"]
    return o, a


def plain(array):
    """Nested lists for JSON; infinities as the strings of setup files."""
    if array.dtype == bool:
        return array.tolist()
    entry = lambda v: v if np.isfinite(v) else ("-inf" if v < 0 else "inf")
    flat = [entry(float(v)) for v in array.reshape(-1)]
    for length in reversed(array.shape[1:]):
        flat = [flat[k:k + length] for k in range(0, len(flat), length)]
    return flat


def setup(o, a, names=None):
    s = {"head": "multihead", "heads": o["H"], "kvHeads": o["Hk"], "x": plain(a["x"])}
    if "xPrime" in a:
        s["xPrime"] = plain(a["xPrime"])
    s["weights"] = {name: plain(a[name]) for name in a if name[:2] in ("W_", "b_")}
    if o["scale"] is not None:
        s["scale"] = o["scale"]
    if o["softcap"]:
        s["softcap"] = o["softcap"]
    if o["mask"] in ("causal", "causal-bottom-right"):
        s["mask"] = o["mask"]
    elif o["mask"] != "none":
        s["mask"] = plain(a["mask"])
        s["maskMeaning"] = {"additive": "add", "ignore": "ignore"}.get(o["mask"], "attend")
    if o["window"]:
        s["window"] = o["window"]
    if o["alibi"]:
        s["alibi"] = True
    if o["dropout"]:
        s["dropout"] = {"p": o["dropout"], "keep": plain(a["keep"].astype(float))}
    if o["rope"]:
        s["rope"] = {"base": o["base"], "pairing": o["rope"]}
    if o["loss"] == "upstream":
        s["loss"] = {"upstream": plain(a["G"])}
    elif o["loss"] == "target":
        s["loss"] = {"target": plain(a["G"])}
    if names:
        s["names"] = names
    return s
