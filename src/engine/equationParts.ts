// What the equations of all heads are made of.
import type { Letter } from './axes.ts';
import { type Formula, symbol } from './formula.ts';

export interface Equation {
  /** As on the exercise's sheet; '' for what is ours. */
  readonly number: string;
  /** What it says, in a few words. */
  readonly title: string;
  /** What its symbols are called in the graph, where that is something else. */
  readonly note: string;
  readonly formula: Formula;
}

export const v = (name: string, ...letters: Letter[]): Formula =>
  symbol(
    name,
    letters.map((letter) => [letter]),
  );

/** In self-attention, too: there x is a token as key and value, x′ the same token as query. */
export const QUERY = 'x′';

export const equation = (number: string, title: string, formula: Formula, note = ''): Equation => ({
  number,
  title,
  note,
  formula,
});
