// Attention as published models write it, an option each: right programs are called right, with the option inferred,
// and one mistake in each is found on its line.
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import type { HeadConfig, WeightId } from '../../../src/engine/config.ts';
import { buildGraph } from '../../../src/engine/heads/build.ts';
import { run } from '../../../src/engine/run.ts';
import { openSetup } from '../../../src/formats/openSetup.ts';
import { infer } from '../../../src/lines/infer/infer.ts';
import { savedSetup } from '../../../src/lines/infer/save.ts';
import { answer } from '../../../src/lineRun/answer.ts';
import { judge } from '../../../src/lines/judge.ts';
import { firstOf } from '../../../src/lines/tell/result.ts';
import { hasNumpy, hasTorch, recorded } from '../../support/recorded.ts';

interface Option {
  readonly name: string;
  /** The program is that of another option, with this for that. */
  readonly of?: readonly [name: string, before: string, after: string];
  readonly expected: Partial<Record<keyof HeadConfig, unknown>>;
  /** Weights that belong to the option. */
  readonly weights?: readonly WeightId[];
  /** Entries that only the person can tell. */
  readonly asked?: readonly string[];
  readonly digits?: number;
  /** The wrong program: what stands there, what then stands there. */
  readonly mistake: readonly [before: string, after: string];
}

/** Of ntk.py: its frequencies, what is expected of them, and its mask. */
const NTK = `inv_freq = 1 / ((BASE * FACTOR ** (D / (D - 2))) ** (np.arange(0, D, 2) / D))
mscale = 1.0`;
const STRETCHED = {
  rope: { base: 10000, pairing: 'half', scaling: { kind: 'ntk', factor: 4 } },
} as const;
const CAUSAL = 'np.tril(np.ones((T, T), bool))';

/** YaRN's in their place, as its authors write them. */
const YARN = `ORIG = 16


def find_dim(rotations):
    return D * math.log(ORIG / (rotations * 2 * math.pi)) / (2 * math.log(BASE))


def yarn_inv_freq():
    pos = BASE ** (np.arange(0, D, 2) / D)
    extra, inter = 1 / pos, 1 / (FACTOR * pos)
    low, high = max(math.floor(find_dim(32)), 0), min(math.ceil(find_dim(1)), D - 1)
    if low == high:
        high += 0.001
    ramp = np.clip((np.arange(D // 2) - low) / (high - low), 0, 1)
    mask = 1 - ramp
    return inter * (1 - mask) + extra * mask


inv_freq = yarn_inv_freq()
mscale = 0.1 * math.log(FACTOR) + 1`;

const numpy: readonly Option[] = [
  {
    name: 'olmo2',
    expected: { qkNorm: { kind: 'rms', over: 'all' }, rope: { base: 500000, pairing: 'half' } },
    weights: ['gamma_K', 'gamma_Q'],
    mistake: [' + dv0 @ wv.T', ' + dk0 @ wv.T'],
  },
  {
    name: 'plus_one',
    expected: { softmax: 'plus-one', mask: 'none' },
    mistake: ['(P * dP).sum(axis=-1, keepdims=True)', '(P * dP).sum(axis=-2, keepdims=True)'],
  },
  {
    name: 'packed',
    expected: { rope: { base: 10000, pairing: 'interleaved' }, mask: { meaning: 'attend' } },
    mistake: ['dlogits.swapaxes(-1, -2) @ qr', 'dlogits @ qr'],
  },
  {
    name: 'tiled_groups',
    expected: { grouping: 'interleaved', heads: 4, kvHeads: 2 },
    asked: ['grouping'],
    mistake: ['d_keys.reshape(H // KV, KV, T, D).sum', 'd_keys.reshape(H // KV, KV, T, D).mean'],
  },
  {
    name: 'post_norm',
    expected: { block: { residual: true, postNorm: { kind: 'layer', eps: 1e-5 } } },
    weights: ['gamma_post', 'beta_post'],
    mistake: ['dx = dsummed + dq', 'dx = dq'],
  },
  {
    name: 'ntk',
    expected: STRETCHED,
    mistake: ['dk = dkr * cos', 'dk = dqr * cos'],
  },
  {
    name: 'a base that is named nowhere',
    of: ['ntk', 'BASE * FACTOR ** (D / (D - 2))', 'math.exp(BASE / 900)'],
    expected: { rope: { base: expect.closeTo(Math.exp(100 / 9), 5) as number } },
    asked: ['rope.base'],
    mistake: ['rotate_half_back(dqr * sin)', 'rotate_half(dqr * sin)'],
  },
  {
    name: 'positions that are divided',
    of: [
      'ntk',
      '(BASE * FACTOR ** (D / (D - 2))) ** (np.arange(0, D, 2) / D)',
      '(FACTOR * BASE ** (np.arange(0, D, 2) / D))',
    ],
    expected: { rope: { base: 10000, scaling: { kind: 'linear', factor: 4 } } },
    mistake: ['split(g @ Wo.T)', 'split(y @ Wo.T)'],
  },
  {
    name: 'a prefix that all see',
    of: ['ntk', CAUSAL, `${CAUSAL} | (np.arange(T) < 3)`],
    expected: STRETCHED,
    mistake: ['(dp * p).sum(-1, keepdims=True)', '(dp * p).sum(-2, keepdims=True)'],
  },
  {
    name: 'chunks',
    of: ['ntk', CAUSAL, `${CAUSAL} & (np.arange(T)[:, None] // 3 == np.arange(T) // 3)`],
    expected: STRETCHED,
    // A kernel that forgets all blocks but those on the diagonal looks the same.
    asked: ['mask'],
    mistake: ['dv = p.transpose(0, 1, 3, 2) @ do', 'dv = p @ do'],
  },
  {
    name: 'lengths of sequences',
    of: ['ntk', CAUSAL, `(${CAUSAL} & (np.arange(T) < np.array([5, 7])[:, None, None]))[:, None]`],
    expected: STRETCHED,
    mistake: ['(dp * p).sum(-1, keepdims=True)', 'dp.sum(-1, keepdims=True)'],
  },
  {
    name: 'yarn',
    of: ['ntk', NTK, YARN],
    expected: {
      rope: {
        base: 10000,
        scaling: expect.objectContaining({ kind: 'yarn', factor: 4, originalLength: 16 }) as object,
      },
    },
    mistake: ['rotate_half_back(dkr * sin)', 'rotate_half(dkr * sin)'],
  },
  {
    name: 'summand',
    expected: { block: { residual: true } },
    mistake: ['dx = dy + dq @', 'dx = dq @'],
  },
];

const torch: readonly Option[] = [
  {
    name: 'qwen3',
    expected: {
      qkNorm: { kind: 'rms', eps: 1e-6, over: 'head', place: 'before-rope' },
      rope: { base: 1e6, pairing: 'half' },
      ...{ heads: 4, kvHeads: 2, mask: 'causal' },
    },
    weights: ['gamma_K', 'gamma_Q'],
    mistake: ['x.pow(2).mean(-1, keepdim=True)', 'x.pow(2).sum(-1, keepdim=True)'],
  },
  {
    name: 'layernorm_qk',
    expected: { qkNorm: { kind: 'layer', over: 'head' }, mask: 'none' },
    weights: ['gamma_K', 'gamma_Q', 'beta_K', 'beta_Q', 'b_Q', 'b_K', 'b_V'],
    digits: 3,
    mistake: ['attn.softmax(dim=-1)', 'attn.softmax(dim=-2)'],
  },
  {
    name: 'gpt_oss',
    expected: { mask: 'causal', window: 3, kvHeads: 2 },
    weights: ['sinks'],
    mistake: ['QK = QK * sm_scale', 'QK = QK * sm_scale * sm_scale'],
  },
  {
    name: 'null_keys',
    expected: { zeroKey: true, xPrime: { shape: [2, 3, 6] }, xValue: { shape: [2, 4, 3] } },
    weights: ['null_K', 'null_V'],
    mistake: [
      'attn_weights = torch.softmax(attn_weights, dim=-1)',
      'attn_weights = torch.softmax(attn_weights, dim=-2)',
    ],
  },
  {
    name: 'gate',
    expected: { mask: 'causal' },
    weights: ['W_gate'],
    mistake: ['torch.sigmoid(gate)', 'torch.tanh(gate)'],
  },
  {
    name: 'partial_rope',
    expected: { rope: { base: 10000, pairing: 'half', features: 4 } },
    weights: ['b_Q', 'b_K', 'b_V'],
    mistake: ['torch.cat((-x[..., half:], x', 'torch.cat((x[..., half:], x'],
  },
  {
    name: 'llama31',
    expected: {
      rope: {
        ...{ base: 500, pairing: 'interleaved' },
        scaling: {
          ...{ kind: 'llama3', factor: 8, lowFreqFactor: 1, highFreqFactor: 4 },
          originalLength: 64,
        },
      },
      kvHeads: 2,
    },
    mistake: ['math.sqrt(head_dim)', 'math.sqrt(dim)'],
  },
  {
    name: 't5',
    expected: {
      scale: 1,
      mask: { meaning: 'attend' },
      positionBias: { kind: 't5', bidirectional: true, maxDistance: 16 },
    },
    weights: ['B'],
    mistake: ['torch.matmul(attn_weights, value_states)', 'torch.matmul(attn_weights, key_states)'],
  },
  {
    name: 'swin',
    expected: {
      mask: { meaning: 'attend', tensor: { shape: [4, 2, 6, 6] } },
      positionBias: { kind: 'swin', window: [2, 3] },
    },
    weights: ['B'],
    mistake: ['bias.unsqueeze(0)', 'bias.transpose(-1, -2).unsqueeze(0)'],
  },
  {
    name: 'mla',
    expected: { latentNorm: { kind: 'rms' }, rope: { base: 10000, pairing: 'interleaved' } },
    weights: ['W_DKV', 'W_DQ', 'W_KR', 'W_QR', 'gamma_DKV', 'gamma_DQ'],
    mistake: ['scores.softmax(dim=-1)', 'scores.softmax(dim=1)'],
  },
  {
    name: 'pre_norm',
    expected: {
      block: { residual: true, preNorm: { unitOffset: true }, outputNorm: { unitOffset: true } },
      qkNorm: { kind: 'rms', unitOffset: true },
      ...{ mask: 'causal', window: 3, kvHeads: 1 },
    },
    weights: ['gamma_pre', 'gamma_out', 'gamma_K', 'gamma_Q'],
    mistake: ['(probs @ v).transpose(1, 2).reshape', '(probs @ v).reshape'],
  },
  {
    name: 'cosine',
    expected: { qkNorm: { kind: 'rms', over: 'head' }, scale: expect.closeTo(2.5, 6) as number },
    mistake: ['(attn @ v).transpose(1, 2).reshape', '(attn @ v).reshape'],
  },
  {
    name: 'scaled_data',
    expected: { heads: 3, mask: { tensor: { shape: [2, 3, 6, 6] } } },
    mistake: ['(p @ v).transpose(1, 2).reshape', '(p @ v).reshape'],
  },
];

const sourceOf = (name: string): string =>
  readFileSync(fileURLToPath(new URL(`options/${name}.py`, import.meta.url)), 'utf8');

function programOf({ name, of }: Option): string {
  if (!of) return sourceOf(name);
  const [other, before, after] = of;
  const source = sourceOf(other);
  expect(source.split(before)).toHaveLength(2);
  return source.replace(before, after);
}

async function check(option: Option): Promise<void> {
  const { name, expected, weights = [], asked = [], digits = 6, mistake } = option;
  const source = programOf(option);
  const { recording, stdout } = recorded(source);
  const found = infer(recording);
  if (!found) throw new Error(`${name}: found no attention`);
  const { config, questions } = found;
  expect(questions.map(({ entry }) => entry)).toEqual(asked);
  expect(config).toMatchObject(expected);
  expect(Object.keys(config.weights)).toEqual(expect.arrayContaining([...weights]));
  const graph = buildGraph(config);
  const sum = run(graph)
    .values.get('y')
    ?.data.reduce((a, b) => a + b, 0);
  expect(sum).toBeCloseTo(Number(stdout), digits);
  expect(judge(recording, config, graph).localised.verdict).toBe('match');
  const { json, npz } = savedSetup(config, { file: 'own.py', function: '', args: [] }, 'own.npz');
  const saved = await openSetup(json, () => Promise.resolve(npz));
  expect(saved.problems).toEqual([]);
  if (!saved.graph) throw new Error(`${name}: what was saved is no setup`);
  const again = run(saved.graph)
    .values.get('y')
    ?.data.reduce((a, b) => a + b, 0);
  expect(again).toBeCloseTo(Number(stdout), digits);

  const [before, after] = mistake;
  expect(source.split(before)).toHaveLength(2);
  const wrong = recorded(source.replace(before, after)).recording;
  const other = infer(wrong);
  if (!other) throw new Error(`${name}: found no attention in the wrong program`);
  const { localised } = judge(wrong, other.config, buildGraph(other.config));
  const line = source.slice(0, source.indexOf(before)).split('\n').length;
  expect([localised.verdict, firstOf(wrong, localised)?.line]).toEqual(['diverges', line]);
}

describe.skipIf(!hasNumpy)('in NumPy', () => {
  test.each(numpy)('$name', check);
  test('a temperature by position', () => {
    expect(told('logn')).toEqual(['match', []]);
  });
  test('a loss that nothing tells is what is passed back, and accuses no gradient', () => {
    expect(told('unknown_loss')).toEqual(['match', []]);
  });
});

/** What is said of a right program: the verdict, and what is asked. */
function told(name: string): [verdict: string | undefined, asked: string[]] {
  const found = answer(recorded(sourceOf(name)).recording, { file: `${name}.py`, args: [] });
  return [found?.result.verdict, (found?.questions ?? []).map(({ entry }) => entry)];
}

describe.skipIf(!hasTorch)('in PyTorch', () => {
  test.each(torch)('$name', check);
  test.each<[string, string, string[]]>([
    ['decay', 'match', []],
    ['detr', 'match', []],
    ['tied', 'match', []],
    ['residual', 'match', []],
    ['head_gate', 'match', []],
    ['rope2d', 'match', ['rope']],
    ['differential', 'match', []],
    ['t5_inline', 'match', []],
  ])('%s is not accused', (name, verdict, asked) => {
    expect(told(name)).toEqual([verdict, asked]);
  });
});
