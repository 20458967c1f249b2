// Which entries a position is about: the selected one, and those that its terms were made from.
import type { StepView } from '../../src/stepper/stepView.ts';

export interface EntryMark {
  readonly node: string;
  readonly kind: 'value' | 'gradient';
  readonly index: readonly number[];
}

/** More outlines than these would hide the picture. */
const MOST = 80;

/** "dP[0,1]" -> the entry of P's gradient; "x[0,1]" -> the entry of x; a scalar has no brackets. */
export function parseEntry(text: string, isNode: (id: string) => boolean): EntryMark | null {
  const match = /^(\w+?)(?:\[([\d,]*)\])?$/.exec(text.trim());
  if (!match) return null;
  const [, name, places] = match;
  const index = places ? places.split(',').map(Number) : [];
  if (isNode(name)) return { node: name, kind: 'value', index };
  const receiver = name.slice(1);
  return name.startsWith('d') && isNode(receiver)
    ? { node: receiver, kind: 'gradient', index }
    : null;
}

/** Entries named in a term's label; local Jacobians (∂y/∂P) are no entries. */
export function entriesOfLabel(label: string, isNode: (id: string) => boolean): EntryMark[] {
  return label
    .split(' · ')
    .filter((factor) => !factor.includes('∂'))
    .flatMap((factor) => parseEntry(factor, isNode) ?? []);
}

/** Entries to outline at a step; with `pointed`, only those of that term. */
export function marksOf(step: StepView, pointed: number | null): EntryMark[] {
  const { focus, terms, nodes } = step;
  if (!focus) return [];
  const isNode = (id: string): boolean => id in nodes;
  const only = pointed ?? terms?.current ?? null;
  const all = terms?.terms ?? [];
  const chosen =
    only === null ? all.filter(({ zero }) => zero !== 'structure') : all.slice(only, only + 1);
  return [focus, ...chosen.slice(0, MOST).flatMap(({ label }) => entriesOfLabel(label, isNode))];
}
