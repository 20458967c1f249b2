// Lists of masks, each part drawn independently of the others.

/** Which parts are drawn. */
export function drawMaskOptions(pick) {
  const isList = pick(false, true);
  const some = (...values) => pick(false, false, ...values) && isList && pick(...values);
  return {
    padding: some('lengths', 'keep'),
    sides: some('left', 'right', 'both'),
    prefix: some('number', 'tensor'),
    chunked: some(true),
    documents: some('ids', 'queryIds'),
    given: some('attend', 'ignore', 'add'),
  };
}

/** The parts that the options ask for. `batch` is [] or [length]. */
export function drawMaskParts(options, { pick, whole, fill, batch, keys, queries, past, order }) {
  const parts = [];
  if (options.padding === 'lengths')
    parts.push({ kind: 'padding', lengths: fill([batch[0] ?? 1], () => whole(0, keys)) });
  if (options.padding === 'keep')
    parts.push({ kind: 'padding', keep: fill([...batch, keys], () => pick(0, 1, 1, 1)) });
  if (options.sides) {
    const part = { kind: 'window' };
    if (options.sides !== 'right') part.left = whole(0, keys);
    if (options.sides !== 'left') part.right = whole(0, keys);
    parts.push(part);
  }
  if (options.prefix) {
    const length =
      options.prefix === 'number' ? whole(0, keys) : fill([batch[0] ?? 1], () => whole(0, keys));
    parts.push({ kind: 'prefix', length });
  }
  if (options.chunked) parts.push({ kind: 'chunked', size: whole(1, keys) });
  if (options.documents) {
    const ids = (count) => fill([...pick(batch, []), count], () => whole(0, 2));
    const part = { kind: 'documents', ids: ids(keys) };
    if (options.documents === 'queryIds' || keys - past !== queries) part.queryIds = ids(queries);
    parts.push(part);
  }
  if (options.given) {
    const entry = () => (options.given === 'add' ? whole(-2, 2) / 2 : pick(0, 1, 1));
    const hidden = options.given === 'ignore' ? () => 1 - entry() : entry;
    parts.push({
      kind: 'given',
      tensor: fill(order(queries, keys), hidden),
      meaning: options.given,
    });
  }
  return parts;
}
