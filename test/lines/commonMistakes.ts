// The mistakes that everybody makes once, each with the cause that is told of it and the node at which it is.

export interface Mistake {
  readonly from: string;
  readonly to: string;
  /** Its id. */
  readonly cause: string;
  /** "dZ". */
  readonly node: string;
}

export interface Program {
  /** Of a file in causes/. */
  readonly name: string;
  readonly needs: 'numpy' | 'torch';
  readonly mistakes: readonly Mistake[];
}

/** Of lines "cause node: from → to", in which ⏎ is the end of a line. */
const mistakesOf = (text: string): Mistake[] =>
  text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => {
      const [, cause, node, from, to] = /^(\S+) (\S+): (.+) → (.*)$/.exec(line)!;
      return { cause, node, from: from.replaceAll('⏎', '\n'), to: to.replaceAll('⏎', '\n') };
    });

export const programs: readonly Program[] = [
  {
    name: 'self_attention',
    needs: 'numpy',
    mistakes: mistakesOf(`
softmax-backward-sum-unweighted dZ: ds = p * (grad_p - delta) → ds = p * grad_p - delta
softmax-denominator-of-other-axis P: p = e / e.sum(axis=1, keepdims=True) → p = e / e.sum(axis=0, keepdims=True)
softmax-denominator-of-other-axis P: p = e / e.sum(axis=1, keepdims=True) → p = e / e.sum()
softmax-not-normalised P: p = e / e.sum(axis=1, keepdims=True) → p = e
softmax-max-keepdims P: scores - scores.max(axis=1, keepdims=True) → scores - scores.max(axis=1)
scale-missing Z: scores = q @ k.T / np.sqrt(D) → scores = q @ k.T
scale-of-token-count Z: scores = q @ k.T / np.sqrt(D) → scores = q @ k.T / np.sqrt(T)
scale-inverted Z: scores = q @ k.T / np.sqrt(D) → scores = q @ k.T * np.sqrt(D)
scale-twice Z: scores = q @ k.T / np.sqrt(D) → scores = q @ k.T / D
operand-transposed S: scores = q @ k.T / np.sqrt(D) → scores = k @ q.T / np.sqrt(D)
operand-transposed Q: q = x @ W_q → q = x @ W_q.T
wrong-operand K: k = x @ W_k → k = x @ W_q
backward-mean-over-fewer dy: dy = 2 * (y - target) / y.size → dy = 2 * (y - target)
backward-mean-over-fewer dy: dy = 2 * (y - target) / y.size → dy = 2 * (y - target) / T
backward-operand-transposed dV: dv = p.T @ dy → dv = p @ dy
backward-operand-transposed dK: dk = ds.T @ q → dk = ds @ q
backward-operand-transposed dQ: dq = ds @ k → dq = ds.T @ k
backward-wrong-operand dQ: dq = ds @ k → dq = ds @ q
backward-wrong-operand dK: dk = ds.T @ q → dk = ds.T @ k
backward-scale-missing dS: ds = ds / np.sqrt(D) → ds = ds * 1.0
backward-scale-missing dS: ds = ds / np.sqrt(D)⏎ → 
backward-scale-twice dS: ds = ds / np.sqrt(D) → ds = ds / D
softmax-backward-diagonal dZ: ds = p * (grad_p - delta) → ds = p * (1 - p) * grad_p
softmax-backward-no-sum dZ: ds = p * (grad_p - delta) → ds = p * grad_p
backward-softmax-missing dZ: ds = p * (grad_p - delta) → ds = grad_p
softmax-backward-axis dZ: delta = (p * grad_p).sum(axis=1, keepdims=True) → delta = (p * grad_p).sum(axis=0, keepdims=True)
softmax-backward-mean dZ: delta = (p * grad_p).sum(axis=1, keepdims=True) → delta = (p * grad_p).mean(axis=1, keepdims=True)
softmax-backward-axis dZ: delta = (p * grad_p).sum(axis=1, keepdims=True) → delta = (p * grad_p).sum()
softmax-backward-sum-without-weights dZ: delta = (p * grad_p).sum(axis=1, keepdims=True) → delta = grad_p.sum(axis=1, keepdims=True)
softmax-backward-sum-of-weights dZ: delta = (p * grad_p).sum(axis=1, keepdims=True) → delta = p.sum(axis=1, keepdims=True)
softmax-backward-keepdims dZ: delta = (p * grad_p).sum(axis=1, keepdims=True) → delta = (p * grad_p).sum(axis=1)
softmax-backward-sign dZ: ds = p * (grad_p - delta) → ds = p * (grad_p + delta)
softmax-backward-wrong-weights dZ: ds = p * (grad_p - delta) → ds = scores * (grad_p - delta)
kernel-backward-lse-without-sum dZ: ds = p * (grad_p - delta) → ds = e * (grad_p - delta)
backward-value-for-gradient dP: grad_p = dy @ v.T → grad_p = y @ v.T
backward-wrong-operand dP: grad_p = dy @ v.T → grad_p = dy @ k.T
kernel-backward-lse-without-sum dV: dv = p.T @ dy → dv = e.T @ dy
backward-value-for-gradient dV: dv = p.T @ dy → dv = p.T @ y
path-dropped dx: dx = dq @ W_q.T + dk @ W_k.T + dv @ W_v.T → dx = dq @ W_q.T + dk @ W_k.T
path-dropped dx: dx = dq @ W_q.T + dk @ W_k.T + dv @ W_v.T → dx = dk @ W_k.T + dv @ W_v.T
backward-operand-transposed dx: dx = dq @ W_q.T + dk @ W_k.T + dv @ W_v.T → dx = dq @ W_q + dk @ W_k.T + dv @ W_v.T
path-counted-twice dx: dx = dq @ W_q.T + dk @ W_k.T + dv @ W_v.T → dx = dq @ W_q.T + dk @ W_k.T + dv @ W_v.T + dv @ W_v.T
gradient-transposed dW_Q: dW_q = x.T @ dq → dW_q = dq.T @ x
backward-wrong-upstream dW_V: dW_v = x.T @ dv → dW_v = x.T @ dy
backward-wrong-operand dW_Q: dW_q = x.T @ dq → dW_q = q.T @ dq
softmax-denominator-of-other-axis P: dv = p.T @ dy → p = e / e.sum(axis=0, keepdims=True)⏎dv = p.T @ dy
`),
  },
  {
    name: 'grouped',
    needs: 'numpy',
    mistakes: mistakesOf(`
scale-of-model-width Z: / np.sqrt(dh)⏎    hide → / np.sqrt(C)⏎    hide
scale-missing Z: / np.sqrt(dh)⏎    hide → ⏎    hide
mask-causal-leak M: k=1) → k=2)
mask-causal-strict M: hide = np.triu(np.ones((T, T), dtype=bool), k=1) → hide = np.triu(np.ones((T, T), dtype=bool), k=0)
mask-inverted M: np.where(hide, -np.inf, att) → np.where(hide, att, -np.inf)
mask-multiplied M: np.where(hide, -np.inf, att) → np.where(hide, 0.0, att)
mask-fill-value M: np.where(hide, -np.inf, att) → np.where(hide, -1e-9, att)
mask-added-as-zero-one M: att = np.where(hide, -np.inf, att) → att = att + ~hide
mask-multiplied M: att = np.where(hide, -np.inf, att) → att = att * ~hide
mask-after-softmax P: att = np.where(hide, -np.inf, att)⏎    p = softmax(att) → p = softmax(att) * ~hide
mask-missing M: att = np.where(hide, -np.inf, att)⏎ → att = att * 1.0⏎
mask-transposed M: np.where(hide, -np.inf, att) → np.where(hide.T, -np.inf, att)
softmax-wrong-axis P: p = softmax(att) → e = np.exp(att - att.max())⏎    p = e / e.sum(axis=1, keepdims=True)
softmax-wrong-axis P: p = softmax(att) → e = np.exp(att - att.max())⏎    p = e / e.sum(axis=-2, keepdims=True)
dropout-unscaled Pd: pd = p * keep / (1 - rate) → pd = p * keep
dropout-scale-inverse Pd: pd = p * keep / (1 - rate) → pd = p * keep / rate
dropout-missing Pd: pd = p * keep / (1 - rate) → pd = p * 1.0
backward-dropout-missing dP: dp = dpd * keep / (1 - rate) → dp = dpd * 1.0
backward-dropout-unscaled dP: dp = dpd * keep / (1 - rate) → dp = dpd * keep
backward-wrong-operand dVh: dvv = pd.transpose(0, 1, 3, 2) @ do → dvv = p.transpose(0, 1, 3, 2) @ do
softmax-backward-dropped-weights dM: (dp * p).sum → (dp * pd).sum
gqa-tile Kh: kk = np.repeat(kr, rep, axis=1) → kk = np.tile(kr, (1, rep, 1, 1))
backward-only-first-group-member dKh: dkr = dkk.reshape(B, G, rep, T, dh).sum(axis=2) → dkr = dkk.reshape(B, G, rep, T, dh)[:, :, 0]
backward-group-mean dKh: dkr = dkk.reshape(B, G, rep, T, dh).sum(axis=2) → dkr = dkk.reshape(B, G, rep, T, dh).mean(axis=2)
backward-gqa-tile dKh: dkr = dkk.reshape(B, G, rep, T, dh).sum(axis=2) → dkr = dkk.reshape(B, rep, G, T, dh).sum(axis=1)
rope-missing Kh: kr = rotate(k, cos, sin) → kr = k.copy()
rope-sign Kh: kr = rotate(k, cos, sin) → kr = rotate(k, cos, -sin)
backward-rope-sign dQ: dq = rotate_back(dqr, cos, sin) → dq = rotate(dqr, cos, sin)
backward-rope-missing dK: dk = rotate_back(dkr, cos, sin) → dk = dkr
rope-base Qh: 10000.0 ** → 1000.0 **
rope-exponent Qh: (-np.arange(0, dh, 2) / dh) → (-np.arange(0, dh, 2) / (2 * dh))
backward-token-mean db_Q: g["bq"] = mq.sum(axis=(0, 1)) → g["bq"] = mq.mean(axis=(0, 1))
backward-only-first-batch db_K: g["bk"] = mk.sum(axis=(0, 1)) → g["bk"] = mk[0].sum(axis=0)
backward-only-first-key db_V: g["bv"] = mv.sum(axis=(0, 1)) → g["bv"] = mv[:, 0].sum(axis=0)
backward-batch-mean db_O: g["bo"] = dy.sum(axis=(0, 1)) → g["bo"] = y_ if False else dy.sum(axis=(0, 1)) / B
bias-missing K: k = split(x @ w["k"] + w["bk"], G) → k = split(x @ w["k"], G)
backward-batch-mean dW_K: g["k"] = np.einsum("btc,btd->cd", x, mk) → g["k"] = np.einsum("btc,btd->cd", x, mk) / B
result-reshaped-heads C: c = merge(o) → c = o.reshape(B, T, H * dh)
gradient-reshaped-heads dO: do = split(dc, H) → do = dc.reshape(B, H, T, dh)
backward-scale-missing dS: datt = datt / np.sqrt(dh) → datt = datt / 1.0
backward-operand-transposed dKh: dkk = datt.transpose(0, 1, 3, 2) @ qr → dkk = datt @ qr
backward-rope-operand dKh: dkk = datt.transpose(0, 1, 3, 2) @ qr → dkk = datt.transpose(0, 1, 3, 2) @ rotate_back(qr, cos, sin)
gradient-overwritten dx: dx = mq @ w["q"].T + mk @ w["k"].T + mv @ w["v"].T → dx = mq @ w["q"].T⏎    dx = mk @ w["k"].T⏎    dx = mv @ w["v"].T
softmax-backward-sum-unweighted dM: datt = p * (dp - (dp * p).sum(axis=-1, keepdims=True)) → datt = p * dp - (dp * p).sum(axis=-1, keepdims=True)
softmax-backward-axis dM: (dp * p).sum(axis=-1 → (dp * p).sum(axis=-2
rope-on-values Vh: vv = np.repeat(v, rep, axis=1) → vv = np.repeat(rotate(v, cos, sin), rep, axis=1)
`),
  },
  {
    name: 'function',
    needs: 'torch',
    mistakes: mistakesOf(`
softmax-wrong-axis P:         p = torch.exp(s - lse)⏎        dv →         p = torch.softmax(s, dim=-2)⏎        dv
scale-missing Z:         s = q @ k.transpose(-1, -2) * ctx.scale →         s = q @ k.transpose(-1, -2)
mask-causal-strict M:         s = s.masked_fill(~mask, float("-inf"))⏎        p = torch.exp(s - lse)⏎        dv →         s = s.masked_fill(~mask.tril(-1), float("-inf"))⏎        p = torch.exp(s - lse)⏎        dv
softmax-backward-sum-is-mean dM: delta = (do * o).sum(dim=-1, keepdim=True) → delta = (do * o).mean(dim=-1, keepdim=True)
softmax-backward-sum-of-other-product dM: delta = (do * o).sum(dim=-1, keepdim=True) → delta = (do * q).sum(dim=-1, keepdim=True)
softmax-backward-sign dM: ds = p * (dp - delta) → ds = p * (dp + delta)
backward-scale-missing dQ: dq = ds @ k * ctx.scale → dq = ds @ k
backward-scale-missing dK: dk = ds.transpose(-1, -2) @ q * ctx.scale → dk = ds.transpose(-1, -2) @ q
backward-scale-twice dQh: ds = p * (dp - delta) → ds = p * (dp - delta) * ctx.scale
kernel-recomputed-lse-in-base-2 P: lse = torch.logsumexp(s, dim=-1, keepdim=True) → lse = torch.logsumexp(s, dim=-1, keepdim=True) / math.log(2)
wrong-operand P:         s = s.masked_fill(~mask, float("-inf"))⏎        lse →         lse
`),
  },
  {
    name: 'by_names',
    needs: 'numpy',
    mistakes: mistakesOf(`
backward-operand-transposed dVh: dact = {"v": att.swapaxes(-1, -2) @ dctx} → dact = {"v": att @ dctx}
gradient-overwritten dx:     dx += d @ params[n].T →     dx = d @ params[n].T
backward-batch-mean dW_Q:     grad[n] = np.tensordot(x, d, ((0, 1), (0, 1))) →     grad[n] = np.tensordot(x, d, ((0, 1), (0, 1))) / B
path-dropped dx: for n in "qkv":⏎    d =  → for n in "qk":⏎    d = 
formula-operand-operand dx:     dx += d @ params[n].T →     dx += d @ params["q"].T
gradient-reshaped-heads dQ:     d = flat(dact[n]) →     d = dact[n].reshape(B, T, H * dh)
backward-wrong-operand dKh: dact["k"] = dlogit.swapaxes(-1, -2) @ act["q"] → dact["k"] = dlogit.swapaxes(-1, -2) @ act["k"]
softmax-denominator-of-other-axis P: att = att / att.sum(-1, keepdims=True) → att = att / att.sum(-2, keepdims=True)
softmax-denominator-of-other-axis P: att = att / att.sum(-1, keepdims=True) → att = att / att.sum(0, keepdims=True)
softmax-backward-sum-unweighted dZ: dlogit = att * (datt - (datt * att).sum(-1, keepdims=True)) → dlogit = att * datt - (datt * att).sum(-1, keepdims=True)
`),
  },
  {
    name: 'cross',
    needs: 'torch',
    mistakes: mistakesOf(`
scale-missing Z:  / math.sqrt(d) → 
scale-of-model-width Z: math.sqrt(d) → math.sqrt(C)
mask-multiplied M: scores.masked_fill(~valid[:, None, None, :], float("-inf")) → scores * valid[:, None, None, :].double()
mask-inverted M: ~valid[:, None, None, :] → valid[:, None, None, :]
softmax-wrong-axis P: F.softmax(scores, dim=-1) → F.softmax(scores, dim=2)
softmax-wrong-axis P: F.softmax(scores, dim=-1) → F.softmax(scores, dim=1)
result-reshaped-heads Qh: q = self.q(x).view(B, T, self.heads, d).transpose(1, 2) → q = self.q(x).view(B, self.heads, T, d)
result-reshaped-heads C: mixed = mixed.transpose(1, 2).contiguous().view(B, T, C) → mixed = mixed.contiguous().view(B, T, C)
backward-loss-sum dy: loss = F.mse_loss(out, target) → loss = F.mse_loss(out, target, reduction="sum")
mask-of-first-only M: ~valid[:, None, None, :] → ~valid[:1, None, None, :]
`),
  },
];
