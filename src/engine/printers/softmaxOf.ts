// exp(a) / Σ exp(b): what libraries have a function for.
import type { Letter } from '../axes.ts';
import type { Formula } from '../formula.ts';

export interface Softmax {
  readonly logits: Formula;
  readonly summed: Formula;
  readonly over: readonly Letter[];
}

export function softmaxOf(formula: Formula): Softmax | null {
  if (formula.kind !== 'fraction') return null;
  const { top, bottom } = formula;
  if (top.kind !== 'call' || top.name !== 'exp' || bottom.kind !== 'sum') return null;
  const { body, over } = bottom;
  if (body.kind !== 'call' || body.name !== 'exp') return null;
  return { logits: top.argument, summed: body.argument, over };
}
