// Functions of each entry that stand where none belongs: an activation, an absolute value, rounding.
import { formulaOperation } from './formulaOperation.ts';
import type { Transform } from './transform.ts';

/** A line each: id, cost: what is said of it; how it is written; its formula. */
const LINES = `
negated 1.3: has the wrong sign; −@; -X
absolute-value 1.4: has its absolute value taken: the signs are lost; abs(@); abs(X)
relu 1.4: goes through a ReLU: negative entries are 0; relu(@); relu(X)
leaky-relu 1.6: goes through a leaky ReLU (slope 0.01); leaky_relu(@); relu(X) - 0.01 * relu(-X)
elu 1.6: goes through an ELU activation; elu(@); relu(X) + exp(-relu(-X)) - 1
elu-plus-one 1.6: goes through ELU + 1 (the feature map of linear attention); elu(@) + 1; relu(X) + exp(-relu(-X))
gelu 1.5: goes through a GELU activation; gelu(@); X * (1 + erf(X / sqrt(2))) / 2
gelu 1.55: goes through a GELU activation (tanh form); gelu_tanh(@); X * (1 + tanh(0.7978845608028654 * (X + 0.044715 * X^3))) / 2
silu 1.5: goes through a SiLU (swish) activation; silu(@); X / (1 + exp(-X))
tanh 1.4: goes through a tanh activation; tanh(@); tanh(X)
sigmoid 1.4: goes through a sigmoid; sigmoid(@); 1 / (1 + exp(-X))
softplus 1.6: goes through a softplus; softplus(@); relu(X) + log(1 + exp(-abs(X)))
squared 1.4: is squared entry by entry; @²; X^2
square-root 1.5: has its square root taken; sqrt(@); sqrt(X)
exponential 1.5: is exponentiated: exp of every entry; exp(@); exp(X)
logarithm 1.5: has its logarithm taken; log(@); log(X)
reciprocal 1.6: is inverted entry by entry; 1 / @; 1 / X
one-minus 1.5: is subtracted from 1 (its complement); 1 − @; 1 - X
truncated-to-integers 1.4: is cut to whole numbers (cast to int); trunc(@); sign(X) * floor(held(abs(X)))
rounded-to-integers 1.5: is rounded to whole numbers; round(@); round(X)
rounded-to-integers 1.5: is rounded down to whole numbers; floor(@); floor(X)
clipped 1.6: is clipped to 0 … 1; clip(@, 0, 1); clip(X)
clipped 1.5: is clipped to −1 … 1; clip(@, −1, 1); 2 * clip((X + 1) / 2) - 1
sign-only 1.6: has only its signs left; sign(@); sign(X)
`;

interface EntryFunction {
  readonly id: string;
  readonly cost: number;
  readonly words: string;
  /** With @ for the tensor. */
  readonly written: string;
  /** Of X. */
  readonly formula: string;
}

export const ENTRY_FUNCTIONS: readonly EntryFunction[] = LINES.trim()
  .split('\n')
  .map((line) => {
    const [, id, cost, words, written, formula] = /^(\S+) ([\d.]+): (.*); (.*); (.*)$/.exec(line)!;
    return { id, cost: Number(cost), words, written, formula };
  });

export const FUNCTIONS = ENTRY_FUNCTIONS.map(
  ({ id, cost, words, written, formula }): Transform => ({
    ...{ id, cost, isLinear: false },
    title: (name) => `${name} ${words}`,
    formula: (name) => written.replaceAll('@', name),
    operation: formulaOperation('entrywise', formula),
  }),
);
