// The dictionary of names: which slip in which formula people know under a name, why it is made, and where it was met.
import { tensorName } from '../../../engine/graph.ts';
import type { Mistake } from '../mistake.ts';

export interface NamedMistake {
  /** Stable, kebab-case. */
  readonly id: string;
  /** The tensors in whose formulas it is made. */
  readonly on: RegExp;
  readonly operator: string;
  /** What the slip says. */
  readonly say: RegExp;
  readonly title: string;
  readonly why: string;
  /** The public report that it comes from; null where none is known. */
  readonly source: string | null;
  /** Where the documentation shows it: a tensor, and the sort of setup. */
  readonly shown: {
    readonly tensor: string;
    readonly setup: 'plain' | 'causal' | 'softcap' | 'heads';
  };
  /** The mistake as a person writes it in NumPy, of right tensors. */
  readonly example: string;
}

export const NAMES: readonly NamedMistake[] = [
  {
    id: 'backward-upstream-ignored',
    on: /^d(V|Vh|P|Pd)$/,
    operator: 'left-out',
    say: /^(the factor dy|dy) is left out/,
    title: 'the upstream gradient is ignored: ones in its place',
    why: 'A backward pass that never reads the gradient that it is given differentiates the sum of the output, whatever comes after it.',
    source: 'mindspore-lab/mindone#1438',
    shown: { tensor: 'dV', setup: 'plain' },
    example: 'dV = P.T @ np.ones_like(dy)',
  },
  {
    id: 'backward-weights-overwritten',
    on: /^d(M|Z|S)$/,
    operator: 'operand',
    say: /^dP stands in the place of P$/,
    title: 'dP multiplies where the weights P belong',
    why: 'The buffer that holds P has been overwritten by dP, or the names are exchanged.',
    source: 'ggml-org/ggml#1521',
    shown: { tensor: 'dZ', setup: 'plain' },
    example: 'dZ = dP * (dP - (dP * P).sum(-1, keepdims=True))',
  },
  {
    id: 'backward-weights-of-last-head',
    on: /^d(M|Z|S)$/,
    operator: 'index',
    say: /^P at the last h for all throughout$/,
    title: 'the weights of the last head are used for all heads',
    why: 'P is kept in one buffer that each head overwrites: in the backward pass only the last head’s is left.',
    source: null,
    shown: { tensor: 'dM', setup: 'heads' },
    example: 'dM = P[-1:] * (dP - (dP * P[-1:]).sum(-1, keepdims=True))',
  },
  {
    id: 'backward-row-term-misread',
    on: /^d(M|Z|S)$/,
    operator: 'layout',
    say: /^dO is written as \(j, h\) and read as \(h, j\)$/,
    title: 'the row term Σ O dO reads dO in another layout than it has',
    why: 'dO lies in memory by tokens, then heads; the kernel that sums O dO takes it as heads, then tokens.',
    source: 'flagos-ai/FlagAttention#1',
    shown: { tensor: 'dM', setup: 'heads' },
    example:
      'D = (dO.swapaxes(0, 1).reshape(dO.shape) * O).sum(-1, keepdims=True); dM = P * (dP - D)',
  },
  {
    id: 'backward-mask-missing',
    on: /^d(V|Vh)$/,
    operator: 'mask',
    say: /^mask: no mask( throughout)?$/,
    title: 'the weights are computed anew without the mask',
    why: 'A kernel that keeps only the log-sum-exp computes P again in the backward pass, and has to mask it again.',
    source: 'triton-lang/triton#4541',
    shown: { tensor: 'dV', setup: 'causal' },
    example: 'L = np.log(np.exp(M).sum(-1, keepdims=True)); dV = np.exp(Z - L).T @ dy',
  },
  {
    id: 'backward-mask-shifted',
    on: /^d(V|Vh)$/,
    operator: 'mask',
    say: /^mask: key i hidden from query j where i > j [+−] \d+( throughout)?$/,
    title: 'the weights are computed anew with a causal mask that is shifted',
    why: 'The causal mask of the backward pass is counted from another corner, or is wider or narrower by one, than that of the forward pass; the log-sum-exp is the right one.',
    source: 'triton-lang/triton#4174',
    shown: { tensor: 'dV', setup: 'causal' },
    example:
      'L = np.log(np.exp(M).sum(-1, keepdims=True)); n = len(Z); W = np.where(np.arange(n)[None, :] > np.arange(n)[:, None] + 1, 0, np.exp(Z - L)); dV = W.T @ dy',
  },
  {
    id: 'backward-softcap-not-subtracted',
    on: /^dS$/,
    operator: 'left-out',
    say: /^1 − before tanh.* is left out$/,
    title: 'the derivative of the softcap is tanh² where it is 1 − tanh²',
    why: 'The 1 − of the derivative of tanh is forgotten.',
    source: null,
    shown: { tensor: 'dS', setup: 'softcap' },
    example: 'dS = dZ * 2 ** -0.5 * (Z / 1.5) ** 2',
  },
  {
    id: 'backward-own-key-left-out',
    on: /^d(M|Z|S)$/,
    operator: 'loop',
    say: /^the query’s own key is left out of the sum$/,
    title: 'the loop of the row term leaves out the query’s own key',
    why: 'A loop over the keys that ends one too early in a causal program never gets to the diagonal.',
    source: null,
    shown: { tensor: 'dZ', setup: 'plain' },
    example: 'W = P * dP; dZ = P * (dP - (W.sum(-1, keepdims=True) - np.diag(W)[:, None]))',
  },
  {
    id: 'backward-last-key-only',
    on: /^d(Q|Qh)$/,
    operator: 'loop',
    say: /^only the query’s own key counts in the sum$/,
    title: 'only the last visible key counts: = in place of += in the loop over the keys',
    why: 'Each turn of a causal loop over the keys overwrites what the one before has added.',
    source: null,
    shown: { tensor: 'dQ', setup: 'plain' },
    example: 'dQ = np.diag(dS)[:, None] * K',
  },
];

/** The name under which a mistake is known, if it is. */
export function nameOf({
  node,
  kind,
  slips,
}: Pick<Mistake, 'node' | 'kind' | 'slips'>): NamedMistake | null {
  if (slips.length !== 1) return null;
  const [slip] = slips;
  const tensor = tensorName(node, kind);
  return (
    NAMES.find(
      ({ on, operator, say }) =>
        on.test(tensor) && operator === slip.operator && say.test(slip.say),
    ) ?? null
  );
}
