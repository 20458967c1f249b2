// What can stand where: tensors that fit, numbers of the setup, other masks.
import { type AxisLetters, shapeOf } from '../../engine/axes.ts';
import {
  below,
  call,
  type Formula,
  minus,
  modulo,
  number,
  plus,
  position,
  symbol,
} from '../../engine/formula.ts';
import { hasNode, nodeOf, tensorName } from '../../engine/graph.ts';
import { scaleFactor } from '../../engine/heads/weights.ts';
import { type Context, pastTokens, type Site } from '../edits/edit.ts';
import { keyOf, type Key } from '../program/program.ts';
import type { NamedNumber, Scope } from './mistake.ts';

/** l stands for the key that a softmax sums over. */
const ALIASES: Readonly<Record<string, string>> = { l: 'i' };

/** `isLater`: what is computed from the place itself. */
export function scopeOf(site: Site, isLater: (key: Key) => boolean): Scope {
  const { graph } = site;
  const { extents } = graph;
  const shapes = new Map<string, string>();
  for (const { id, shape } of graph.nodes) {
    for (const kind of ['value', 'gradient'] as const) {
      if (kind === 'gradient' && site.kind === 'value') continue;
      if (!isLater(keyOf(id, kind))) shapes.set(tensorName(id, kind), shape.join());
    }
  }
  const length = (letter: string): number | undefined => {
    const own = letter.replaceAll(/[′″‴]/g, '');
    return extents[ALIASES[own] ?? own];
  };
  const axesOf = (name: string): readonly AxisLetters[] | null => {
    if (hasNode(graph, name)) return nodeOf(graph, name).axes;
    const id = name.slice(1);
    return name.startsWith('d') && hasNode(graph, id) ? nodeOf(graph, id).axes : null;
  };
  return {
    length,
    ownOf: (letter) => ALIASES[letter] ?? letter,
    numbers: numbersOf(site),
    masks: masksOf(site),
    like({ name, indices }) {
      const axes = axesOf(name);
      if (!axes) return [];
      const shape = shapeOf(axes, extents).join();
      return [...shapes].flatMap(([other, own]) => {
        const fits = other !== name && own === shape && sameSplit(axesOf(other)!, axes);
        return fits ? [symbol(other, indices)] : [];
      });
    },
  };
}

/** Merged axes are made of as many letters. */
const sameSplit = (a: readonly AxisLetters[], b: readonly AxisLetters[]): boolean =>
  a.every((axis, n) => axis.length === b[n].length);

function numbersOf(context: Context): NamedNumber[] {
  const { config, graph } = context;
  const { extents } = graph;
  const width = extents['a'];
  const named: readonly (readonly [name: string, value: number | undefined])[] = [
    ['the scale', scaleFactor(config, width) ?? 1],
    ['2', 2],
    ['the width of a key', width],
    ['√ of the width of a key', Math.sqrt(width)],
    ['the number of keys', extents['i']],
    ['the number of queries', extents['j']],
    ['the number of heads', config.heads],
    ['the size of a group', extents['g']],
    ['the batch size', extents['b']],
    ['the softcap', config.softcap],
    ['(1 − p)', config.dropout && 1 - config.dropout.p],
  ];
  const list = named.flatMap(([name, value = 1]): NamedNumber[] => [
    { name, value },
    { name: `1 / ${name}`, value: 1 / value },
  ]);
  return list.filter(
    ({ value }, n) =>
      Math.abs(value - 1) > 1e-9 &&
      list.findIndex((each) => Math.abs(each.value / value - 1) < 1e-12) === n,
  );
}

const MOST_TILES = 4;

/** Causal masks that are shifted, the wrong way round, tile-local or absent; none where the setup has no M. */
function masksOf(context: Context): Scope['masks'] {
  const { graph } = context;
  if (!hasNode(graph, 'M')) return [];
  const { extents } = graph;
  const [i, j] = [position('i'), position('j')];
  const [past, end] = [pastTokens(context), extents['i'] - extents['j']];
  const masks: { say: string; hidden: Formula; cost?: number }[] = [
    { say: 'no mask', hidden: number(0) },
    { say: 'the causal mask the other way round', hidden: below(i, j) },
  ];
  for (const shift of new Set([
    0,
    past,
    end,
    1,
    -1,
    past - 1,
    past + 1,
    end - 1,
    end + 1,
    -past,
    -end,
  ])) {
    const say = `key i hidden from query j where i > j${shift === 0 ? '' : ` ${shift < 0 ? '−' : '+'} ${Math.abs(shift)}`}`;
    masks.push({ say, hidden: below(shift === 0 ? j : plus(j, number(shift)), i) });
  }
  for (let tile = 2; tile <= MOST_TILES; tile++) {
    const local = below(modulo(j, number(tile)), modulo(i, number(tile)));
    masks.push({ say: `a causal mask within each tile of ${tile}`, hidden: local, cost: 0.3 });
  }
  return masks.map(({ say, hidden, cost }) => ({
    is: hidden.kind === 'number' ? hidden : call('hide', hidden),
    seen: minus(number(1), hidden),
    say: `mask: ${say}`,
    cost,
  }));
}
