// Rotary embeddings with any of their options, drawn independently.

const even = (whole, low, high) => 2 * whole(low, high);

/** `pairing` is false where there is none. */
export function drawRopeOptions(pairing, pick) {
  if (!pairing) return { rope: false };
  return {
    rope: pairing,
    partial: pick(false, true),
    scaling: pick(false, 'linear', 'ntk', 'llama3', 'yarn', 'yarn', 'invFreq'),
    positions: pick(false, 'shared', 'batch'),
    sections: pick(false, 'shared', 'own'),
  };
}

export function drawRope(
  options,
  { pick, whole, fill, random, batch, fresh, queries, isSame, width },
) {
  const rope = { base: pick(10, 10000), pairing: options.rope };
  const turned = options.partial ? even(whole, 1, width / 2) : width;
  if (options.partial) rope.features = turned;
  const factor = pick(2, 4, 8.5);
  const originalLength = pick(4, 16, 64);
  // NTK of one pair alone would divide by 0.
  const own = options.scaling === 'ntk' && turned === 2 ? 'linear' : options.scaling;
  if (own === 'linear' || own === 'ntk') rope.scaling = { kind: own, factor };
  if (own === 'llama3') {
    rope.scaling = { kind: 'llama3', factor, originalLength };
    if (pick(false, true)) Object.assign(rope.scaling, { lowFreqFactor: 0.5, highFreqFactor: 2 });
  }
  if (own === 'yarn') {
    rope.scaling = { kind: 'yarn', factor, originalLength };
    if (pick(false, true)) Object.assign(rope.scaling, { betaFast: 4, betaSlow: 0.3 });
    if (pick(false, true)) rope.scaling.magnitude = 0.5 + random();
    if (pick(false, true)) rope.scaling.truncate = false;
  }
  if (own === 'invFreq') {
    delete rope.base;
    rope.invFreq = fill([turned / 2], random);
  }
  const sections = [];
  for (let left = turned / 2; options.sections && left > 0; left -= sections.at(-1))
    sections.push(whole(1, left));
  if (!options.positions && !options.sections) return rope;
  if (options.sections) rope.sections = sections;
  // Own frequencies, and NTK's base of a section with one pair, leave nothing to begin again.
  if (options.sections && own !== 'invFreq' && own !== 'ntk')
    rope.sectionFrequencies = options.sections;
  const front = [
    ...(options.sections ? [sections.length] : []),
    ...(options.positions === 'batch' ? batch : []),
  ];
  const places = (count) => fill([...front, count], () => whole(0, 12));
  rope.positions = places(fresh);
  if (!isSame || pick(false, false, true)) rope.queryPositions = places(queries);
  return rope;
}
