// Scale and softcap of the scores: Z = softcap · tanh(scale · S / softcap), slope scale · (1 − (Z / softcap)²).
import { familyOf, rowsOf } from '../table.ts';

export const scores = familyOf(
  rowsOf(`
Z softcap-divided-twice: the scores are divided twice by the softcap before tanh
  softcap * tanh(scale * S / softcap^2)
Z softcap-multiplied-inside: the scores are multiplied by the softcap inside tanh, where they should be divided
  softcap * tanh(scale * S * softcap)
Z softcap-twice: the softcap (tanh) is applied twice
  softcap * tanh(tanh(scale * S / softcap))
Z softcap-without-scale: the scale is missing under the softcap
  softcap * tanh(S / softcap)
Z softcap-of-sigmoid: a sigmoid instead of the tanh of the softcap
  softcap / (1 + exp(-scale * S / softcap))
Z softcap-of-softsign: x / (1 + |x|) (softsign) instead of the tanh of the softcap
  scale * S / (1 + abs(scale * S / softcap))
Z softcap-of-arctan: an arctan instead of the tanh of the softcap
  softcap * atan(scale * S / softcap)
Z softcap-missing [softcap]: the softcap is missing
  scale * S
Z softcap-without-division: the scores are not divided by the softcap before tanh
  softcap * tanh(scale * S)
Z softcap-without-multiplication: tanh is not multiplied by the softcap
  tanh(scale * S / softcap)
Z softcap-plain-tanh [softcap]: a plain tanh instead of the softcap
  tanh(scale * S)
Z softcap-before-scale: the softcap is applied before the scale
  scale * softcap * tanh(S / softcap)
Z softcap-clip 1.05: scores are clipped at the softcap instead of bent by tanh
  softcap * (2 * clip((1 + scale * S / softcap) / 2) - 1)
Z softcap-inverted: multiplied by the softcap inside tanh
  tanh(scale * S * softcap) / softcap
Z scale-added [scaled] 1.3: the scale is added instead of multiplied
  S + scale
Z scale-subtracted [scaled] 1.3: the scale is subtracted instead of multiplied
  S - scale
Z scale-after-softmax [scaled !softcap] 1.05: the scale multiplies the weights after the softmax, instead of the scores before it
  Z: S
  P: scale * exp(logits) / sum_i(exp(logits))
  | The scores enter the softmax unscaled, and its weights add to the scale instead of 1.
Kh,Qh scale-on-both [multihead scaled !softcap] 1.1: queries and keys are both multiplied by the scale, so the scores have it twice
  Kh: K := scale * K
  Qh: Q := scale * Q
  Z: S
  | The scale belongs once to the scores; of queries and keys each has its root (d ** -0.25).
K,Q scale-on-both [multihead scaled !softcap] 1.1: queries and keys are both multiplied by the scale, so the scores have it twice
  K: W_K := scale * W_K
  Q: W_Q := scale * W_Q
  Z: S
  | The scale belongs once to the scores; of queries and keys each has its root (d ** -0.25).
dS backward-softcap-not-divided [softcap]: the derivative of the softcap takes tanh of the scores that are not divided by the softcap
  dZ * scale * (1 - tanh(scale * S)^2)
dS backward-softcap-root: the derivative of the softcap is 1 / cosh instead of 1 / cosh²
  dZ * scale / cosh(scale * S / softcap)
dS backward-softcap-missing [softcap]: the derivative of the softcap is missing
  dZ * scale
dS backward-softcap-unscaled [softcap]: the derivative of the softcap takes Z without dividing by the softcap
  dZ * scale * (1 - Z^2)
dS backward-softcap-sign: the derivative of the softcap has the wrong sign: 1 + tanh² for 1 − tanh²
  dZ * scale * (1 + (Z / softcap)^2)
dS backward-softcap-times-softcap: the derivative of the softcap is multiplied by the softcap once too often
  dZ * softcap * scale * (1 - (Z / softcap)^2)
dS backward-softcap-over-softcap: the derivative of the softcap is divided by the softcap (the factor of tanh is left out)
  dZ * scale / softcap * (1 - (Z / softcap)^2)
dS backward-softcap-of-masked 1.1: the derivative of the softcap takes the scores after the mask
  dZ * scale * (1 - (M / softcap)^2)
dS backward-softcap-of-logits: the derivative of the softcap takes the scores before tanh
  dZ * scale * (1 - (scale * S / softcap)^2)
dS backward-softcap-of-raw-scores: the derivative of the softcap takes the raw scores
  dZ * scale * (1 - (S / softcap)^2)
dS backward-softcap-not-squared: tanh is not squared in the derivative of the softcap
  dZ * scale * (1 - Z / softcap)
dS backward-softcap-square-outside: the square is taken of 1 − tanh, not of tanh, in the derivative of the softcap
  dZ * scale * (1 - Z / softcap)^2
dS backward-softcap-twice-tanh: tanh is taken twice in the derivative of the softcap
  dZ * scale * (1 - tanh(Z / softcap)^2)
dS backward-softcap-unscaled-argument: the derivative of the softcap forgets the scale inside tanh
  dZ * scale * (1 - tanh(S / softcap)^2)
dS backward-scale-missing: the scale is missing in the backward pass
  dZ * (1 - (Z / softcap)^2)
dS backward-scale-twice: the scale is applied twice in the backward pass
  dZ * scale^2 * (1 - (Z / softcap)^2)
dS backward-softcap-linear: tanh itself instead of its derivative
  dZ * scale * Z / softcap
`),
);
