// Letters that stand beside each other wherever they stand are one axis: (r g a) of a projection is its width.
import type { Extents, Letter } from '../axes.ts';
import type { Formula } from '../formula.ts';
import { innerOf, mapInner } from '../where.ts';

interface Uses {
  readonly axes: (readonly Letter[])[];
  readonly over: (readonly Letter[])[];
  /** Letters whose index itself is spoken of. */
  readonly alone: Set<Letter>;
}

function collect(formula: Formula, uses: Uses): Uses {
  if (formula.kind === 'symbol') uses.axes.push(...formula.indices);
  if (formula.kind === 'sum' || formula.kind === 'reduce') uses.over.push(formula.over);
  if (formula.kind === 'at' || formula.kind === 'index') uses.alone.add(formula.letter);
  for (const inner of innerOf(formula)) collect(inner, uses);
  return uses;
}

/** Two letters of which neither ever stands without the other, this one first. */
function pairOf({ axes, over, alone }: Uses): readonly [Letter, Letter] | null {
  for (const axis of axes) {
    for (let n = 1; n < axis.length; n++) {
      const [a, b] = [axis[n - 1], axis[n]];
      const isPair = (own: readonly Letter[]): boolean =>
        own.every(
          (letter, at) =>
            (letter !== a || own[at + 1] === b) && (letter !== b || own[at - 1] === a),
        );
      const together = (own: readonly Letter[]): boolean => own.includes(a) === own.includes(b);
      if (!alone.has(a) && !alone.has(b) && axes.every(isPair) && over.every(together))
        return [a, b];
    }
  }
  return null;
}

function joined(formula: Formula, [a, b]: readonly [Letter, Letter], name: Letter): Formula {
  const merged = (own: readonly Letter[]): Letter[] =>
    own.filter((letter) => letter !== b).map((letter) => (letter === a ? name : letter));
  const inner = mapInner(formula, (each) => joined(each, [a, b], name));
  if (inner.kind === 'symbol') return { ...inner, indices: inner.indices.map(merged) };
  if (inner.kind === 'sum' || inner.kind === 'reduce')
    return { ...inner, over: merged(inner.over) };
  return inner;
}

/** The same formula with such letters as one, which is as long as both. */
export function fused(formula: Formula, extents: Extents): { formula: Formula; extents: Extents } {
  const pair = pairOf(collect(formula, { axes: [], over: [], alone: new Set() }));
  if (!pair) return { formula, extents };
  const name = pair.join('');
  const length = extents[pair[0]] * extents[pair[1]];
  return fused(joined(formula, pair, name), { ...extents, [name]: length });
}
