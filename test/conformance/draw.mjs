// Random setups from a seed: every option of every head, drawn independently so that all pairs come up.
import { drawMaskOptions, drawMaskParts } from './drawMasks.mjs';
import { drawBias } from './drawBias.mjs';
import { drawDifferential } from './drawDifferential.mjs';
import { drawLatent } from './drawLatent.mjs';
import { drawRope, drawRopeOptions } from './drawRope.mjs';

/** mulberry32: uniform in [0, 1). */
export function generator(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

const expressions = [
  'sum(y .^ 2) / 2',
  'mean(exp(y ./ 4))',
  'sum(tanh(y)) ^ 2 + norm(y)',
  'log(sum(exp(y)))',
  'dot(sin(y), y) / 3',
];

/** What stands in `mask` as the parts of a list. */
function maskAsParts(setup) {
  const { mask, maskMeaning: meaning } = setup;
  delete setup.maskMeaning;
  if (mask === undefined) return [];
  return [typeof mask === 'string' ? mask : { kind: 'given', tensor: mask, meaning }];
}

/** A setup with inline tensors, and the options it was drawn with (for the count of pairs). */
export function drawSetup(random) {
  const pick = (...values) => values[Math.floor(random() * values.length)];
  const whole = (low, high) => low + Math.floor(random() * (high - low + 1));
  const normal = () => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
  const fill = (shape, entry) =>
    shape.length === 0
      ? entry()
      : Array.from({ length: shape[0] }, () => fill(shape.slice(1), entry));
  const numbers = (...shape) => fill(shape, normal);
  const draw = { pick, whole, fill, numbers };

  const head = pick('kq', 'qkv', 'multihead', 'multihead', 'multihead');
  const multi = head === 'multihead';
  const options = {
    head,
    batch: pick(false, true),
    self: pick(false, true),
    scale: pick('default', 'number', '1/sqrt(d)'),
    softcap: pick(false, true),
    mask: pick('none', 'causal', 'causal-bottom-right', 'attend', 'ignore', 'add', 'boolean'),
    maskRank: pick(2, 3, 4),
    window: pick(false, false, true),
    alibi: pick(false, false, true, 'slopes'),
    dropout: pick(false, true),
    biases: head === 'kq' ? pick(false, true) : pick(false, true),
    loss: pick('default', 'upstream', 'target', 'expression'),
    axes: pick('default', 'key-first', 'query-first'),
    ...drawRopeOptions(multi && pick(false, 'half', 'interleaved'), pick),
    groups: multi ? pick('mha', 'gqa', 'mqa') : 'mha',
    past: multi ? pick(false, true) : false,
    start: pick('none', 'none', 'all', 'some'),
    output: multi ? pick(false, true) : false,
    ...drawMaskOptions(pick),
  };
  const kvHeads = multi ? { mha: whole(1, 3), gqa: 2, mqa: 1 }[options.groups] : 1;
  const heads = kvHeads * (options.groups === 'mha' ? 1 : whole(2, 3));
  const batch = options.batch ? [whole(1, 3)] : [];
  const fresh = whole(2, 6);
  const queries = options.self ? fresh : whole(1, 6);
  const past = options.past ? whole(1, 3) : 0;
  const keys = fresh + past;
  const width = options.rope ? 2 * whole(1, 4) : whole(1, 5);
  const valueWidth = whole(1, 5);
  const [features, otherFeatures, outFeatures] = [whole(1, 6), whole(1, 6), whole(1, 6)];
  const queryFeatures = options.self ? features : otherFeatures;
  const merged = head === 'kq' ? features : heads * valueWidth;
  const axes =
    options.axes === 'default' ? (head === 'kq' ? 'key-first' : 'query-first') : options.axes;
  const scores = (m, n) => (axes === 'key-first' ? [n, m] : [m, n]);

  const setup = { head, weights: {} };
  if (multi) Object.assign(setup, { heads, kvHeads });
  if (options.axes !== 'default') setup.axes = axes;
  const given =
    options.start === 'all'
      ? ['K', 'Q', 'V']
      : options.start === 'some'
        ? [pick('K', 'Q', 'V')]
        : [];
  const startIds = given.filter((id) => head !== 'kq' || id !== 'V');
  const startShapes = {
    K: [...batch, fresh, kvHeads * width],
    Q: [...batch, queries, heads * width],
    V: [...batch, fresh, kvHeads * valueWidth],
  };
  if (startIds.length > 0) {
    setup.start = Object.fromEntries(startIds.map((id) => [id, numbers(...startShapes[id])]));
  }
  const used = (id) => !startIds.includes(id);
  const needsX = head === 'kq' || used('K') || used('V') || (options.self && used('Q'));
  if (needsX) setup.x = numbers(...batch, fresh, features);
  if (!options.self && used('Q')) setup.xPrime = numbers(...batch, queries, queryFeatures);
  const widths = {
    K: [features, kvHeads * width],
    Q: [queryFeatures, heads * width],
    V: [features, kvHeads * valueWidth],
  };
  for (const id of head === 'kq' ? ['K', 'Q'] : ['K', 'Q', 'V']) {
    if (!used(id)) continue;
    setup.weights[`W_${id}`] = numbers(...widths[id]);
    if (options.biases) setup.weights[`b_${id}`] = numbers(widths[id][1]);
  }
  if (options.output) {
    setup.weights.W_O = numbers(merged, outFeatures);
    if (options.biases) setup.weights.b_O = numbers(outFeatures);
  }

  if (options.scale === 'number') setup.scale = 0.1 + random();
  if (options.scale === '1/sqrt(d)') setup.scale = '1/sqrt(d)';
  if (options.softcap) setup.softcap = 0.5 + 3 * random();
  const leading = multi ? [batch[0] ?? 1, heads] : [batch[0] ?? 1, 1];
  const maskShape = [
    ...leading.slice(4 - options.maskRank).map((length) => pick(1, length)),
    ...scores(queries, keys),
  ];
  const chance = (p) => () => random() < p;
  if (options.mask === 'causal' || options.mask === 'causal-bottom-right')
    setup.mask = options.mask;
  if (options.mask === 'add')
    setup.mask = fill(maskShape, () => (random() < 0.2 ? '-inf' : normal()));
  if (options.mask === 'boolean') setup.mask = fill(maskShape, chance(0.7));
  if (options.mask === 'attend') setup.mask = fill(maskShape, () => (random() < 0.7 ? 1 : 0));
  if (options.mask === 'ignore') setup.mask = fill(maskShape, chance(0.3));
  if (options.mask === 'attend' || options.mask === 'ignore') setup.maskMeaning = options.mask;
  const parts = drawMaskParts(options, { ...draw, batch, keys, queries, past, order: scores });
  if (parts.length > 0) setup.mask = [...maskAsParts(setup), ...parts];
  if (options.window) setup.window = whole(1, keys);
  if (options.alibi) setup.alibi = options.alibi === true ? true : fill([heads], random);
  if (options.dropout) {
    const p = pick(0.1, 0.3, 0.5);
    const keepShape = [...batch, ...(multi ? [heads] : []), ...scores(queries, keys)];
    // A batch without heads is three axes, which would be read as (heads, ., .): give all four.
    if (!multi && batch.length > 0) keepShape.splice(1, 0, 1);
    setup.dropout = { p, keep: fill(keepShape, () => (random() < p ? 0 : 1)) };
  }
  const isSame = setup.xPrime === undefined && queries === fresh;
  const ropeSizes = { random, batch, fresh, queries, isSame, width };
  if (options.rope) setup.rope = drawRope(options, { ...draw, ...ropeSizes });
  if (options.past) {
    setup.past = {
      K: numbers(...batch, kvHeads, past, width),
      V: numbers(...batch, kvHeads, past, valueWidth),
    };
  }
  const outShape = [
    ...batch,
    queries,
    head === 'kq' ? features : options.output ? outFeatures : heads * valueWidth,
  ];
  if (options.loss === 'upstream') setup.loss = { upstream: numbers(...outShape) };
  if (options.loss === 'target') setup.loss = { target: numbers(...outShape) };
  if (options.loss === 'expression') setup.loss = { expression: pick(...expressions) };
  const sizes = {
    heads,
    kvHeads,
    width,
    valueWidth,
    axes,
    tokens: [...batch, fresh],
    queryFeatures,
    queries: pick([queries], [...batch, queries]),
  };
  addLater(setup, options, { pick, whole, numbers }, sizes);
  const isFree = !setup.zeroKey && !setup.weights.null_K;
  const biasSizes = { multi, heads, queries, keys, order: scores, isFree };
  Object.assign(options, drawBias(setup, { ...draw, ...biasSizes }));
  Object.assign(options, drawLatent(setup, { ...draw, ...sizes }));
  Object.assign(options, drawDifferential(setup, { ...draw, ...sizes }));
  return { setup, options };
}

/** Options drawn after all others, so that a seed's earlier ones stay what they were. */
function addLater(setup, options, { pick, whole, numbers }, sizes) {
  const { heads, kvHeads, width } = sizes;
  options.qkNorm = pick(false, false, 'rms', 'layer');
  if (options.qkNorm) {
    options.normOver = pick('head', 'all');
    options.normPlace = pick('before-rope', 'after-rope');
    options.gains = pick('none', 'width', 'all');
    const own = { kind: options.qkNorm, over: options.normOver, place: options.normPlace };
    setup.qkNorm = { ...own, eps: pick(1e-6, 0.1), unitOffset: pick(false, true) };
    const count = { K: kvHeads, Q: heads };
    for (const id of options.gains === 'none' ? [] : ['K', 'Q']) {
      const length = options.gains === 'all' ? count[id] * width : width;
      setup.weights[`gamma_${id}`] = numbers(length);
      if (options.qkNorm === 'layer') setup.weights[`beta_${id}`] = numbers(length);
    }
  }
  const multi = setup.head === 'multihead';
  options.sink = pick('none', 'none', 'plus-one', multi ? 'learned' : 'none');
  if (options.sink === 'plus-one') setup.softmax = 'plus-one';
  if (options.sink === 'learned') setup.weights.sinks = numbers(heads);
  options.nulls = multi ? pick('none', 'none', 'learned', 'zero', 'both') : 'none';
  addNulls(setup, options, numbers, sizes);
  options.valueInput = 'W_V' in setup.weights && pick(false, false, true);
  if (options.valueInput) {
    const features = whole(1, 5);
    setup.xValue = numbers(...sizes.tokens, features);
    setup.weights.W_V = numbers(features, kvHeads * sizes.valueWidth);
    // What x fed alone may be left with nothing to feed.
    if (!('W_K' in setup.weights) && !('W_Q' in setup.weights && !setup.xPrime)) delete setup.x;
  }
  const hasQueryInput = 'xPrime' in setup || (options.self && 'x' in setup);
  options.gate = multi && hasQueryInput && pick(false, false, 'head', 'entry');
  if (options.gate) {
    const from = sizes.queryFeatures;
    const to = options.gate === 'head' ? heads : heads * sizes.valueWidth;
    setup.weights.W_gate = numbers(from, to);
    if (options.biases) setup.weights.b_gate = numbers(to);
  }
  options.headScale = multi && pick(false, false, true);
  if (options.headScale) setup.weights.headScale = numbers(heads);
  options.temperature = pick('none', 'none', 'tensor', 'logN', 'floor');
  if (options.temperature === 'tensor') setup.temperature = numbers(...sizes.queries);
  if (options.temperature === 'logN') setup.temperature = { logN: 2.5 };
  if (options.temperature === 'floor') setup.temperature = { floor: 2, scale: 0.3 };
  addBlock(setup, options, { pick, numbers }, sizes);
  options.grouping = multi && pick('blocks', 'interleaved');
  if (options.grouping) setup.grouping = options.grouping;
}

function addNulls(setup, { nulls }, numbers, { kvHeads, width, valueWidth, axes }) {
  if (nulls === 'none') return;
  if (nulls !== 'zero') {
    setup.weights.null_K = numbers(kvHeads * width);
    setup.weights.null_V = numbers(kvHeads * valueWidth);
  }
  if (nulls !== 'learned') setup.zeroKey = true;
  if (!setup.dropout) return;
  const count = nulls === 'both' ? 2 : 1;
  const kept = Array.from({ length: count }, () => 1);
  const longer = (rows) =>
    axes === 'key-first'
      ? [...rows, ...kept.map(() => rows[0].map(() => 1))]
      : rows.map((row) => [...row, ...kept]);
  const deep = (part) => (Array.isArray(part[0][0]) ? part.map(deep) : longer(part));
  setup.dropout.keep = deep(setup.dropout.keep);
}

/** Norms around the attention; the residual connection where the input is as wide as the output. */
function addBlock(setup, options, { pick, numbers }, { queryFeatures }) {
  const { W_O } = setup.weights;
  const stream = 'xPrime' in setup || (options.self && 'x' in setup);
  if (!W_O || !stream) return;
  options.preNorm = pick('none', 'none', 'rms', 'layer');
  options.outputNorm = pick('none', 'none', 'rms', 'layer');
  options.postNorm = pick('none', 'none', 'rms', 'layer');
  options.residual = W_O[0].length === queryFeatures && pick(false, true);
  const block = options.residual ? { residual: true } : {};
  const widths = { pre: queryFeatures, out: W_O[0].length, post: W_O[0].length };
  for (const [place, width] of Object.entries(widths)) {
    const name = place === 'out' ? 'outputNorm' : `${place}Norm`;
    if (options[name] === 'none') continue;
    block[name] = { kind: options[name], eps: 0.1 };
    setup.weights[`gamma_${place}`] = numbers(width);
    if (options[name] === 'layer') setup.weights[`beta_${place}`] = numbers(width);
  }
  if (Object.keys(block).length > 0) setup.block = block;
}
