// The terms of an entry as rows of a table: what each is made of, its product and the sum so far. Pure.
import type { TermsView, TermView } from '../../src/stepper/stepView.ts';

export interface TermRow {
  /** Place among the host's terms. */
  readonly at: number;
  readonly term: TermView;
  readonly sum: number;
}

export interface TermRows {
  readonly shown: readonly TermRow[];
  /** Rows that are zero by structure and folded away. */
  readonly folded: number;
  /** How many there are to fold. */
  readonly foldable: number;
}

const FEW_ZEROS = 8;

export function termRows({ terms, current }: TermsView, zerosOpen: boolean): TermRows {
  let sum = 0;
  const rows = terms.map((term, at): TermRow => {
    sum += term.product;
    return { at, term, sum };
  });
  const structural = rows.filter(({ term }) => term.zero === 'structure').length;
  const foldable = structural > FEW_ZEROS ? structural : 0;
  if (foldable === 0 || zerosOpen) return { shown: rows, folded: 0, foldable };
  // The term the walk is at is never hidden.
  const shown = rows.filter(({ at, term }) => term.zero !== 'structure' || at === current);
  return { shown, folded: rows.length - shown.length, foldable };
}

export interface Columns {
  /** Heads of the columns between the row's name and its product. */
  readonly factors: readonly string[];
  /** The row's own name. */
  readonly row: (label: string) => string;
  readonly rowHead: string;
}

/**
 * A backward label is "dS[1,0] · ∂S[1,0]/∂K[1,2]": all rows share the last part, so it becomes a column's head,
 * and a row is named by its output entry alone. A forward label is "x[0,1] · W_K[1,2]", different in both parts.
 */
export function columnsOf(labels: readonly string[]): Columns {
  const backward = /^d(\w+?)(?:\[[^\]]*\])? · ∂.*\/(∂.*)$/.exec(labels[0] ?? '');
  if (backward) {
    const [, from, target] = backward;
    return {
      rowHead: 'through',
      row: (label) => /∂(.*)\/∂/.exec(label)?.[1] ?? label,
      factors: [`d${from}`, `∂${from}/${target}`],
    };
  }
  const names = labels[0]?.split(' · ').map((factor) => factor.replace(/\[.*/, '')) ?? [];
  return { rowHead: 'term', row: (label) => label, factors: names };
}

/** About how wide a character is there, what a number takes with its space, and the last two columns. */
const [CHARACTER, NUMBER, SUMS] = [5.8, 46, 110];
/** Heads of columns may take two lines. */
const BROKEN = 0.7;

/** About what the table takes in width, with none of its rows' names broken. */
export function widthOfTerms({ terms }: TermsView): number {
  const { row, factors } = columnsOf(terms.map(({ label }) => label));
  const wide = (text: string, share = 1): number =>
    share * CHARACTER * text.replaceAll(',', ', ').length + 12;
  const names = Math.max(...terms.map(({ label }) => wide(row(label))), 0);
  const all = factors.map((factor, n) =>
    Math.max(NUMBER, wide(n > 0 ? `× ${factor}` : factor, BROKEN)),
  );
  return names + all.reduce((sum, each) => sum + each, SUMS);
}
