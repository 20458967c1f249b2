// The text of a setup for a trace: the inputs and weights that it holds, and the number of heads that shapes tell.
import type { NodeId } from '../engine/graph.ts';
import { formatShape } from '../engine/tensor.ts';
import { resolveName } from './nodeNames.ts';

/** A tensor of the trace, by its header. */
export interface Entry {
  readonly name: string;
  readonly shape: readonly number[];
}

/** Axes of a node that has one for the heads, from its end: (heads, tokens, width), (heads, queries, keys). */
const HEADS_AXIS = 3;

/**
 * The text of a setup with comments: what `file`, relative to it, holds is referred to; what has to be said by hand
 * stands in comments. `entries`: every tensor of the trace.
 */
export function traceSetupText(file: string, entries: readonly Entry[]): string {
  const found = new Map<string, Entry>();
  const unknown: Entry[] = [];
  for (const entry of entries) {
    const resolved = resolveName(entry.name, {}, entry.shape.length);
    const key = resolved && (resolved.kind === 'value' ? resolved.node : `d${resolved.node}`);
    if (key === null) unknown.push(entry);
    else if (!found.has(key)) found.set(key, entry);
  }
  const { head, heads, kvHeads } = headOf(found);
  const letters = { kq: ['K', 'Q'], qkv: ['K', 'Q', 'V'], multihead: ['K', 'Q', 'V', 'O'] }[head];
  const refer = (id: string): string => {
    const { name } = found.get(id)!;
    return JSON.stringify(isOne(entries, file) ? { file } : { file, key: name });
  };
  const line = (id: string, key: string = id): string[] =>
    found.has(id) ? [`  "${key}": ${refer(id)},`] : [];

  const lines = [`  "head": "${head}",`];
  if (heads !== null) lines.push(`  "heads": ${heads},`);
  else if (head === 'multihead') lines.push('  "heads": 1, // how many?');
  if (kvHeads !== null && kvHeads !== heads) lines.push(`  "kvHeads": ${kvHeads},`);
  if (!found.has('x') && ['Q', 'K'].every((id) => found.has(id))) {
    const parts = ['Q', 'K', 'V'].filter((id) => found.has(id));
    const start = parts.map((id) => `"${id}": ${refer(id)}`).join(', ');
    lines.push(`  "start": { ${start} },`);
  } else {
    lines.push(...(found.has('x') ? line('x') : ['  // "x": the input; the trace has none']));
    lines.push(...line('xPrime'));
  }
  lines.push(...weightLines(found, letters, refer));
  lines.push('  // "mask": "causal",');
  if (found.has('dy')) lines.push(`  "loss": { "upstream": ${refer('dy')} },`);
  if (unknown.length > 0) {
    const names = unknown.map(({ name, shape }) => `${name} ${formatShape(shape)}`).join(', ');
    lines.push(`  // Not known by name: ${names.replaceAll(/[\r\n]+/g, ' ')}`);
    lines.push(`  // "names": { ${JSON.stringify(unknown[0].name)}: "P" },`);
  }
  return `{\n${lines.join('\n')}\n}\n`;
}

/** A .npy holds one tensor, which has no key. */
const isOne = (entries: readonly Entry[], file: string): boolean =>
  entries.length === 1 && file.endsWith('.npy');

function headOf(found: ReadonlyMap<string, Entry>): {
  readonly head: 'kq' | 'qkv' | 'multihead';
  readonly heads: number | null;
  readonly kvHeads: number | null;
} {
  const batch = (found.get('x')?.shape.length ?? 2) > 2 ? 1 : 0;
  const shapeOf = (id: NodeId): readonly number[] | undefined =>
    (found.get(id) ?? found.get(`d${id}`))?.shape;
  const count = (ids: readonly NodeId[]): number | null => {
    const shape = ids.map(shapeOf).find((each) => each !== undefined) ?? [];
    return shape.length >= HEADS_AXIS + batch ? shape[shape.length - HEADS_AXIS] : null;
  };
  const heads = count(['P', 'Z', 'M', 'S', 'Pd', 'Qh']);
  const kvHeads = count(['Kh', 'Vh']);
  const has = (id: NodeId): boolean => shapeOf(id) !== undefined;
  const head =
    heads !== null || kvHeads !== null || has('W_O') || has('C')
      ? 'multihead'
      : has('W_V') || has('V')
        ? 'qkv'
        : 'kq';
  return { head, heads: head === 'multihead' ? heads : null, kvHeads };
}

/** The weights; of those that are named as a framework's, that they may be the transpose. */
function weightLines(
  found: ReadonlyMap<string, Entry>,
  letters: readonly string[],
  refer: (id: string) => string,
): string[] {
  const wanted = letters.flatMap((letter) => [`W_${letter}`, `b_${letter}`]);
  const there = wanted.filter((id) => found.has(id));
  const isStarted = !found.has('x') && found.has('Q') && found.has('K');
  const missing = wanted.filter(
    (id) => id.startsWith('W_') && !found.has(id) && !(isStarted && id !== 'W_O'),
  );
  if (there.length + missing.length === 0) return ['  "weights": {},'];
  return [
    '  "weights": {',
    ...(there.some((id) => /weight$/i.test(found.get(id)!.name))
      ? ['    // As (in, out): the weight of an nn.Linear has to be transposed when it is saved.']
      : []),
    ...there.map((id) => `    "${id}": ${refer(id)},`),
    ...missing.map((id) => `    // "${id}": of shape (in, out); the trace has none`),
    '  },',
  ];
}
