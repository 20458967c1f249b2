// Differential attention made of drawn setups with an even number of heads, as its authors make it: two heads are the two
// softmaxes of one, and their values one value twice as wide.

const beside = (a, b) => a.map((row, n) => [...row, ...b[n]]);
/** (..., heads, tokens, width) -> (..., heads / 2, tokens, 2 width). */
const paired = (values) =>
  Array.isArray(values[0][0][0])
    ? values.map(paired)
    : Array.from({ length: values.length / 2 }, (_, n) => beside(values[2 * n], values[2 * n + 1]));

/** Changes the setup and returns the options that were drawn. */
export function drawDifferential(setup, { pick, numbers, heads, kvHeads, width, valueWidth }) {
  const isPossible = setup.head === 'multihead' && kvHeads % 2 === 0;
  const differential = isPossible && pick(false, 'adjacent', 'halves');
  if (!differential) return { differential: false };
  const norm = pick('default', 'none', 'rms', 'layer');
  Object.assign(setup, { heads: heads / 2, kvHeads: kvHeads / 2 });
  setup.differential = pick({ layer: 2 }, { lambdaInit: 0.35 });
  if (differential === 'halves') setup.differential.pairs = 'halves';
  if (norm !== 'default')
    setup.differential.norm = norm === 'none' ? norm : { kind: norm, eps: 0.1 };
  const lambda = pick('vectors', 'vectors', 'itself', 'alone');
  if (lambda === 'alone') setup.differential = { ...setup.differential, lambdaInit: 0 };
  if (lambda === 'alone') delete setup.differential.layer;
  if (lambda === 'vectors')
    for (const id of ['q1', 'k1', 'q2', 'k2']) setup.weights[`lambda_${id}`] = numbers(width);
  else setup.weights.lambda_share = numbers(1);
  const gain = norm !== 'none' && pick('none', 'shared', 'each');
  if (gain === 'shared') setup.weights.gamma_O = numbers(2 * valueWidth);
  if (gain === 'each') setup.weights.gamma_O = numbers(heads * valueWidth);
  if (setup.past) setup.past.V = paired(setup.past.V);
  const { W_gate, b_gate } = setup.weights;
  if (W_gate && W_gate[0].length === heads && valueWidth > 1) {
    setup.weights.W_gate = numbers(W_gate.length, heads / 2);
    if (b_gate) setup.weights.b_gate = numbers(heads / 2);
  }
  return { differential, lambda, headNorm: norm, headGain: gain };
}
