// Everything learned: the letters of its axes.
import type { WeightId } from '../config.ts';

/** What the axes of parameters are called in one head. */
export interface ParameterLetters {
  /** Features of what keys, queries and values are made from. */
  readonly key: string;
  readonly query: string;
  readonly value: string;
  /** Features of the tokens themselves, where keys and queries are made from latents. */
  readonly token: { readonly key: string; readonly query: string };
  /** The letter of one head's keys that W_K and W_Q make: "d" where a rotated part stands beside. */
  readonly width: string;
  /** Features of the weighted values. */
  readonly weighted: string;
  readonly kvHeads: string;
  readonly queryHeads: string;
  /** Of the values and of what the heads give: without the pairs of differential attention. */
  readonly valueHeads: string;
  readonly outputHeads: string;
  /** A feature axis of all heads side by side: "(h a)". */
  readonly wide: (letter: string, heads: string) => string;
}

interface Parameter {
  /** In words, for whoever looks at the node. */
  readonly what: string;
  /** The specs that its shape may have, the usual one first. */
  readonly spec: (letters: ParameterLetters) => readonly string[];
  /** The entry of `start` in whose presence it has no use. */
  readonly replacedBy?: 'K' | 'Q' | 'V';
}

/** The heads as one axis. */
const merged = (heads: string): string => (heads.includes(' ') ? `(${heads})` : heads);

const names = { K: 'keys', Q: 'queries' } as const;
const ofNorm = (id: 'K' | 'Q', what: 'gain' | 'bias'): Parameter => ({
  what: `Learned ${what} of the norm of the ${names[id]}.`,
  spec: ({ wide, kvHeads, queryHeads }) => ['a', wide('a', id === 'K' ? kvHeads : queryHeads)],
});

const ofBlock = (
  what: 'gain' | 'bias',
  of: string,
  letter: (letters: ParameterLetters) => string,
): Parameter => ({
  what: `Learned ${what} of the norm of the ${of}.`,
  spec: (letters) => [letter(letters)],
});

const ofPair = (of: string, which: string): Parameter => ({
  what: `Learned vector beside the ${of} of the ${which} softmax: what λ is made of.`,
  spec: () => ['a'],
});
const ofPairs = {
  lambda_q1: ofPair('queries', 'first'),
  lambda_k1: ofPair('keys', 'first'),
  lambda_q2: ofPair('queries', 'second'),
  lambda_k2: ofPair('keys', 'second'),
  lambda_share: {
    what: 'λ, the share of the second softmax that is taken away: learned itself, or a number.',
    spec: () => [''],
  } satisfies Parameter,
};

export const PARAMETERS: Readonly<Record<WeightId, Parameter>> = {
  W_K: {
    what: 'Projects tokens to keys.',
    spec: ({ key, width, wide, kvHeads }) => [`${key} ${wide(width, kvHeads)}`],
    replacedBy: 'K',
  },
  W_Q: {
    what: 'Projects tokens to queries.',
    spec: ({ query, width, wide, queryHeads }) => [`${query} ${wide(width, queryHeads)}`],
    replacedBy: 'Q',
  },
  W_V: {
    what: 'Projects tokens to values.',
    spec: ({ value, wide, valueHeads }) => [`${value} ${wide('v', valueHeads)}`],
    replacedBy: 'V',
  },
  W_O: {
    what: 'Mixes the heads into the output.',
    spec: ({ weighted, wide, outputHeads }) => [`${wide(weighted, outputHeads)} o`],
  },
  b_K: {
    what: 'Bias of the keys.',
    spec: ({ width, wide, kvHeads }) => [wide(width, kvHeads)],
    replacedBy: 'K',
  },
  b_Q: {
    what: 'Bias of the queries.',
    spec: ({ width, wide, queryHeads }) => [wide(width, queryHeads)],
    replacedBy: 'Q',
  },
  b_V: {
    what: 'Bias of the values.',
    spec: ({ wide, valueHeads }) => [wide('v', valueHeads)],
    replacedBy: 'V',
  },
  b_O: { what: 'Bias of the output.', spec: () => ['o'] },
  gamma_K: ofNorm('K', 'gain'),
  gamma_Q: ofNorm('Q', 'gain'),
  beta_K: ofNorm('K', 'bias'),
  beta_Q: ofNorm('Q', 'bias'),
  sinks: {
    what: "A learned logit of each head in the softmax's denominator.",
    spec: ({ queryHeads }) => [merged(queryHeads)],
  },
  B: {
    what: 'A learned bias of the scores, by the places of query and key.',
    // Fitted when the number of keys is known.
    spec: () => [],
  },
  null_K: {
    what: 'A learned key that every query sees.',
    spec: ({ wide, kvHeads }) => [wide('a', kvHeads)],
  },
  null_V: {
    what: 'The value of the learned key.',
    spec: ({ wide, valueHeads }) => [wide('v', valueHeads)],
  },
  headScale: {
    what: 'A learned factor on the scores of each head.',
    spec: ({ queryHeads }) => [merged(queryHeads)],
  },
  W_gate: {
    what: "Projects tokens to the gates of the heads' outputs.",
    spec: ({ token, wide, outputHeads }) => [
      `${token.query} ${wide('v', outputHeads)}`,
      `${token.query} ${merged(outputHeads)}`,
    ],
  },
  b_gate: {
    what: 'Bias of the gates.',
    spec: ({ wide, outputHeads }) => [wide('v', outputHeads), merged(outputHeads)],
  },
  W_DKV: {
    what: 'Projects tokens to the latents that keys and values are made from.',
    spec: ({ token }) => [`${token.key} m`],
  },
  gamma_DKV: {
    what: 'Learned gain of the norm of the latents of keys and values.',
    spec: () => ['m'],
  },
  W_DQ: {
    what: 'Projects tokens to the latents that queries are made from.',
    spec: ({ token }) => [`${token.query} n`],
  },
  gamma_DQ: { what: 'Learned gain of the norm of the latents of queries.', spec: () => ['n'] },
  W_KR: {
    what: 'Projects tokens to the part of the keys that turns, one for all heads.',
    spec: ({ token }) => [`${token.key} z`],
  },
  W_QR: {
    what: 'Projects to the part of the queries that turns.',
    spec: ({ query, wide, queryHeads }) => [`${query} ${wide('z', queryHeads)}`],
  },
  ...ofPairs,
  gamma_O: {
    what: 'Learned gain of the norm of what each head gives.',
    spec: ({ wide, outputHeads }) => ['v', wide('v', outputHeads)],
  },
  gamma_pre: ofBlock('gain', 'input', ({ token }) => token.query),
  beta_pre: ofBlock('bias', 'input', ({ token }) => token.query),
  gamma_out: ofBlock('gain', "attention's output", () => 'o'),
  beta_out: ofBlock('bias', "attention's output", () => 'o'),
  gamma_post: ofBlock('gain', 'sum', () => 'o'),
  beta_post: ofBlock('bias', 'sum', () => 'o'),
};
