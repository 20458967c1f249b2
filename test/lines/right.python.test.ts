// Right programs whose setup is inferred: none of their lines is called wrong. Each was, once.
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { answer } from '../../src/lineRun/answer.ts';
import { hasNumpy, hasTorch, recorded } from '../support/recorded.ts';

const source = (name: string): string =>
  readFileSync(fileURLToPath(new URL(`right/${name}.py`, import.meta.url)), 'utf8');

const answered = (text: string): NonNullable<ReturnType<typeof answer>>['result'] | undefined =>
  answer(recorded(text).recording, { file: 'program.py', args: [] })?.result;

describe.skipIf(!hasNumpy)('NumPy', () => {
  test.each([
    'log_temperature',
    'drawn_together',
    'two_layers',
    'layer_scale',
    'post_norm',
    'out_arrays',
    'swin_table',
    'called_again',
    'lists',
    'columns',
    'mapped',
    'bilinear',
    'trained',
    'documents',
    'sinks',
    'buckets',
    'differential',
    'differential_share',
    'scalable',
    'pair_bias',
    'tiles_of_slopes',
    'picked_to_fill',
    'workspace',
    'engine_of_samples',
    'gpt2_block',
    'one_at_a_time',
    'carved',
    'undivided',
    'pullbacks_of_batch',
    'lists_of_heads',
    'sorted_by_length',
    'kept_output',
    'capped_scores',
    'kept_share',
    'step_after_samples',
    'perte',
    'flat_buffers',
    'next_token',
    'named_heads',
    'engine_nodes',
    'moved_back',
  ])('%s', (name) => {
    expect(answered(source(name))?.verdict).toBe('match');
  });

  test('of which no setup is inferred is not called wrong: keys in parts, each with a softmax of its own', () => {
    expect(answered(source('split'))?.verdict).not.toBe('diverges');
  });

  test('a search that is stopped accuses nothing, and says that it was stopped', () => {
    const { recording } = recorded(source('bilinear'));
    const found = answer(recording, { file: 'program.py', args: [], work: 1e4 })?.result;
    expect(found?.verdict).toBe('unaligned');
    expect(found?.notes).toContainEqual(expect.stringContaining('search for a setup was stopped'));
  });

  // What goes past the attention and what it gives, in one statement.
  test.each([
    'y = x + z @ wo',
    'y = np.matmul(z, wo) + x',
    'y = np.add(x, z @ wo)',
    'y = x.copy()\ny += z @ wo',
    'keep = np.ones((n, d))\ny = x + (z @ wo) * keep / 1.0',
  ])('%s', (text) => {
    const own = source('drawn_together').replace('branch = z @ wo\ny = x + branch', text);
    expect(own).toContain(text);
    expect(answered(own)?.verdict).toBe('match');
  });

  test('a factor of what is given back is no mistake where dropout is one', () => {
    const text = source('layer_scale').replaceAll(
      'rng.normal(size=d) * 0.1',
      '(rng.random((n, d)) < 0.8) / 0.8',
    );
    expect(answered(text)?.verdict).toBe('match');
  });

  test.each([
    ['differential', 'da2 = -lam * da', 'da2 = lam * da'],
    ['differential', 'dlam = -(da * a2).sum()', 'dlam = (da * a2).sum()'],
    ['differential', 'dlq1 = dlam * e1 * lk1', 'dlq1 = dlam * e1 * lq1'],
    ['differential_share', 'softmax_backward(p2, -lam * dp)', 'softmax_backward(p2, lam * dp)'],
    ['differential_share', 'dv = (p1 - lam * p2).T @ dy', 'dv = p1.T @ dy'],
    ['pair_bias', 'dbias = dlogits.sum(axis=0)', 'dbias = dlogits[0]'],
    ['scalable', '(dz * logn[None, :, None] * raw)', '(dz * raw)'],
    ['scalable', 'draw = dz * s_h[:, None, None] * logn', 'draw = dz * logn'],
    ['sinks', 'dsinks = -np.sum(P_sink', 'dsinks = np.sum(P_sink'],
    ['sinks', '* (dP - delta) /', '* (dP - delta / (1 - P_sink)) /'],
    [
      'buckets',
      'np.add.at(dtable, index, ds.sum(0).transpose(1, 2, 0))',
      'dtable[index] = ds.sum(0).transpose(1, 2, 0)',
    ],
    [
      'documents',
      'dq, dk = turn(ds @ kr, -1), turn(ds.transpose(0, 2, 1) @ qr, -1)',
      'dq, dk = turn(ds @ kr, -1), turn(ds.transpose(0, 2, 1) @ q, -1)',
    ],
    ['bilinear', 'dX += dS.T @ X @ W\n', 'dX += dS.T @ X @ W.T\n'],
    ['trained', 'dQ, dK = dS @ K, dS.T @ Q', 'dQ, dK = dS @ K, dS @ Q'],
    ['columns', 'dq[rows] = k[rows] @ buffer', 'dq[rows] = q[rows] @ buffer'],
    ['mapped', 'inner.T @ q, share.T', 'inner @ q, share.T'],
    ['mapped', 'row = (inner * share).sum(axis=1)', 'row = (inner * share).sum(axis=0)'],
    ['log_temperature', 'ddots = dlogits * temperature', 'ddots = dlogits / temperature'],
    ['drawn_together', 'dp, dv = dz @ v.T, p.T @ dz', 'dp, dv = dz @ v.T, p @ dz'],
    ['drawn_together', 's = q @ k.T / np.sqrt(d)', 's = q @ k.T'],
    ['drawn_together', 'e.sum(-1, keepdims=True)', 'e.sum(0, keepdims=True)'],
    ['drawn_together', 'dx = dx + dy', 'dx = dx + dh'],
    ['drawn_together', ' + dv @ wv.T', ''],
    ['drawn_together', 'keepdims=True)) / np.sqrt(d)', 'keepdims=True))'],
    ['drawn_together', '(dy * hat).sum(0), dy', '(dy * dhat).sum(0), dy'],
    ['lists', 'dk = product(transposed(ds), q)', 'dk = product(ds, q)'],
    ['lists', '(dp[j][i] - row)', '(dp[j][i] + row)'],
    ['two_layers', 'dq, dk = ds @ k, ds.T @ q', 'dq, dk = ds @ k, ds @ q'],
    ['layer_scale', 'dp, dv = dz @ v.T, p.T @ dz', 'dp, dv = dz @ v.T, p @ dz'],
    ['post_norm', 'dx = du + ', 'dx = '],
    [
      'gpt2_block',
      'np.where(np.tril(np.ones((T, T), bool)), att, -1e10)',
      'att * np.tril(np.ones((T, T)))',
    ],
    ['picked_to_fill', 'datt - datt @ att[b, h, t])', 'datt - datt.sum())'],
    ['picked_to_fill', 'dkey[i] += dscore[t2] * query[i]', 'dkey[i] += dscore[t2] * key[i]'],
    ['engine_of_samples', 'out.grad * out.data', 'out.grad * self.data'],
    ['engine_of_samples', 'reduced(-out.grad', 'reduced(out.grad'],
    ['undivided', 'y += z @ w["o"][h]', 'y = z @ w["o"][h]'],
    ['undivided', 'np.exp(q @ k.T / np.sqrt(a) - top)', 'np.exp(q @ k.T - top)'],
    ['pullbacks_of_batch', 'np.sum(g * p, axis=1', 'np.mean(g * p, axis=1'],
    ['pullbacks_of_batch', '(error.size * B)', 'error.size'],
    ['lists_of_heads', '2 * (out - goal)', '(out - goal)'],
    ['lists_of_heads', 'dv = weights[h].T', 'dv = weights[0].T'],
    ['capped_scores', 'capped = CAP * bent', 'capped = bent'],
    ['carved', 'dy = 2.0 * (y - goal)', 'dy = y - goal'],
    ['step_after_samples', 'p[h] * ds.sum(axis=1', 'p[h] * ds.mean(axis=1'],
    ['perte', 'dy = 2 * y', 'dy = y'],
    ['next_token', 'dy /= n', 'dy /= n - 1'],
    ['flat_buffers', 'dshift[o] += g', 'dshift[o] = g'],
    ['flat_buffers', 'dy = 2 * (y - goal)', 'dy = y - goal'],
    ['kept_share', 'ds, k), np.einsum("hij,hia->hja"', 'ds, k), np.einsum("hij,hja->hia"'],
    [
      'swin_table',
      'np.add.at(dtable, index, ds.sum(0).transpose(1, 2, 0))',
      'dtable[index] += ds.sum(0).transpose(1, 2, 0)',
    ],
  ])('a mistake beside what is no mistake is found: %s', (name, right, wrong) => {
    const text = source(name);
    expect(text).toContain(right);
    const line = text.slice(0, text.indexOf(right)).split('\n').length;
    expect(answered(text.replace(right, wrong))?.first).toMatchObject({ line });
  });
});

describe.skipIf(!hasNumpy)('a program that goes wrong before its weights', () => {
  test('is still told: scores of loops that are multiplied with a mask', () => {
    const text = source('perte');
    const wrong = text.replace('s = s + (1 - mask) * -1e9', 's = s * mask');
    expect(wrong).not.toBe(text);
    expect(answered(wrong)?.verdict).toBe('diverges');
  });

  test('twice: weights over the heads, mixed along the queries, of what is called q and k', () => {
    const text = source('named_heads');
    const right = 'p = e / e.sum(axis=2, keepdims=True)';
    const wrong = text
      .replace(right, 'p = e / e.sum(axis=0, keepdims=True)')
      .replace('z = p @ v', 'z = p.transpose(0, 2, 1) @ v');
    const line = text.slice(0, text.indexOf(right)).split('\n').length;
    expect(answered(wrong)?.first).toMatchObject({ line, node: 'P' });
  });
});

describe.skipIf(!hasTorch)('PyTorch', () => {
  test.each([
    'micro_batches',
    'cached',
    'base_two',
    'latents',
    'per_sample',
    'two_masks',
    'bert',
    'class_token',
    'left_padded',
    'plus_one',
    'backward_rope',
    'latent_halves',
    'repeated_heads',
    'differential_heads',
    'differential_halves',
    'head_scale',
    'own_loss',
    'decoded_in_parts',
  ])('%s', (name) => {
    expect(answered(source(name))?.verdict).toBe('match');
  });

  test('a loss of its own is not told for the gradient that is wrong', () => {
    const text = source('own_loss').replace('queries * ctx.scale', 'queries');
    const line = text.slice(0, text.indexOf('dkeys =')).split('\n').length;
    expect(answered(text)?.first).toMatchObject({ line, node: 'K' });
  });

  test('beside two masks a wrong scale is found', () => {
    const right = 'value.size(-1) ** 0.5';
    const text = source('two_masks');
    const line = text.slice(0, text.indexOf(right)).split('\n').length;
    const wrong = text.replace(right, 'value.size(-1)');
    expect(answered(wrong)?.first).toMatchObject({ line });
  });
});
