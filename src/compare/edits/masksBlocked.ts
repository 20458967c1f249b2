// The causal mask of kernels that visit queries and keys in blocks, and leave out or do not mask the wrong ones.
import type { Add } from './maskLayout.ts';

/** Tokens up to which the same mask of other blocks is left out. */
const MOST_COMPARED = 40;

/** Sizes of blocks that people choose. */
const SIZES = [2, 3, 4, 5, 6, 8, 16, 32, 64, 128];

/** A query and a key, where their blocks begin, and the blocks' sizes. */
interface Place {
  readonly j: number;
  readonly i: number;
  readonly q0: number;
  readonly k0: number;
  readonly B_Q: number;
  readonly B_K: number;
}

interface Rule {
  readonly id: string;
  readonly title: string;
  readonly why: string;
  readonly wrong: string;
  /** `last`: the last key that the causal mask lets a query see. */
  readonly sees: (place: Place, last: (query: number) => number) => boolean;
}

const WHOLE =
  'The blocks of keys on the diagonal hold both seen and hidden keys: they are visited, and masked inside.';
const LOCAL =
  'A block of queries begins at q0 and one of keys at k0: both are added before they are compared.';

const RULES: readonly Rule[] = [
  {
    id: 'mask-block-diagonal-skipped',
    title: 'the blocks of keys on the diagonal are not visited',
    why: WHOLE,
    wrong: 'range(q0 // B_K)',
    sees: ({ j, i, q0, k0, B_K }, last) => k0 + B_K <= last(q0) && i <= last(j),
  },
  {
    id: 'mask-block-bound-rounded-down',
    title: 'the number of visited blocks of keys is rounded down',
    why: WHOLE,
    wrong: 'range(q1 // B_K), where ceil(q1 / B_K) blocks hold keys that are seen',
    sees: ({ j, i, q0, k0, B_Q, B_K }, last) => k0 + B_K - 1 <= last(q0 + B_Q - 1) && i <= last(j),
  },
  {
    id: 'mask-block-unmasked',
    title: 'the blocks of keys on the diagonal are not masked inside',
    why: WHOLE,
    wrong: 'hidden = k0 ≥ q1, block by block, without i > j',
    sees: ({ q0, k0, B_Q }, last) => k0 <= last(q0 + B_Q - 1),
  },
  {
    id: 'mask-block-number-compared',
    title: 'numbers of blocks are compared, though those of queries and of keys differ in size',
    why: 'Blocks of different sizes begin at different tokens: q0 and k0 are compared, not their numbers.',
    wrong: 'range(q0 // B_Q + 1)',
    sees: ({ j, i, q0, k0, B_Q, B_K }, last) => k0 / B_K <= q0 / B_Q && i <= last(j),
  },
  {
    id: 'mask-block-local-index',
    title: 'the causal mask compares indices inside the blocks, not those of the tokens',
    why: LOCAL,
    wrong: 'hidden = i − k0 > j − q0 in every visited block',
    sees: ({ j, i, q0, k0, B_Q }, last) => k0 <= last(q0 + B_Q - 1) && i - k0 <= last(j) - last(q0),
  },
  {
    id: 'mask-block-local-index',
    title:
      'on the diagonal the causal mask compares indices inside the blocks, not those of the tokens',
    why: LOCAL,
    wrong: 'hidden = i − k0 > j − q0 in the blocks on the diagonal',
    sees: ({ j, i, q0, k0, B_Q, B_K }, last) =>
      k0 + B_K - 1 <= last(q0) || (k0 <= last(q0 + B_Q - 1) && i - k0 <= last(j) - last(q0)),
  },
];

/** `offset`: how many keys before its own place the first query sees; `mask` builds one from what it hides. */
export function blockedVariants(
  [keys, queries]: readonly [number, number],
  offset: number,
  mask: (hidden: (j: number, i: number) => boolean) => ReturnType<Parameters<Add>[4]>,
  add: Add,
): void {
  const last = (query: number): number => offset + query;
  const begin = (at: number, size: number): number => at - (at % size);
  const isLarge = Math.max(keys, queries) > MOST_COMPARED;
  const sizes = isLarge ? SIZES.filter((size) => size >= 16) : SIZES;
  const known = new Set([patternOf((j, i) => i <= last(j))]);
  for (const { sees, ...say } of RULES) {
    for (const B_Q of sizes.filter((size) => size <= queries)) {
      for (const B_K of sizes.filter((size) => size <= keys)) {
        const seen = (j: number, i: number): boolean =>
          sees({ j, i, q0: begin(j, B_Q), k0: begin(i, B_K), B_Q, B_K }, last);
        const pattern = isLarge ? say.title + String([B_Q, B_K]) : patternOf(seen);
        if (known.has(pattern)) continue;
        known.add(pattern);
        const title = `${say.title} (queries in blocks of ${B_Q}, keys of ${B_K})`;
        add(say.id, title, say.why, say.wrong, () => mask((j, i) => !seen(j, i)), 1.4);
      }
    }
  }

  /** What tells two masks apart. */
  function patternOf(seen: (j: number, i: number) => boolean): string {
    let pattern = '';
    for (let j = 0; j < queries; j++)
      for (let i = 0; i < keys; i++) pattern += seen(j, i) ? '1' : '0';
    return pattern;
  }
}
