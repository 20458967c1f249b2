// Tensors whose gradient is not that of the attention alone: read elsewhere, or in two places of it.
import type { Context } from '../entries/builder.ts';
import type { Value } from '../values/values.ts';

/**
 * The nodes whose gradient PyTorch adds up from more than this attention: of what other statements read on the way to
 * the loss, such as a penalty of weights or a second layer; of what another input is made from; of what two
 * projections are made by.
 */
export function sharedNodes(context: Context): string[] {
  const { model, values } = context;
  const { query, key, value, output } = model;
  const found = new Set<string>();
  const y = context.build.last ?? output?.y ?? model.mixed?.output;
  if (!y) return [];
  const entries = new Map<string, Value>();
  for (const [letter, root] of [
    ['Q', query],
    ['K', key],
    ['V', value],
  ] as const) {
    if (root?.projection) {
      entries.set(`W_${letter}`, root.projection.weight);
      if (root.projection.bias) entries.set(`b_${letter}`, root.projection.bias.value);
    } else if (root?.start) entries.set(letter, root.start.value);
  }
  const inputs = {
    ...{ x: (key.projection ?? value?.projection)?.x, xPrime: query.projection?.x },
    xValue: value?.projection?.x,
  };
  for (const [entry, own] of Object.entries(inputs)) if (own) entries.set(entry, own);
  if (output) entries.set('W_O', output.weight);
  if (output?.bias) entries.set('b_O', output.bias.value);
  for (const [node, own] of entries) {
    const isBehindOther =
      Object.hasOwn(inputs, node) &&
      Object.values(inputs).some(
        (other) => other && other !== own && values.ancestors(other).has(own.id),
      );
    if (isBehindOther || isReadElsewhere(context, own, y)) found.add(node);
  }
  const roots = { Q: query, K: key, V: value };
  // Keys and values that a later call reads from its cache.
  for (const [letter, own] of [
    ['K', model.told.key.value],
    ['V', model.mixed?.values.value],
  ] as const) {
    if (!own || !isReadElsewhere(context, own, y)) continue;
    for (const node of [letter, `${letter}h`, `W_${letter}`, `b_${letter}`, 'x']) found.add(node);
  }
  for (const [a, b] of [
    ['Q', 'K'],
    ['Q', 'V'],
    ['K', 'V'],
  ] as const) {
    const [left, right] = [roots[a]?.projection, roots[b]?.projection];
    const isSame =
      left &&
      right &&
      left.weight === right.weight &&
      left.weightLayout.offset === right.weightLayout.offset;
    const [p, q] = [roots[a]?.start?.value, roots[b]?.start?.value];
    if (!isSame && (p === undefined || p !== q)) continue;
    for (const letter of [a, b])
      for (const node of [letter, `W_${letter}`, `b_${letter}`, `${letter}h`]) found.add(node);
  }
  return [...found];
}

/** Whether a statement with a gradient reads it whose result does not lead to y. */
function isReadElsewhere({ values, model }: Context, own: Value, y: Value): boolean {
  const ids = new Set(own.events.map(({ id }) => id));
  const ancestors = values.ancestors(y);
  const family = new Set(model.lookup.find(y.tensor, y.eps).map(({ id }) => id));
  const names = new Set(own.events.map(({ name }) => name));
  const { events, statements } = values.recording;
  return events.some((event) => {
    if (event.requiresGrad !== true || event.how === 'gradient') return false;
    // A call of a module reads all that it has, and the statement does not name it.
    const isNamed = statements[event.statement].loads.some((text) => names.has(text));
    if (!isNamed || !event.reads.some((id) => ids.has(id))) return false;
    const made = values.ofEvent(event.id);
    if (!made) return true;
    return made !== own && !ancestors.has(made.id) && !family.has(made.id) && made !== y;
  });
}
