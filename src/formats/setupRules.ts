// Rules between the entries of a setup: what a head needs, what it has no use for, what excludes what.
import { findNodeAtLocation, type Node } from 'jsonc-parser';
import type { WeightId } from '../engine/config.ts';
import { LAMBDA_WEIGHTS } from '../engine/ops/difference.ts';
import type { ProblemList } from './setupProblems.ts';
import type { LossFields, SetupFields } from './setupTypes.ts';

/** Reports every broken rule. Entries that are in the document but unreadable count as given. */
export function checkRules(problems: ProblemList, root: Node, fields: SetupFields): void {
  const given = (...path: string[]): boolean => findNodeAtLocation(root, path) !== undefined;
  checkHead(problems, given, fields);
  checkInputs(problems, given, fields);
  if (fields.loss) checkLoss(problems, given, fields.loss);
  checkPairs(problems, given, fields);
}

type Given = (...path: string[]) => boolean;

function checkHead(
  problems: ProblemList,
  given: Given,
  { head, heads = 1, kvHeads = heads }: SetupFields,
): void {
  if (!given('head')) problems.error([], 'found no "head", expected "kq", "qkv" or "multihead"');
  if (head !== undefined && head !== 'multihead') {
    for (const [key, count] of Object.entries({ heads, kvHeads })) {
      if (given(key) && count !== 1)
        problems.error([key], `found ${count} with head "${head}", expected 1 or head "multihead"`);
    }
  } else if (heads % kvHeads !== 0) {
    problems.error(['kvHeads'], `found ${kvHeads}, expected a divisor of heads, which is ${heads}`);
  }
  for (const { ids, without, why } of NEEDS) {
    for (const id of ids.filter((each) => given('weights', each))) {
      if (!given(...without)) problems.error(['weights', id], `found without ${why}`);
    }
  }
  for (const { heads: of, path, why } of UNUSED) {
    if (head !== undefined && of.includes(head) && given(...path)) {
      problems.error(path, `found with head "${head}", which ${why}`);
    }
  }
}

const LATENT = ['W_DKV', 'gamma_DKV', 'W_DQ', 'gamma_DQ', 'W_KR', 'W_QR'] as const;
const MODULE_WEIGHTS = [
  ...(['sinks', 'null_K', 'null_V', 'B', 'headScale', 'W_gate', 'b_gate'] as const),
  ...LATENT,
];
const NO_VALUES = { heads: ['kq'], why: 'has no value projection: V is x' };
const ONE_HEAD = { heads: ['kq', 'qkv'], why: 'has no such step; "multihead" has' };

/** What stands in the document but never reaches a node of the head. */
const UNUSED: readonly { heads: readonly string[]; path: readonly string[]; why: string }[] = [
  { ...NO_VALUES, path: ['weights', 'W_V'] },
  { ...NO_VALUES, path: ['weights', 'b_V'] },
  { ...NO_VALUES, path: ['weights', 'W_QKV'] },
  { ...NO_VALUES, path: ['weights', 'b_QKV'] },
  { ...NO_VALUES, path: ['xValue'] },
  { ...NO_VALUES, path: ['start', 'V'] },
  { ...ONE_HEAD, path: ['weights', 'W_O'] },
  ...MODULE_WEIGHTS.map((id) => ({
    ...ONE_HEAD,
    path: ['weights', id],
  })),
  { ...ONE_HEAD, path: ['rope'] },
  ...['zeroKey', 'latentNorm', 'block', 'differential'].map((entry) => ({
    ...ONE_HEAD,
    path: [entry],
  })),
  { ...ONE_HEAD, path: ['grouping'] },
  { ...ONE_HEAD, path: ['past'] },
];

const BLOCK_NORMS = { pre: 'preNorm', out: 'outputNorm', post: 'postNorm' } as const;

/** Weights that are of no use without another entry. */
const NEEDS: readonly { ids: readonly WeightId[]; without: readonly string[]; why: string }[] = [
  {
    ids: ['gamma_K', 'gamma_Q', 'beta_K', 'beta_Q'],
    without: ['qkNorm'],
    why: '"qkNorm", whose gains and biases they are',
  },
  ...(['null_K', 'null_V'] as const).map((id) => {
    const other = id === 'null_K' ? 'null_V' : 'null_K';
    return { ids: [id], without: ['weights', other], why: `${other}, which belongs to it` };
  }),
  { ids: ['B'], without: ['positionBias'], why: '"positionBias", which says how it is read' },
  { ids: ['gamma_DKV'], without: ['weights', 'W_DKV'], why: 'W_DKV, whose latents it is of' },
  { ids: ['gamma_DQ'], without: ['weights', 'W_DQ'], why: 'W_DQ, whose latents it is of' },
  { ids: ['W_KR'], without: ['weights', 'W_QR'], why: 'W_QR, which it meets' },
  { ids: ['W_QR'], without: ['weights', 'W_KR'], why: 'W_KR, which it meets' },
  {
    ids: [...LAMBDA_WEIGHTS, 'lambda_share', 'gamma_O'],
    without: ['differential'],
    why: '"differential", to whose two softmaxes it belongs',
  },
  ...(['pre', 'out', 'post'] as const).map((place) => ({
    ids: [`gamma_${place}`, `beta_${place}`] as const,
    without: ['block', BLOCK_NORMS[place]],
    why: `"block": {"${BLOCK_NORMS[place]}": ...}, whose gain and bias they are`,
  })),
  { ids: ['b_gate'], without: ['weights', 'W_gate'], why: 'W_gate, to whose output it is added' },
  {
    ids: ['b_O'],
    without: ['weights', 'W_O'],
    why: 'W_O, to whose output it is added',
  },
];

function checkInputs(problems: ProblemList, given: Given, { head }: SetupFields): void {
  if (head === undefined) return;
  const letters = head === 'kq' ? ['K', 'Q'] : ['K', 'Q', 'V'];
  for (const letter of letters) {
    const weights = [`W_${letter}`, `b_${letter}`] as WeightId[];
    for (const [n, id] of weights.entries()) {
      const fused = n === 0 ? 'W_QKV' : 'b_QKV';
      if (given('weights', fused) && given('weights', id))
        problems.error(['weights', id], `found beside ${fused}, expected one of the two`);
    }
    if (given('start', letter)) {
      for (const id of weights.filter((each) => given('weights', each))) {
        problems.error(['weights', id], `found beside start.${letter}, expected one of the two`);
      }
    } else if (!given('weights', weights[0]) && !given('weights', 'W_QKV')) {
      problems.error(
        ['weights'],
        `found no ${weights[0]}, expected it (or start.${letter}) with head "${head}"`,
      );
    }
  }
  const started = (letter: string): boolean => given('start', letter);
  const usesX =
    head === 'kq' ||
    (given('weights', 'W_gate') && !given('xPrime')) ||
    !started('K') ||
    !(started('V') || given('xValue')) ||
    (!started('Q') && !given('xPrime'));
  if (usesX && !given('x'))
    problems.error([], 'found no "x", expected the tensor of the inputs x_i, (n, d)');
  if (!usesX && given('x')) problems.warning(['x'], 'is not used: all it feeds is given by start');
  if (given('xValue') && started('V'))
    problems.warning(['xValue'], 'is not used: start.V is given');
  if (given('fused') && !given('weights', 'W_QKV'))
    problems.warning(['fused'], 'is not used: it tells how to read W_QKV');
  if (given('xPrime') && started('Q') && !given('weights', 'W_gate'))
    problems.warning(['xPrime'], 'is not used: start.Q is given');
}

function checkLoss(problems: ProblemList, given: Given, { expression }: LossFields): void {
  const kinds = ['upstream', 'target', 'expression'].filter((kind) => given('loss', kind));
  if (kinds.length !== 1) {
    const found = kinds.length === 0 ? 'none' : kinds.join(' and ');
    problems.error(
      ['loss'],
      `found ${found}, expected one of "upstream", "target" and "expression"`,
    );
  }
  if (given('loss', 'constants') && !given('loss', 'expression')) {
    problems.error(['loss', 'constants'], 'found without an expression that uses them');
  }
  if (expression !== undefined && !/\by\b/.test(expression)) {
    problems.warning(['loss', 'expression'], 'does not use y, so every gradient is 0');
  }
}

function checkPairs(
  problems: ProblemList,
  given: Given,
  { mask, qkNorm, softmax, block, differential }: SetupFields,
): void {
  const pairs: [string, string[]][] = [
    ['dropout', ['p', 'keep']],
    ['past', ['K', 'V']],
  ];
  for (const [key, parts] of pairs) {
    if (!given(key) || !parts.some((part) => given(key, part))) {
      if (given(key)) problems.error([key], `found neither, expected both ${parts.join(' and ')}`);
      continue;
    }
    for (const part of parts)
      if (!given(key, part)) problems.error([key], `found no ${part}, expected it`);
  }
  if (given('rope') && !given('rope', 'pairing')) {
    problems.warning(['rope'], 'found no "pairing", took "half"; the other one is "interleaved"');
  }
  if (given('weights', 'sinks') && softmax === 'plus-one')
    problems.error(['softmax'], 'found beside weights.sinks, expected one of the two');
  const biased = {
    ...{ beta_K: qkNorm, beta_Q: qkNorm, beta_pre: block?.preNorm },
    ...{ beta_out: block?.outputNorm, beta_post: block?.postNorm },
  };
  for (const [id, norm] of Object.entries(biased))
    if (norm?.kind === 'rms' && given('weights', id))
      problems.error(['weights', id], 'found with an RMS norm, which has no bias; "layer" has');
  const isWhole = given('weights', 'lambda_share');
  for (const id of differential ? LAMBDA_WEIGHTS : []) {
    if (isWhole && given('weights', id))
      problems.error(['weights', id], 'found beside lambda_share, which is λ itself');
    if (!isWhole && !given('weights', id))
      problems.error(['weights'], `found no ${id}, expected it with "differential"`);
  }
  if (differential && !differential.norm && given('weights', 'gamma_O'))
    problems.error(['weights', 'gamma_O'], 'found without a norm, whose gain it is');
  if (given('latentNorm') && !given('weights', 'W_DKV') && !given('weights', 'W_DQ'))
    problems.warning(['latentNorm'], 'is not used: there are no W_DKV and W_DQ');
  if (given('xValue') && given('weights', 'W_DKV'))
    problems.error(['xValue'], 'found beside weights.W_DKV, of which values are made');
  if (given('maskMeaning') && (!given('mask') || typeof mask === 'string' || Array.isArray(mask))) {
    problems.warning(['maskMeaning'], 'is not used: it tells how to read a mask that is a tensor');
  }
}
