// Latent attention made of drawn setups: their keys become a part from a latent and one that turns.

/** Features that turn. */
const TURNED = 2;
const TURNS_ALL = ['base', 'pairing', 'scaling', 'positions', 'queryPositions'];

/** Changes the setup and returns the options that were drawn. */
export function drawLatent(setup, { pick, numbers, heads, kvHeads, width, valueWidth }) {
  const { weights, rope = {} } = setup;
  const isPossible =
    setup.head === 'multihead' &&
    ['W_K', 'W_Q', 'W_V'].every((id) => id in weights) &&
    !setup.xValue &&
    width > TURNED &&
    rope.scaling?.kind !== 'ntk' &&
    Object.keys(rope).every((key) => TURNS_ALL.includes(key));
  const latent = isPossible && pick(false, 'keys', 'both');
  if (!latent) return { latent: false };
  const still = width - TURNED;
  const [features, queryFeatures] = [weights.W_K.length, weights.W_Q.length];
  const from = latent === 'both' ? 4 : queryFeatures;
  Object.assign(weights, {
    W_DKV: numbers(features, 3),
    W_K: numbers(3, kvHeads * still),
    W_V: numbers(3, kvHeads * valueWidth),
    W_KR: numbers(features, TURNED),
    W_QR: numbers(from, heads * TURNED),
    W_Q: numbers(from, heads * still),
  });
  if (weights.b_K) weights.b_K = numbers(kvHeads * still);
  if (weights.b_Q) weights.b_Q = numbers(heads * still);
  if (latent === 'both') weights.W_DQ = numbers(queryFeatures, from);
  const norm = pick('none', 'gain', 'layer');
  if (norm === 'gain') weights.gamma_DKV = numbers(3);
  if (norm === 'layer') setup.latentNorm = { kind: 'layer', eps: 0.1 };
  if (setup.qkNorm) setup.qkNorm.place = 'after-rope';
  return { latent, latentNorm: norm };
}
