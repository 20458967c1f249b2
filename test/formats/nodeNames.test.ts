// Which names are understood, and that none is understood in two ways.
import { describe, expect, test } from 'vitest';
import { ALIASES } from '../../src/formats/nodeAliases.ts';
import { NODE_IDS } from '../../src/engine/nodes.ts';
import { resolveName } from '../../src/formats/nodeNames.ts';

const inWords = (name: string, names?: Record<string, string>, rank?: number): string | null => {
  const found = resolveName(name, names, rank);
  return found && `${found.kind === 'gradient' ? 'd' : ''}${found.node}`;
};

const VALUES: Readonly<Record<string, string>> = {
  x: 'X input hidden_states x_kv memory encoder_hidden_states inp',
  xPrime: "x_prime xp x' x′ X_prime tgt x_query",
  W_Q: 'Wq W_q w_q W_query q_proj.weight self_attn.q_proj.weight to_q.weight query.weight query/kernel weights/W_Q weights.W_Q',
  W_K: 'Wk w_k k_proj.weight',
  W_V: 'Wv v_proj.weight value.weight',
  W_O: 'Wo w_o out_proj.weight o_proj.weight to_out.0.weight c_proj.weight W_out',
  b_Q: 'bq b_q q_proj.bias bias_q',
  b_O: 'bo out_proj.bias',
  Q: 'q query queries query_states query_layer forward/Q',
  K: 'k key keys key_states',
  V: 'v value values value_states',
  Qh: 'q_heads q_rot q_embed qh',
  Kh: 'k_heads k_rot k_embed',
  Vh: 'v_heads vh',
  Kn: 'k_norm k_normed',
  gamma_Q: 'q_norm.weight self_attn.q_norm.weight gamma_q',
  gamma_K: 'k_norm.weight',
  S: 's scores attn_scores logits raw_scores qk dots sim energy attention_scores',
  Z: 'scaled_scores scaled_logits preatt',
  M: 'masked_scores maskedLogits',
  P: 'p attn attn_weights attnWeights attn-weights attention_weights attn_probs probs weights softmax alpha att pattern attentions',
  Pd: 'pd attn_dropped p_dropped dropped_attn',
  O: 'o head_outputs heads_out',
  C: 'context ctx context_layer merged concat',
  y: 'Y out output attn_output attention_output attn_out',
  f: 'loss F',
};

describe('values', () => {
  for (const [node, names] of Object.entries(VALUES)) {
    test.each(names.split(' '))(`%s is ${node}`, (name) => expect(inWords(name)).toBe(node));
  }
  test.each(NODE_IDS)('%s is itself, and d, grad, .grad its gradient', (id) => {
    expect(inWords(id)).toBe(id);
    for (const name of [
      `d${id}`,
      `d_${id}`,
      `grad_${id}`,
      `grad/${id}`,
      `${id}.grad`,
      `${id}_grad`,
      `dL_d${id}`,
    ]) {
      expect(inWords(name), name).toBe(`d${id}`);
    }
  });
});

test.each([
  ['dP', 'dP'],
  ['dp', 'dP'],
  ['gradQ', 'dQ'],
  ['QGrad', 'dQ'],
  ['Qgrad', 'dQ'],
  ['g_q', 'dQ'],
  ['grad_q', 'dQ'],
  ['grad_wrt_Q', 'dQ'],
  ['gradient_Q', 'dQ'],
  ['grads/Q', 'dQ'],
  ['grads.dQ', 'dQ'],
  ['backward/Q', 'dQ'],
  ['backward/dQ', 'dQ'],
  ['grad/attn_weights', 'dP'],
  ['attn_weights_grad', 'dP'],
  ['attn_weights.grad', 'dP'],
  ['d_attn_weights', 'dP'],
  ['dscores', 'dS'],
  ['dlogits', 'dS'],
  ['dout', 'dy'],
  ['do', 'dO'],
  ['grad_output', 'dy'],
  ['grad_input', 'dx'],
  ['dL_dQ', 'dQ'],
  ['dLdQ', 'dQ'],
  ['dL/dQ', 'dQ'],
  ['df/dx', 'dx'],
  ["df/dx'", 'dxPrime'],
  ['dloss_dq', 'dQ'],
  ['∂L/∂Q', 'dQ'],
  ['∇Q', 'dQ'],
  ['dxp', 'dxPrime'],
  ['dwq', 'dW_Q'],
  ['dWq', 'dW_Q'],
  ['dW_q', 'dW_Q'],
  ['q_proj.weight.grad', 'dW_Q'],
  ['self_attn.q_proj.weight.grad', 'dW_Q'],
  ['dpreatt', 'dZ'],
  ['dinp', 'dx'],
  ['Q.grad ', 'dQ'],
])('%s is %s', (name, expected) => {
  expect(inWords(name)).toBe(expected);
});

test.each([
  ...['', ' ', 'd', 'grad', 'gradient', '.grad', 'grad_', 'dd', 'ddQ', 'grad_dQ'],
  ...[
    'm',
    'c',
    'z',
    'n',
    'a',
    'A',
    'i',
    'mask',
    'attn_mask',
    'dropout_mask',
    'bias',
    'W',
    'dW',
    'qkv',
    'c_attn.weight',
  ],
  ...[
    'xq',
    'x_q',
    'xk',
    'q_proj',
    'in_proj_weight',
    'delta',
    'lse',
    'K.T',
    'layers.0.attn.q',
    'mlp.out',
    'target',
  ],
  ...['__proto__', 'constructor', 'toString', 'attn.'.repeat(50_000)],
])('%s is nothing', (name) => {
  expect(inWords(name)).toBeNull();
});

test('no alias belongs to two nodes or reads as the gradient of another', () => {
  const plain = (text: string): string => text.toLowerCase().replaceAll(/[^a-z0-9]/g, '');
  const owners = new Map<string, string>(NODE_IDS.map((id) => [plain(id), id]));
  for (const [node, aliases] of Object.entries(ALIASES)) {
    for (const alias of aliases.split(/\s+/)) {
      expect(owners.get(alias), alias).toBeUndefined();
      expect(alias).toMatch(/^[a-z0-9]+$/);
      owners.set(alias, node);
    }
  }
  for (const alias of owners.keys()) {
    expect(owners.has(alias.replace(/^d/, '')) && alias.startsWith('d'), alias).toBe(false);
    expect(owners.has(alias.replace(/(^grad|grad$)/, '')) && alias.includes('grad'), alias).toBe(
      false,
    );
  }
});

test("the setup's names come first, whatever they say", () => {
  const names = { q: 'dP', mine: 'S', __proto__: 'P' };
  expect(inWords('q', names)).toBe('dP');
  expect(inWords('mine', names)).toBe('S');
  expect(inWords('k', names)).toBe('K');
  expect(inWords('mine', { mine: 'nothing' })).toBeNull();
});

test('a plain number is f or nothing', () => {
  expect(inWords('d_k', {}, 0)).toBeNull();
  expect(inWords('d_k', {}, 2)).toBe('dK');
  expect(inWords('loss', {}, 0)).toBe('f');
});
