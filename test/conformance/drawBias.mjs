// Learned biases of the scores by position, with their tables.

/** Adds the option and its table to a setup; `isFree` where no other option excludes them. */
export function drawBias(setup, { pick, numbers, multi, heads, queries, keys, order, isFree }) {
  const positionBias = multi && isFree && pick(false, 'learned', 't5', 't5', 'swin');
  if (positionBias === 'learned') {
    setup.positionBias = { kind: 'learned' };
    setup.weights.B = numbers(heads, ...order(queries, keys));
  }
  const buckets = pick(4, 6, 8, 32);
  const bidirectional = pick(true, false);
  if (positionBias === 't5') {
    setup.positionBias = { kind: 't5', bidirectional, maxDistance: pick(buckets, 20, 128) };
    if (bidirectional && setup.positionBias.maxDistance === 128 && buckets === 32) {
      // The model's own numbers go without saying.
      setup.positionBias = { kind: 't5' };
    }
    setup.weights.B = numbers(buckets, heads);
  }
  if (positionBias === 'swin' && queries === keys) {
    const height = [3, 2, 1].find((side) => keys % side === 0);
    const width = keys / height;
    setup.positionBias = { kind: 'swin', window: [height, width] };
    setup.weights.B = numbers((2 * height - 1) * (2 * width - 1), heads);
  }
  return { positionBias: setup.positionBias ? positionBias : false };
}
