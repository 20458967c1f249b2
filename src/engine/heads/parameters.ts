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
    spec: ({ value, wide, kvHeads }) => [`${value} ${wide('v', kvHeads)}`],
    replacedBy: 'V',
  },
  W_O: {
    what: 'Mixes the heads into the output.',
    spec: ({ weighted, wide, queryHeads }) => [`${wide(weighted, queryHeads)} o`],
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
    spec: ({ wide, kvHeads }) => [wide('v', kvHeads)],
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
    spec: ({ wide, kvHeads }) => [wide('v', kvHeads)],
  },
  headScale: {
    what: 'A learned factor on the scores of each head.',
    spec: ({ queryHeads }) => [merged(queryHeads)],
  },
  W_gate: {
    what: "Projects tokens to the gates of the heads' outputs.",
    spec: ({ token, wide, queryHeads }) => [
      `${token.query} ${wide('v', queryHeads)}`,
      `${token.query} ${merged(queryHeads)}`,
    ],
  },
  b_gate: {
    what: 'Bias of the gates.',
    spec: ({ wide, queryHeads }) => [wide('v', queryHeads), merged(queryHeads)],
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
  gamma_pre: ofBlock('gain', 'input', ({ token }) => token.query),
  beta_pre: ofBlock('bias', 'input', ({ token }) => token.query),
  gamma_out: ofBlock('gain', "attention's output", () => 'o'),
  beta_out: ofBlock('bias', "attention's output", () => 'o'),
  gamma_post: ofBlock('gain', 'sum', () => 'o'),
  beta_post: ofBlock('bias', 'sum', () => 'o'),
};
