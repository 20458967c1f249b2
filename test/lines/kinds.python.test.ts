// Kinds of mistakes in programs that Python runs: the line that is wrong, and no wrong program that is called right.
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { buildGraph } from '../../src/engine/heads/build.ts';
import { infer, type Inference } from '../../src/lines/infer/infer.ts';
import { judge } from '../../src/lines/judge.ts';
import { type Recording } from '../../src/lines/recorded/recording.ts';
import { firstOf } from '../../src/lines/tell/result.ts';
import { hasNumpy, hasTorch, recorded } from '../support/recorded.ts';

const record = (source: string): Recording => recorded(source).recording;

const sourceOf = (name: string): string =>
  readFileSync(fileURLToPath(new URL(`kinds/${name}.py`, import.meta.url)), 'utf8');

type Edit = readonly [from: string, to: string];

function edited(source: string, [from, to]: Edit): string {
  expect(source.split(from), from).toHaveLength(2);
  return source.replace(from, to);
}

/** Line of the only occurrence, from 1; of its first line that stays after an edit. */
const lineOf = (source: string, text: string): number =>
  source.slice(0, source.indexOf(text)).split('\n').length;

const setups = new Map<string, Inference>();

/** Of the right program. */
function setupOf(name: string, source: string): Inference {
  const found = setups.get(name) ?? infer(record(source));
  if (!found) throw new Error(`${name}: found no attention`);
  setups.set(name, found);
  return found;
}

function judged(name: string, source: string, right: string): [verdict: string, line?: number] {
  const { config } = setupOf(name, right);
  const recording = record(source);
  const { localised } = judge(recording, config, buildGraph(config));
  const first = firstOf(recording, localised);
  return first ? [localised.verdict, first.line] : [localised.verdict];
}

interface Mistake {
  readonly what: string;
  readonly edit: Edit;
  /** Text on the line that is wrong, in the edited program; else that of the edit. */
  readonly at?: string;
}

const float32: Edit = ['DTYPE = np.float64', 'DTYPE = np.float32'];

const loops: readonly Mistake[] = [
  {
    what: 'an index without the head’s offset',
    edit: ['dx[b, s, 2 * C + h * W + i] +=', 'dx[b, s, 2 * C + i] +='],
  },
  {
    what: 'a gradient of the keys’ tokens at the query’s',
    edit: ['dx[b, s, 2 * C + h * W + i] +=', 'dx[b, t, 2 * C + h * W + i] +='],
  },
  {
    what: 'terms that replace one another',
    edit: ['dx[b, s, C + h * W + i] +=', 'dx[b, s, C + h * W + i] ='],
  },
  {
    what: 'the last key is skipped',
    edit: [
      'for s in range(t + 1):\n                    for i in range(W):\n                        dx[b, t, h',
      'for s in range(t):\n                    for i in range(W):\n                        dx[b, t, h',
    ],
    at: 'for s in range(t):',
  },
  {
    what: 'the last row of the Jacobian is skipped',
    edit: ['for r in range(t + 1):', 'for r in range(t):'],
  },
  {
    what: 'the width of all heads in the scale',
    edit: [
      '(x, scores, weights, out):\n    scale = 1.0 / math.sqrt(W)',
      '(x, scores, weights, out):\n    scale = 1.0 / math.sqrt(C)',
    ],
    at: 'math.sqrt(C)',
  },
  { what: 'a sum that starts from 1', edit: ['total = 0.0', 'total = 1.0'] },
  { what: 'the other sign in the Jacobian', edit: ['(same - weights', '(same + weights'] },
  {
    what: 'the values’ weights of the first sequence',
    edit: ['+= weights[b, h, t, s] * dout', '+= weights[0, h, t, s] * dout'],
  },
  {
    what: 'values in the keys’ place',
    edit: [
      '* x[b, s, C + h * W + i]\n                    dot',
      '* x[b, s, 2 * C + h * W + i]\n                    dot',
    ],
    at: 'dot += x',
  },
];

const layer: readonly Mistake[] = [
  { what: 'a path that replaces another', edit: ['dx += dk @ w_k.T', 'dx = dk @ w_k.T'] },
  {
    what: 'a path that is lost',
    edit: ['    dx += dv @ w_v.T\n', ''],
    at: 'dx += dk @ w_k.T',
  },
  { what: 'a result in the array of another', edit: ['out=dq)', 'out=dk)'] },
  {
    what: 'a mask whose use is thrown away',
    edit: ['s = np.where(future', 'np.where(future'],
    at: 'np.where(future',
  },
  { what: 'a mask that hides nothing', edit: ['dtype=bool), 1)', 'dtype=bool), N)'] },
  { what: 'what is filled in hides nothing', edit: ['future, -np.inf, s)', 'future, -1e-30, s)'] },
];

const heads: readonly Mistake[] = [
  {
    what: 'what an earlier loop left',
    edit: ['dw_o.append(times(o_h.T, dy))', 'dw_o.append(times(o.T, dy))'],
  },
  {
    what: 'an upstream gradient without the mean',
    edit: ['dy = 2 * (y - target) / n', 'dy = y - target'],
  },
  { what: 'either of two masks', edit: ['earlier & real', 'earlier | real'] },
  { what: 'one key too many', edit: ['at < 4', 'at < 5'] },
  {
    what: 'a path that replaces another',
    edit: ['of_head = of_head + times(dk', 'of_head = times(dk'],
  },
  { what: 'half of the Jacobian', edit: ['np.diag(row) - np.outer(row, row)', 'np.diag(row)'] },
];

const tiles: readonly Mistake[] = [
  {
    what: 'a loop over keys that ends early',
    edit: ['for j in range(0, end, BK):', 'for j in range(0, i + 1, BK):'],
  },
  {
    what: 'a loop over queries that begins late',
    edit: ['start = j // BQ * BQ', 'start = (j + BQ - 1) // BQ * BQ'],
  },
  {
    what: 'two names for one array',
    edit: ['dv_acc = np.zeros((end - j, v.shape[1]))', 'dv_acc = dk_acc'],
  },
  {
    what: 'weights that are not divided in the backward pass',
    edit: ['p = np.exp(s - lse[i:i + BQ, None])', 'p = np.exp(s - s.max(axis=1)[:, None])'],
  },
  {
    what: 'outputs that are not divided',
    edit: ['acc / total[:, None]', 'acc'],
    at: 'o[i:end] = acc',
  },
];

const inPlace: readonly Mistake[] = [
  { what: 'the complement of the mask', edit: ['masked_fill_(pad[', 'masked_fill_(~pad['] },
  { what: 'a mask that is not filled in place', edit: ['masked_fill_(', 'masked_fill('] },
];

const flat: readonly Mistake[] = [
  {
    what: 'a sum of exponentials that leaves out the last key',
    edit: [
      'for s in range(t + 1):\n                    e = math',
      'for s in range(t):\n                    e = math',
    ],
  },
  {
    what: 'products that leave out a feature',
    edit: [
      'for i in range(W):\n                        dot +=',
      'for i in range(W - 1):\n                        dot +=',
    ],
  },
  {
    what: 'queries in the keys’ place',
    edit: ['+= x[of(b, s, h, 1) + i] * dscores', '+= x[of(b, t, h, 0) + i] * dscores'],
  },
  {
    what: 'a gradient at another one’s place',
    edit: ['dx[of(b, s, h, 1) + i] +=', 'dx[of(b, t, h, 0) + i] +='],
    at: 'dx[of(b, t, h, 0) + i] += x[of(b, t',
  },
];

const pullbacks: readonly Mistake[] = [
  {
    what: 'a gradient that skips the softmax',
    edit: ['s_back(from_s)', 's_back(from_p)'],
    at: 's_back(from_p)',
  },
  {
    what: 'the last head alone',
    edit: ['to_memory = to_memory + memory_part', 'to_memory = memory_part'],
  },
  {
    what: 'a path that is computed and not added',
    edit: ['memory_by_k + memory_by_v, (', 'memory_by_k, ('],
    at: 'memory_by_k, (',
  },
  {
    what: 'no scale in one of two results',
    edit: ['scale * (g.T @ q)', 'g.T @ q'],
    at: 'g.T @ q',
  },
];

const tape: readonly Mistake[] = [
  {
    what: 'a gradient that replaces the one before',
    edit: ['self.grad += out.grad @ other', 'self.grad = out.grad @ other'],
  },
  {
    what: 'an output for its gradient',
    edit: ['self.data.T @ out.grad', 'self.data.T @ out.data'],
    at: 'self.data.T @ out.data',
  },
  {
    what: 'an output for its gradient, before any other',
    edit: ['out.grad @ other.data.T', 'out.data @ other.data.T'],
    at: 'out.data @ other.data.T',
  },
  {
    what: 'a loss that passes back another gradient',
    edit: ['+= self.data * out.grad', '+= self.data**2 * out.grad'],
    at: 'self.data**2 * out.grad',
  },
];

const fused: readonly Mistake[] = [
  {
    what: 'heads outside of queries, keys and values',
    edit: ['transpose(1, 3, 0, 2, 4)', 'transpose(1, 3, 2, 0, 4)'],
    at: 'transpose(1, 3, 2, 0, 4)',
  },
];

const views: readonly Mistake[] = [
  {
    what: 'views that lie otherwise than those of the buffer',
    edit: [
      'dqkv.reshape(T, 3, H, W).transpose(1, 2, 0, 3)',
      'dqkv.reshape(T, H, 3, W).transpose(2, 1, 0, 3)',
    ],
    at: 'dqkv.reshape(T, H, 3, W)',
  },
];

const cached: readonly Mistake[] = [
  {
    what: 'the first tokens for the new ones',
    edit: ['new_dk, new_dv = dk[past:]', 'new_dk, new_dv = dk[:new]'],
  },
];

/** By hand beside autograd, which has its own gradients right. */
const byHand: readonly Mistake[] = [
  {
    what: 'a parenthesis that is missing',
    edit: ['p * (dp - (dp * p).sum(1, keepdim=True))', 'p * dp - (dp * p).sum(1, keepdim=True)'],
  },
  { what: 'the scores’ gradient is not transposed', edit: ['dk = dz.T @ q', 'dk = dz @ q'] },
  {
    what: 'a path that is lost',
    edit: ['dx = dq @ Wq.T + dk @ Wk.T + dv @ Wv.T', 'dx = dq @ Wq.T + dk @ Wk.T'],
  },
];

const zipped: readonly Mistake[] = [
  { what: 'a row term without the weights', edit: ['(d_p * p).sum(dim=1', 'd_p.sum(dim=1'] },
  { what: 'scores for weights', edit: ['d_z = p * (d_p', 'd_z = z * (d_p'] },
  {
    what: 'a missing transpose',
    edit: ['d_shelf = d_z.t() @ asked', 'd_shelf = d_z.t() @ asked.flip(0)'],
  },
];

const detached: readonly Mistake[] = [
  { what: 'values without a gradient', edit: ['v = memory @', 'v = memory.detach() @'] },
  { what: 'keys without a gradient', edit: ['k = memory @', 'k = memory.detach() @'] },
];

const complex: readonly Mistake[] = [
  { what: 'the weights of another path', edit: ['dv @ w_v.T', 'dv @ w_k.T'], at: 'dv @ w_k.T' },
];

const stream: readonly Mistake[] = [
  {
    what: 'the maximum is taken over before the old one is read',
    edit: [
      '        shrink = math.exp(top - new)\n        top = new\n',
      '        top = new\n        shrink = math.exp(top - new)\n',
    ],
    at: 'shrink = math.exp',
  },
  { what: 'a sum that is not rescaled', edit: ['total * shrink + e', 'total + e'] },
];

const capped: readonly Mistake[] = [
  {
    what: 'the temperature divides, the width multiplies',
    edit: ['s = q @ k.T / (TAU * K**0.5)\n    z', 's = q @ k.T / TAU * K**0.5\n    z'],
  },
  {
    what: 'scores that are recomputed without the scale, before a cap',
    edit: ['again = q @ k.T / (TAU * K**0.5)', 'again = q @ k.T'],
  },
];

const padded: readonly Mistake[] = [
  { what: 'a mean over padding too', edit: ['count = own.sum() * K', 'count = goal.size'] },
];

const repeated: readonly Mistake[] = [
  {
    what: 'gradients that are not set back to zero',
    edit: ['        each.fill(0)', '        pass'],
    at: 'np.add(g_q',
  },
  { what: 'a missing transpose', edit: ['np.matmul(p.T, dy, out=dv)', 'np.matmul(p, dy, out=dv)'] },
  {
    what: 'a scale of the wrong width in a number of a library',
    edit: ['np.divide(p, np.sqrt(K), out=p)', 'np.divide(p, np.sqrt(D), out=p)'],
  },
];

const programs = [
  { name: 'loops', needs: hasNumpy, mistakes: loops },
  { name: 'loops', needs: hasNumpy, mistakes: loops.slice(-5), as: float32 },
  { name: 'layer', needs: hasNumpy, mistakes: layer },
  { name: 'heads', needs: hasNumpy, mistakes: heads },
  { name: 'tiles', needs: hasNumpy, mistakes: tiles },
  { name: 'in_place', needs: hasTorch, mistakes: inPlace },
  { name: 'flat', needs: hasNumpy, mistakes: flat },
  { name: 'flat', needs: hasNumpy, mistakes: flat, as: float32 },
  { name: 'pullbacks', needs: hasNumpy, mistakes: pullbacks },
  { name: 'tape', needs: hasNumpy, mistakes: tape },
  { name: 'fused', needs: hasNumpy, mistakes: fused },
  { name: 'views', needs: hasNumpy, mistakes: views },
  { name: 'cached', needs: hasNumpy, mistakes: cached },
  { name: 'detached', needs: hasTorch, mistakes: detached },
  { name: 'by_hand', needs: hasTorch, mistakes: byHand },
  { name: 'zipped', needs: hasTorch, mistakes: zipped },
  { name: 'complex', needs: hasTorch, mistakes: complex },
  { name: 'stream', needs: hasNumpy, mistakes: stream },
  { name: 'capped', needs: hasNumpy, mistakes: capped },
  { name: 'padded', needs: hasNumpy, mistakes: padded },
  { name: 'repeated', needs: hasNumpy, mistakes: repeated },
];

describe.each(programs)('$name $as.1', ({ name, needs, mistakes, as }) => {
  const right = as ? edited(sourceOf(name), as) : sourceOf(name);
  const key = `${name} ${as?.[1] ?? ''}`;

  test.skipIf(!needs)('is right', () => {
    expect(judged(key, right, right)).toEqual(['match']);
  });

  test.skipIf(!needs).each(mistakes)('$what', ({ edit, at }) => {
    const wrong = edited(right, edit);
    const [to] = (edit[1] || edit[0]).split('\n');
    expect(judged(key, wrong, right)).toEqual(['diverges', lineOf(wrong, at ?? to)]);
  });
});
